// The last step of every way into the store: the image's record and names.
#ifndef CONTAINERKIT_LIB_IMAGE_IMAGE_COMMIT_H_
#define CONTAINERKIT_LIB_IMAGE_IMAGE_COMMIT_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/store/store.h"

namespace containerkit::image {

// An image of which all pieces are in the store, under a lease.
struct NewImage {
  // Digest of config_bytes: the image's id.
  Digest config_digest;
  std::string config_media_type;
  uint64_t config_size_bytes = 0;
  oci::ImageConfig config;
  // The compressed blobs, one a diff id; without a digest where not known.
  // Empty: none is known.
  std::vector<oci::Descriptor> layer_blobs;
  // What brought it here, if anything did.
  std::optional<oci::Descriptor> manifest;
  // Names to give it, as ImageRef::ToString().
  std::vector<std::string> names;
  // What the names stand for at the registry: manifest or index.
  std::optional<oci::Descriptor> target;
};

// Puts the layers on the disk, then adds record and names in one transaction.
// Returns the image's id.
//
// Errors: UNIMPLEMENTED / kMediaTypeUnsupported for a config whose digest is
//         not sha256; NOT_FOUND / kLayerNotFound; as Store::Transaction().
absl::StatusOr<std::string> CommitImage(store::Store& store,
                                        const NewImage& image);

// Tells what of a new layer could not be kept, as "layer <id>: ...".
void TellWarnings(const store::LayerRecord& layer, absl::string_view id,
                  const std::function<void(absl::string_view)>& on_warning);

// Whether the layer is unpacked.
absl::StatusOr<bool> HaveLayer(store::Store& store, const Digest& diff_id);

// A config that a new image may have: one diff id a layer, and Linux.
//
// Errors: INVALID_ARGUMENT / kManifestInvalid; NOT_FOUND / kPlatformNotFound.
absl::Status CheckConfig(const oci::ImageConfig& config, size_t layers);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_IMAGE_COMMIT_H_
