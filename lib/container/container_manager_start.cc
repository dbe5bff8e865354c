// From a stored config to a running process.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/digest.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/container/etc_files.h"
#include "lib/runtime/exec_planner.h"
#include "lib/runtime/host_devices.h"
#include "lib/sys/file_util.h"
#include "lib/sys/mount_peers.h"
#include "lib/sys/pidfd.h"

namespace containerkit::container {
namespace {

using runtime::ProcessSnapshot;
using runtime::ProcessState;

constexpr size_t kUserFileBytes = Mutated("R18S") ? 256 << 20 : 1 << 20;
constexpr uint32_t kHealthRetries = 3;
constexpr size_t kRecentAssemblies = 4;
constexpr size_t kMostUserFiles = 64;

// Trust: the image's health check may ask for any; docker's least is 1 ms.
int64_t Nanos(absl::Duration value, absl::Duration fallback) {
  if (value <= absl::ZeroDuration()) value = fallback;
  return absl::ToInt64Nanoseconds(
      std::clamp(value, absl::Milliseconds(1), absl::Hours(24 * 365)));
}

constexpr char kPasswd[] = "etc/passwd";
constexpr char kGroup[] = "etc/group";

// False: this layer says nothing of the file. What is no regular file hides
// those of the layers below and counts as absent.
bool FindUserFile(const sys::RootDir& layer, const char* name,
                  std::optional<std::string>& text) {
  absl::StatusOr<std::string> read = layer.ReadSmallFile(name, kUserFileBytes);
  if (absl::IsNotFound(read.status())) return false;
  text.reset();
  if (read.ok()) text = *std::move(read);
  return true;
}

// The container's own health check over the image's; empty test: none.
HealthConfig EffectiveHealth(const ContainerConfig& config,
                             const oci::ImageRunConfig& image) {
  HealthConfig health = config.health;
  if (health.disabled) return {};
  if (health.test.empty() && image.healthcheck.has_value()) {
    const oci::ImageHealthcheck& from = *image.healthcheck;
    const auto prefer = [](absl::Duration own, int64_t image_ns) {
      return own > absl::ZeroDuration() ? own : absl::Nanoseconds(image_ns);
    };
    health.test = from.test;
    health.interval = prefer(health.interval, from.interval_ns);
    health.timeout = prefer(health.timeout, from.timeout_ns);
    health.start_period = prefer(health.start_period, from.start_period_ns);
    health.start_interval =
        prefer(health.start_interval, from.start_interval_ns);
    if (health.retries == 0) health.retries = from.retries;
  }
  if (!health.test.empty() && health.test[0] == "NONE") health.test.clear();
  return health;
}

// Makes the directory, and those above it, where they are missing.
absl::Status MakeDirectories(const std::string& path) {
  for (size_t end = 0; end != std::string::npos;) {
    // In its user namespace the container may see more than we do.
    if (access(path.c_str(), F_OK) == 0 || errno == EACCES) break;
    end = path.find('/', end + 1);
    const std::string directory = path.substr(0, end);
    if (access(directory.c_str(), F_OK) == 0) continue;
    CK_RETURN_IF_ERROR(sys::MakeDirAt(AT_FDCWD, directory, 0755).status());
  }
  return absl::OkStatus();
}

// As dockerd: what is to be seen outside, or from there, needs a mount that can
// tell. A source that is missing is told of by the mount.
absl::Status CheckPropagation(const BindMountConfig& bind) {
  const bool shared = bind.propagation == MountPropagation::kRshared ||
                      bind.propagation == MountPropagation::kShared;
  const bool slave = bind.propagation == MountPropagation::kRslave ||
                     bind.propagation == MountPropagation::kSlave;
  if (!shared && !slave) return absl::OkStatus();
  const UniqueFd source(open(bind.source.c_str(), O_PATH | O_CLOEXEC));
  if (!source.ok()) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const sys::MountPeers peers,
                      sys::MountPeersOf(source.get()));
  if (peers.shared || (slave && peers.slave)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("path ", bind.source, " is mounted on ",
                                peers.mount_point, " but it is not a shared ",
                                slave ? "or slave " : "", "mount"),
                   {.reason = Reason::kMountFailed,
                    .operation = "container.mount",
                    .path = bind.source,
                    .hint = absl::StrCat("make it one: mount --make-shared ",
                                         peers.mount_point)});
}

// The namespaces that may be another container's.
template <typename Config>
auto Joinable(Config& config) {
  return std::array{&config.network, &config.pid, &config.ipc, &config.uts,
                    &config.cgroup};
}

bool JoinsContainers(const ContainerConfig& config) {
  for (const NamespaceChoice* choice : Joinable(config)) {
    if (choice->kind == NamespaceChoice::Kind::kContainer) return true;
  }
  return false;
}

}  // namespace

