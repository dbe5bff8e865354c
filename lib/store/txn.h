// What a metadata transaction can do: images, references, layers, containers,
// small values. Large data is in files; see BlobStore and LayerUnpacker.
#ifndef CONTAINERKIT_LIB_STORE_TXN_H_
#define CONTAINERKIT_LIB_STORE_TXN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"
#include "lib/store/database.h"
#include "lib/store/records.pb.h"

namespace containerkit::store {

// A container as the store sees it: an opaque record and what is indexed.
struct ContainerRow {
  // 64 hex digits, never reused.
  std::string id;
  // Unique among containers; not empty.
  std::string name;
  // Digest text of the image, which must be in the store; it stays until the
  // container goes. Empty: no image (a root file system of the caller's).
  std::string image_id;
  int64_t created_ns = 0;
  // The scope that owns the container; empty: none.
  std::string scope_id;
  bool auto_remove = false;
  // A number of the caller's, to list by.
  int32_t state = 0;
  // Bytes of the caller's.
  std::string record;
};

// What to list; an absent field matches all.
struct ContainerFilter {
  std::optional<std::string> image_id;
  std::optional<std::string> scope_id;
  std::optional<int32_t> state;
};

// One transaction of one thread, alive during the callback of
// Store::Transaction() or Store::Read(). All methods see the state as of its
// start plus its own writes. The writing methods fail with INTERNAL in a
// Read().
//
// Errors of every method, besides its own: UNAVAILABLE / kStoreBusy,
// RESOURCE_EXHAUSTED / kDiskFull, DATA_LOSS / kStoreCorrupt.
class Txn {
 public:
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;

  // --- Images, by id (digest of the config).

  // Adds or replaces an image. Its config, manifest and layers should be in
  // the store already, held by a Lease until this commits.
  //
  // Errors: INVALID_ARGUMENT / kInvalidDigest for an id or diff id that is
  // none.
  absl::Status PutImage(const ImageRecord& image);
  // Errors: NOT_FOUND / kImageNotFound.
  absl::StatusOr<ImageRecord> GetImage(absl::string_view id) const;
  // The image whose id begins with `prefix`: hex digits, with or without
  // "sha256:".
  //
  // Errors: NOT_FOUND / kImageNotFound, INVALID_ARGUMENT / kImageAmbiguous.
  absl::StatusOr<ImageRecord> FindImage(absl::string_view prefix) const;
  // Newest first (by created_ns).
  absl::StatusOr<std::vector<ImageRecord>> ListImages() const;
  // Removes an image and all its references. Its blobs and layers go with
  // the next garbage collection.
  //
  // Errors: NOT_FOUND / kImageNotFound; FAILED_PRECONDITION / kImageInUse when
  // a container was made from it (ErrorDetail names one), unless `force`: the
  // image is then gone for everybody, and its layers stay until that
  // container goes.
  absl::Status RemoveImage(absl::string_view id, bool force = false);

  // --- References: a name -> an image. Names are compared byte by byte.

  // Adds the name or points it at another image.
  //
  // Errors: NOT_FOUND / kImageNotFound.
  absl::Status PutReference(const ReferenceRecord& reference);
  // Errors: NOT_FOUND / kImageNotFound.
  absl::StatusOr<ReferenceRecord> GetReference(absl::string_view name) const;
  // By name. `image_id` empty: of all images.
  absl::StatusOr<std::vector<ReferenceRecord>> ListReferences(
      absl::string_view image_id = "") const;
  // Whether there was one. The image stays.
  absl::StatusOr<bool> RemoveReference(absl::string_view name);

  // --- Layers. LayerUnpacker adds them, garbage collection removes them.

  // Errors: NOT_FOUND / kLayerNotFound.
  absl::StatusOr<LayerRecord> GetLayer(const Digest& diff_id) const;
  absl::StatusOr<std::vector<LayerRecord>> ListLayers() const;

  // --- Containers.

  // Errors: ALREADY_EXISTS / kNameInUse for a taken name (object_id: by which
  // container) or id; NOT_FOUND / kImageNotFound; INVALID_ARGUMENT /
  // kInvalidArgument for an empty id or name.
  absl::Status InsertContainer(const ContainerRow& row);
  // Replaces all columns of the container `row.id`.
  //
  // Errors: NOT_FOUND / kContainerNotFound; as InsertContainer().
  absl::Status UpdateContainer(const ContainerRow& row);
  // Errors: NOT_FOUND / kContainerNotFound.
  absl::StatusOr<ContainerRow> GetContainer(absl::string_view id) const;
  // As docker finds one: the whole id, else the name, else an id's beginning.
  //
  // Errors: NOT_FOUND / kContainerNotFound, INVALID_ARGUMENT /
  // kContainerAmbiguous.
  absl::StatusOr<ContainerRow> FindContainer(absl::string_view key) const;
  // Newest first.
  absl::StatusOr<std::vector<ContainerRow>> ListContainers(
      const ContainerFilter& filter = {}) const;
  // Whether there was one. Its directories are Snapshots' affair.
  absl::StatusOr<bool> RemoveContainer(absl::string_view id);

  // --- Values: small state of other packages, by "<package>/<key>".

  absl::Status PutValue(absl::string_view key, absl::string_view value);
  absl::StatusOr<std::optional<std::string>> GetValue(
      absl::string_view key) const;
  // Keys that begin with `prefix`, in byte order, with their values.
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ListValues(
      absl::string_view prefix) const;
  // Whether there was one.
  absl::StatusOr<bool> RemoveValue(absl::string_view key);

  // --- For lib/store alone.

  // Records an unpacked layer. `boot_id` empty: its data is on the disk; else
  // it is only in the page cache of that boot, and a later boot drops it.
  absl::Status PutLayer(const LayerRecord& layer, absl::string_view boot_id);
  absl::Status RemoveLayer(const Digest& diff_id);
  Database& database() const { return *database_; }

 private:
  friend class Metadata;
  explicit Txn(Database* database, bool writable)
      : database_(database), writable_(writable) {}

  absl::Status CheckWritable() const;
  absl::Status CheckContainerRow(const ContainerRow& row) const;
  absl::StatusOr<bool> ImageExists(absl::string_view id) const;
  absl::StatusOr<std::optional<ContainerRow>> OneContainer(
      const char* sql, absl::string_view key) const;

  Database* database_;
  bool writable_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_TXN_H_
