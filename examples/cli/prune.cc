#include "examples/cli/prune.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "containerkit/status.h"
#include "examples/cli/output.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Labels = std::map<std::string, std::string>;

// The filters that prune knows, read once.
struct Matcher {
  absl::Time until = absl::InfiniteFuture();
  // Name, value (nullopt: any), wanted.
  std::vector<std::tuple<std::string, std::optional<std::string>, bool>> labels;

  bool Matches(absl::Time created, const Labels& have) const {
    if (created >= until) return false;
    for (const auto& [name, value, wanted] : labels) {
      const auto found = have.find(name);
      const bool matches = found != have.end() &&
                           (!value.has_value() || *value == found->second);
      if (matches != wanted) return false;
    }
    return true;
  }
};

absl::StatusOr<Matcher> MakeMatcher(const Filters& filters) {
  Matcher matcher;
  for (const auto& [key, value] : filters) {
    if (key == "until") {
      CLI_ASSIGN_OR_RETURN(matcher.until, ParseDockerTime(value, absl::Now()));
    } else if (key == "label" || key == "label!") {
      const size_t equals = value.find('=');
      matcher.labels.emplace_back(
          value.substr(0, equals),
          equals == std::string::npos
              ? std::nullopt
              : std::optional<std::string>(value.substr(equals + 1)),
          key == "label");
    } else if (key != "dangling") {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid filter '", key, "'"));
    }
  }
  return matcher;
}

// The size of a container's own layer; 0 when it cannot be told.
uint64_t WritableBytes(Container& container) {
  const absl::StatusOr<std::string> text = container.InspectJson(true);
  if (!text.ok()) return 0;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) return 0;
  const auto size = json.find("SizeRw");
  return size != json.end() && size->is_number_unsigned()
             ? size->get<uint64_t>()
             : 0;
}

bool IsStopped(ContainerState state) {
  return state == ContainerState::kCreated ||
         state == ContainerState::kExited || state == ContainerState::kDead;
}

// dangling=false among the filters is docker's other word for --all.
bool WantsAll(const Filters& filters) {
  const auto found = filters.find("dangling");
  return found != filters.end() &&
         (found->second == "false" || found->second == "0");
}

void Paragraph(absl::string_view title, const std::vector<std::string>& lines,
               std::string* out) {
  if (lines.empty()) return;
  absl::StrAppend(out, title, "\n");
  for (const std::string& line : lines) {
    absl::StrAppend(out, Printable(line), "\n");
  }
  absl::StrAppend(out, "\n");
}

}  // namespace

absl::StatusOr<PruneReport> PruneContainers(const Engine& engine,
                                            const Filters& filters,
                                            bool dry_run) {
  CLI_ASSIGN_OR_RETURN(const Matcher matcher, MakeMatcher(filters));
  CLI_ASSIGN_OR_RETURN(const std::vector<ContainerInfo> containers,
                       engine.ListContainers({.all = true}));
  PruneReport report;
  for (const ContainerInfo& info : containers) {
    if (!IsStopped(info.state) || !matcher.Matches(info.created, info.labels)) {
      continue;
    }
    absl::StatusOr<Container> container = engine.GetContainer(info.id);
    if (!container.ok()) continue;  // somebody else was faster
    const uint64_t bytes = WritableBytes(*container);
    const absl::Status removed =
        dry_run ? absl::OkStatus() : container->Remove();
    if (absl::IsNotFound(removed) ||
        GetReason(removed) == Reason::kContainerRunning) {
      continue;
    }
    CLI_RETURN_IF_ERROR(removed);
    report.containers.push_back(info.id);
    report.reclaimed_bytes += bytes;
  }
  return report;
}

absl::StatusOr<PruneReport> PruneImages(const Engine& engine, bool all,
                                        const Filters& filters, bool dry_run) {
  all = all || WantsAll(filters);
  CLI_ASSIGN_OR_RETURN(const Matcher matcher, MakeMatcher(filters));
  CLI_ASSIGN_OR_RETURN(const std::vector<ImageSummary> images,
                       engine.images().List({.all = true}));
  std::map<std::string, uint64_t> sizes;
  for (const ImageSummary& image : images) sizes[image.id] = image.size_bytes;
  PruneReport report;
  if (matcher.labels.empty() && matcher.until == absl::InfiniteFuture()) {
    CLI_ASSIGN_OR_RETURN(report.images, engine.images().Prune(all, dry_run));
  } else {
    for (const ImageSummary& image : images) {
      if (image.containers > 0 || (!all && !image.repo_tags.empty()) ||
          !matcher.Matches(image.created, image.labels)) {
        continue;
      }
      ImageRemoval removal = {image.repo_tags, {image.id}};
      if (!dry_run) {
        absl::StatusOr<ImageRemoval> removed =
            engine.images().Remove(image.id, {.force = true});
        // In use or gone by now.
        if (!removed.ok()) continue;
        removal = *std::move(removed);
      }
      auto& total = report.images;
      total.untagged.insert(total.untagged.end(), removal.untagged.begin(),
                            removal.untagged.end());
      total.deleted.insert(total.deleted.end(), removal.deleted.begin(),
                           removal.deleted.end());
    }
  }
  for (const std::string& id : report.images.deleted) {
    const auto found = sizes.find(id);
    if (found != sizes.end()) report.reclaimed_bytes += found->second;
  }
  return report;
}

std::string PruneText(const PruneReport& report, bool dry_run) {
  const absl::string_view verb = dry_run ? "Would delete " : "Deleted ";
  std::string out;
  Paragraph(absl::StrCat(verb, dry_run ? "containers:" : "Containers:"),
            report.containers, &out);
  std::vector<std::string> images;
  for (const std::string& name : report.images.untagged) {
    images.push_back(absl::StrCat("untagged: ", name));
  }
  for (const std::string& id : report.images.deleted) {
    images.push_back(absl::StrCat("deleted: ", id));
  }
  Paragraph(absl::StrCat(verb, dry_run ? "images:" : "Images:"), images, &out);
  absl::StrAppend(&out, "Total reclaimed space: ",
                  HumanSize(static_cast<double>(report.reclaimed_bytes)), "\n");
  return out;
}

}  // namespace containerkit::cli
