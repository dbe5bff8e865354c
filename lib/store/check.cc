#include "lib/store/check.h"

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
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/store/garbage.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

constexpr const char* kRootNames[] = {"version",         "init.lock",
                                      "write.lock",      "metadata.db",
                                      "metadata.db-wal", "metadata.db-shm",
                                      "blobs",           "layers",
                                      "ingest",          "tmp",
                                      "trash",           "leases",
                                      "containers",      "base",
                                      "reserve",         "events.log",
                                      "events.log.1"};

class Checker {
 public:
  Checker(Store& store, const CheckOptions& options)
      : store_(store), layout_(store.layout()), options_(options) {}

  absl::StatusOr<CheckReport> Run() {
    CK_RETURN_IF_ERROR(layout_.CheckProcess());
    for (const auto step :
         {&Checker::CheckDatabase, &Checker::CheckBlobs, &Checker::CheckImages,
          &Checker::CheckReferencesAndContainers, &Checker::CheckLayerRows,
          &Checker::CheckOrphans, &Checker::CheckTemps, &Checker::CheckNames}) {
      CK_RETURN_IF_ERROR(CheckCancelled(options_.cancel, "store.check"));
      CK_RETURN_IF_ERROR((this->*step)());
    }
    if (options_.repair) {
      CK_RETURN_IF_ERROR(CollectLeftovers());
    }
    return std::move(report_);
  }

 private:
  Finding& Add(FindingKind kind, absl::string_view object,
               absl::string_view message) {
    report_.findings.push_back(
        {kind, std::string(object), std::string(message), false});
    return report_.findings.back();
  }

  absl::Status CheckDatabase();
  absl::Status CheckBlobs();
  absl::Status CheckImages();
  absl::Status CheckReferencesAndContainers();
  absl::Status CheckLayerRows();
  absl::Status CheckOrphans();
  absl::Status CheckTemps();
  absl::Status CheckNames();
  absl::Status CollectLeftovers();
  std::vector<Finding> CheckImage(const Txn& txn,
                                  const ImageRecord& image) const;
  bool HasLayer(const Txn& txn, const std::string& diff_id) const;
  bool HasDirectory(const Digest& layer) const;
  absl::Status CheckTempDir(int dir_fd, FindingKind kind);

  Store& store_;
  const Layout& layout_;
  const CheckOptions options_;
  CheckReport report_;
};

absl::Status Checker::CheckDatabase() {
  return store_.Read([this](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(Statement row,
                        txn.database().Prepare("PRAGMA integrity_check(20)"));
    for (;;) {
      CK_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) return absl::OkStatus();
      if (row.Text(0) != "ok") {
        Add(FindingKind::kDatabaseDamaged, "metadata.db", row.Text(0));
      }
    }
  });
}

absl::Status Checker::CheckBlobs() {
  if (!options_.verify_blobs) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const std::vector<Digest> blobs, store_.blobs().List());
  for (const Digest& blob : blobs) {
    const absl::Status status = store_.blobs().Verify(blob, options_.cancel);
    if (absl::IsCancelled(status)) return status;
    if (status.ok() || absl::IsNotFound(status)) continue;
    Finding& finding =
        Add(FindingKind::kDamagedBlob, blob.str(), status.message());
    // A disk that cannot be read may be better tomorrow.
    if (!options_.repair || GetReason(status) != Reason::kDigestMismatch) {
      continue;
    }
    CK_RETURN_IF_ERROR(layout_
                           .MoveToTrash(layout_.blobs_fd(blob.algorithm()),
                                        std::string(blob.hex()))
                           .status());
    finding.repaired = true;
  }
  return absl::OkStatus();
}

bool Checker::HasLayer(const Txn& txn, const std::string& diff_id) const {
  const absl::StatusOr<Digest> digest = Digest::Parse(diff_id);
  return digest.ok() && txn.GetLayer(*digest).ok() && HasDirectory(*digest);
}

bool Checker::HasDirectory(const Digest& layer) const {
  const std::string fs = absl::StrCat(layer.hex(), "/fs");
  return faccessat(layout_.layers_fd(layer.algorithm()), fs.c_str(), F_OK, 0) ==
         0;
}

