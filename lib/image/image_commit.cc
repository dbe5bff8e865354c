#include "lib/image/image_commit.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/image/catalog.h"

namespace containerkit::image {
namespace {

constexpr char kCommit[] = "image.commit";

store::Descriptor ToRecord(const oci::Descriptor& descriptor) {
  store::Descriptor record;
  record.set_media_type(descriptor.media_type);
  record.set_digest(descriptor.digest.str());
  record.set_size_bytes(descriptor.size_bytes);
  return record;
}

store::ImageRecord MakeRecord(const NewImage& image) {
  store::ImageRecord record;
  record.set_id(image.config_digest.str());
  *record.mutable_config() = ToRecord({.media_type = image.config_media_type,
                                       .digest = image.config_digest,
                                       .size_bytes = image.config_size_bytes});
  if (image.manifest.has_value()) {
    *record.mutable_manifest() = ToRecord(*image.manifest);
  }
  for (size_t i = 0; i < image.config.diff_ids.size(); ++i) {
    store::ImageLayer& layer = *record.add_layers();
    layer.set_diff_id(image.config.diff_ids[i].str());
    if (i < image.layer_blobs.size() && !image.layer_blobs[i].digest.empty()) {
      *layer.mutable_blob() = ToRecord(image.layer_blobs[i]);
    }
  }
  record.set_os(image.config.os);
  record.set_architecture(image.config.architecture);
  record.set_variant(image.config.variant);
  const absl::StatusOr<absl::Time> created = ParseRfc3339(image.config.created);
  record.set_created_ns(created.ok() ? absl::ToUnixNanos(*created) : 0);
  record.set_stored_ns(absl::ToUnixNanos(absl::Now()));
  return record;
}

}  // namespace

absl::StatusOr<std::string> CommitImage(store::Store& store,
                                        const NewImage& image) {
  if (image.config_digest.algorithm() != Digest::Algorithm::kSha256) {
    return Unimplemented(Reason::kMediaTypeUnsupported, kCommit,
                         "image config with a digest that is not sha256");
  }
  CK_RETURN_IF_ERROR(store.SyncLayers()) << "put layers on the disk";
  store::ImageRecord record = MakeRecord(image);
  store::Descriptor target;
  if (image.target.has_value()) target = ToRecord(*image.target);
  const auto durability = store.options().durable ? store::Durability::kPower
                                                  : store::Durability::kProcess;
  const auto commit = [&](store::Txn& txn) -> absl::Status {
    uint64_t size_bytes = 0;
    for (const Digest& diff_id : image.config.diff_ids) {
      CK_ASSIGN_OR_RETURN(const store::LayerRecord layer,
                          txn.GetLayer(diff_id));
      size_bytes += layer.size_bytes();
    }
    record.set_size_bytes(size_bytes);
    CK_RETURN_IF_ERROR(txn.PutImage(record));
    for (const std::string& name : image.names) {
      CK_RETURN_IF_ERROR(PutName(txn, name, record.id(),
                                 image.target.has_value() ? &target : nullptr));
    }
    return absl::OkStatus();
  };
  CK_RETURN_IF_ERROR(store.Transaction(commit, durability)) << "add image";
  return record.id();
}

void TellWarnings(const store::LayerRecord& layer, absl::string_view id,
                  const std::function<void(absl::string_view)>& on_warning) {
  if (on_warning == nullptr) return;
  for (const std::string& warning : layer.warnings()) {
    on_warning(absl::StrCat("layer ", id, ": ", warning));
  }
}

absl::StatusOr<bool> HaveLayer(store::Store& store, const Digest& diff_id) {
  bool have = false;
  CK_RETURN_IF_ERROR(store.Read([&](const store::Txn& txn) -> absl::Status {
    const auto layer = txn.GetLayer(diff_id);
    have = layer.ok();
    return absl::IsNotFound(layer.status()) ? absl::OkStatus() : layer.status();
  }));
  return have;
}

absl::Status CheckConfig(const oci::ImageConfig& config, size_t layers) {
  if (config.diff_ids.size() != layers) {
    return InvalidArgument(
        Reason::kManifestInvalid, kCommit,
        absl::StrCat("manifest has ", layers, " layers, its config ",
                     config.diff_ids.size()));
  }
  if (config.os != "linux") {
    return NotFound(Reason::kPlatformNotFound, kCommit,
                    absl::StrCat("image is for ", config.os, "/",
                                 config.architecture, ", not for linux"));
  }
  return absl::OkStatus();
}

}  // namespace containerkit::image
