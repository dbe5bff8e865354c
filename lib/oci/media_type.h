// Media types of the OCI and Docker image formats.
#ifndef CONTAINERKIT_LIB_OCI_MEDIA_TYPE_H_
#define CONTAINERKIT_LIB_OCI_MEDIA_TYPE_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace containerkit::oci {

inline constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kOciManifest[] =
    "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kOciLayer[] = "application/vnd.oci.image.layer.v1.tar";
inline constexpr char kOciLayerGzip[] =
    "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr char kOciLayerZstd[] =
    "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr char kDockerManifestList[] =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kDockerManifest[] =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kDockerConfig[] =
    "application/vnd.docker.container.image.v1+json";
inline constexpr char kDockerLayer[] =
    "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr char kDockerLayerGzip[] =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr char kDockerLayerZstd[] =
    "application/vnd.docker.image.rootfs.diff.tar.zstd";

// The Accept header's value for a manifest or index.
inline constexpr char kManifestAccept[] =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

enum class DocumentKind {
  kManifest,
  kIndex,
  // Docker's schema 1, which is refused.
  kSchema1,
  // application/json and friends: says nothing.
  kUnspecific,
  kOther,
};

// What a manifest's media type stands for. Parameters ("; charset=utf-8") and
// letter case do not matter.
DocumentKind ClassifyDocument(absl::string_view media_type);

// True for the config of a runnable image.
bool IsImageConfig(absl::string_view media_type);

enum class Compression { kNone, kGzip, kZstd };

struct LayerType {
  Compression compression = Compression::kNone;
  // Not to be pushed; its bytes may live at the descriptor's urls.
  bool foreign = false;
};

// nullopt: not a file system layer.
std::optional<LayerType> ParseLayerType(absl::string_view media_type);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_MEDIA_TYPE_H_