runtime::RestartPolicy PolicyOf(RestartConfig::Policy policy) {
  switch (policy) {
    case RestartConfig::Policy::kNo:
      return runtime::kRestartNo;
    case RestartConfig::Policy::kOnFailure:
      return runtime::kRestartOnFailure;
    case RestartConfig::Policy::kAlways:
      return runtime::kRestartAlways;
    case RestartConfig::Policy::kUnlessStopped:
      return runtime::kRestartUnlessStopped;
  }
  return runtime::kRestartNo;
}

absl::Status MakeBindSources(const ContainerConfig& config) {
  for (const BindMountConfig& bind : config.binds) {
    if (!bind.create_source) continue;
    CK_RETURN_IF_ERROR(MakeDirectories(bind.source))
        << "make the source of the mount " << bind.target;
  }
  return absl::OkStatus();
}

absl::Status ContainerManager::MakeFiles(const ContainerConfig& config,
                                         const std::string& hostname,
                                         int directory_fd, bool fresh) {
  const bool host_network = config.network.kind == NamespaceChoice::Kind::kHost;
  // A host without these files is no error.
  const auto host_file = [](const char* path) {
    return sys::ReadFileAt(AT_FDCWD, path, kUserFileBytes).value_or("");
  };
  CK_ASSIGN_OR_RETURN(
      const EtcFiles files,
      MakeEtcFiles(
          config, hostname, host_file("/etc/resolv.conf"),
          {.address = "",
           .host_gateway = "",
           .host_hosts = host_network ? host_file("/etc/hosts") : ""}));
  const auto write = [&](const char* name, const std::string& text) {
    if (fresh) return sys::CreateFileAt(directory_fd, name, text, 0644);
    return sys::AtomicWriteFileAt(directory_fd, name, text,
                                  {.mode = 0644, .durable = false});
  };
  CK_RETURN_IF_ERROR(write(kHostsFile, files.hosts));
  CK_RETURN_IF_ERROR(write(kHostnameFile, files.hostname));
  return write(kResolvConfFile, files.resolv_conf);
}

absl::Status ContainerManager::ResolveContainers(ContainerConfig& config) {
  for (NamespaceChoice* choice : Joinable(config)) {
    if (choice->kind != NamespaceChoice::Kind::kContainer) continue;
    CK_ASSIGN_OR_RETURN(choice->container, FindId(choice->container));
  }
  return CheckSharesIpc(config);
}

std::string ContainerManager::HostnameOf(const ContainerConfig& config,
                                         const std::string& id) {
  constexpr int kLongestChain = 16;
  std::string owner = id;
  ContainerConfig of = config;
  for (int i = 0; i < kLongestChain && of.hostname.empty(); ++i) {
    const NamespaceChoice* from = nullptr;
    for (const NamespaceChoice* choice : {&of.network, &of.uts}) {
      if (choice->kind == NamespaceChoice::Kind::kHost) {
        utsname host;
        return uname(&host) == 0 ? host.nodename : owner.substr(0, kShortId);
      }
      if (choice->kind == NamespaceChoice::Kind::kContainer) from = choice;
    }
    if (from == nullptr) break;
    const auto other = Load(from->container);
    if (!other.ok()) break;
    owner = from->container;
    of = ContainerConfig((*other)->config);
  }
  return of.hostname.empty() ? owner.substr(0, kShortId) : of.hostname;
}

