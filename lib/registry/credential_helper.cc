#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/registry/credentials.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.credential_helper";
constexpr size_t kMaxAnswerBytes = 1 << 20;

absl::Status HelperError(const std::string& program, absl::string_view why,
                         int os_errno = 0) {
  return MakeError(absl::StatusCode::kUnavailable,
                   absl::StrCat(program, ": ", why),
                   {.reason = Reason::kCredentialHelperFailed,
                    .os_errno = os_errno,
                    .operation = kOperation,
                    .object_kind = "credential helper",
                    .object_id = program});
}

bool IsHelperName(absl::string_view name) {
  if (name.empty() || name.size() > 100) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') {
      return false;
    }
  }
  return true;
}

// The helper while it runs; killed and reaped at the end. A socket pair is its
// stdin and stdout, so that writing to one that is gone raises no SIGPIPE.
class HelperProcess {
 public:
  ~HelperProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Reap();
  }

  absl::Status Start(const std::string& program, const HelperOptions& options) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
      return SyscallError(errno, kOperation, "socketpair");
    }
    ours_.Reset(pair[0]);
    const UniqueFd theirs(pair[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const absl::Cleanup free_actions = [&] {
      posix_spawn_file_actions_destroy(&actions);
    };
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    // The host's signal mask and ignored signals are none of the helper's.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    const absl::Cleanup free_attributes = [&] {
      posix_spawnattr_destroy(&attributes);
    };
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char verb[] = "get";
    std::string name = program;
    char* const argv[] = {name.data(), verb, nullptr};
    int error = ENOENT;
    if (options.search_dirs.empty()) {
      error = posix_spawnp(&pid_, program.c_str(), &actions, &attributes, argv,
                           environ);
    }
    for (const std::string& dir : options.search_dirs) {
      const std::string path = absl::StrCat(dir, "/", program);
      error = posix_spawn(&pid_, path.c_str(), &actions, &attributes, argv,
                          environ);
      if (error != ENOENT) break;
    }
    if (error != 0) {
      pid_ = -1;
      return HelperError(
          program, error == ENOENT ? "no such program" : "cannot start", error);
    }
    return absl::OkStatus();
  }

  // Gives it `input`, reads all it says.
  absl::StatusOr<std::string> Talk(const std::string& program,
                                   const std::string& input,
                                   absl::Duration timeout,
                                   const CancelToken& cancel) {
    send(ours_.get(), input.data(), input.size(), MSG_NOSIGNAL);
    shutdown(ours_.get(), SHUT_WR);
    const absl::Time end = absl::Now() + timeout;
    std::string answer;
    while (true) {
      CK_RETURN_IF_ERROR(CheckCancelled(cancel, kOperation));
      const absl::Duration left = end - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return HelperError(program, "no answer in time", ETIMEDOUT);
      }
      pollfd fds[] = {{.fd = ours_.get(), .events = POLLIN, .revents = 0},
                      {.fd = cancel.fd(), .events = POLLIN, .revents = 0}};
      poll(fds, 2,
           static_cast<int>(absl::ToInt64Milliseconds(
               std::min(left, absl::Milliseconds(500)))) +
               1);
      if (fds[0].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = recv(ours_.get(), buffer, sizeof buffer, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return answer;
      answer.append(buffer, n);
      if (answer.size() > kMaxAnswerBytes) {
        return HelperError(program, "answer is too long");
      }
    }
  }

  // The exit status once it has closed its output; -1 when the host's own
  // waitpid(-1) took it.
  int Reap() {
    int status = -1;
    while (waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) {
        status = -1;
        break;
      }
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd ours_;
};

absl::StatusOr<std::optional<Credentials>> ReadAnswer(
    const std::string& program, absl::string_view answer) {
  const auto doc = JsonDocument::Parse(answer, kOperation);
  if (!doc.ok()) return HelperError(program, "answer is not JSON");
  Credentials credentials;
  credentials.username = doc->root().Get("Username").String();
  std::string secret = doc->root().Get("Secret").String();
  if (!doc->status().ok()) return HelperError(program, "malformed answer");
  if (credentials.username == "<token>") {
    credentials.username.clear();
    credentials.identity_token = std::move(secret);
  } else {
    credentials.password = std::move(secret);
  }
  if (credentials.empty()) return std::nullopt;
  return credentials;
}

}  // namespace

absl::StatusOr<std::optional<Credentials>> RunCredentialHelper(
    const std::string& name, const std::string& server,
    const HelperOptions& options, const CancelToken& cancel) {
  if (!IsHelperName(name)) {
    return HelperError("docker-credential-?", "malformed helper name");
  }
  const std::string program = absl::StrCat("docker-credential-", name);
  HelperProcess process;
  CK_RETURN_IF_ERROR(process.Start(program, options));
  CK_ASSIGN_OR_RETURN(const std::string answer,
                      process.Talk(program, server, options.timeout, cancel));
  const int status = process.Reap();
  const bool failed =
      status != -1 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (!failed) return ReadAnswer(program, answer);
  // The words that Docker's own helpers use for "I have none".
  if (absl::StrContains(answer, "credentials not found") ||
      absl::StrContains(answer, "no credentials")) {
    return std::nullopt;
  }
  return HelperError(program,
                     WIFEXITED(status)
                         ? absl::StrCat("exit status ", WEXITSTATUS(status))
                         : absl::StrCat("killed by signal ", WTERMSIG(status)));
}

}  // namespace containerkit::registry
