#include "examples/cli/image_rows.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "examples/cli/container_rows.h"
#include "examples/cli/image_name.h"
#include "examples/cli/output.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

constexpr char kNone[] = "<none>";

constexpr ListColumn kColumns[] = {
    {"ID", "IMAGE ID"},
    {"Repository", "REPOSITORY"},
    {"Tag", "TAG"},
    {"Digest", "DIGEST"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"Size", "SIZE"},
    {"Containers", "CONTAINERS"},
    {"VirtualSize", "SIZE"},
    {"SharedSize", "SHARED SIZE"},
    {"UniqueSize", "UNIQUE SIZE"},
};

constexpr ListSpec kSpec = {
    kColumns,
    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    "*formatter.imageContext"};

constexpr ListSpec kDigestSpec = {
    kColumns,
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t"
    "{{.Size}}",
    "*formatter.imageContext"};

constexpr ListColumn kHistoryColumns[] = {
    {"ID", "IMAGE"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"CreatedBy", "CREATED BY"},
    {"Size", "SIZE"},
    {"Comment", "COMMENT"},
};

constexpr ListSpec kHistorySpec = {
    kHistoryColumns,
    "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    "*formatter.historyContext"};

constexpr size_t kCreatedByWidth = 45;

Json ImageRow(const ImageSummary& image, const std::string& repository,
              const std::string& tag, const std::string& digest, bool truncate,
              absl::Time now) {
  const std::string size = HumanSize(static_cast<double>(image.size_bytes), 3);
  const bool known = image.created > absl::UnixEpoch();
  return {{"ID", truncate ? ShortId(image.id) : image.id},
          {"Repository", repository},
          {"Tag", tag},
          {"Digest", digest},
          {"CreatedSince", known ? HumanAgo(image.created, now) : "N/A"},
          {"CreatedAt", known ? GoTimeString(image.created) : "N/A"},
          {"Size", size},
          {"VirtualSize", size},
          {"Containers", "N/A"},
          {"SharedSize", "N/A"},
          {"UniqueSize", "N/A"}};
}

}  // namespace

const ListSpec& ImageListSpec() { return kSpec; }
const ListSpec& ImageDigestListSpec() { return kDigestSpec; }
const ListSpec& HistoryListSpec() { return kHistorySpec; }

std::vector<Json> ImageRows(const ImageSummary& image, bool digests,
                            bool truncate, absl::Time now) {
  struct Repository {
    std::vector<std::string> tags;
    std::vector<std::string> digests;
  };
  std::map<std::string, Repository> repositories;
  for (const std::string& name : image.repo_tags) {
    const ReferenceParts parts = SplitReference(name);
    repositories[parts.repository].tags.push_back(parts.tag);
  }
  for (const std::string& name : image.repo_digests) {
    const ReferenceParts parts = SplitReference(name);
    repositories[parts.repository].digests.push_back(parts.digest);
  }
  std::vector<Json> rows;
  for (auto& [name, repository] : repositories) {
    if (repository.tags.empty()) repository.tags.push_back(kNone);
    if (repository.digests.empty()) repository.digests.push_back(kNone);
    for (const std::string& tag : repository.tags) {
      for (const std::string& digest : repository.digests) {
        rows.push_back(ImageRow(image, name, tag, digest, truncate, now));
        // Without the column the digests would be the same row again.
        if (!digests) break;
      }
    }
  }
  if (rows.empty()) {
    rows.push_back(ImageRow(image, kNone, kNone, kNone, truncate, now));
  }
  return rows;
}

Json HistoryRow(const ImageHistoryEntry& entry, bool newest,
                const HistoryRowOptions& options) {
  const bool known = entry.created > absl::UnixEpoch();
  const std::string at = known ? LocalRfc3339(entry.created) : "N/A";
  std::string by = Printable(
      absl::StrReplaceAll(entry.created_by, {{"\t", " "}, {"\n", " "}}));
  if (options.truncate) by = Ellipsis(by, kCreatedByWidth);
  const std::string id = !newest            ? "<missing>"
                         : options.truncate ? ShortId(options.image_id)
                                            : options.image_id;
  return {{"ID", id},
          {"CreatedAt", at},
          {"CreatedSince",
           options.human && known ? HumanAgo(entry.created, options.now) : at},
          {"CreatedBy", by},
          {"Size", options.human
                       ? HumanSize(static_cast<double>(entry.size_bytes), 3)
                       : absl::StrCat(entry.size_bytes)},
          {"Comment", Printable(entry.comment)}};
}

}  // namespace containerkit::cli
