// Image manifests and indexes, OCI's and Docker's, as one pair of types.
#ifndef CONTAINERKIT_LIB_OCI_MANIFEST_H_
#define CONTAINERKIT_LIB_OCI_MANIFEST_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"
#include "lib/oci/platform.h"

namespace containerkit::oci {

// Limits of what is parsed (security.md I06, I08).
inline constexpr size_t kMaxManifestBytes = 4 << 20;
inline constexpr size_t kMaxIndexEntries = 1000;
// Indexes inside indexes that a client follows.
inline constexpr int kMaxIndexDepth = 8;

// The annotation that carries a tag in an OCI layout's index.json.
inline constexpr char kRefNameAnnotation[] =
    "org.opencontainers.image.ref.name";

// Names one piece of content: what, which, how large.
struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
  // Only https:// ones are ever asked, and never with credentials.
  std::vector<std::string> urls;
  std::map<std::string, std::string> annotations;
  std::optional<Platform> platform;
  std::string artifact_type;

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

// One image: a config and its layers, base first.
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;
  std::string artifact_type;

  // True for what can be run: an image config, and layers that are file
  // systems.
  bool IsImage() const;
  // Sum of the layers' sizes as stored in the registry.
  uint64_t LayersSizeBytes() const;

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// Several images, one a platform.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;

  friend bool operator==(const Index&, const Index&) = default;
};

using ManifestDocument = std::variant<Manifest, Index>;

// Reads a manifest or an index. `content_type` is what the server, the
// archive or the parent descriptor said it is; empty when nobody said.
//
// Trust: `json` comes from a registry or an archive. A text that could be
// read as two things is refused (CVE-2021-41190): the media type in the text
// must be the one outside, and a manifest has no `manifests`, an index no
// `layers` or `config`.
// Errors: INVALID_ARGUMENT / kManifestInvalid, kInvalidJson, kInvalidDigest,
//         kLimitExceeded;
//         UNIMPLEMENTED / kMediaTypeUnsupported for Docker's schema 1 and for
//         anything else that is neither manifest nor index.
absl::StatusOr<ManifestDocument> ParseManifest(absl::string_view json,
                                               absl::string_view content_type);

// As JSON with sorted keys: the same document gives the same bytes.
std::string SerializeManifest(const Manifest& manifest);
std::string SerializeIndex(const Index& index);

// The entry of `index` for `wanted`: the closest variant, the first among
// equals. Entries that are no images (attestations, "unknown/unknown") do not
// count; an entry without a platform is taken only if nothing else matches
// and it is the only one of its kind.
//
// Errors: NOT_FOUND / kPlatformNotFound; the message lists what there is.
absl::StatusOr<Descriptor> SelectPlatform(const Index& index,
                                          const Platform& wanted);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_MANIFEST_H_
