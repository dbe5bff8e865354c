#include "lib/engine/filters.h"

#include <fnmatch.h>
#include <regex.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"

namespace containerkit::engine {

namespace {

constexpr char kOperation[] = "filter";
// The shortest id prefix that is taken for an id in ancestor=, before= ...
constexpr size_t kMinIdPrefix = 4;

absl::Status BadFilter(absl::string_view name) {
  return InvalidArgument(Reason::kInvalidArgument, kOperation,
                         absl::StrCat("invalid filter '", name, "'"));
}

absl::Status BadValue(absl::string_view name, absl::string_view value) {
  return InvalidArgument(
      Reason::kInvalidArgument, kOperation,
      absl::StrCat("invalid filter '", name, "=", value, "'"));
}

absl::Status CheckNames(const Filters& filters,
                        const std::set<absl::string_view>& known,
                        const std::set<absl::string_view>& unsupported) {
  for (const auto& [name, value] : filters) {
    if (unsupported.count(name) != 0) {
      return Unimplemented(
          Reason::kUnsupportedOption, kOperation,
          absl::StrCat("filter '", name, "' is not available"));
    }
    if (known.count(name) == 0) return BadFilter(name);
  }
  return absl::OkStatus();
}

std::vector<std::string> Values(const Filters& filters,
                                const std::string& name) {
  std::vector<std::string> values;
  const auto [begin, end] = filters.equal_range(name);
  for (auto it = begin; it != end; ++it) values.push_back(it->second);
  return values;
}

// True without values, or if one of them matches.
bool AnyOf(const std::vector<std::string>& values,
           const std::function<bool(const std::string&)>& matches) {
  return values.empty() || std::any_of(values.begin(), values.end(), matches);
}

absl::StatusOr<bool> ParseBool(absl::string_view name,
                               absl::string_view value) {
  if (value == "1" || absl::EqualsIgnoreCase(value, "true") || value == "t") {
    return true;
  }
  if (value == "0" || absl::EqualsIgnoreCase(value, "false") || value == "f") {
    return false;
  }
  return BadValue(name, value);
}

bool HasLabel(const std::map<std::string, std::string>& labels,
              absl::string_view wanted) {
  const size_t equals = wanted.find('=');
  const auto found = labels.find(std::string(wanted.substr(0, equals)));
  return found != labels.end() && (equals == absl::string_view::npos ||
                                   found->second == wanted.substr(equals + 1));
}

bool HasLabels(const std::map<std::string, std::string>& labels,
               const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    return HasLabel(labels, one);
  });
}

bool IsIdPrefix(absl::string_view id, absl::string_view prefix) {
  absl::ConsumePrefix(&id, "sha256:");
  absl::ConsumePrefix(&prefix, "sha256:");
  return prefix.size() >= kMinIdPrefix && absl::StartsWith(id, prefix);
}