absl::StatusOr<std::string> ContainerManager::OpenNamespace(
    const std::string& id, const char* name, Assembly& assembly) {
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot process, Process(id));
  if (process.state != ProcessState::kRunning) return NotRunningError(id);
  const absl::StatusOr<UniqueFd> owner =
      sys::OpenPidfd(process.pid, process.pid_start_ticks);
  if (!owner.ok()) return NotRunningError(id);
  CK_ASSIGN_OR_RETURN(
      UniqueFd fd,
      sys::OpenAt(AT_FDCWD, absl::StrCat("/proc/", process.pid, "/ns/", name),
                  O_RDONLY));
  // Its number was nobody else's meanwhile; the descriptor keeps the namespace.
  if (!sys::SignalPidfd(owner->get(), 0).ok()) return NotRunningError(id);
  std::string path = absl::StrCat("/proc/", getpid(), "/fd/", fd.get());
  assembly.namespaces.push_back(std::move(fd));
  return path;
}

// As dockerd, whose default is "private": only who said so shares it, and who
// uses another's shares that.
absl::Status ContainerManager::CheckSharesIpc(const ContainerConfig& config) {
  using Kind = NamespaceChoice::Kind;
  if (config.ipc.kind != Kind::kContainer) return absl::OkStatus();
  const std::string& id = config.ipc.container;
  CK_ASSIGN_OR_RETURN(const auto donor, Load(id));
  const Kind kind = donor->config.ipc.kind;
  if (kind == Kind::kShareable || kind == Kind::kHost ||
      kind == Kind::kContainer) {
    return absl::OkStatus();
  }
  return WithObject(
      MakeError(absl::StatusCode::kFailedPrecondition,
                absl::StrCat("container ", id.substr(0, kShortId),
                             " has a non-shareable IPC namespace"),
                {.reason = Reason::kNamespaceFailed,
                 .operation = "container.ipc",
                 .hint = "run it with the ipc mode \"shareable\""}),
      "container", id);
}

absl::Status ContainerManager::AddJoinedNamespaces(const Loaded& container,
                                                   Purpose purpose,
                                                   Assembly& assembly) {
  const ContainerConfig& config = container.config;
  const auto join = [&](const NamespaceChoice& choice, const char* name,
                        std::string& path) -> absl::Status {
    if (choice.kind != NamespaceChoice::Kind::kContainer) {
      return absl::OkStatus();
    }
    if (purpose == Purpose::kLookup) {
      path = absl::StrCat("/proc/0/ns/", name);  // there is no such process
      return absl::OkStatus();
    }
    CK_ASSIGN_OR_RETURN(path, OpenNamespace(choice.container, name, assembly));
    return absl::OkStatus();
  };
  runtime::SpecInputs& inputs = assembly.inputs;
  CK_RETURN_IF_ERROR(
      join(config.network, "net", inputs.network_namespace_path));
  CK_RETURN_IF_ERROR(join(config.pid, "pid", inputs.pid_namespace_path));
  if (purpose == Purpose::kLaunch) {
    CK_RETURN_IF_ERROR(CheckSharesIpc(config));
  }
  CK_RETURN_IF_ERROR(join(config.ipc, "ipc", inputs.ipc_namespace_path));
  CK_RETURN_IF_ERROR(join(config.ipc, "mnt", inputs.shm_namespace_path));
  CK_RETURN_IF_ERROR(join(config.uts, "uts", inputs.uts_namespace_path));
  return join(config.cgroup, "cgroup", inputs.cgroup_namespace_path);
}