std::vector<Finding> Checker::CheckImage(const Txn& txn,
                                         const ImageRecord& image) const {
  std::vector<Finding> found;
  for (const Descriptor* blob : {&image.config(), &image.manifest()}) {
    if (blob->digest().empty()) continue;
    const absl::StatusOr<Digest> digest = Digest::Parse(blob->digest());
    if (digest.ok() && store_.blobs().Find(*digest).ok()) continue;
    found.push_back(
        {FindingKind::kMissingBlob, blob->digest(),
         absl::StrCat("image ", image.id(), " lacks its ",
                      blob == &image.config() ? "config" : "manifest")});
  }
  for (const ImageLayer& layer : image.layers()) {
    if (HasLayer(txn, layer.diff_id())) continue;
    found.push_back({FindingKind::kMissingLayer, layer.diff_id(),
                     absl::StrCat("image ", image.id(), " lacks a layer")});
  }
  return found;
}

absl::Status Checker::CheckImages() {
  std::vector<std::string> suspects;
  CK_RETURN_IF_ERROR(store_.Read([&](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(const auto images, txn.ListImages());
    for (const ImageRecord& image : images) {
      if (!CheckImage(txn, image).empty()) suspects.push_back(image.id());
    }
    return absl::OkStatus();
  }));
  for (const std::string& id : suspects) {
    // Once more under the write lock: the image may have gone since, and its
    // layers with it.
    std::vector<Finding> found;
    CK_RETURN_IF_ERROR(store_.Transaction([&](Txn& txn) -> absl::Status {
      const absl::StatusOr<ImageRecord> image = txn.GetImage(id);
      if (absl::IsNotFound(image.status())) return absl::OkStatus();
      CK_RETURN_IF_ERROR(image.status());
      found = CheckImage(txn, *image);
      if (found.empty() || !options_.repair) return absl::OkStatus();
      return txn.RemoveImage(id, /*force=*/true);
    }));
    for (Finding& finding : found) {
      finding.repaired = options_.repair;
      report_.findings.push_back(std::move(finding));
    }
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckReferencesAndContainers() {
  std::vector<std::string> dangling;
  CK_RETURN_IF_ERROR(store_.Read([&](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(const auto references, txn.ListReferences());
    for (const ReferenceRecord& reference : references) {
      if (!absl::IsNotFound(txn.GetImage(reference.image_id()).status())) {
        continue;
      }
      dangling.push_back(reference.name());
    }
    CK_ASSIGN_OR_RETURN(
        Statement row,
        txn.database().Prepare("SELECT id,image_id FROM containers WHERE"
                               " image_id<>'' AND image_id NOT IN"
                               " (SELECT id FROM images)"));
    for (;;) {
      CK_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) return absl::OkStatus();
      Add(FindingKind::kMissingImage, row.Text(0),
          absl::StrCat("container's image is gone: ", row.Text(1)));
    }
  }));
  for (const std::string& name : dangling) {
    Finding& finding = Add(FindingKind::kDanglingReference, name,
                           "the name stands for an image that is gone");
    if (!options_.repair) continue;
    CK_RETURN_IF_ERROR(store_.Transaction(
        [&name](Txn& txn) { return txn.RemoveReference(name).status(); }));
    finding.repaired = true;
  }
  return absl::OkStatus();
}

// Rows without a directory. Where an image needs the layer, CheckImages() has
// told already.
absl::Status Checker::CheckLayerRows() {
  std::vector<LayerRecord> rows;
  CK_RETURN_IF_ERROR(store_.Read([&rows](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(rows, txn.ListLayers());
    return absl::OkStatus();
  }));
  for (const LayerRecord& row : rows) {
    CK_ASSIGN_OR_RETURN(const Digest layer, Digest::Parse(row.diff_id()));
    if (HasDirectory(layer)) continue;
    bool missing = false;
    CK_RETURN_IF_ERROR(store_.Transaction([&](Txn& txn) -> absl::Status {
      missing = txn.GetLayer(layer).ok() && !HasDirectory(layer);
      if (!missing || !options_.repair) return absl::OkStatus();
      CK_RETURN_IF_ERROR(layout_
                             .MoveToTrash(layout_.layers_fd(layer.algorithm()),
                                          std::string(layer.hex()))
                             .status());
      return txn.RemoveLayer(layer);
    }));
    if (!missing) continue;
    Add(FindingKind::kMissingLayer, layer.str(),
        "the layer's directory is gone")
        .repaired = options_.repair;
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckOrphans() {
  for (const auto& [algorithm, word] :
       {std::pair(Digest::Algorithm::kSha256, "sha256:"),
        std::pair(Digest::Algorithm::kSha512, "sha512:")}) {
    CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        sys::ListDirAt(layout_.layers_fd(algorithm), "."));
    for (const std::string& name : names) {
      const absl::StatusOr<Digest> layer =
          Digest::Parse(absl::StrCat(word, name));
      if (!layer.ok()) {
        Add(FindingKind::kUnknownFile, absl::StrCat("layers/", name),
            "not a layer");
        continue;
      }
      // Under the write lock nobody is between the rename and the row.
      const absl::Status row = store_.Transaction(
          [&layer](Txn& txn) { return txn.GetLayer(*layer).status(); });
      if (row.ok()) continue;
      if (!absl::IsNotFound(row)) return row;
      Add(FindingKind::kOrphanLayer, layer->str(),
          "a layer's directory without a record");
    }
  }
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> dirs,
                      sys::ListDirAt(layout_.containers_fd(), "."));
  for (const std::string& id : dirs) {
    const absl::Status row = store_.Read(
        [&id](const Txn& txn) { return txn.GetContainer(id).status(); });
    if (row.ok()) continue;
    if (!absl::IsNotFound(row)) return row;
    Add(FindingKind::kOrphanContainerDir, id,
        "a container's directory without a record");
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckTempDir(int dir_fd, FindingKind kind) {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(dir_fd, "."));
  for (const std::string& name : names) {
    CK_ASSIGN_OR_RETURN(const std::optional<TempEntry> dead,
                        ClaimDeadTemp(dir_fd, name));
    if (dead.has_value()) Add(kind, name, "its owner is dead");
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckTemps() {
  CK_RETURN_IF_ERROR(CheckTempDir(layout_.temp_fd(), FindingKind::kDeadTemp));
  CK_RETURN_IF_ERROR(
      CheckTempDir(layout_.leases_fd(), FindingKind::kDeadLease));
  CK_RETURN_IF_ERROR(
      CheckTempDir(layout_.ingest_fd(), FindingKind::kPartialBlob));
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> trash,
                      sys::ListDirAt(layout_.trash_fd(), "."));
  for (const std::string& name : trash) {
    Add(FindingKind::kTrash, name, "not removed yet");
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckNames() {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(layout_.root_fd(), "."));
  for (const std::string& name : names) {
    if (std::find(std::begin(kRootNames), std::end(kRootNames), name) ==
        std::end(kRootNames)) {
      Add(FindingKind::kUnknownFile, name, "not a file of the store");
    }
  }
  return absl::OkStatus();
}

absl::Status Checker::CollectLeftovers() {
  const absl::flat_hash_set<FindingKind> collected = {
      FindingKind::kOrphanLayer, FindingKind::kOrphanContainerDir,
      FindingKind::kDeadLease,   FindingKind::kDeadTemp,
      FindingKind::kPartialBlob, FindingKind::kTrash};
  CK_RETURN_IF_ERROR(store_.DropDeadTemps());
  CK_RETURN_IF_ERROR(
      CollectGarbage(store_, {.max_partial_age = absl::ZeroDuration()})
          .status());
  for (Finding& finding : report_.findings) {
    if (collected.contains(finding.kind)) finding.repaired = true;
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view FindingName(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDatabaseDamaged:
      return "database-damaged";
    case FindingKind::kDamagedBlob:
      return "damaged-blob";
    case FindingKind::kMissingBlob:
      return "missing-blob";
    case FindingKind::kMissingLayer:
      return "missing-layer";
    case FindingKind::kDanglingReference:
      return "dangling-reference";
    case FindingKind::kMissingImage:
      return "missing-image";
    case FindingKind::kOrphanLayer:
      return "orphan-layer";
    case FindingKind::kOrphanContainerDir:
      return "orphan-container-dir";
    case FindingKind::kDeadLease:
      return "dead-lease";
    case FindingKind::kDeadTemp:
      return "dead-temp";
    case FindingKind::kPartialBlob:
      return "partial-blob";
    case FindingKind::kTrash:
      return "trash";
    case FindingKind::kUnknownFile:
      return "unknown-file";
  }
  return "unknown";
}

bool IsDamage(FindingKind kind) { return kind < FindingKind::kOrphanLayer; }

bool CheckReport::ok() const {
  return std::all_of(findings.begin(), findings.end(),
                     [](const Finding& finding) {
                       return finding.repaired || !IsDamage(finding.kind);
                     });
}

absl::StatusOr<CheckReport> CheckStore(Store& store,
                                       const CheckOptions& options) {
  return Checker(store, options).Run();
}

}  // namespace containerkit::store
