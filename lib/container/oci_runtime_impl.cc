#include "lib/container/oci_runtime_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/container/oci_hooks.h"
#include "lib/container/oci_launch.h"
#include "lib/container/oci_terminal.h"
#include "lib/runtime/users.h"
#include "lib/sys/cgroup.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::container {
namespace {

constexpr absl::Duration kKillTimeout = absl::Seconds(10);

absl::Status WrongStatus(const OciContainer& container,
                         absl::string_view message, Reason reason) {
  return WithObject(FailedPrecondition(reason, "oci.container", message),
                    "container", container.record.id);
}

std::string OwnerName(uint32_t uid) {
  // Not getpwuid(3): it loads libraries, and ck-oci is static.
  const std::string id = absl::StrCat(uid);
  absl::StatusOr<std::string> passwd =
      sys::ReadFileAt(AT_FDCWD, "/etc/passwd", runtime::kMaxUserFileBytes);
  if (!passwd.ok()) return id;
  const auto user = runtime::ResolveUser(id, *std::move(passwd), std::nullopt);
  return user.ok() && !user->name.empty() ? user->name : id;
}

// The container's cgroup; null when it has none, or none any more.
absl::StatusOr<std::unique_ptr<sys::Cgroup>> OpenCgroup(
    const OciRecord& record) {
  if (record.cgroup.empty()) return nullptr;
  auto cgroup = sys::Cgroup::Open(record.cgroup);
  if (!cgroup.ok() && absl::IsNotFound(cgroup.status())) return nullptr;
  return cgroup;
}

bool IsFrozen(const OciRecord& record) {
  const auto cgroup = OpenCgroup(record);
  if (!cgroup.ok() || *cgroup == nullptr) return false;
  return (*cgroup)->Frozen().value_or(false);
}

// A frozen process of cgroup v1 takes its SIGKILL once it is let go.
absl::Status LetDie(sys::Cgroup& cgroup) {
  return cgroup.Frozen().value_or(false) ? cgroup.Thaw() : absl::OkStatus();
}

// Where a living container is in its life.
OciStatus LiveStatus(const OciDirectory& directory, const OciRecord& record) {
  if (directory.HasFifo()) return OciStatus::kCreated;
  return IsFrozen(record) ? OciStatus::kPaused : OciStatus::kRunning;
}

// Waits for the byte that the created process writes to the fifo before it
// becomes the program.
absl::Status AwaitGo(int fifo, const ProcessHandle& process) {
  for (;;) {
    struct pollfd fds[] = {{.fd = fifo, .events = POLLIN},
                           {.fd = process.fd(), .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) {
      return SyscallError(errno, "oci.start", "poll");
    }
    char byte;
    if (read(fifo, &byte, 1) == 1) return absl::OkStatus();
    if (fds[1].revents != 0) return NotRunningError();
    // A read of nothing: the writer has not come yet. POLLHUP of an earlier
    // writer would make this a busy loop, but there is only the one.
  }
}

absl::StatusOr<bool> ReadFinalEvent(runtime::EventStream& events,
                                    int* exit_code) {
  CK_ASSIGN_OR_RETURN(const runtime::Event event,
                      events.Next(absl::InfiniteFuture()));
  if (event.type != runtime::EventType::kExited) return false;
  *exit_code = event.exit_code;
  return true;
}

}  // namespace

absl::string_view OciStatusName(OciStatus status) {
  switch (status) {
    case OciStatus::kCreating:
      return "creating";
    case OciStatus::kCreated:
      return "created";
    case OciStatus::kRunning:
      return "running";
    case OciStatus::kPaused:
      return "paused";
    case OciStatus::kStopped:
      break;
  }
  return "stopped";
}

absl::StatusOr<std::unique_ptr<sys::Cgroup>> NeedCgroup(
    const OciContainer& container) {
  CK_ASSIGN_OR_RETURN(auto cgroup, OpenCgroup(container.record));
  if (cgroup == nullptr) {
    return WrongStatus(container, "the container has no cgroup of its own",
                       Reason::kCgroupFailed);
  }
  return cgroup;
}

OciRuntimeImpl::OciRuntimeImpl(OciRuntimeOptions options)
    : options_(std::move(options)) {}

void OciRuntimeImpl::Warn(const absl::Status& status) const {
  if (!status.ok() && options_.warn) {
    options_.warn(std::string(status.message()));
  }
}

void OciRuntimeImpl::Warn(const std::vector<std::string>& warnings) const {
  if (!options_.warn) return;
  for (const std::string& warning : warnings) options_.warn(warning);
}

absl::StatusOr<OciContainer> OciRuntimeImpl::Load(const std::string& id,
                                                  bool lock) {
  CK_ASSIGN_OR_RETURN(OciDirectory directory,
                      OciDirectory::Open(options_.root, id, lock));
  CK_ASSIGN_OR_RETURN(OciRecord record, directory.ReadRecord());
  OciContainer container{std::move(directory), std::move(record)};
  container.process = ProcessHandle::Find(container.record.pid,
                                          container.record.pid_start_ticks);
  if (container.process.has_value()) {
    container.status = LiveStatus(container.directory, container.record);
  } else if (container.record.pid == 0 && !lock) {
    // Whoever creates it holds the lock; nobody does if it was killed.
    const absl::StatusOr<bool> abandoned =
        sys::TryLockFd(container.directory.fd(), sys::LockMode::kShared);
    if (!abandoned.value_or(false)) container.status = OciStatus::kCreating;
    if (abandoned.value_or(false)) sys::UnlockFd(container.directory.fd());
  }
  return container;
}

OciContainerState OciRuntimeImpl::StateOf(const OciContainer& container) const {
  const OciRecord& record = container.record;
  OciContainerState state;
  state.oci_version = record.oci_version;
  state.id = record.id;
  state.status = std::string(OciStatusName(container.status));
  state.pid = container.process.has_value() ? record.pid : 0;
  state.bundle = record.bundle;
  state.rootfs = record.rootfs;
  state.created = record.created;
  state.owner = OwnerName(record.owner_uid);
  state.json = StateDocument(record, state.status, state.pid, state.owner);
  return state;
}

absl::StatusOr<oci::RuntimeSpec> OciRuntimeImpl::LoadSpec(
    const OciContainer& container) {
  CK_ASSIGN_OR_RETURN(const std::string config,
                      container.directory.ReadConfig());
  CK_ASSIGN_OR_RETURN(oci::RuntimeSpec spec, oci::ParseRuntimeSpec(config));
  if constexpr (Mutated("R20")) {
    SetHookEnvironment(spec.process->env, spec.hooks);
  }
  SetHookEnvironment(options_.hook_environment, spec.hooks);
  return spec;
}

absl::StatusOr<OciContainer> OciRuntimeImpl::Make(
    const std::string& id, const OciCreateOptions& options, bool await_start,
    bool detached, OciLaunched* launched) {
  CK_RETURN_IF_ERROR(CheckOciId(id));
  CK_ASSIGN_OR_RETURN(OciBundle bundle,
                      ReadOciBundle(options, options_.hook_environment));
  CK_ASSIGN_OR_RETURN(OciDirectory directory,
                      OciDirectory::Create(options_.root, id));
  OciContainer container{std::move(directory), {}};
  OciRecord& record = container.record;
  record.id = id;
  record.oci_version = bundle.spec.oci_version;
  record.bundle = bundle.path;
  record.rootfs = bundle.rootfs;
  record.created = absl::Now();
  record.owner_uid = geteuid();
  record.annotations = bundle.spec.annotations;
  const oci::Hooks& hooks = bundle.spec.hooks;
  record.late_hooks = !hooks.poststart.empty() || !hooks.poststop.empty();
  absl::Status status =
      Launch(bundle, options, await_start, detached, container, launched);
  if (status.ok()) return container;
  if (GetReason(status) == Reason::kHookFailed && record.pid == 0) {
    // The lifecycle goes on with the deletion when a hook fails.
    RunPoststop(record, hooks);
  }
  const absl::Status removed =
      record.pid != 0 ? Destroy(container) : container.directory.Remove();
  return FirstError(std::move(status), removed);
}

absl::Status OciRuntimeImpl::Launch(OciBundle& bundle,
                                    const OciCreateOptions& options,
                                    bool await_start, bool detached,
                                    OciContainer& container,
                                    OciLaunched* launched) {
  const oci::Hooks& hooks = bundle.spec.hooks;
  const bool early_hooks = !hooks.prestart.empty() ||
                           !hooks.create_runtime.empty() ||
                           !hooks.create_container.empty();
  // What a hook may ask for has to be there before it runs.
  CK_RETURN_IF_ERROR(container.directory.WriteConfig(bundle.config));
  if (early_hooks) {
    CK_RETURN_IF_ERROR(container.directory.WriteRecord(container.record));
  }
  CK_ASSIGN_OR_RETURN(
      *launched, LaunchOciContainer(bundle, options, container.directory,
                                    await_start, detached, container.record));
  Warn(launched->warnings);
  container.process = ProcessHandle::Find(container.record.pid,
                                          container.record.pid_start_ticks);
  container.status = await_start ? OciStatus::kCreated : OciStatus::kRunning;
  CK_RETURN_IF_ERROR(container.directory.WriteRecord(container.record));
  if (!options.pid_file.empty()) {
    CK_RETURN_IF_ERROR(WritePidFile(options.pid_file, container.record.pid));
  }
  if (await_start) return absl::OkStatus();
  return RunPoststart(container.record, hooks);
}

absl::Status OciRuntimeImpl::Create(const std::string& id,
                                    const OciCreateOptions& options) {
  OciLaunched launched;
  return Make(id, options, /*await_start=*/true, /*detached=*/true, &launched)
      .status();
}

absl::Status OciRuntimeImpl::Start(const std::string& id) {
  CK_ASSIGN_OR_RETURN(OciContainer container, Load(id, /*lock=*/true));
  if (container.status == OciStatus::kStopped) {
    return WrongStatus(container, "cannot start a container that has stopped",
                       Reason::kNotRunning);
  }
  if (container.status != OciStatus::kCreated) {
    return WrongStatus(container, "cannot start an already running container",
                       Reason::kAlreadyStarted);
  }
  CK_ASSIGN_OR_RETURN(const std::optional<UniqueFd> fifo,
                      container.directory.OpenFifo());
  if (!fifo.has_value()) {
    return WrongStatus(container, "cannot start an already running container",
                       Reason::kAlreadyStarted);
  }
  CK_RETURN_IF_ERROR(AwaitGo(fifo->get(), *container.process));
  container.directory.RemoveFifo();
  container.status = OciStatus::kRunning;
  if (!container.record.late_hooks) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const oci::RuntimeSpec spec, LoadSpec(container));
  absl::Status status = RunPoststart(container.record, spec.hooks);
  if (status.ok()) return status;
  return FirstError(std::move(status), Destroy(container));
}

