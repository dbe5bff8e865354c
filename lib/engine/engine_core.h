// EngineCore: one open state root with all that works on it. The public
// classes are handles to it.
#ifndef CONTAINERKIT_LIB_ENGINE_ENGINE_CORE_H_
#define CONTAINERKIT_LIB_ENGINE_ENGINE_CORE_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "containerkit/cancel.h"
#include "containerkit/engine.h"
#include "lib/base/unique_fd.h"
#include "lib/container/container_manager.h"
#include "lib/engine/event_log.h"
#include "lib/image/image_service.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/launcher.h"
#include "lib/runtime/user_namespace.h"
#include "lib/store/layer_writer.h"
#include "lib/store/store.h"

namespace containerkit::engine {

// Thread-safe; immutable after Open() but for what its parts guard themselves.
class EngineCore {
 public:
  // Errors: as Engine::Open.
  static absl::StatusOr<std::shared_ptr<EngineCore>> Open(
      const Engine::Options& options);
  ~EngineCore();
  EngineCore(const EngineCore&) = delete;
  EngineCore& operator=(const EngineCore&) = delete;

  container::ContainerManager& containers() { return *containers_; }
  image::ImageService& images() { return *images_; }
  store::Store& store() { return *store_; }
  const EventLog& events() const { return *events_; }

  absl::StatusOr<std::string> Create(const ContainerConfig& config,
                                     const std::string& scope_id);
  absl::StatusOr<std::string> DryRun(const ContainerConfig& config);
  absl::StatusOr<std::vector<ContainerInfo>> List(
      const ContainerListOptions& options);
  // With the number of containers of each.
  absl::StatusOr<std::vector<ImageSummary>> ListImages(
      const ImageListOptions& options);
  absl::StatusOr<EngineInfo> Info();
  absl::StatusOr<std::vector<StoreFinding>> Check(bool repair,
                                                  const CancelToken& cancel);
  absl::StatusOr<PruneReport> Prune(bool all_images, bool dry_run,
                                    const CancelToken& cancel);
  // Frees the blobs and layers that nothing refers to; how many bytes.
  absl::StatusOr<uint64_t> CollectGarbage(const CancelToken& cancel = {});

  void EmitImage(const std::string& action, const std::string& id,
                 const std::string& name);

 private:
  EngineCore() = default;

  absl::Status OpenStore();
  absl::StatusOr<container::ContainerImage> ImageOf(
      const ContainerConfig& config);
  void EmitContainer(const std::string& action, const ContainerInfo& info,
                     const std::map<std::string, std::string>& attributes,
                     absl::Time time);
  void Log(LogLevel level, absl::string_view text) const;

  Engine::Options options_;
  pid_t pid_ = 0;
  runtime::HostFacts facts_;
  std::unique_ptr<runtime::Launcher> launcher_;
  // These two are null for a privileged engine, which needs no others' ids.
  std::unique_ptr<runtime::UserNamespace> user_namespace_;
  // Null also where only the user's own id is to be had.
  std::unique_ptr<store::OwnershipSink> ownership_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<image::ImageService> images_;
  // Last: its watcher uses all of the above.
  std::unique_ptr<container::ContainerManager> containers_;
};

// One scope: its monitors hold a pidfd of this process, so the kernel itself
// tells them when it is gone, whatever its own children may have inherited.
class ScopeCore {
 public:
  // Errors: as pidfd_open(2).
  static absl::StatusOr<std::shared_ptr<ScopeCore>> Create(
      std::shared_ptr<EngineCore> core);
  ~ScopeCore();
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;

  const std::string& id() const { return id_; }
  const std::shared_ptr<EngineCore>& core() const { return core_; }
  // Kills and removes all containers of the scope.
  absl::Status Close();

 private:
  explicit ScopeCore(std::shared_ptr<EngineCore> core)
      : core_(std::move(core)) {}

  const std::shared_ptr<EngineCore> core_;
  std::string id_;
  UniqueFd owner_;
};

}  // namespace containerkit::engine

#endif  // CONTAINERKIT_LIB_ENGINE_ENGINE_CORE_H_