// Trust: the image chose what these files hold. They are looked up layer by
// layer, each a RootDir, and read with a cap; a name that is no regular file
// counts as absent.
absl::Status ContainerManager::AddUserFiles(const Loaded& container,
                                            runtime::SpecInputs& inputs) {
  if (!runtime::NeedsUserFiles(container.config, container.image.config)) {
    return absl::OkStatus();
  }
  const std::shared_ptr<const UserFiles> image = UserFilesOf(container);
  CK_ASSIGN_OR_RETURN(const store::Snapshot own,
                      env_.store->snapshots().Paths(container.row.id, {}));
  const absl::StatusOr<sys::RootDir> upper = sys::RootDir::Open(own.upper_path);
  inputs.passwd = image->passwd;
  inputs.group = image->group;
  if (!upper.ok()) return absl::OkStatus();
  (void)FindUserFile(*upper, kPasswd, inputs.passwd);
  (void)FindUserFile(*upper, kGroup, inputs.group);
  return absl::OkStatus();
}

std::shared_ptr<const ContainerManager::UserFiles>
ContainerManager::UserFilesOf(const Loaded& container) {
  const std::string& key = container.row.image_id;
  {
    const MutexLock lock(&mutex_);
    const auto known = user_files_.find(key);
    if (known != user_files_.end()) return known->second;
  }
  auto files = std::make_shared<UserFiles>();
  bool passwd = false;
  bool group = false;
  for (const std::string& layer :
       env_.store->snapshots().LowerPaths(container.image.diff_ids)) {
    const absl::StatusOr<sys::RootDir> root = sys::RootDir::Open(layer);
    // A damaged image may be whole again tomorrow.
    if (!root.ok()) return files;
    if (!passwd) passwd = FindUserFile(*root, kPasswd, files->passwd);
    if (!group) group = FindUserFile(*root, kGroup, files->group);
    if (passwd && group) break;
  }
  const MutexLock lock(&mutex_);
  if (user_files_.size() >= kMostUserFiles) user_files_.clear();
  return user_files_[key] = std::move(files);
}

std::shared_ptr<const ContainerManager::Assembly> ContainerManager::FindRecent(
    const std::shared_ptr<const Loaded>& container) {
  const MutexLock lock(&mutex_);
  for (const Recent& recent : recent_) {
    if (recent.container == container) return recent.assembly;
  }
  return nullptr;
}

void ContainerManager::Remember(std::shared_ptr<const Loaded> container,
                                std::shared_ptr<const Assembly> assembly) {
  // Namespaces of others are not to be held any longer than needed.
  if (!assembly->namespaces.empty()) return;
  const MutexLock lock(&mutex_);
  if (recent_.size() >= kRecentAssemblies) recent_.erase(recent_.begin());
  recent_.push_back({std::move(container), std::move(assembly)});
}

absl::StatusOr<std::shared_ptr<const ContainerManager::Assembly>>
ContainerManager::RecentAssembly(
    const std::shared_ptr<const Loaded>& container) {
  std::shared_ptr<const Assembly> found = FindRecent(container);
  if (found != nullptr) return found;
  CK_ASSIGN_OR_RETURN(Assembly made, Assemble(*container, Purpose::kLookup));
  found = std::make_shared<const Assembly>(std::move(made));
  Remember(container, found);
  return found;
}

runtime::RootSource ContainerManager::RootOf(
    const store::Snapshot& snapshot) const {
  runtime::RootSource root = {.lowers = snapshot.lower_paths,
                              .upper = snapshot.upper_path,
                              .work = snapshot.work_path,
                              .options = {},
                              // Any directory will do: only the child sees the
                              // root there, in its own mount namespace, and
                              // nobody looks for something below this one.
                              .mount_point = snapshot.work_path};
  if (env_.store->user_xattrs()) root.options.push_back("userxattr");
  return root;
}