absl::Status OciRuntimeImpl::RunPoststart(const OciRecord& record,
                                          const oci::Hooks& hooks) {
  if (hooks.poststart.empty()) return absl::OkStatus();
  const OciStateDocument document = HookStateDocument(record, "running");
  const std::string state =
      absl::StrCat(document.head, record.pid, document.tail);
  for (const oci::Hook& hook : hooks.poststart) {
    CK_RETURN_IF_ERROR(RunHook("poststart", hook, state));
  }
  return absl::OkStatus();
}

void OciRuntimeImpl::RunPoststop(const OciRecord& record,
                                 const oci::Hooks& hooks) {
  const OciStateDocument document = HookStateDocument(record, "stopped");
  const std::string state = absl::StrCat(document.head, 0, document.tail);
  for (const oci::Hook& hook : hooks.poststop) {
    Warn(RunHook("poststop", hook, state));
  }
}

absl::StatusOr<int> OciRuntimeImpl::Run(const std::string& id,
                                        const OciCreateOptions& options,
                                        bool detach, bool keep) {
  OciLaunched launched;
  CK_ASSIGN_OR_RETURN(
      OciContainer container,
      Make(id, options, /*await_start=*/false, detach, &launched));
  if (detach) return 0;
  // Others may work on it while it runs.
  sys::UnlockFd(container.directory.fd());
  CK_ASSIGN_OR_RETURN(const int exit_code,
                      WaitForeground(launched, options.signal_fd));
  if (keep) return exit_code;
  container.process.reset();
  container.status = OciStatus::kStopped;
  // Somebody may have deleted it first.
  absl::StatusOr<OciContainer> again = Load(id, /*lock=*/true);
  if (!again.ok()) {
    if (absl::IsNotFound(again.status())) return exit_code;
    return again.status();
  }
  if (again->record.pid_start_ticks != container.record.pid_start_ticks) {
    return exit_code;
  }
  CK_RETURN_IF_ERROR(Destroy(*again));
  return exit_code;
}

