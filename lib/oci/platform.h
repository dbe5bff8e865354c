// Platforms: "linux/amd64", "linux/arm/v7".
#ifndef CONTAINERKIT_LIB_OCI_PLATFORM_H_
#define CONTAINERKIT_LIB_OCI_PLATFORM_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::oci {

// What an image was built for, in Go's words. Empty members are unknown.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string os_version;
  std::vector<std::string> os_features;

  // "linux/arm64/v8"; members that are empty are left out.
  std::string ToString() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

// The kernel and CPU this program runs on.
Platform HostPlatform();

// Reads "os/arch[/variant]", or "os" or "arch" alone with the host's other
// half, normalised.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument.
absl::StatusOr<Platform> ParsePlatform(absl::string_view text);

// One spelling for each platform: x86_64 is amd64, aarch64 is arm64; arm64's
// v8 and amd64's v1 are the empty variant; arm without a variant is v7.
Platform NormalizePlatform(Platform platform);

// How well an image for `offered` runs on `wanted`: 0 is exact, larger is
// further (an older variant of the same CPU), nullopt is not at all. Both are
// normalised first. An empty os_version in `wanted` matches any.
std::optional<int> MatchPlatform(const Platform& wanted,
                                 const Platform& offered);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_PLATFORM_H_