absl::StatusOr<ContainerManager::Assembly> ContainerManager::Assemble(
    const Loaded& container, Purpose purpose) {
  const std::string& id = container.row.id;
  const ContainerConfig& config = container.config;
  CK_ASSIGN_OR_RETURN(const std::string directory,
                      env_.store->snapshots().DirPath(id));
  Assembly assembly;
  runtime::SpecInputs& inputs = assembly.inputs;
  inputs.id = id;
  inputs.auto_ids = MapsOf(container.record);
  CK_ASSIGN_OR_RETURN(
      const store::Snapshot snapshot,
      env_.store->snapshots().Paths(id, container.image.diff_ids));
  inputs.root_path = snapshot.work_path;
  inputs.hostname = HostnameOf(config, id);
  inputs.hostname_path = absl::StrCat(directory, "/", kHostnameFile);
  inputs.hosts_path = absl::StrCat(directory, "/", kHostsFile);
  inputs.resolv_conf_path = absl::StrCat(directory, "/", kResolvConfFile);
  const bool rootless = !env_.facts->privileged();
  // A cgroup without a parent of ours: that one would be made and removed
  // with every container that runs alone.
  inputs.cgroups_path =
      !config.cgroup_parent.empty()
          ? absl::StrCat(config.cgroup_parent, "/", id)
          : absl::StrCat(rootless ? "" : "/", "containerkit-", id);
  CK_RETURN_IF_ERROR(AddJoinedNamespaces(container, purpose, assembly));
  CK_RETURN_IF_ERROR(AddUserFiles(container, inputs));
  if (config.security.privileged) {
    CK_ASSIGN_OR_RETURN(inputs.devices, runtime::AllHostDevices());
  } else {
    CK_ASSIGN_OR_RETURN(inputs.devices,
                        runtime::ResolveDevices(config.devices));
  }
  CK_ASSIGN_OR_RETURN(inputs.block_devices,
                      runtime::ResolveBlockDevices(config.resources));
  CK_ASSIGN_OR_RETURN(
      assembly.built,
      runtime::BuildSpec(config, container.image.config, *env_.facts, inputs));

  runtime::PlanOptions options;
  options.root = RootOf(snapshot);
  // What goes with the container need not reach the disk when it ends; it can
  // be mounted once only, so this holds for a first start.
  if (config.auto_remove && config.restart.policy == RestartConfig::Policy::kNo)
    options.root.options.push_back("volatile");
  options.cgroup.default_path = inputs.cgroups_path;
  options.cgroup.optional = rootless;
  options.init = assembly.built.init;
  options.keyring_name = absl::StrCat("_ses.", id);
  CK_ASSIGN_OR_RETURN(
      assembly.planned,
      runtime::PlanLaunch(assembly.built.spec, *env_.facts, options));
  CK_RETURN_IF_ERROR(AddHealth(container, assembly));
  return assembly;
}

absl::Status ContainerManager::AddHealth(const Loaded& container,
                                         Assembly& assembly) {
  const HealthConfig health =
      EffectiveHealth(container.config, container.image.config);
  if (health.test.empty()) return absl::OkStatus();
  assembly.health = {
      .interval_ns = Nanos(health.interval, absl::Seconds(30)),
      .timeout_ns = Nanos(health.timeout, absl::Seconds(30)),
      .start_period_ns = absl::ToInt64Nanoseconds(
          std::min(health.start_period, absl::Hours(24 * 365))),
      .start_interval_ns = Nanos(health.start_interval, absl::Seconds(5)),
      .retries = health.retries > 0 ? static_cast<uint32_t>(health.retries)
                                    : kHealthRetries,
      .reserved = 0};
  std::vector<std::string> command(health.test.begin() + 1, health.test.end());
  if (health.test[0] == "CMD-SHELL") {
    const std::vector<std::string>& shell = container.image.config.shell;
    std::vector<std::string> line =
        shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : shell;
    line.insert(line.end(), command.begin(), command.end());
    command = std::move(line);
  }
  CK_ASSIGN_OR_RETURN(assembly.probe, PlanProbe(assembly, command));
  return absl::OkStatus();
}

