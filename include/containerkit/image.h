// Images: what containers are made of. See docs/state-layout.md for how they
// are kept.
#ifndef CONTAINERKIT_IMAGE_H_
#define CONTAINERKIT_IMAGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"

namespace containerkit {

namespace engine {
class EngineCore;
}  // namespace engine

// How far one layer, or the whole, has come.
struct PullProgress {
  enum class Phase {
    kResolving,  // layer_id empty
    kWaiting,
    kDownloading,  // current_bytes of total_bytes
    kExtracting,
    kExists,  // was there already
    kDone,
    kRetrying,  // message says why
  };
  Phase phase = Phase::kResolving;
  std::string layer_id;  // first 12 hex digits of the layer's digest
  uint64_t current_bytes = 0;
  uint64_t total_bytes = 0;  // 0: unknown
  std::string message;
};

struct RegistryCredentials {
  std::string username;
  std::string password;        // or
  std::string identity_token;  // an OAuth2 refresh token
};

struct PullOptions {
  // "os/arch[/variant]"; empty: this machine's.
  std::string platform;
  // Empty: what Engine::Options::docker_config says for the registry.
  std::optional<RegistryCredentials> credentials;
  // Called from worker threads, one call at a time. May be empty. May pull
  // other images; one with a layer that this pull has not finished waits for
  // it, and so must not be waited for here.
  std::function<void(const PullProgress&)> progress;
  int parallel_layers = 3;
  CancelToken cancel;
};

struct ImageSummary {
  std::string id;                         // "sha256:<config digest>"
  std::vector<std::string> repo_tags;     // "busybox:latest", familiar form
  std::vector<std::string> repo_digests;  // "busybox@sha256:..."
  absl::Time created;
  uint64_t size_bytes = 0;  // of all layers, unpacked
  std::map<std::string, std::string> labels;
  int64_t containers = 0;
};

struct ImageInfo {
  ImageSummary summary;
  std::string architecture;
  std::string os;
  std::string variant;
  std::string author;
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> exposed_ports;
  std::vector<std::string> volumes;
  std::vector<std::string> layers;  // diff ids, lowest first
  // The answer of Docker's GET /images/{name}/json.
  std::string json;
};

struct ImageHistoryEntry {
  absl::Time created;
  std::string created_by;
  std::string comment;
  uint64_t size_bytes = 0;
  bool empty_layer = false;
};

// What a removal did, in order: tags taken off, then images deleted.
struct ImageRemoval {
  std::vector<std::string> untagged;
  std::vector<std::string> deleted;
};

struct ImageRemoveOptions {
  bool force = false;
};

struct ImageListOptions {
  bool all = false;
  // Docker's filters: dangling, label, before, since, reference, until.
  std::multimap<std::string, std::string> filters;
};

struct ImageLoadOptions {
  // "os/arch[/variant]": only images for it. Empty: all of a docker-archive; of
  // the platforms of one image, this machine's.
  std::string platform;
  CancelToken cancel;
};

struct TagListOptions {
  // Empty: what Engine::Options::docker_config says for the registry.
  std::optional<RegistryCredentials> credentials;
  CancelToken cancel;
};

struct ImageImportOptions {
  // "repo[:tag]"; empty: no name.
  std::string reference;
  std::string message;
  // Dockerfile instructions that change the config (docker import --change).
  std::vector<std::string> changes;
  std::string platform;
  CancelToken cancel;
};

// The images of one engine.
//
// Names are references ("alpine", "localhost:5000/a/b:tag", "name@sha256:...")
// or ids ("sha256:...", or any unique prefix of the hex digits).
//
// Thread-safe. Blocks on network or disk. Privileges: none beyond write access
// to the state root; without root, layers keep their owners only where
// /etc/subuid gives the user a range.
class Images final {
 public:
  // Fetches an image and makes it ready to run. Already present layers are
  // not fetched; an interrupted download goes on where it ended.
  //
  // Errors: INVALID_ARGUMENT / kInvalidReference; NOT_FOUND / kImageNotFound,
  // kPlatformNotFound; UNAUTHENTICATED / kUnauthorized; UNAVAILABLE /
  // kRegistryUnreachable, kRateLimited; UNAUTHENTICATED or PERMISSION_DENIED /
  // kProxyRefused; DATA_LOSS / kDigestMismatch, kSizeMismatch, kArchiveCorrupt;
  // CANCELLED; RESOURCE_EXHAUSTED / kDiskFull. What a layer could not keep goes
  // to Engine::Options::log_sink.
  absl::StatusOr<ImageInfo> Pull(const std::string& reference,
                                 const PullOptions& options = {});

  // The tags that a repository has at its registry, in the registry's order.
  // A tag or digest of `repository` does not matter.
  //
  // Errors: as Pull; those of a repository without images differ from
  // registry to registry.
  absl::StatusOr<std::vector<std::string>> ListTags(
      const std::string& repository, const TagListOptions& options = {});

  // Reads images from a docker-archive, an OCI layout directory or an
  // oci-archive (plain, gzip or zstd). Returns what was loaded: names, or ids
  // of unnamed images.
  //
  // Errors: INVALID_ARGUMENT / kArchiveCorrupt for a file that is no archive,
  // kManifestInvalid; DATA_LOSS / kArchiveCorrupt, kDigestMismatch for one that
  // is damaged; NOT_FOUND / kPlatformNotFound; NOT_FOUND.
  absl::StatusOr<std::vector<std::string>> Load(
      const std::string& path, const ImageLoadOptions& options = {});
  // The same from a stream (borrowed); no OCI layout directory.
  absl::StatusOr<std::vector<std::string>> LoadFd(
      int fd, const ImageLoadOptions& options = {});

  // Makes an image of a root file system archive (tar, plain or compressed)
  // read from `fd` (borrowed). Returns its id.
  absl::StatusOr<std::string> Import(int fd,
                                     const ImageImportOptions& options = {});

  absl::StatusOr<std::vector<ImageSummary>> List(
      const ImageListOptions& options = {});

  // Errors: NOT_FOUND / kImageNotFound; INVALID_ARGUMENT / kImageAmbiguous.
  absl::StatusOr<ImageInfo> Inspect(const std::string& name);
  absl::StatusOr<std::vector<ImageHistoryEntry>> History(
      const std::string& name);

  // Gives `name` one more name. Errors: as Inspect; kInvalidReference.
  absl::Status Tag(const std::string& name, const std::string& target);

  // Takes a name off; the image goes with its last name.
  //
  // Errors: NOT_FOUND; FAILED_PRECONDITION / kImageInUse when a container
  // needs it (ErrorDetail.object_id names one).
  absl::StatusOr<ImageRemoval> Remove(const std::string& name,
                                      const ImageRemoveOptions& options = {});

  // Deletes images that no container needs: unnamed ones, or with `all` every
  // unused one. `dry_run` only says what it would delete.
  absl::StatusOr<ImageRemoval> Prune(bool all, bool dry_run = false);

 private:
  friend class Engine;
  explicit Images(std::shared_ptr<engine::EngineCore> core);
  std::shared_ptr<engine::EngineCore> core_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_IMAGE_H_
