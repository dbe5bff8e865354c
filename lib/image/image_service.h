// Images: everything the engine does with them, over one store.
#ifndef CONTAINERKIT_LIB_IMAGE_IMAGE_SERVICE_H_
#define CONTAINERKIT_LIB_IMAGE_IMAGE_SERVICE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/image.h"
#include "lib/base/mutex.h"
#include "lib/oci/image_config.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"
#include "lib/registry/options.h"
#include "lib/store/layer_writer.h"
#include "lib/store/records.pb.h"
#include "lib/store/store.h"

namespace containerkit::image {

// An image's config, and the text that containers keep of it.
struct KnownConfig {
  oci::ImageConfig config;
  std::string json;
};

// What a container is made from.
struct ResolvedImage {
  // "sha256:<hex>".
  std::string id;
  // The name it was found by, familiar; the id when found by that.
  std::string name;
  // Never null.
  std::shared_ptr<const KnownConfig> config;
  // Bytes of all layers, unpacked.
  uint64_t size_bytes = 0;
};

struct ImageServiceOptions {
  registry::ClientOptions registry;
  // Docker's config.json, read anew for each pull without credentials of its
  // own. Empty: registry.docker_config alone counts.
  std::string docker_config_path;
  // Told what the user should see: what registries say besides their answers,
  // each text once a call, and what of new layers could not be kept; and how
  // much of a rate limit is left. From any thread; may be empty.
  std::function<void(absl::string_view text)> on_warning;
  std::function<void(absl::string_view text)> on_rate_limit;
  // How layers are written: who sets owners without root. user_xattrs is
  // taken from the store.
  store::LayerWriterOptions writer;
};

// The methods are those of containerkit::Images in containerkit/image.h, where
// their contracts are.
//
// Thread-safe. No threads between calls. Must not outlive the store.
class ImageService {
 public:
  ImageService(store::Store* store, ImageServiceOptions options);
  ImageService(const ImageService&) = delete;
  ImageService& operator=(const ImageService&) = delete;

  absl::StatusOr<ImageInfo> Pull(absl::string_view reference,
                                 const PullOptions& options);
  absl::StatusOr<std::vector<std::string>> ListTags(
      absl::string_view repository, const TagListOptions& options);
  absl::StatusOr<std::vector<std::string>> Load(
      const std::string& path, const ImageLoadOptions& options);
  absl::StatusOr<std::vector<std::string>> LoadFd(
      int fd, const ImageLoadOptions& options);
  // Errors besides: INVALID_ARGUMENT / kInvalidArgument for a change.
  absl::StatusOr<std::string> Import(int fd, const ImageImportOptions& options);

  absl::StatusOr<std::vector<ImageSummary>> List(
      const ImageListOptions& options) const;
  absl::StatusOr<ImageInfo> Inspect(absl::string_view name) const;
  absl::StatusOr<std::vector<ImageHistoryEntry>> History(
      absl::string_view name) const;
  absl::Status Tag(absl::string_view name, absl::string_view target);
  absl::StatusOr<ImageRemoval> Remove(absl::string_view name,
                                      const ImageRemoveOptions& options);
  absl::StatusOr<ImageRemoval> Prune(bool all, bool dry_run);

  // For making a container.
  //
  // Errors: NOT_FOUND / kImageNotFound; INVALID_ARGUMENT / kImageAmbiguous,
  //         kInvalidReference.
  absl::StatusOr<ResolvedImage> Resolve(absl::string_view name) const;

 private:
  // What a call tells the registry client. `helper_error`: why a credential
  // helper said nothing, which must not bar the way to public images.
  absl::StatusOr<registry::CallOptions> CallFor(
      const oci::ImageRef& ref,
      const std::optional<RegistryCredentials>& credentials,
      const CancelToken& cancel, absl::Status& helper_error) const;

  absl::StatusOr<std::shared_ptr<const KnownConfig>> ConfigOf(
      const store::ImageRecord& record) const ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store* const store_;
  const ImageServiceOptions options_;
  registry::Client client_;

  // The last image that was resolved: many containers are made of one.
  mutable Mutex mutex_;
  mutable std::string known_id_ ABSL_GUARDED_BY(mutex_);
  mutable std::shared_ptr<const KnownConfig> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_IMAGE_SERVICE_H_