runtime::ExecTarget ContainerManager::ExecTargetIn(
    const Assembly& assembly) const {
  runtime::ExecTarget target =
      runtime::ExecTargetOf(assembly.built.spec, *env_.facts, assembly.planned);
  // The monitor holds the descriptor itself.
  target.pidfd_index = runtime::kNoFd;
  return target;
}

absl::StatusOr<runtime::LaunchPlan> ContainerManager::PlanProbe(
    const Assembly& assembly, const std::vector<std::string>& command) {
  runtime::ExecConfig exec;
  exec.args = command;
  CK_ASSIGN_OR_RETURN(
      const oci::Process process,
      runtime::BuildExecProcess(exec, *assembly.built.spec.process,
                                assembly.inputs.passwd, assembly.inputs.group));
  CK_ASSIGN_OR_RETURN(
      runtime::PlannedLaunch planned,
      runtime::PlanExec(process, *env_.facts, ExecTargetIn(assembly)));
  return std::move(planned.plan);
}

absl::StatusOr<runtime::Launched> ContainerManager::Launch(
    const Loaded& container, const Assembly& assembly,
    const StartOptions& options, int attach_fd, int scope_fd) {
  const ContainerConfig& config = container.config;
  CK_ASSIGN_OR_RETURN(const UniqueFd directory,
                      OpenDirectory(container.row.id));
  const bool direct =
      options.stdin_fd >= 0 || options.stdout_fd >= 0 || options.stderr_fd >= 0;
  runtime::LaunchSpec spec;
  spec.plan = &assembly.planned.plan;
  if (assembly.planned.pid_private) spec.flags |= runtime::kLaunchPidPrivate;
  if (assembly.planned.own_network) spec.flags |= runtime::kLaunchOwnNetwork;
  if (config.tty) spec.flags |= runtime::kLaunchTty;
  if (config.open_stdin) spec.flags |= runtime::kLaunchStdinOpen;
  if (config.stdin_once) spec.flags |= runtime::kLaunchStdinOnce;
  if (!direct && config.log.driver == LogConfig::Driver::kJsonFile) {
    spec.flags |= runtime::kLaunchLog;
  }
  spec.restart_policy = PolicyOf(config.restart.policy);
  spec.restart_max = config.restart.max_retries;
  spec.rows = config.console_rows;
  spec.columns = config.console_columns;
  spec.log_max_bytes = config.log.max_size_bytes;
  spec.log_max_files = config.log.max_files;
  spec.oom_path = assembly.planned.oom_path;
  if (assembly.probe.has_value()) {
    spec.health_plan = &*assembly.probe;
    spec.health = assembly.health;
  }
  spec.directory_fd = directory.get();
  spec.stdin_fd = options.stdin_fd;
  spec.stdout_fd = options.stdout_fd;
  spec.stderr_fd = options.stderr_fd;
  spec.attach_fd = attach_fd;
  spec.scope_fd = scope_fd;
  spec.cancel = &options.cancel;
  return env_.launcher->Start(spec);
}

void ContainerManager::AddScope(const ScopeBinding& scope) {
  const MutexLock lock(&mutex_);
  scopes_[scope.id] = scope.fd;
}

absl::StatusOr<int> ContainerManager::ScopeFd(const std::string& scope_id) {
  if (scope_id.empty()) return -1;
  const MutexLock lock(&mutex_);
  const auto found = scopes_.find(scope_id);
  if (found != scopes_.end()) return found->second;
  return FailedPrecondition(
      Reason::kUnsupportedOption, "container.start",
      "the container belongs to a scope of another engine; only its owner "
      "can start it");
}

bool ContainerManager::MakesNetwork(const ContainerConfig& config) const {
  using Kind = NamespaceChoice::Kind;
  using User = UserNamespaceChoice::Kind;
  return env_.facts->privileged() && !env_.facts->in_user_namespace &&
         config.network.kind != Kind::kHost &&
         config.network.kind != Kind::kContainer &&
         config.user_namespace.kind != User::kAuto &&
         config.user_namespace.kind != User::kMapped;
}