absl::StatusOr<int> OciRuntimeImpl::WaitForeground(OciLaunched& launched,
                                                   int signal_fd) {
  int exit_code = 0;
  runtime::EventStream& events = launched.launched.events;
  const std::optional<ProcessHandle> handle = ProcessHandle::Find(
      launched.launched.pid, launched.launched.pid_start_ticks);
  ForegroundProcess process;
  process.master = launched.master.get();
  process.events_fd = events.fd();
  process.signal_fd = signal_fd;
  process.on_event = [&] { return ReadFinalEvent(events, &exit_code); };
  process.on_signal = [&](int signal) {
    if (handle.has_value()) Warn(handle->Signal(signal));
  };
  CK_RETURN_IF_ERROR(RelayProcess(process));
  return exit_code;
}

absl::StatusOr<OciContainerState> OciRuntimeImpl::State(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/false));
  return StateOf(container);
}

absl::StatusOr<std::vector<OciContainerState>> OciRuntimeImpl::List() {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                      OciDirectory::List(options_.root));
  std::vector<OciContainerState> states;
  for (const std::string& id : ids) {
    absl::StatusOr<OciContainerState> state = State(id);
    if (state.ok()) {
      states.push_back(*std::move(state));
    } else if (!absl::IsNotFound(state.status())) {
      Warn(state.status());
    }
  }
  return states;
}

