#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/image/catalog.h"
#include "lib/image/inspect_json.h"

namespace containerkit::image {
namespace {

constexpr char kList[] = "image.list";

absl::Status BadFilter(absl::string_view name, absl::string_view value) {
  return InvalidArgument(
      Reason::kInvalidArgument, kList,
      absl::StrCat("invalid filter: ", absl::CHexEscape(name.substr(0, 80)),
                   "=", absl::CHexEscape(value.substr(0, 80))));
}

ImageSummary Summarize(const FoundImage& image,
                       const oci::ImageConfig& config) {
  ImageSummary summary;
  summary.id = image.record.id();
  summary.repo_tags = RepoTags(image);
  summary.repo_digests = RepoDigests(image);
  summary.created = absl::FromUnixNanos(image.record.created_ns());
  summary.size_bytes = image.record.size_bytes();
  summary.labels = config.config.labels;
  return summary;
}

// "docker images --filter ...", read once.
class Filters {
 public:
  static absl::StatusOr<Filters> Read(
      const store::Txn& txn,
      const std::multimap<std::string, std::string>& filters) {
    Filters result;
    for (const auto& [name, value] : filters) {
      if (name == "dangling") {
        bool dangling = false;
        if (!absl::SimpleAtob(value, &dangling)) return BadFilter(name, value);
        result.dangling_ = dangling;
      } else if (name == "label") {
        result.labels_.push_back(value);
      } else if (name == "reference") {
        result.references_.push_back(value);
      } else if (name == "before" || name == "since") {
        CK_ASSIGN_OR_RETURN(const FoundImage other, FindImage(txn, value),
                            "filter ", name);
        const absl::Time time = absl::FromUnixNanos(other.record.created_ns());
        (name == "before" ? result.before_ : result.since_) = time;
      } else if (name == "until") {
        CK_ASSIGN_OR_RETURN(result.before_, ReadTime(name, value));
      } else {
        return BadFilter(name, value);
      }
    }
    return result;
  }

  bool Match(const ImageSummary& image) const {
    if (dangling_.has_value() && *dangling_ != image.repo_tags.empty()) {
      return false;
    }
    if (before_.has_value() && image.created >= *before_) return false;
    if (since_.has_value() && image.created <= *since_) return false;
    for (const std::string& wanted : labels_) {
      if (!HasLabel(image, wanted)) return false;
    }
    if (references_.empty()) return true;
    const auto matches = [&](const std::string& pattern) {
      return MatchesReference(image, pattern);
    };
    return std::any_of(references_.begin(), references_.end(), matches);
  }

 private:
  static absl::StatusOr<absl::Time> ReadTime(absl::string_view name,
                                             const std::string& value) {
    double seconds = 0;
    absl::Duration ago;
    if (absl::SimpleAtod(value, &seconds)) {
      return absl::UnixEpoch() + absl::Seconds(seconds);
    }
    if (absl::ParseDuration(value, &ago)) return absl::Now() - ago;
    const absl::StatusOr<absl::Time> time = ParseRfc3339(value);
    if (!time.ok()) return BadFilter(name, value);
    return time;
  }

  static bool HasLabel(const ImageSummary& image, const std::string& wanted) {
    const size_t equals = wanted.find('=');
    const auto it = image.labels.find(wanted.substr(0, equals));
    return it != image.labels.end() &&
           (equals == std::string::npos ||
            it->second == wanted.substr(equals + 1));
  }

  // A pattern matches "name", "name:tag" and "name@digest", familiar.
  static bool MatchesReference(const ImageSummary& image,
                               const std::string& pattern) {
    for (const auto* list : {&image.repo_tags, &image.repo_digests}) {
      for (const std::string& name : *list) {
        const absl::StatusOr<oci::ImageRef> ref = oci::ImageRef::Parse(name);
        if (fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0 ||
            (ref.ok() && fnmatch(pattern.c_str(), ref->FamiliarName().c_str(),
                                 FNM_PATHNAME) == 0)) {
          return true;
        }
      }
    }
    return false;
  }

