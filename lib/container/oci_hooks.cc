#include "lib/container/oci_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::container {
namespace {

constexpr size_t kMaxOutput = 1024;

absl::Status HookError(absl::StatusCode code, const oci::Hook& hook,
                       absl::string_view message, int os_errno = 0) {
  return MakeError(code, message,
                   {.reason = Reason::kHookFailed,
                    .os_errno = os_errno,
                    .operation = "oci.hook",
                    .path = hook.path});
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& s : strings) {
    pointers.push_back(const_cast<char*>(s.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// Starts the hook; 0 or an errno. input and output become its descriptors.
int Spawn(const oci::Hook& hook, int input, int output, pid_t* pid) {
  const std::vector<char*> argv = Pointers(hook.args);
  char* const only[] = {const_cast<char*>(hook.path.c_str()), nullptr};
  const std::vector<char*> env = Pointers(hook.env);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = posix_spawn_file_actions_adddup2(&actions, input, 0);
  if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (error == 0) error = posix_spawn_file_actions_adddup2(&actions, output, 2);
  if (error == 0) {
    error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  }
  if (error == 0) error = posix_spawn_file_actions_addchdir_np(&actions, "/");
  if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
  if (error == 0) {
    error = posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  if (error != 0) return error;
  return posix_spawn(pid, hook.path.c_str(), &actions, &attributes,
                     hook.args.empty() ? only : argv.data(), env.data());
}

// Feeds `state` and drains output until the process ends or time is up.
// False: time is up.
bool Converse(int pidfd, UniqueFd input, int output, absl::string_view state,
              absl::Time deadline, std::string* text) {
  if (state.empty()) input.Reset();
  for (;;) {
    struct pollfd fds[] = {
        {.fd = pidfd, .events = POLLIN},
        {.fd = output, .events = POLLIN},
        {.fd = input.get(), .events = POLLOUT},
    };
    int wait_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      const int64_t left =
          absl::ToInt64Milliseconds(deadline - absl::Now()) + 1;
      wait_ms = static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
    }
    const int ready = poll(fds, 3, wait_ms);
    if (ready == 0) return false;
    if (ready < 0) continue;
    if (fds[1].revents != 0) {
      char buffer[4096];
      const ssize_t n = read(output, buffer, sizeof(buffer));
      if (n > 0 && text->size() < kMaxOutput) text->append(buffer, n);
      if (n <= 0 && !(n < 0 && errno == EAGAIN)) output = -1;
    }
    if (fds[2].revents != 0) {
      // A socket, so that a hook that does not read costs no SIGPIPE.
      const ssize_t n =
          send(input.get(), state.data(), state.size(), MSG_NOSIGNAL);
      if (n > 0) state.remove_prefix(n);
      if (state.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        input.Reset();
      }
    }
    // Output that is there when the process ended has been read by now or is
    // of no use.
    if (fds[0].revents != 0 && fds[1].revents == 0) return true;
    if (fds[0].revents != 0 && output < 0) return true;
  }
}

absl::Status ExitError(absl::string_view kind, const oci::Hook& hook,
                       const siginfo_t& info, absl::string_view output) {
  if (info.si_code == CLD_EXITED && info.si_status == 0) {
    return absl::OkStatus();
  }
  const std::string how =
      info.si_code == CLD_EXITED
          ? absl::StrCat("hook failed with exit code ", info.si_status)
          : absl::StrCat("hook killed by signal ", info.si_status);
  const absl::string_view shown =
      absl::StripAsciiWhitespace(output.substr(0, kMaxOutput));
  return HookError(absl::StatusCode::kFailedPrecondition, hook,
                   absl::StrCat(kind, " ", how, ": ", hook.path,
                                shown.empty() ? "" : ": ", shown));
}

}  // namespace

absl::Status RunHook(absl::string_view kind, const oci::Hook& hook,
                     absl::string_view state) {
  int in[2], out[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0) {
    return SyscallError(errno, "oci.hook", "socketpair");
  }
  UniqueFd input(in[0]), child_input(in[1]);
  if (pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0) {
    return SyscallError(errno, "oci.hook", "pipe2");
  }
  UniqueFd output(out[0]), child_output(out[1]);
  // Only our end may be non-blocking.
  fcntl(child_output.get(), F_SETFL, O_WRONLY);
  fcntl(input.get(), F_SETFL, O_RDWR | O_NONBLOCK);

  pid_t pid = 0;
  const int error = Spawn(hook, child_input.get(), child_output.get(), &pid);
  if (error != 0) {
    return SyscallError(error, "oci.hook", absl::StrCat(kind, " hook: execve"),
                        hook.path, Reason::kHookFailed);
  }
  child_input.Reset();
  child_output.Reset();
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  absl::Time deadline = absl::InfiniteFuture();
  if (hook.timeout_s.has_value()) {
    deadline = absl::Now() + absl::Seconds(*hook.timeout_s);
  }
  std::string text;
  bool ended = pidfd.ok();
  if (ended) {
    ended = Converse(pidfd.get(), std::move(input), output.get(), state,
                     deadline, &text);
  }
  if (!ended) kill(pid, SIGKILL);
  siginfo_t info{};
  while (waitid(P_PID, pid, &info, WEXITED) != 0) {
    if (errno == EINTR) continue;
    return SyscallError(errno, "oci.hook", "waitid", hook.path,
                        Reason::kHookFailed);
  }
  if (!ended) {
    return HookError(absl::StatusCode::kDeadlineExceeded, hook,
                     absl::StrCat(kind, " hook timed out: ", hook.path));
  }
  return ExitError(kind, hook, info, text);
}

void SetHookEnvironment(const std::vector<std::string>& environment,
                        oci::Hooks& hooks) {
  for (std::vector<oci::Hook>* list :
       {&hooks.prestart, &hooks.create_runtime, &hooks.create_container,
        &hooks.start_container, &hooks.poststart, &hooks.poststop}) {
    for (oci::Hook& hook : *list) {
      if (hook.env.empty()) hook.env = environment;
    }
  }
}

}  // namespace containerkit::container
