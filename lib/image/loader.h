// docker load: images out of archives.
#ifndef CONTAINERKIT_LIB_IMAGE_LOADER_H_
#define CONTAINERKIT_LIB_IMAGE_LOADER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "containerkit/cancel.h"
#include "containerkit/image.h"
#include "lib/image/archive.h"
#include "lib/store/layer_writer.h"
#include "lib/store/store.h"

namespace containerkit::image {

// Loads every image of an archive: a docker-archive (manifest.json), or else
// an OCI layout (index.json), of which entries for other platforms are passed
// over when there is one for this machine. Returns a name for each image, or
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
    const ImageLoadOptions& options);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_LOADER_H_