absl::StatusOr<std::unique_ptr<ProcessSession>> ContainerManager::Start(
    const std::string& id, const StartOptions& options) {
  CK_ASSIGN_OR_RETURN(const Locked locked, Lock(id, options.cancel));
  return StartLocked(locked, options);
}

absl::StatusOr<std::unique_ptr<ProcessSession>> ContainerManager::StartLocked(
    const Locked& locked, const StartOptions& options) {
  const std::string& id = locked.container->row.id;
  std::shared_ptr<const Loaded> container = locked.container;
  if (options.rows != 0 && options.columns != 0) {
    auto sized = std::make_shared<Loaded>(*container);
    sized->config.console_rows = options.rows;
    sized->config.console_columns = options.columns;
    container = std::move(sized);
  }
  CK_ASSIGN_OR_RETURN(const int scope_fd, ScopeFd(container->row.scope_id));
  CK_ASSIGN_OR_RETURN(const ProcessSnapshot before, Process(id));
  if (before.monitored) {
    return WithObject(
        FailedPrecondition(Reason::kAlreadyStarted, "container.start",
                           absl::StrCat("container ", id.substr(0, kShortId),
                                        " runs already")),
        "container", id);
  }
  if (MakesNetwork(container->config)) env_.launcher->PrepareNetwork();
  if (before.unfinished) {
    CK_RETURN_IF_ERROR(KillLeftovers(id));
  }
  CK_RETURN_IF_ERROR(MakeBindSources(container->config));
  for (const BindMountConfig& bind : container->config.binds) {
    CK_RETURN_IF_ERROR(WithObject(CheckPropagation(bind), "container", id));
  }
  CK_ASSIGN_OR_RETURN(const store::Snapshot snapshot,
                      PrepareSnapshot(*container));
  // Only of a container without files of its own is what is known of its
  // users still true.
  std::shared_ptr<const Assembly> assembly =
      snapshot.fresh && !JoinsContainers(container->config)
          ? FindRecent(container)
          : nullptr;
  if (assembly == nullptr) {
    CK_ASSIGN_OR_RETURN(Assembly made, Assemble(*container, Purpose::kLaunch));
    assembly = std::make_shared<const Assembly>(std::move(made));
    Remember(container, assembly);
  }
  CK_ASSIGN_OR_RETURN(UniqueFd directory, OpenDirectory(id));
  CK_RETURN_IF_ERROR(MakeFiles(container->config, assembly->inputs.hostname,
                               directory.get(), snapshot.fresh));

  UniqueFd ours, theirs;
  if (options.attach) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
      return SyscallError(errno, "container.start", "socketpair");
    }
    ours.Reset(pair[0]);
    theirs.Reset(pair[1]);
  }
  absl::StatusOr<runtime::Launched> launched =
      Launch(*container, *assembly, options, theirs.get(), scope_fd);
  if (!launched.ok()) {
    return WithObject(
        Prefix(launched.status(),
               absl::StrCat("start container ", id.substr(0, kShortId))),
        "container", id);
  }
  CK_ASSIGN_OR_RETURN(
      std::shared_ptr<LiveProcess> live,
      LiveProcess::Create(
          id, {launched->pid, launched->pid_start_ticks},
          std::move(launched->events),
          [this](const std::string& which, const runtime::Event& event) {
            OnEvent(which, event);
          }));
  // Before anybody can hear of its end.
  if (options.attach) Emit(*container, "attach");
  Emit(*container, "start");
  CK_RETURN_IF_ERROR(live_.Add(std::move(live)));
  if (!options.attach) return nullptr;
  return std::make_unique<ProcessSession>(
      ProcessSession::Of::kContainer, runtime::AttachStream(std::move(ours)),
      runtime::MonitorClient(std::move(directory)), launched->pid,
      ObserveAttached(id));
}

}  // namespace containerkit::container
