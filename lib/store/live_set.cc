#include "lib/store/live_set.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/status.h"
#include "lib/store/lease.h"
#include "lib/store/records.pb.h"

namespace containerkit::store {
namespace {

void AddBlob(const Descriptor& descriptor, LiveSet& live) {
  if (!descriptor.digest().empty()) live.blobs.insert(descriptor.digest());
}

void AddImage(const ImageRecord& image, LiveSet& live) {
  live.blobs.insert(image.id());
  AddBlob(image.config(), live);
  AddBlob(image.manifest(), live);
  for (const Descriptor& extra : image.extra_blobs()) AddBlob(extra, live);
  for (const ImageLayer& layer : image.layers()) {
    live.layers.insert(layer.diff_id());
    AddBlob(layer.blob(), live);
  }
}

absl::Status AddImages(const Txn& txn, LiveSet& live) {
  // Hidden ones too: containers live on them.
  CK_ASSIGN_OR_RETURN(Statement row,
                      txn.database().Prepare("SELECT record FROM images"));
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    ImageRecord image;
    if (!image.ParseFromString(std::string(row.Blob(0)))) {
      return MakeError(absl::StatusCode::kDataLoss,
                       "image record cannot be read",
                       {.reason = Reason::kStoreCorrupt,
                        .operation = "store.collect",
                        .hint = "run the store check with repair"});
    }
    AddImage(image, live);
  }
}

absl::Status AddLeases(const Txn& txn, LiveSet& live) {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      txn.database().Prepare("SELECT kind,digest FROM lease_items"));
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    const bool is_blob = row.Int(0) == static_cast<int>(LeaseItemKind::kBlob);
    (is_blob ? live.blobs : live.layers).insert(std::string(row.Text(1)));
  }
}

}  // namespace

absl::StatusOr<LiveSet> FindLive(const Txn& txn) {
  LiveSet live;
  CK_RETURN_IF_ERROR(AddImages(txn, live));
  CK_ASSIGN_OR_RETURN(const std::vector<ReferenceRecord> references,
                      txn.ListReferences());
  for (const ReferenceRecord& reference : references) {
    AddBlob(reference.target(), live);
  }
  CK_RETURN_IF_ERROR(AddLeases(txn, live));
  return live;
}

}  // namespace containerkit::store
