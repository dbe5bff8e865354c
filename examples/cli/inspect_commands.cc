// inspect, `container inspect` and `image inspect`.
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/go_format.h"
#include "examples/cli/output.h"
#include "examples/cli/status_util.h"
#include "examples/cli/template/template.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct InspectArguments {
  bool size = false;
  std::string format;
  std::string type;
};

constexpr char kTemplateHelp[] =
    "Format output using a custom template: 'json' or 'TEMPLATE', in the "
    "language of Go templates";

constexpr Flag kFlags[] = {
    {"format", 'f', "string", kTemplateHelp, Set<&InspectArguments::format>},
    {"size", 's', "", "Display total file sizes if the type is container",
     Set<&InspectArguments::size>},
    {"type", '\0', "string", "Only inspect objects of the given type",
     Set<&InspectArguments::type>},
};

constexpr Flag kContainerFlags[] = {kFlags[0], kFlags[1]};
constexpr Flag kImageFlags[] = {kFlags[0]};

// The JSON of an object as the engine writes it.
absl::StatusOr<std::string> ReadObject(const Engine& engine,
                                       const InspectArguments& options,
                                       const std::string& name) {
  if (options.type != "image") {
    absl::StatusOr<Container> container = engine.GetContainer(name);
    if (container.ok()) return container->InspectJson(options.size);
    if (!absl::IsNotFound(container.status())) return container.status();
    if (options.type == "container") {
      return absl::NotFoundError(absl::StrCat("no such container: ", name));
    }
  }
  absl::StatusOr<ImageInfo> image = engine.images().Inspect(name);
  if (image.ok()) return std::move(image->json);
  // A name that is no reference cannot be an image, but may have been meant
  // as anything.
  if (!absl::IsNotFound(image.status()) &&
      !(options.type.empty() && absl::IsInvalidArgument(image.status()))) {
    return image.status();
  }
  return absl::NotFoundError(absl::StrCat(
      "no such ", options.type.empty() ? "object" : options.type, ": ", name));
}

absl::StatusOr<std::string> Render(const Template& compiled,
                                   const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  absl::StatusOr<std::string> out = compiled.Execute({.root = &json});
  if (out.ok()) return absl::StrCat(*out, "\n");
  return absl::InvalidArgumentError(
      absl::StrCat("template parsing error: ", out.status().message()));
}

// Docker's array, members in the order in which the engine wrote them.
std::string JsonArray(const std::vector<std::string>& objects, int indent) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const std::string& text : objects) {
    array.push_back(nlohmann::ordered_json::parse(text, nullptr, false));
  }
  return absl::StrCat(
      array.dump(indent, ' ', false,
                 nlohmann::ordered_json::error_handler_t::replace),
      "\n");
}

absl::StatusOr<int> InspectAs(Context& context, InspectArguments& options,
                              const Arguments& arguments) {
  if (!options.type.empty() && options.type != "container" &&
      options.type != "image") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown type: ", GoQuote(options.type)));
  }
  const bool json = options.format == "json";
  const bool array = options.format.empty() || json;
  absl::StatusOr<Template> compiled =
      Template::Parse(array ? "" : options.format);
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("template parsing error: ", compiled.status().message()));
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  std::vector<std::string> objects;
  std::string rendered;
  int exit_code = 0;
  for (const std::string& name : arguments) {
    absl::StatusOr<std::string> text = ReadObject(engine, options, name);
    if (text.ok() && !array) {
      absl::StatusOr<std::string> line = Render(*compiled, *text);
      if (line.ok()) {
        rendered += *line;
        continue;
      }
      text = line.status();
    }
    if (text.ok()) {
      objects.push_back(*std::move(text));
      continue;
    }
    context.PrintError(text.status());
    exit_code = kExitFailure;
  }
  constexpr int kIndent = 4;
  Print(array ? JsonArray(objects, json ? -1 : kIndent) : rendered);
  return exit_code;
}

absl::StatusOr<int> InspectContainer(Context& context,
                                     InspectArguments& options,
                                     const Arguments& arguments) {
  options.type = "container";
  return InspectAs(context, options, arguments);
}

absl::StatusOr<int> InspectImage(Context& context, InspectArguments& options,
                                 const Arguments& arguments) {
  options.type = "image";
  return InspectAs(context, options, arguments);
}

}  // namespace

std::vector<Command> InspectCommands() {
  return {
      {"inspect", "", "", "", "[OPTIONS] NAME|ID [NAME|ID...]",
       "Return low-level information on containers and images", "", 1, kNoLimit,
       true, kFlags, CommandMain<InspectArguments, InspectAs>},
      {"", "container", "inspect", "", "[OPTIONS] CONTAINER [CONTAINER...]",
       "Display detailed information on one or more containers", "", 1,
       kNoLimit, true, kContainerFlags,
       CommandMain<InspectArguments, InspectContainer>},
      {"", "image", "inspect", "", "[OPTIONS] IMAGE [IMAGE...]",
       "Display detailed information on one or more images", "", 1, kNoLimit,
       true, kImageFlags, CommandMain<InspectArguments, InspectImage>},
  };
}

}  // namespace containerkit::cli
