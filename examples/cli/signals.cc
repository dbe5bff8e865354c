#include "examples/cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "absl/status/status.h"

namespace containerkit::cli {
namespace {

// The pipe's end that the handler writes to; set before the handler is.
volatile int g_signal_pipe = -1;

void OnSignal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe has signals enough.
  [[maybe_unused]] const ssize_t count = write(g_signal_pipe, &byte, 1);
  errno = saved;
}

constexpr int kForwardable[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGCONT,
                                SIGIO,   SIGPWR,  SIGPROF, SIGVTALRM};

}  // namespace

absl::StatusOr<int> CatchSignals(bool forwardable, bool window) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "pipe2");
  }
  g_signal_pipe = ends[1];
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  if (window) sigaction(SIGWINCH, &action, nullptr);
  for (const int signal : kForwardable) {
    struct sigaction before = {};
    // What ck was started to ignore (nohup) stays ignored.
    if (!forwardable || sigaction(signal, nullptr, &before) != 0 ||
        before.sa_handler == SIG_IGN) {
      continue;
    }
    sigaction(signal, &action, nullptr);
  }
  return ends[0];
}

}  // namespace containerkit::cli
