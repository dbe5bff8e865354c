// Engine: a container engine inside this process.
//
//   auto engine = containerkit::Engine::Open({});
//   auto image = engine->images().Pull("docker.io/library/alpine");
//   containerkit::ContainerConfig config;
//   config.image = "alpine";
//   config.cmd = {{"echo", "hello"}};
//   auto container = engine->Create(config);
//   container->Start();
//   container->Wait();
#ifndef CONTAINERKIT_ENGINE_H_
#define CONTAINERKIT_ENGINE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "containerkit/container.h"
#include "containerkit/events.h"
#include "containerkit/image.h"

namespace containerkit {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3 };

struct ContainerListOptions {
  bool all = false;   // also those that do not run
  int64_t limit = 0;  // newest N, whatever their state; 0: no limit
  // Docker's filters: id, name, label, status, exited, ancestor, before,
  // since, health, network, volume.
  std::multimap<std::string, std::string> filters;
};

struct EngineInfo {
  std::string root;
  bool rootless = false;
  int cgroup_version = 0;  // 1 or 2; 1 also for hybrid
  std::string kernel_version;
  std::string operating_system;
  std::string architecture;
  std::string storage_driver;
  std::vector<std::string> security_options;
  int64_t containers = 0;
  int64_t containers_running = 0;
  int64_t containers_paused = 0;
  int64_t containers_stopped = 0;
  int64_t images = 0;
  int cpus = 0;
  uint64_t memory_bytes = 0;
  std::vector<std::string> warnings;
  // The answer of Docker's GET /info.
  std::string json;
};

struct StoreFinding {
  std::string kind;    // "missing-blob", ...: docs/state-layout.md lists them
  std::string object;  // digest, reference, id or file name
  std::string problem;
  // False: a leftover that the next garbage collection takes.
  bool damage = false;
  bool repaired = false;
};

struct PruneReport {
  std::vector<std::string> containers;
  ImageRemoval images;
  uint64_t reclaimed_bytes = 0;
};

// A group of containers that lives no longer than its owner: when the last
// copy of the handle goes, or the process ends in any way, every container of
// the scope is killed and removed within a second; files inside the store go
// at the latest with the next Open of the state root.
class Scope final {
 public:
  const std::string& id() const;
  // As Engine::Create; the container belongs to the scope.
  absl::StatusOr<Container> Create(const ContainerConfig& config);
  // Ends it now, waits until everything is gone.
  absl::Status Close();

 private:
  friend class Engine;
  struct State;
  explicit Scope(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// A handle to an open state root. Copying shares it; when the last copy, and
// the last handle made from it, is gone, the engine closes: no thread, no
// descriptor and no helper stays. Containers without a scope go on.
//
// Several processes, and several engines in one process, may share a root.
// Thread-safe. After fork() the child's calls answer FAILED_PRECONDITION /
// kForked; exec is fine.
class Engine final {
 public:
  struct Options {
    // The state root. Empty: /var/lib/containerkit for root, else
    // $XDG_DATA_HOME/containerkit (see FromEnvironment).
    std::string root;
    // Docker's config.json with registry credentials. Empty: anonymous.
    std::string docker_config;
    // <dir>/<host>/{ca.crt,client.cert,client.key}. Empty: the system's CAs.
    std::string certs_dir;
    // Hosts ("host:port") that may be spoken to by plain http or with an
    // unknown certificate. Loopback needs no entry.
    std::vector<std::string> insecure_registries;
    // Base URLs tried before Docker Hub.
    std::vector<std::string> registry_mirrors;
    // Proxies for requests to http and https URLs, as curl and docker write
    // them ("[scheme://][user:password@]host[:port]"; http, https, socks5 or
    // socks5h), and what is asked directly (hosts, ".suffix", addresses,
    // each with or without ":port"; "10.0.0.0/8"; "*"). Loopback always is.
    // Each that is empty: what proxies.default of docker_config says.
    std::string http_proxy;
    std::string https_proxy;
    std::string no_proxy;
    // Where the library says what it does; called from any thread, must not
    // call back. Empty: silence.
    std::function<void(LogLevel, absl::string_view)> log_sink;

    // Reads CK_ROOT, DOCKER_CONFIG, HOME, XDG_DATA_HOME and, in capital or
    // small letters, HTTP_PROXY, HTTPS_PROXY and NO_PROXY; but not HTTP_PROXY
    // in capitals in a CGI program (REQUEST_METHOD), where the client sets it.
    // The only place of the library that reads the environment: what changes
    // there later has no effect on an engine.
    static Options FromEnvironment();
  };

  // Opens, and if need be makes, the state root; puts in order what a crash
  // left there. Errors: PERMISSION_DENIED; FAILED_PRECONDITION /
  // kStoreVersion for a root of a newer version; DATA_LOSS / kStoreCorrupt.
  static absl::StatusOr<Engine> Open(const Options& options);

  Images images() const;

  // Makes a container; it does not run yet.
  //
  // Errors: NOT_FOUND / kImageNotFound; ALREADY_EXISTS / kNameInUse;
  // INVALID_ARGUMENT with a reason that names the field.
  absl::StatusOr<Container> Create(const ContainerConfig& config) const;

  // By id, unique id prefix or name.
  // Errors: NOT_FOUND / kContainerNotFound.
  absl::StatusOr<Container> GetContainer(const std::string& name) const;
  absl::StatusOr<std::vector<ContainerInfo>> ListContainers(
      const ContainerListOptions& options = {}) const;

  // Errors: RESOURCE_EXHAUSTED when no descriptor is left.
  absl::StatusOr<Scope> NewScope() const;

  // The steps that starting `config` would take, one a line; nothing runs.
  absl::StatusOr<std::string> DryRun(const ContainerConfig& config) const;

  // Gives events to `sink` until it answers false, `until` passes or the
  // token is cancelled.
  //
  // All engines of a root write them, and each knows what it does itself. So
  // of a process that Exec() started, "exec_die" is written only while the
  // engine that called it is open; of a container, "health_status", and what a
  // restart policy does, only while the engine that started it is. "die" and
  // "oom" of a container whose engine is gone are written by the next call that
  // looks: Stop, Wait, Remove, or this one before it follows. Health probes are
  // no events.
  absl::Status Events(
      const EventOptions& options,
      const std::function<bool(const EngineEvent&)>& sink) const;

  absl::StatusOr<EngineInfo> Info() const;

  // Verifies the state root; with `repair` mends or removes what is broken.
  // Takes time: reads every blob. Errors: CANCELLED; what was mended until then
  // stays mended.
  absl::StatusOr<std::vector<StoreFinding>> CheckStore(
      bool repair, const CancelToken& cancel = {}) const;

  // Removes stopped containers, then unused images (`all_images`: not only
  // unnamed ones). `dry_run` only says what would go. Errors: CANCELLED; what
  // is gone by then stays gone.
  absl::StatusOr<PruneReport> Prune(bool all_images, bool dry_run,
                                    const CancelToken& cancel = {}) const;

 private:
  explicit Engine(std::shared_ptr<engine::EngineCore> core);
  std::shared_ptr<engine::EngineCore> core_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_ENGINE_H_