absl::Status OciRuntimeImpl::Kill(const std::string& id, int signal, bool all) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/false));
  if (all) {
    CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(container.record));
    if (cgroup != nullptr) return SignalAll(*cgroup, signal);
  }
  if (!container.process.has_value()) {
    return WithObject(NotRunningError(), "container", id);
  }
  CK_RETURN_IF_ERROR(
      WithObject(container.process->Signal(signal), "container", id));
  if (signal != SIGKILL) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(container.record));
  return cgroup == nullptr ? absl::OkStatus() : LetDie(*cgroup);
}

absl::Status OciRuntimeImpl::SignalAll(sys::Cgroup& cgroup, int signal) {
  // Frozen for the time, so that no process escapes by forking.
  const bool was_frozen = cgroup.Frozen().value_or(false);
  const bool frozen = was_frozen || cgroup.Freeze().ok();
  absl::Status status;
  absl::StatusOr<std::vector<pid_t>> pids = cgroup.Processes();
  if (pids.ok()) {
    for (const pid_t pid : *pids) {
      if (kill(pid, signal) != 0 && errno != ESRCH) {
        status = FirstError(status, SyscallError(errno, "oci.kill", "kill"));
      }
    }
  } else {
    status = pids.status();
  }
  if (frozen && (!was_frozen || signal == SIGKILL)) {
    status = FirstError(status, cgroup.Thaw());
  }
  return status;
}

