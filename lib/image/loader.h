// docker load: images out of archives.
#ifndef CONTAINERKIT_LIB_IMAGE_LOADER_H_
#define CONTAINERKIT_LIB_IMAGE_LOADER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "containerkit/image.h"
#include "lib/image/archive.h"
#include "lib/store/layer_writer.h"
#include "lib/store/store.h"

namespace containerkit::image {

// Loads every image of an archive: a docker-archive (manifest.json), or else
// an OCI layout (index.json), of which entries for other platforms are passed
// over when there is one for this machine. `on_warning` (may be empty) is told
// what of a layer could not be kept. Returns a name for each image, or
// its id if the archive names none. With a platform, only images for it.
//
// Trust: the archive is hostile: documents are capped, digests and diff ids
// verified, nothing is visible before.
// Errors: INVALID_ARGUMENT / kArchiveCorrupt, kManifestInvalid, kInvalidJson,
//         kInvalidDigest, kInvalidReference; DATA_LOSS / kDigestMismatch,
//         kSizeMismatch, kDiffIdMismatch, kArchiveCorrupt; NOT_FOUND /
//         kPlatformNotFound; as OpenTarArchive().
//         Images loaded before the error stay.
absl::StatusOr<std::vector<std::string>> LoadImages(
    store::Store& store, ImageArchive& archive,
    const store::LayerWriterOptions& writer_options,
    const std::function<void(absl::string_view)>& on_warning,
    const ImageLoadOptions& options);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_LOADER_H_
