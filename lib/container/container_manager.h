// The containers of one state root: everything that can be done to one.
//
// State is not kept here. What a container was asked to be is a row of the
// store; what its process does is told by the monitor's state file, lock and
// socket in containers/<id> (docs/state-layout.md). So any number of processes
// may work on the same containers, and a killed one leaves nothing to repair
// but what docs/state-layout.md lists.
#ifndef CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_H_
#define CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "containerkit/container.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/container/live_process.h"
#include "lib/container/process_session.h"
#include "lib/container/root_view.h"
#include "lib/oci/image_config.h"
#include "lib/runtime/exec_planner.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/launcher.h"
#include "lib/runtime/monitor_client.h"
#include "lib/runtime/planner.h"
#include "lib/runtime/spec_builder.h"
#include "lib/runtime/state_file.h"
#include "lib/store/store.h"
#include "lib/sys/cgroup.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {

// What a container needs to know of its image.
struct ContainerImage {
  std::string id;         // "sha256:..."
  std::string reference;  // as it was asked for
  oci::ImageConfig config;
  std::string config_json;  // the same as text
  // What whoever makes a container of it should know.
  std::vector<std::string> warnings = {};
};

// The owner's end of a scope, for the containers that belong to it.
struct ScopeBinding {
  std::string id;
  int fd = -1;  // the owner's pidfd: its end ends the container; borrowed
};

// Tells the engine what happened and when, as Docker's events name it.
using EventSink = std::function<void(
    const std::string& action, const ContainerInfo& info,
    const std::map<std::string, std::string>& attributes, absl::Time time)>;

// Thread-safe. Errors of every call that names a container: NOT_FOUND /
// kContainerNotFound; the others as include/containerkit/container.h says.
class ContainerManager {
 public:
  // What it works on; all of it outlives the manager.
  struct Environment {
    store::Store* store = nullptr;
    runtime::Launcher* launcher = nullptr;
    const runtime::HostFacts* facts = nullptr;
    EventSink event_sink;
    // Told what a new container's ContainerInfo::warnings hold.
    std::function<void(absl::string_view warning)> warn;
  };

  explicit ContainerManager(Environment environment);
  ~ContainerManager();
  ContainerManager(const ContainerManager&) = delete;
  ContainerManager& operator=(const ContainerManager&) = delete;

  // The new container's id.
  absl::StatusOr<std::string> Create(const ContainerConfig& config,
                                     const ContainerImage& image,
                                     const std::string& scope_id);
  // The plan that Start would execute, described.
  absl::StatusOr<std::string> DryRun(const ContainerConfig& config,
                                     const ContainerImage& image);

  absl::StatusOr<std::string> FindId(const std::string& key);
  absl::StatusOr<std::vector<std::string>> ListIds();

  absl::StatusOr<std::unique_ptr<ProcessSession>> Start(
      const std::string& id, const StartOptions& options);
  absl::Status Stop(const std::string& id, const StopOptions& options);
  // Stops it if it runs, and starts it. Others may act on it while it stops:
  // who kills it ends the wait, who removes it the restart; who starts it first
  // has done what was asked for.
  absl::Status Restart(const std::string& id, const StopOptions& options);
  absl::Status Kill(const std::string& id, int signal);
  absl::Status Pause(const std::string& id);
  absl::Status Unpause(const std::string& id);
  absl::StatusOr<ExitStatus> Wait(const std::string& id,
                                  const WaitOptions& options);
  absl::Status Remove(const std::string& id, const RemoveOptions& options);
  absl::Status Rename(const std::string& id, const std::string& name);
  absl::Status Update(const std::string& id, const ContainerUpdate& update);

  absl::StatusOr<ContainerInfo> Inspect(const std::string& id);
  // What it was asked to be.
  absl::StatusOr<ContainerConfig> Config(const std::string& id);
  absl::StatusOr<std::string> InspectJson(const std::string& id, bool size);

  absl::StatusOr<std::unique_ptr<ProcessSession>> Attach(
      const std::string& id, const AttachOptions& options);
  absl::StatusOr<std::unique_ptr<ProcessSession>> Exec(
      const std::string& id, const ExecConfig& config);
  absl::Status Logs(const std::string& id, const LogOptions& options,
                    const std::function<bool(const Output&)>& sink);
  absl::StatusOr<ContainerStats> Stats(const std::string& id);
  absl::StatusOr<ProcessTable> Top(const std::string& id,
                                   const std::vector<std::string>& columns);
  absl::Status CopyOut(const std::string& id, const std::string& path, int fd,
                       const CancelToken& cancel);
  absl::Status CopyIn(const std::string& id, const std::string& path, int fd,
                      const containerkit::CopyInOptions& options);
  absl::StatusOr<PathStat> StatPath(const std::string& id,
                                    const std::string& path);

  // A scope of this engine: its containers get `scope.fd`.
  void AddScope(const ScopeBinding& scope);
  // Stops and removes all containers of the scope, and forgets it.
  absl::Status EndScope(const std::string& scope_id);