absl::Status OciRuntimeImpl::Delete(const std::string& id, bool force) {
  absl::StatusOr<OciContainer> container = Load(id, /*lock=*/true);
  if (!container.ok()) {
    if (force && absl::IsNotFound(container.status())) return absl::OkStatus();
    return container.status();
  }
  const OciStatus status = container->status;
  if (!force &&
      (status == OciStatus::kRunning || status == OciStatus::kPaused)) {
    return WrongStatus(
        *container,
        absl::StrCat("cannot delete container ", id,
                     " that is not stopped: ", OciStatusName(status)),
        Reason::kContainerRunning);
  }
  return Destroy(*container);
}

absl::Status OciRuntimeImpl::Destroy(OciContainer& container) {
  const OciRecord& record = container.record;
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(record));
  if (container.process.has_value()) {
    absl::Status killed = container.process->Signal(SIGKILL);
    if (!killed.ok() && GetReason(killed) != Reason::kNotRunning) {
      return killed;
    }
  }
  // Also processes of an exec, or of a container that has no pid namespace of
  // its own; and whoever is frozen.
  if (cgroup != nullptr) {
    CK_RETURN_IF_ERROR(cgroup->KillAll());
  }
  if (container.process.has_value() &&
      !container.process->WaitGone(kKillTimeout)) {
    return WrongStatus(
        container,
        absl::StrCat("process ", record.pid, " does not end by SIGKILL"),
        Reason::kContainerRunning);
  }
  if (cgroup != nullptr) {
    CK_RETURN_IF_ERROR(cgroup->Remove());
  }
  oci::Hooks hooks;
  if (record.late_hooks) {
    absl::StatusOr<oci::RuntimeSpec> spec = LoadSpec(container);
    if (spec.ok()) {
      hooks = std::move(spec->hooks);
    } else {
      Warn(spec.status());
    }
  }
  CK_RETURN_IF_ERROR(container.directory.Remove());
  RunPoststop(record, hooks);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> OciRuntimeImpl::Processes(
    const std::string& id) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/false));
  std::vector<int32_t> result;
  CK_ASSIGN_OR_RETURN(const auto cgroup, OpenCgroup(container.record));
  if (cgroup != nullptr) {
    CK_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, cgroup->Processes());
    result.assign(pids.begin(), pids.end());
  } else if (container.process.has_value()) {
    result.push_back(container.record.pid);
  }
  return result;
}

absl::Status OciRuntimeImpl::Pause(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/true));
  if (container.status != OciStatus::kRunning &&
      container.status != OciStatus::kCreated) {
    return WrongStatus(container,
                       absl::StrCat("cannot pause a container that is ",
                                    OciStatusName(container.status)),
                       container.status == OciStatus::kPaused
                           ? Reason::kContainerPaused
                           : Reason::kNotRunning);
  }
  CK_ASSIGN_OR_RETURN(const auto cgroup, NeedCgroup(container));
  return cgroup->Freeze();
}

absl::Status OciRuntimeImpl::Resume(const std::string& id) {
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/true));
  CK_ASSIGN_OR_RETURN(const auto cgroup, NeedCgroup(container));
  CK_ASSIGN_OR_RETURN(const bool frozen, cgroup->Frozen());
  if (!frozen) {
    return WrongStatus(container, "container not paused", Reason::kNotPaused);
  }
  return cgroup->Thaw();
}

absl::Status OciRuntimeImpl::Update(const std::string& id,
                                    const std::string& resources_json) {
  CK_ASSIGN_OR_RETURN(const oci::Resources resources,
                      oci::ParseResources(resources_json));
  CK_ASSIGN_OR_RETURN(const OciContainer container, Load(id, /*lock=*/true));
  if (!container.process.has_value()) {
    return WithObject(NotRunningError(), "container", id);
  }
  CK_ASSIGN_OR_RETURN(const auto cgroup, NeedCgroup(container));
  return cgroup->Update(resources);
}

}  // namespace containerkit::container
