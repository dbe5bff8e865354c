#include "lib/store/garbage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "lib/base/status.h"
#include "lib/store/live_set.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

constexpr size_t kBatch = 64;

class Collector {
 public:
  Collector(Store& store, const GarbageOptions& options)
      : store_(store), layout_(store.layout()), options_(options) {}

  absl::StatusOr<GarbageResult> Run() {
    CK_RETURN_IF_ERROR(layout_.CheckProcess());
    CK_ASSIGN_OR_RETURN(const int leases,
                        RemoveDeadLeases(layout_, store_.metadata()));
    result_.dead_leases = static_cast<uint64_t>(leases);
    CK_RETURN_IF_ERROR(store_.DropDeadTemps());
    CK_RETURN_IF_ERROR(DropHiddenImages());
    CK_RETURN_IF_ERROR(CollectPartials());
    CK_RETURN_IF_ERROR(CollectLayers());
    CK_RETURN_IF_ERROR(CollectBlobs());
    CK_RETURN_IF_ERROR(CollectContainerDirs());
    CK_ASSIGN_OR_RETURN(
        result_.trash_is_empty,
        layout_.EmptyTrash(options_.removal_budget, options_.cancel));
    return result_;
  }

 private:
  absl::Status DropHiddenImages();
  absl::Status CollectPartials();
  absl::Status CollectLayers();
  absl::Status CollectBlobs();
  absl::Status CollectContainerDirs();
  absl::StatusOr<std::vector<Digest>> LayersOnDisk() const;
  absl::StatusOr<LiveSet> Live();
  absl::Status DropLayers(Txn& txn, absl::Span<const Digest> candidates);
  absl::Status DropBlobs(Txn& txn, absl::Span<const Digest> candidates);

  Store& store_;
  const Layout& layout_;
  const GarbageOptions options_;
  GarbageResult result_;
};

absl::Status Collector::DropHiddenImages() {
  return store_.Reclaim([](Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(
        Statement drop,
        txn.database().Prepare("DELETE FROM images WHERE hidden=1 AND id NOT"
                               " IN (SELECT image_id FROM containers)"));
    return drop.Run();
  });
}