  // Removes containers whose scope has no owner any more, and ended ones that
  // asked for it (docker's --rm): what a killed engine could not do itself.
  absl::Status Reconcile();

  // Emits "die" for containers that ended after the engine that had started
  // them was gone, once each. Stop, Wait and Remove do it for theirs.
  void TellDeaths();

 private:
  // A row with its documents parsed; immutable.
  struct Loaded;
  // What a start hands to the launcher.
  struct Assembly;
  struct Locked;
  struct Recent;
  struct Run;
  struct UserFiles;

  absl::StatusOr<std::shared_ptr<const Loaded>> Load(const std::string& id);
  absl::StatusOr<UniqueFd> OpenDirectory(const std::string& id);
  // Held while a start is under way, a stop is sent or a removal done, so that
  // these never overlap, whatever process does them: flock on the container's
  // directory. Errors: kContainerNotFound when it is gone; kStoreBusy.
  absl::StatusOr<Locked> Lock(const std::string& id,
                              const CancelToken& cancel = {});
  absl::StatusOr<runtime::ProcessSnapshot> Process(const std::string& id);
  // The monitor of a running container. Errors: kNotRunning.
  absl::StatusOr<runtime::MonitorClient> Monitor(const std::string& id);
  absl::StatusOr<std::unique_ptr<sys::Cgroup>> OpenCgroup(
      const std::string& id);
  absl::StatusOr<bool> IsPaused(const std::string& id);
  // Calls `use` with the container's root file system, running or not, and
  // with the right to all of its files.
  absl::Status WithRoot(
      const Loaded& container, const CancelToken& cancel,
      absl::FunctionRef<absl::Status(const sys::RootDir&)> use);
  // Of one that does not run.
  absl::StatusOr<RootView> OpenView(const Loaded& container,
                                    const CancelToken& cancel);
  // Where its root file system comes from.
  runtime::RootSource RootOf(const store::Snapshot& snapshot) const;
  ContainerInfo Describe(const Loaded& container,
                         const runtime::ProcessSnapshot& process, bool paused);

  // How many ids its user namespace needs.
  uint32_t CountIds(const Loaded& container);
  // The ids of its user namespace, if it gets one from root: those that were
  // given, or (auto) some that no container has.
  //
  // Errors: RESOURCE_EXHAUSTED / kIdMapInvalid when there are none.
  absl::Status AssignIds(Loaded& container);
  // The part of it for those that some must be found for.
  bool TakesFreeIds(const ContainerConfig& config) const;
  absl::Status AssignFreeIds(const store::Txn& txn, Loaded& container);
  // Snapshots::Prepare(), with the owners that the container has.
  absl::StatusOr<store::Snapshot> PrepareSnapshot(const Loaded& container);

  absl::Status MakeFiles(const ContainerConfig& config,
                         const std::string& hostname, int directory_fd,
                         bool fresh);
  // Namespaces of other containers are opened for a launch, so those must run
  // then; for anything else it is enough to know that there are some.
  enum class Purpose { kLaunch, kLookup };
  absl::StatusOr<Assembly> Assemble(const Loaded& container, Purpose purpose);
  // The assemblies made last: a create is mostly followed by its start, a
  // start by commands to that container. What they say of users may be old.
  std::shared_ptr<const Assembly> FindRecent(
      const std::shared_ptr<const Loaded>& container);
  void Remember(std::shared_ptr<const Loaded> container,
                std::shared_ptr<const Assembly> assembly);
  // FindRecent(), or assembled now.
  absl::StatusOr<std::shared_ptr<const Assembly>> RecentAssembly(
      const std::shared_ptr<const Loaded>& container);
  absl::Status AddJoinedNamespaces(const Loaded& container, Purpose purpose,
                                   Assembly& assembly);
  // Errors: FAILED_PRECONDITION / kNamespaceFailed for one that keeps its ipc
  // namespace to itself.
  absl::Status CheckSharesIpc(const ContainerConfig& config);
  // "/proc/PID/fd/N" of the namespace `name` of a running container.
  absl::StatusOr<std::string> OpenNamespace(const std::string& id,
                                            const char* name,
                                            Assembly& assembly);
  // $HOSTNAME: as asked for, else that of the host or of the container whose
  // network or uts namespace is used, else the first twelve digits of the id.
  std::string HostnameOf(const ContainerConfig& config, const std::string& id);
  // Containers that the config names become ids, which no rename changes.
  absl::Status ResolveContainers(ContainerConfig& config);
  absl::Status AddUserFiles(const Loaded& container,
                            runtime::SpecInputs& inputs);
  // Of the image's layers, which never change.
  std::shared_ptr<const UserFiles> UserFilesOf(const Loaded& container);
  // Uid and gid of the user that was configured, if one was.
  absl::StatusOr<std::optional<std::pair<uint32_t, uint32_t>>> OwnerOf(
      const Loaded& container);
  absl::Status AddHealth(const Loaded& container, Assembly& assembly);
  runtime::ExecTarget ExecTargetIn(const Assembly& assembly) const;
  absl::StatusOr<runtime::LaunchPlan> PlanProbe(
      const Assembly& assembly, const std::vector<std::string>& test);
  // -1 without a scope. Errors: kUnsupportedOption for another engine's.
  // Will it have a network namespace that the spawner makes in advance, one
  // that belongs to the host's user namespace?
  bool MakesNetwork(const ContainerConfig& config) const;

