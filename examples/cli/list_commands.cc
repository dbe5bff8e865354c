// ps.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "containerkit/engine.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/container_rows.h"
#include "examples/cli/list_format.h"
#include "examples/cli/output.h"
#include "examples/cli/status_util.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct PsArguments {
  bool all = false;
  bool latest = false;
  bool no_trunc = false;
  bool quiet = false;
  bool size = false;
  int64_t last = -1;
  std::string format;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kPsFlags[] = {
    {"all", 'a', "", "Show all containers (default shows just running)",
     Set<&PsArguments::all>},
    {"filter", 'f', "filter", "Filter output based on conditions provided",
     SetFilter<&PsArguments::filters>},
    {"format", '\0', "string", kFormatHelp, Set<&PsArguments::format>},
    {"last", 'n', "int", "Show n last created containers (includes all states)",
     Set<&PsArguments::last>, "-1"},
    {"latest", 'l', "",
     "Show the latest created container (includes all states)",
     Set<&PsArguments::latest>},
    {"no-trunc", '\0', "", "Don't truncate output",
     Set<&PsArguments::no_trunc>},
    {"quiet", 'q', "", "Only display container IDs", Set<&PsArguments::quiet>},
    {"size", 's', "", "Display total file sizes", Set<&PsArguments::size>},
};

// Whether the format needs more than ContainerInfo has.
bool NeedsInspect(const PsArguments& options) {
  // The default table has PORTS.
  if (options.format.empty() || options.format == "table") return true;
  return FormatMentions(options.format, "Mounts") ||
         FormatMentions(options.format, "Networks") ||
         FormatMentions(options.format, "Ports");
}

nlohmann::json Inspect(const Engine& engine, const std::string& id, bool size) {
  absl::StatusOr<Container> container = engine.GetContainer(id);
  if (!container.ok()) return nullptr;  // removed meanwhile
  const absl::StatusOr<std::string> text = container->InspectJson(size);
  if (!text.ok()) return nullptr;
  return nlohmann::json::parse(*text, nullptr, false);
}

absl::StatusOr<int> Ps(Context& context, PsArguments& options,
                       const Arguments&) {
  ContainerListOptions list;
  list.all = options.all;
  list.limit = options.latest ? 1 : std::max<int64_t>(options.last, 0);
  list.filters = options.filters;
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(std::vector<ContainerInfo> containers,
                       engine.ListContainers(list));
  if (options.quiet) {
    if (!options.format.empty()) {
      PrintErr(
          "WARNING: Ignoring custom format, because both --format and --quiet "
          "are set.\n");
    }
    for (const ContainerInfo& info : containers) {
      Print(absl::StrCat(options.no_trunc ? info.id : ShortId(info.id), "\n"));
    }
    return 0;
  }
  const bool size =
      options.size ||
      (!options.format.empty() && absl::string_view(options.format) != "json" &&
       FormatMentions(options.format, "Size"));
  const bool inspect = size || NeedsInspect(options);
  const absl::Time now = absl::Now();
  std::vector<nlohmann::json> rows;
  for (const ContainerInfo& info : containers) {
    rows.push_back(ContainerRow(
        info,
        inspect ? Inspect(engine, info.id, size) : nlohmann::json(nullptr),
        !options.no_trunc, now));
  }
  const ListSpec& spec =
      options.size ? ContainerSizeListSpec() : ContainerListSpec();
  CLI_ASSIGN_OR_RETURN(const std::string text,
                       FormatList(spec, options.format, rows));
  Print(text);
  return 0;
}

}  // namespace

std::vector<Command> ListCommands() {
  return {
      {"ps", "container", "ls", "list,ps", "[OPTIONS]", "List containers", "",
       0, 0, true, kPsFlags, CommandMain<PsArguments, Ps>},
  };
}

}  // namespace containerkit::cli