absl::Status Collector::CollectPartials() {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(layout_.ingest_fd(), "."));
  for (const std::string& name : names) {
    CK_ASSIGN_OR_RETURN(const std::optional<TempEntry> idle,
                        ClaimDeadTemp(layout_.ingest_fd(), name));
    struct stat info;
    if (!idle.has_value() || fstat(idle->fd.get(), &info) != 0) continue;
    const absl::Duration age =
        absl::Now() - absl::TimeFromTimespec(info.st_mtim);
    if (!absl::StartsWith(name, "anon-") && age < options_.max_partial_age) {
      continue;
    }
    if (unlinkat(layout_.ingest_fd(), name.c_str(), 0) == 0) {
      ++result_.partial_blobs;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LiveSet> Collector::Live() {
  LiveSet live;
  CK_RETURN_IF_ERROR(store_.Read([&live](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(live, FindLive(txn));
    return absl::OkStatus();
  }));
  return live;
}

absl::StatusOr<std::vector<Digest>> Collector::LayersOnDisk() const {
  std::vector<Digest> layers;
  for (const auto& [algorithm, word] :
       {std::pair(Digest::Algorithm::kSha256, "sha256:"),
        std::pair(Digest::Algorithm::kSha512, "sha512:")}) {
    CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        sys::ListDirAt(layout_.layers_fd(algorithm), "."));
    for (const std::string& name : names) {
      absl::StatusOr<Digest> digest = Digest::Parse(absl::StrCat(word, name));
      if (digest.ok()) layers.push_back(*std::move(digest));
    }
  }
  return layers;
}

// Candidates are found without a lock; each batch looks again under it.
absl::Status Collector::CollectLayers() {
  CK_ASSIGN_OR_RETURN(const LiveSet live, Live());
  absl::flat_hash_set<std::string> seen;
  std::vector<Digest> candidates;
  const auto consider = [&](const Digest& layer) {
    if (!live.layers.contains(layer.str()) && seen.insert(layer.str()).second) {
      candidates.push_back(layer);
    }
  };
  CK_ASSIGN_OR_RETURN(const std::vector<Digest> on_disk, LayersOnDisk());
  for (const Digest& layer : on_disk) consider(layer);
  CK_RETURN_IF_ERROR(store_.Read([&](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(const std::vector<LayerRecord> rows, txn.ListLayers());
    for (const LayerRecord& row : rows) {
      CK_ASSIGN_OR_RETURN(const Digest layer, Digest::Parse(row.diff_id()));
      consider(layer);
    }
    return absl::OkStatus();
  }));
  absl::Span<const Digest> rest = candidates;
  while (!rest.empty()) {
    const absl::Span<const Digest> batch = rest.subspan(0, kBatch);
    CK_RETURN_IF_ERROR(
        store_.Transaction([&](Txn& txn) { return DropLayers(txn, batch); }));
    rest.remove_prefix(batch.size());
  }
  return absl::OkStatus();
}

absl::Status Collector::DropLayers(Txn& txn,
                                   absl::Span<const Digest> candidates) {
  CK_ASSIGN_OR_RETURN(const LiveSet live, FindLive(txn));
  for (const Digest& layer : candidates) {
    if (live.layers.contains(layer.str())) continue;
    const absl::StatusOr<LayerRecord> row = txn.GetLayer(layer);
    if (row.ok()) result_.freed_bytes += row->size_bytes();
    CK_RETURN_IF_ERROR(txn.RemoveLayer(layer));
    // If this process dies before the commit, a row without its directory
    // stays, which FindLayer() takes for absent.
    CK_RETURN_IF_ERROR(layout_
                           .MoveToTrash(layout_.layers_fd(layer.algorithm()),
                                        std::string(layer.hex()))
                           .status());
    ++result_.layers;
  }
  return absl::OkStatus();
}

absl::Status Collector::CollectBlobs() {
  CK_ASSIGN_OR_RETURN(const LiveSet live, Live());
  CK_ASSIGN_OR_RETURN(std::vector<Digest> candidates, store_.blobs().List());
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&live](const Digest& blob) {
                                    return live.blobs.contains(blob.str());
                                  }),
                   candidates.end());
  absl::Span<const Digest> rest = candidates;
  while (!rest.empty()) {
    const absl::Span<const Digest> batch = rest.subspan(0, kBatch);
    CK_RETURN_IF_ERROR(
        store_.Transaction([&](Txn& txn) { return DropBlobs(txn, batch); }));
    rest.remove_prefix(batch.size());
  }
  return absl::OkStatus();
}

absl::Status Collector::DropBlobs(Txn& txn,
                                  absl::Span<const Digest> candidates) {
  CK_ASSIGN_OR_RETURN(const LiveSet live, FindLive(txn));
  for (const Digest& blob : candidates) {
    if (live.blobs.contains(blob.str())) continue;
    const absl::StatusOr<VerifiedBlob> found = store_.blobs().Find(blob);
    CK_ASSIGN_OR_RETURN(const bool moved,
                        layout_.MoveToTrash(layout_.blobs_fd(blob.algorithm()),
                                            std::string(blob.hex())));
    if (!moved) continue;
    ++result_.blobs;
    if (found.ok()) result_.freed_bytes += found->size_bytes();
  }
  return absl::OkStatus();
}

// Directories first, rows after: a directory is only made once its row is
// committed, so one without a row has lost it.
absl::Status Collector::CollectContainerDirs() {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> dirs,
                      sys::ListDirAt(layout_.containers_fd(), "."));
  for (const std::string& id : dirs) {
    const absl::Status row = store_.Read(
        [&id](const Txn& txn) { return txn.GetContainer(id).status(); });
    if (row.ok()) continue;
    if (!absl::IsNotFound(row)) return row;
    CK_ASSIGN_OR_RETURN(const bool moved,
                        layout_.MoveToTrash(layout_.containers_fd(), id));
    if (moved) ++result_.container_dirs;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GarbageResult> CollectGarbage(Store& store,
                                             const GarbageOptions& options) {
  return Collector(store, options).Run();
}

}  // namespace containerkit::store