// As docker shows it, tag and all; what is no reference stays as it is.
std::string FamiliarName(const std::string& text) {
  const absl::StatusOr<oci::ImageRef> reference = oci::ImageRef::Parse(text);
  return reference.ok() ? reference->Familiar() : text;
}

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// As Go's MatchString on the name with and without Docker's slash.
bool NameMatches(const std::string& name, const std::string& pattern) {
  const std::string slashed = absl::StrCat("/", name);
  if (name == pattern || slashed == pattern) return true;
  regex_t regex;
  if (regcomp(&regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    return false;
  }
  const bool found = regexec(&regex, name.c_str(), 0, nullptr, 0) == 0 ||
                     regexec(&regex, slashed.c_str(), 0, nullptr, 0) == 0;
  regfree(&regex);
  return found;
}

absl::string_view HealthName(HealthState health) {
  switch (health) {
    case HealthState::kStarting:
      return "starting";
    case HealthState::kHealthy:
      return "healthy";
    case HealthState::kUnhealthy:
      return "unhealthy";
    case HealthState::kNone:
      break;
  }
  return "none";
}

absl::string_view StateName(ContainerState state) {
  switch (state) {
    case ContainerState::kCreated:
      return "created";
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kPaused:
      return "paused";
    case ContainerState::kRestarting:
      return "restarting";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kDead:
      break;
  }
  return "dead";
}

bool Runs(const ContainerInfo& info) {
  return info.state == ContainerState::kRunning ||
         info.state == ContainerState::kPaused ||
         info.state == ContainerState::kRestarting;
}

absl::Status CheckValues(const Filters& filters, const std::string& name,
                         const std::set<absl::string_view>& allowed) {
  for (const std::string& value : Values(filters, name)) {
    if (allowed.count(value) == 0) return BadValue(name, value);
  }
  return absl::OkStatus();
}

// One container by the name, id or id prefix in a before= or since= filter.
absl::StatusOr<absl::Time> CreatedOf(
    const std::vector<ContainerInfo>& containers, const std::string& key) {
  const absl::string_view name = absl::StripPrefix(key, "/");
  const ContainerInfo* found = nullptr;
  for (const ContainerInfo& info : containers) {
    if (info.name == name || info.id == key) return info.created;
    if (!key.empty() && absl::StartsWith(info.id, key)) found = &info;
  }
  if (found != nullptr) return found->created;
  return NotFound(Reason::kContainerNotFound, kOperation,
                  absl::StrCat("no such container: ", key));
}

// Ids of the images that the ancestor filter names.
std::set<std::string> AncestorIds(
    const std::vector<std::string>& values,
    const std::map<std::string, ImageNames>& images) {
  std::set<std::string> ids;
  for (const std::string& value : values) {
    const std::string familiar = FamiliarName(value);
    for (const auto& [id, names] : images) {
      if (IsIdPrefix(id, value) || Contains(names.repo_tags, familiar)) {
        ids.insert(id);
      }
    }
  }
  return ids;
}

bool Descends(const ContainerInfo& info, const std::set<std::string>& ids,
              const std::vector<std::string>& values,
              const std::map<std::string, ImageNames>& images) {
  if (ids.count(info.image_id) != 0) return true;
  const auto found = images.find(info.image_id);
  if (found != images.end()) {
    const std::vector<std::string>& ancestors = found->second.ancestors;
    return std::any_of(
        ancestors.begin(), ancestors.end(),
        [&ids](const std::string& id) { return ids.count(id) != 0; });
  }
  // The image is gone; what it was asked for as is still known.
  return std::any_of(values.begin(), values.end(), [&](const auto& value) {
    return IsIdPrefix(info.image_id, value) ||
           FamiliarName(info.image) == FamiliarName(value);
  });
}

// The filters of a container list, read.
struct ContainerFilter {
  std::vector<std::string> ids, names, labels, states, health, ancestors;
  std::vector<std::string> networks, volumes;
  std::vector<int> exit_codes;
  absl::Time before = absl::InfiniteFuture();
  absl::Time since = absl::InfinitePast();
  bool tasks = false;
};

absl::StatusOr<ContainerFilter> ReadContainerFilter(
    const Filters& filters, const std::vector<ContainerInfo>& containers) {
  CK_RETURN_IF_ERROR(
      CheckNames(filters,
                 {"id", "name", "label", "status", "exited", "ancestor",
                  "before", "since", "health", "is-task", "network", "volume"},
                 {"publish", "expose", "isolation"}));
  CK_RETURN_IF_ERROR(CheckValues(filters, "status",
                                 {"created", "restarting", "running",
                                  "removing", "paused", "exited", "dead"}));
  CK_RETURN_IF_ERROR(CheckValues(filters, "health",
                                 {"starting", "healthy", "unhealthy", "none"}));
  ContainerFilter filter{.ids = Values(filters, "id"),
                         .names = Values(filters, "name"),
                         .labels = Values(filters, "label"),
                         .states = Values(filters, "status"),
                         .health = Values(filters, "health"),
                         .ancestors = Values(filters, "ancestor"),
                         .networks = Values(filters, "network"),
                         .volumes = Values(filters, "volume")};
  for (const std::string& value : Values(filters, "exited")) {
    int code = 0;
    if (!absl::SimpleAtoi(value, &code)) return BadValue("exited", value);
    filter.exit_codes.push_back(code);
  }
  for (const std::string& value : Values(filters, "before")) {
    CK_ASSIGN_OR_RETURN(const absl::Time time, CreatedOf(containers, value));
    filter.before = std::min(filter.before, time);
  }
  for (const std::string& value : Values(filters, "since")) {
    CK_ASSIGN_OR_RETURN(const absl::Time time, CreatedOf(containers, value));
    filter.since = std::max(filter.since, time);
  }
  for (const std::string& value : Values(filters, "is-task")) {
    CK_ASSIGN_OR_RETURN(filter.tasks, ParseBool("is-task", value));
  }
  return filter;
}

bool IsAtPlaces(const std::string& id, const ContainerFilter& filter,
                const std::map<std::string, ContainerPlaces>& places) {
  if (filter.networks.empty() && filter.volumes.empty()) return true;
  const auto found = places.find(id);
  if (found == places.end()) return false;
  return AnyOf(filter.networks,
               [&](const auto& n) {
                 return Contains(found->second.networks, n);
               }) &&
         AnyOf(filter.volumes, [&](const auto& v) {
           return Contains(found->second.mounts, v);
         });
}

bool Matches(const ContainerInfo& info, const ContainerFilter& filter) {
  const bool ended = !Runs(info) && info.started > absl::InfinitePast();
  return !filter.tasks &&
         AnyOf(filter.ids,
               [&](const auto& id) { return absl::StartsWith(info.id, id); }) &&
         AnyOf(
             filter.names,
             [&](const auto& name) { return NameMatches(info.name, name); }) &&
         AnyOf(filter.states,
               [&](const auto& s) { return s == StateName(info.state); }) &&
         AnyOf(filter.health,
               [&](const auto& h) { return h == HealthName(info.health); }) &&
         (filter.exit_codes.empty() ||
          (ended && std::count(filter.exit_codes.begin(),
                               filter.exit_codes.end(), info.exit.code) > 0)) &&
         HasLabels(info.labels, filter.labels) &&
         info.created < filter.before && info.created > filter.since;
}

// before= and since= of an image list.
absl::StatusOr<absl::Time> CreatedOf(const std::vector<ImageSummary>& images,
                                     const std::string& key) {
  const std::string familiar = FamiliarName(key);
  for (const ImageSummary& image : images) {
    if (IsIdPrefix(image.id, key) || Contains(image.repo_tags, familiar) ||
        Contains(image.repo_digests, familiar)) {
      return image.created;
    }
  }
  return NotFound(Reason::kImageNotFound, kOperation,
                  absl::StrCat("no such image: ", key));
}

// until=: "24h", "2024-01-31", "2024-01-31T12:00:00", RFC 3339, seconds.
absl::StatusOr<absl::Time> ParseUntil(const std::string& value,
                                      absl::Time now) {
  double seconds = 0;
  if (absl::SimpleAtod(value, &seconds) && seconds >= 0 && seconds < 1e11) {
    return absl::UnixEpoch() + absl::Seconds(seconds);
  }
  absl::Duration ago;
  if (absl::ParseDuration(value, &ago)) return now - ago;
  for (const char* rest : {"", "Z", ":00Z", "T00:00:00Z"}) {
    const auto time = ParseRfc3339(absl::StrCat(value, rest));
    if (time.ok()) return *time;
  }
  return BadValue("until", value);
}

// Whether a glob of the reference filter matches "name:tag" or its name.
bool ReferenceMatches(const std::string& pattern, const std::string& name) {
  if (fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0) return true;
  const absl::StatusOr<oci::ImageRef> reference = oci::ImageRef::Parse(name);
  return reference.ok() &&
         fnmatch(pattern.c_str(), reference->FamiliarName().c_str(),
                 FNM_PATHNAME) == 0;
}

void KeepMatching(const std::vector<std::string>& patterns,
                  std::vector<std::string>& names) {
  names.erase(std::remove_if(names.begin(), names.end(),
                             [&](const std::string& name) {
                               return !AnyOf(patterns, [&](const auto& p) {
                                 return ReferenceMatches(p, name);
                               });
                             }),
              names.end());
}

}  // namespace

