// The images of a store, by name and id: finding, naming, removing.
#ifndef CONTAINERKIT_LIB_IMAGE_CATALOG_H_
#define CONTAINERKIT_LIB_IMAGE_CATALOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/image.h"
#include "lib/oci/image_config.h"
#include "lib/oci/reference.h"
#include "lib/store/store.h"

namespace containerkit::image {

// An image that was found.
struct FoundImage {
  store::ImageRecord record;
  // All names of it, as stored.
  std::vector<store::ReferenceRecord> references;
  // The stored name that led to it; empty: found by its id.
  std::string by_reference;
};

// Finds an image as docker does: the whole id, then a reference (a tag, or
// repository@digest), then a unique beginning of an id.
//
// Errors: NOT_FOUND / kImageNotFound; INVALID_ARGUMENT / kImageAmbiguous,
//         kInvalidReference.
absl::StatusOr<FoundImage> FindImage(const store::Txn& txn,
                                     absl::string_view name);

// The names of an image that are tags ("docker.io/library/a:b"), and those
// that are not ("docker.io/library/a@sha256:..."), familiar.
std::vector<std::string> RepoTags(const FoundImage& image);
std::vector<std::string> RepoDigests(const FoundImage& image);

// The image's config, from its blob.
//
// Errors: as store::BlobStore::Read() and oci::ParseImageConfig().
absl::StatusOr<oci::ImageConfig> ReadConfig(store::Store& store,
                                            const store::ImageRecord& image);

// Puts a name on an image: a tag, or a digest with the manifest's descriptor.
absl::Status PutName(store::Txn& txn, const std::string& name,
                     const std::string& image_id,
                     const store::Descriptor* target);

// What `docker images` shows; ImageListOptions::filters are applied.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for an unknown filter or a
//         malformed value.
absl::StatusOr<std::vector<ImageSummary>> ListImages(
    store::Store& store, const ImageListOptions& options);

// docker image inspect.
absl::StatusOr<ImageInfo> InspectImage(store::Store& store,
                                       absl::string_view name);

// docker history: newest first.
absl::StatusOr<std::vector<ImageHistoryEntry>> ImageHistoryOf(
    store::Store& store, absl::string_view name);

// docker tag.
absl::Status TagImage(store::Store& store, absl::string_view name,
                      absl::string_view target);

// docker rmi: takes a name off, and the image with its last tag; by id, all
// names of one repository, or with force any.
//
// Errors: NOT_FOUND / kImageNotFound; FAILED_PRECONDITION / kImageInUse.
absl::StatusOr<ImageRemoval> RemoveImage(store::Store& store,
                                         absl::string_view name, bool force);

// docker image prune.
absl::StatusOr<ImageRemoval> PruneImages(store::Store& store, bool all,
                                         bool dry_run);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_CATALOG_H_
