#include "lib/container/oci_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/container/oci_adjust.h"
#include "lib/container/oci_hooks.h"
#include "lib/container/oci_terminal.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/planner.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

using runtime::LaunchSpec;

absl::StatusOr<std::string> RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  if (realpath(path.empty() ? "." : path.c_str(), resolved) == nullptr) {
    return SyscallError(errno, "oci.bundle", "realpath", path);
  }
  return std::string(resolved);
}

std::string PathBelow(const std::string& base, const std::string& path) {
  return !path.empty() && path[0] == '/' ? path : absl::StrCat(base, "/", path);
}

absl::Status ConsoleError(absl::string_view message) {
  return InvalidArgument(Reason::kConsoleSocketFailed, "oci.console", message);
}

absl::Status CheckConsole(const OciProcessMode& mode) {
  if (mode.terminal && mode.detached && mode.console_socket.empty()) {
    return ConsoleError(
        "a detached process with a terminal needs a console socket");
  }
  if (!mode.terminal && !mode.console_socket.empty()) {
    return ConsoleError("a console socket without a terminal");
  }
  return absl::OkStatus();
}

// Where cgroups go for a config that names none. v2 forbids a cgroup that has
// processes and children with controllers, so there it cannot be below ours.
std::string DefaultCgroup(const runtime::HostFacts& facts,
                          const std::string& id) {
  const std::string name = absl::StrCat("ck-oci-", id);
  return facts.cgroups.mode == sys::CgroupMode::kUnified
             ? absl::StrCat("/", name)
             : name;
}

}  // namespace

absl::StatusOr<OciBundle> ReadOciBundle(
    const OciCreateOptions& options,
    const std::vector<std::string>& hook_environment) {
  OciBundle bundle;
  CK_ASSIGN_OR_RETURN(bundle.path, RealPath(options.bundle), "bundle");
  const std::string config = PathBelow(bundle.path, options.config);
  CK_ASSIGN_OR_RETURN(
      bundle.config,
      sys::ReadFileAt(AT_FDCWD, config, oci::kMaxRuntimeSpecBytes));
  CK_ASSIGN_OR_RETURN(bundle.spec, oci::ParseRuntimeSpec(bundle.config),
                      "read ", config);
  if (!bundle.spec.process.has_value()) {
    return InvalidArgument(Reason::kSpecInvalid, "oci.bundle",
                           absl::StrCat(config, ": process is missing"));
  }
  bundle.rootfs = PathBelow(bundle.path, bundle.spec.root.path);
  SetHookEnvironment(hook_environment, bundle.spec.hooks);
  return bundle;
}

absl::StatusOr<PreservedFds> CollectPreservedFds(int count) {
  PreservedFds result;
  for (int fd = 3; fd < 3 + count; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) continue;
    while (static_cast<int>(result.fds.size()) < fd - 3) {
      if (!result.filler.ok()) {
        CK_ASSIGN_OR_RETURN(result.filler,
                            sys::OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
      }
      result.fds.push_back(result.filler.get());
    }
    result.fds.push_back(fd);
  }
  return result;
}

absl::StatusOr<OciLaunched> LaunchOciProcess(const runtime::LaunchPlan& plan,
                                             const OciProcessMode& mode) {
  CK_RETURN_IF_ERROR(CheckConsole(mode));
  LaunchSpec launch;
  launch.plan = &plan;
  launch.oom_path = mode.oom_path;
  launch.rows = mode.rows;
  launch.columns = mode.columns;
  if (mode.exec) launch.flags |= runtime::kLaunchExec;
  if (mode.detached) launch.flags |= runtime::kLaunchUnmonitored;
  if (mode.pid_private) launch.flags |= runtime::kLaunchPidPrivate;

  UniqueFd null;
  ConsolePair console;
  if (mode.terminal) {
    launch.flags |= runtime::kLaunchTty;
    if (mode.console_socket.empty()) {
      CK_ASSIGN_OR_RETURN(console, MakeConsolePair());
    } else {
      CK_ASSIGN_OR_RETURN(console.theirs,
                          ConnectConsoleSocket(mode.console_socket));
    }
    launch.console_fd = console.theirs.get();
  } else {
    launch.flags |= runtime::kLaunchGiveStdio;
    int* const streams[] = {&launch.stdin_fd, &launch.stdout_fd,
                            &launch.stderr_fd};
    for (int fd = 0; fd < 3; ++fd) {
      *streams[fd] = fd;
      if (fcntl(fd, F_GETFD) >= 0) continue;
      if (!null.ok()) {
        CK_ASSIGN_OR_RETURN(null, sys::OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
      }
      *streams[fd] = null.get();
    }
  }
  launch.extra_fds = mode.extra_fds;
  launch.preserve_fds = mode.preserve_fds;

  CK_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Launcher> launcher,
                      runtime::Launcher::Create());
  OciLaunched result;
  CK_ASSIGN_OR_RETURN(result.launched, launcher->Start(launch));
  console.theirs.Reset();
  if (console.ours.ok()) {
    CK_ASSIGN_OR_RETURN(result.master, ReceiveTerminal(console.ours.get()));
  }
  return result;
}