absl::StatusOr<std::vector<ContainerInfo>> FilterContainers(
    std::vector<ContainerInfo> containers, const ContainerListOptions& options,
    const FilterFacts& facts) {
  CK_ASSIGN_OR_RETURN(const ContainerFilter filter,
                      ReadContainerFilter(options.filters, containers));
  const bool all = options.all || options.limit > 0 || !filter.states.empty();
  const std::set<std::string> ancestors =
      AncestorIds(filter.ancestors, facts.images);
  std::vector<ContainerInfo> listed;
  for (ContainerInfo& info : containers) {
    if ((all || Runs(info)) && Matches(info, filter) &&
        IsAtPlaces(info.id, filter, facts.places) &&
        (filter.ancestors.empty() ||
         Descends(info, ancestors, filter.ancestors, facts.images))) {
      listed.push_back(std::move(info));
    }
  }
  std::stable_sort(listed.begin(), listed.end(),
                   [](const ContainerInfo& a, const ContainerInfo& b) {
                     return a.created > b.created;
                   });
  if (options.limit > 0 && listed.size() > static_cast<size_t>(options.limit)) {
    listed.resize(options.limit);
  }
  return listed;
}

absl::StatusOr<std::vector<ImageSummary>> FilterImages(
    std::vector<ImageSummary> images, const ImageListOptions& options,
    absl::Time now) {
  const Filters& filters = options.filters;
  CK_RETURN_IF_ERROR(CheckNames(
      filters, {"dangling", "label", "before", "since", "reference", "until"},
      {}));
  absl::Time before = absl::InfiniteFuture();
  absl::Time since = absl::InfinitePast();
  for (const std::string& value : Values(filters, "before")) {
    CK_ASSIGN_OR_RETURN(const absl::Time time, CreatedOf(images, value));
    before = std::min(before, time);
  }
  for (const std::string& value : Values(filters, "until")) {
    CK_ASSIGN_OR_RETURN(const absl::Time time, ParseUntil(value, now));
    before = std::min(before, time);
  }
  for (const std::string& value : Values(filters, "since")) {
    CK_ASSIGN_OR_RETURN(const absl::Time time, CreatedOf(images, value));
    since = std::max(since, time);
  }
  std::set<bool> dangling;
  for (const std::string& value : Values(filters, "dangling")) {
    CK_ASSIGN_OR_RETURN(const bool one, ParseBool("dangling", value));
    dangling.insert(one);
  }
  const std::vector<std::string> labels = Values(filters, "label");
  const std::vector<std::string> patterns = Values(filters, "reference");
  std::vector<ImageSummary> listed;
  for (ImageSummary& image : images) {
    if (image.created >= before || image.created <= since ||
        !HasLabels(image.labels, labels) ||
        (!dangling.empty() && dangling.count(image.repo_tags.empty()) == 0)) {
      continue;
    }
    if (!patterns.empty()) {
      KeepMatching(patterns, image.repo_tags);
      KeepMatching(patterns, image.repo_digests);
      if (image.repo_tags.empty() && image.repo_digests.empty()) continue;
    }
    listed.push_back(std::move(image));
  }
  std::stable_sort(listed.begin(), listed.end(),
                   [](const ImageSummary& a, const ImageSummary& b) {
                     return a.created > b.created;
                   });
  return listed;
}

}  // namespace containerkit::engine
