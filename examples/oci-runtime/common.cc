// What the commands share.
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/oci-runtime/commands.h"

namespace ck_oci {

absl::StatusOr<std::optional<std::vector<std::string>>> ParseCommandLine(
    const Command& command, const Context& context, Arguments arguments,
    int min_arguments, int max_arguments, FlagOrder order) {
  bool help = false;
  arguments.Bool("help,h", &help, "show this");
  absl::StatusOr<std::vector<std::string>> others =
      arguments.Parse(context.arguments, order);
  if (!others.ok()) return others.status();
  if (help) {
    const absl::Status status = Print(
        absl::StrCat("Usage: ck-oci ", command.name, " ", command.usage, "\n\n",
                     command.summary, "\n\nOptions:\n", arguments.Help()));
    if (!status.ok()) return status;
    return std::optional<std::vector<std::string>>();
  }
  const int count = static_cast<int>(others->size());
  if (count < min_arguments || (max_arguments >= 0 && count > max_arguments)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"ck-oci ", command.name, "\" takes ",
        max_arguments == min_arguments ? "exactly " : "at least ",
        min_arguments, " argument(s): ", command.name, " ", command.usage));
  }
  return std::optional<std::vector<std::string>>(*std::move(others));
}

absl::Status Print(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "write to stdout");
    text.remove_prefix(n);
  }
  return absl::OkStatus();
}

int BlockForwardedSignals() {
  sigset_t set;
  sigfillset(&set);
  // Not ours to hand on: of children, of our own mistakes, of dead pipes.
  for (const int signal : {SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE,
                           SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    sigdelset(&set, signal);
  }
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace ck_oci
