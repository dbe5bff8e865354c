// The OCI image config ("image JSON"): how an image wants to be run, and what
// its layers are. Docker's own additions (healthcheck, shell, onbuild) are
// part of it.
#ifndef CONTAINERKIT_LIB_OCI_IMAGE_CONFIG_H_
#define CONTAINERKIT_LIB_OCI_IMAGE_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"

namespace containerkit::oci {

// Largest config that Parse() reads (security.md I06).
inline constexpr size_t kMaxImageConfigBytes = 4 << 20;
// Most layers an image may have (security.md I08).
inline constexpr size_t kMaxImageLayers = 500;

// Docker's HEALTHCHECK. A zero duration or count means "not set": the runtime
// puts Docker's default there (30 s, 30 s, 0 s, 5 s, 3).
struct ImageHealthcheck {
  // {} inherit; {"NONE"} none; {"CMD", args...}; {"CMD-SHELL", command}.
  std::vector<std::string> test;
  int64_t interval_ns = 0;
  int64_t timeout_ns = 0;
  int64_t start_period_ns = 0;
  int64_t start_interval_ns = 0;
  int64_t retries = 0;

  friend bool operator==(const ImageHealthcheck&,
                         const ImageHealthcheck&) = default;
};

// The `config` object: defaults for a container made from the image.
struct ImageRunConfig {
  // "user", "uid", "user:group", "uid:gid"; empty: root.
  std::string user;
  // "NAME=value", in order; a later one wins.
  std::vector<std::string> env;
  // nullopt: not set. An empty list is kept apart from nullopt: docker's
  // `ENTRYPOINT []` clears an inherited one.
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  // Absolute path in the container, or empty for "/".
  std::string working_dir;
  std::map<std::string, std::string> labels;
  // "80/tcp", "53/udp", "8000-8010/tcp".
  std::set<std::string> exposed_ports;
  // Mount points of anonymous volumes.
  std::set<std::string> volumes;
  // "SIGTERM", "TERM", "15"; empty: SIGTERM.
  std::string stop_signal;
  std::optional<ImageHealthcheck> healthcheck;
  // What the shell form of CMD and friends is run by; empty: /bin/sh -c.
  std::vector<std::string> shell;
  // Dockerfile instructions for images built FROM this one.
  std::vector<std::string> on_build;
  // Docker's own: arguments were escaped (Windows); kept for round trips.
  bool args_escaped = false;

  friend bool operator==(const ImageRunConfig&,
                         const ImageRunConfig&) = default;
};

// One line of `docker history`, oldest first in ImageConfig::history.
struct ImageHistory {
  // RFC 3339, as found; empty: not set.
  std::string created;
  std::string created_by;
  std::string author;
  std::string comment;
  // True when this step made no layer.
  bool empty_layer = false;

  friend bool operator==(const ImageHistory&, const ImageHistory&) = default;
};

struct ImageConfig {
  // RFC 3339, as found; empty: not set.
  std::string created;
  std::string author;
  // GOARCH and GOOS words: "amd64", "arm64"; "linux". Never empty.
  std::string architecture;
  std::string os;
  // CPU variant ("v8"), or empty.
  std::string variant;
  std::string os_version;
  std::vector<std::string> os_features;
  ImageRunConfig config;
  // Digests of the uncompressed layer tars, base first.
  std::vector<Digest> diff_ids;
  std::vector<ImageHistory> history;

  friend bool operator==(const ImageConfig&, const ImageConfig&) = default;
};

// Reads an image config. Unknown members are ignored, as the spec asks; a
// member of the wrong type is an error that names its JSON path.
//
// Trust: `json` comes from a registry or an archive. Capped in size, depth
// and layers; strings with NUL, duplicate keys, environment entries without a
// name and relative volume paths are refused.
// Errors: INVALID_ARGUMENT / kInvalidJson, kManifestInvalid, kInvalidDigest,
//         kLimitExceeded.
absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view json);

// The config as JSON, with sorted keys: the same config gives the same bytes.
// Members that are not set are left out.
std::string SerializeImageConfig(const ImageConfig& config);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_IMAGE_CONFIG_H_