absl::StatusOr<OciLaunched> LaunchOciContainer(OciBundle& bundle,
                                               const OciCreateOptions& options,
                                               const OciDirectory& directory,
                                               bool await_start, bool detached,
                                               OciRecord& record) {
  CK_ASSIGN_OR_RETURN(const runtime::HostFacts facts,
                      runtime::ProbeHostFacts());
  std::vector<std::string> warnings;
  if (options.listen_fds > 0) {
    std::vector<std::string>& env = bundle.spec.process->env;
    env.push_back(absl::StrCat("LISTEN_FDS=", options.listen_fds));
    env.push_back("LISTEN_PID=1");
  }
  AddHome(bundle.rootfs, *bundle.spec.process);
  if (!detached)
    UseCallersTerminalSize(options.console_socket, *bundle.spec.process);
  ClampScheduler(facts.cgroups, bundle.spec.linux_config.resources,
                 *bundle.spec.process, warnings);
  runtime::PlanOptions plan_options;
  plan_options.oom_score_optional = false;  // the specification's word
  plan_options.bundle = bundle.path;
  plan_options.cgroup.default_path = DefaultCgroup(facts, record.id);
  plan_options.cgroup.optional = !facts.privileged();
  const std::string& cgroup = bundle.spec.linux_config.cgroups_path;
  plan_options.cgroup.disabled =
      options.no_cgroup ||
      (!facts.privileged() &&
       !MayMakeCgroup(facts.cgroups, cgroup.empty()
                                         ? plan_options.cgroup.default_path
                                         : cgroup));
  const auto document = [&record](absl::string_view status, std::string* head,
                                  std::string* tail) {
    OciStateDocument parts = HookStateDocument(record, status);
    *head = std::move(parts.head);
    *tail = std::move(parts.tail);
  };
  document("creating", &plan_options.creating_state_head,
           &plan_options.creating_state_tail);
  document("created", &plan_options.created_state_head,
           &plan_options.created_state_tail);
  if (await_start) {
    CK_ASSIGN_OR_RETURN(plan_options.exec_fifo, directory.MakeFifo());
  }
  plan_options.no_pivot = options.no_pivot;
  if (!options.no_new_keyring) plan_options.keyring_name = record.id;
  plan_options.die_with_monitor = false;

  OciProcessMode mode;
  mode.detached = detached;
  mode.console_socket = options.console_socket;
  CK_ASSIGN_OR_RETURN(
      const PreservedFds preserved,
      CollectPreservedFds(options.listen_fds + options.preserve_fds));
  mode.extra_fds = preserved.fds;
  mode.preserve_fds = static_cast<uint32_t>(preserved.fds.size());
  plan_options.preserve_fds = mode.preserve_fds;
  CK_ASSIGN_OR_RETURN(runtime::PlannedLaunch planned,
                      runtime::PlanLaunch(bundle.spec, facts, plan_options));
  mode.terminal = planned.terminal;
  mode.rows = planned.rows;
  mode.columns = planned.columns;
  mode.pid_private = planned.pid_private;
  mode.oom_path = detached ? "" : planned.oom_path;
  CK_ASSIGN_OR_RETURN(OciLaunched result, LaunchOciProcess(planned.plan, mode));
  record.pid = result.launched.pid;
  record.pid_start_ticks = result.launched.pid_start_ticks;
  record.pid_private = planned.pid_private;
  record.cgroup = std::move(planned.cgroup);
  result.warnings = std::move(planned.warnings);
  result.warnings.insert(result.warnings.end(), warnings.begin(),
                         warnings.end());
  return result;
}

void UseCallersTerminalSize(const std::string& console_socket,
                            oci::Process& process) {
  if (!process.terminal || !console_socket.empty() ||
      process.console_size.has_value()) {
    return;
  }
  if (const auto size = ReadTerminalSize(STDIN_FILENO)) {
    process.console_size = oci::ConsoleSize{size->rows, size->columns};
  }
}

absl::Status WritePidFile(const std::string& path, int32_t pid) {
  const std::string full = PathBelow(".", path);
  const size_t slash = full.find_last_of('/');
  CK_ASSIGN_OR_RETURN(
      const UniqueFd directory,
      sys::OpenAt(AT_FDCWD, slash == 0 ? "/" : full.substr(0, slash),
                  O_PATH | O_DIRECTORY),
      "pid file ", path);
  return sys::AtomicWriteFileAt(directory.get(), full.substr(slash + 1),
                                absl::StrCat(pid),
                                {.mode = 0644, .durable = false});
}

}  // namespace containerkit::container