  absl::StatusOr<int> ScopeFd(const std::string& scope_id);
  absl::StatusOr<runtime::Launched> Launch(const Loaded& container,
                                           const Assembly& assembly,
                                           const StartOptions& options,
                                           int attach_fd, int scope_fd);

  // The run that a command to the container is for: who holds the lock asks,
  // and waits for that one when it holds the lock no more.
  absl::StatusOr<Run> CurrentRun(const std::string& id);
  // Asks the run's monitor for its events.
  static void Watch(Run& run);
  // Errors: DEADLINE_EXCEEDED / kTimeout when it still runs at `deadline`.
  absl::StatusOr<ExitStatus> WaitStopped(const std::string& id, Run& run,
                                         absl::Time deadline,
                                         const CancelToken& cancel);
  absl::StatusOr<ExitStatus> WaitStopped(const std::string& id,
                                         absl::Time deadline,
                                         const CancelToken& cancel);
  // nullopt after `deadline`.
  absl::StatusOr<std::optional<ExitStatus>> WaitForRun(
      const std::string& id, Run& run, absl::Time deadline,
      const CancelToken& cancel);
  // Of a run that this engine did not start.
  absl::StatusOr<std::optional<ExitStatus>> WaitAdopted(
      const std::string& id, Run& run, absl::Time deadline,
      const CancelToken& cancel);
  // nullopt: there is no monitor to watch, or it went without a last word.
  absl::StatusOr<std::optional<ExitStatus>> WatchUntilExit(
      const std::string& id, Run& run, absl::Time deadline,
      const CancelToken& cancel);
  // An inotify(7) instance that watches the container's directory.
  absl::StatusOr<UniqueFd> NotifyOfChange(const std::string& id);
  // Wait() for a container that is there.
  absl::StatusOr<ExitStatus> WaitFor(const std::string& id,
                                     const WaitOptions& options);
  absl::StatusOr<ExitStatus> WaitForChange(const std::string& id,
                                           const WaitOptions& options);
  absl::StatusOr<std::unique_ptr<ProcessSession>> StartExec(
      const std::string& id, const ExecConfig& config);
  // Write the events of sessions. detach: nobody was to stay with it.
  SessionObserver ObserveAttached(const std::string& id);
  SessionObserver ObserveExec(const std::string& id, const std::string& exec_id,
                              bool detach);
  absl::StatusOr<std::unique_ptr<ProcessSession>> StartLocked(
      const Locked& locked, const StartOptions& options);
  // Lets go of the lock once the signal is sent: others may act on it while it
  // takes its time.
  absl::Status StopLocked(Locked& locked, const StopOptions& options);
  // The signal and the time that a stop gives.
  struct StopPlan {
    int signal;
    absl::Duration grace;
  };
  absl::StatusOr<StopPlan> StopPlanOf(const Loaded& container,
                                      const StopOptions& options);
  // Asks the monitor to stop, which is a "kill"; the caller holds the lock. The
  // run that it was sent to.
  absl::StatusOr<Run> SendStop(const std::string& id, int signal,
                               absl::Duration grace);
  // Of a run that was killed.
  absl::Status WaitUntilGone(const std::string& id, Run& run,
                             const CancelToken& cancel = {});
  // After a stop: at `patience` the monitor kills it.
  absl::Status WaitForStop(const std::string& id, Run& run, int signal,
                           absl::Time patience, const CancelToken& cancel);
  absl::Status RemoveLocked(const Locked& locked, const RemoveOptions& options);
  absl::Status RemoveStopped(const Loaded& container);
  // Reconcile() for one.
  absl::Status RemoveIfAbandoned(const store::ContainerRow& row);
  // Removes a container that has ended and asked for it (docker's --rm). False
  // while somebody else holds its lock or restarts it. Reconcile() does what
  // this could not.
  bool RemoveIfAsked(const std::string& id);
  absl::Status KillLeftovers(const std::string& id);

  void OnEvent(const std::string& id, const runtime::Event& event);
  void TellDeath(const std::string& id);
  void Emit(const std::string& id, const std::string& action,
            const std::map<std::string, std::string>& attributes = {},
            absl::Time time = absl::Now());
  void Emit(const Loaded& container, const std::string& action,
            const std::map<std::string, std::string>& attributes = {},
            absl::Time time = absl::Now());

  const Environment env_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const Loaded>> cache_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> scopes_ ABSL_GUARDED_BY(mutex_);
  std::vector<Recent> recent_ ABSL_GUARDED_BY(mutex_);  // newest last
  absl::flat_hash_map<std::string, std::shared_ptr<const UserFiles>> user_files_
      ABSL_GUARDED_BY(mutex_);  // by image id
  // Last: its thread uses everything above.
  LiveProcessTable live_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_H_