  std::optional<bool> dangling_;
  std::vector<std::string> labels_;
  std::vector<std::string> references_;
  std::optional<absl::Time> before_;
  std::optional<absl::Time> since_;
};

absl::Time TimeOr(const std::string& text, absl::Time otherwise) {
  const absl::StatusOr<absl::Time> time = ParseRfc3339(text);
  return time.ok() ? *time : otherwise;
}

std::string LastTagTime(const FoundImage& image) {
  int64_t latest = 0;
  for (const store::ReferenceRecord& reference : image.references) {
    latest = std::max<int64_t>(latest, reference.updated_ns());
  }
  return latest == 0 ? "" : FormatRfc3339(absl::FromUnixNanos(latest));
}

}  // namespace

absl::StatusOr<std::vector<ImageSummary>> ListImages(
    store::Store& store, const ImageListOptions& options) {
  std::vector<ImageSummary> all;
  std::vector<FoundImage> images;
  Filters filters;
  std::map<std::string, int64_t> users;
  CK_RETURN_IF_ERROR(store.Read([&](const store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(filters, Filters::Read(txn, options.filters));
    CK_ASSIGN_OR_RETURN(std::vector<store::ImageRecord> records,
                        txn.ListImages());
    CK_ASSIGN_OR_RETURN(const std::vector<store::ReferenceRecord> references,
                        txn.ListReferences());
    CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> containers,
                        txn.ListContainers());
    std::map<std::string, size_t> places;
    for (store::ImageRecord& record : records) {
      places[record.id()] = images.size();
      images.push_back({.record = std::move(record)});
    }
    for (const store::ReferenceRecord& reference : references) {
      const auto it = places.find(reference.image_id());
      if (it != places.end()) {
        images[it->second].references.push_back(reference);
      }
    }
    for (const store::ContainerRow& row : containers) ++users[row.image_id];
    return absl::OkStatus();
  })) << "list images";
  for (const FoundImage& image : images) {
    const auto config = ReadConfig(store, image.record);
    // Removed by another process since the look above.
    if (absl::IsNotFound(config.status())) continue;
    CK_RETURN_IF_ERROR(config.status()) << "list images";
    ImageSummary summary = Summarize(image, *config);
    const auto count = users.find(summary.id);
    summary.containers = count == users.end() ? 0 : count->second;
    if (filters.Match(summary)) all.push_back(std::move(summary));
  }
  return all;
}

absl::StatusOr<ImageInfo> InspectImage(store::Store& store,
                                       absl::string_view name) {
  FoundImage image;
  int64_t users = 0;
  CK_RETURN_IF_ERROR(store.Read([&](const store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(image, FindImage(txn, name));
    CK_ASSIGN_OR_RETURN(const auto rows,
                        txn.ListContainers({.image_id = image.record.id()}));
    users = static_cast<int64_t>(rows.size());
    return absl::OkStatus();
  }));
  CK_ASSIGN_OR_RETURN(const oci::ImageConfig config,
                      ReadConfig(store, image.record));
  ImageInfo info;
  info.summary = Summarize(image, config);
  info.summary.containers = users;
  info.architecture = config.architecture;
  info.os = config.os;
  info.variant = config.variant;
  info.author = config.author;
  info.user = config.config.user;
  info.working_dir = config.config.working_dir;
  info.stop_signal = config.config.stop_signal;
  info.env = config.config.env;
  info.entrypoint =
      config.config.entrypoint.value_or(std::vector<std::string>());
  info.command = config.config.cmd.value_or(std::vector<std::string>());
  info.exposed_ports.assign(config.config.exposed_ports.begin(),
                            config.config.exposed_ports.end());
  info.volumes.assign(config.config.volumes.begin(),
                      config.config.volumes.end());
  for (const Digest& digest : config.diff_ids) {
    info.layers.push_back(digest.str());
  }
  info.json = ImageInspectJson(
      {.info = info,
       .config = config,
       .lower_paths = store.snapshots().LowerPaths(config.diff_ids),
       .last_tag_time = LastTagTime(image)});
  return info;
}

absl::StatusOr<std::vector<ImageHistoryEntry>> ImageHistoryOf(
    store::Store& store, absl::string_view name) {
  FoundImage image;
  std::map<std::string, uint64_t> sizes;
  CK_RETURN_IF_ERROR(store.Read([&](const store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(image, FindImage(txn, name));
    for (const store::ImageLayer& layer : image.record.layers()) {
      CK_ASSIGN_OR_RETURN(const Digest diff_id, Digest::Parse(layer.diff_id()));
      const auto record = txn.GetLayer(diff_id);
      sizes[layer.diff_id()] = record.ok() ? record->size_bytes() : 0;
    }
    return absl::OkStatus();
  }));
  CK_ASSIGN_OR_RETURN(const oci::ImageConfig config,
                      ReadConfig(store, image.record));
  std::vector<ImageHistoryEntry> entries;
  const absl::Time created = TimeOr(config.created, absl::UnixEpoch());
  size_t next_layer = 0;
  const auto take_layer = [&]() -> uint64_t {
    if (next_layer >= config.diff_ids.size()) return 0;
    return sizes[config.diff_ids[next_layer++].str()];
  };
  for (const oci::ImageHistory& step : config.history) {
    entries.push_back({.created = TimeOr(step.created, created),
                       .created_by = step.created_by,
                       .comment = step.comment,
                       .size_bytes = step.empty_layer ? 0 : take_layer(),
                       .empty_layer = step.empty_layer});
  }
  // Layers that no step speaks of.
  while (next_layer < config.diff_ids.size()) {
    entries.push_back({.created = created, .size_bytes = take_layer()});
  }
  std::reverse(entries.begin(), entries.end());
  return entries;
}

}  // namespace containerkit::image
