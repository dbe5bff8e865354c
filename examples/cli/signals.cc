#include "examples/cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "absl/status/status.h"

namespace containerkit::cli {
namespace {

// What the handlers use is set before they are.
volatile int g_signal_pipe = -1;
const CancelToken* g_interrupt = nullptr;
std::atomic<int> g_interrupted_by = 0;

bool IsFault(int signal) {
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      return true;
    default:
      return false;
  }
}

void OnSignal(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const bool from_kernel = info->si_code > 0;
  if (from_kernel && IsFault(signal)) {
    // The instruction is tried again, and now ends ck.
    ::signal(signal, SIG_DFL);
  } else if (from_kernel && (signal == SIGTTIN || signal == SIGTTOU)) {
    // ck is in the background and uses its terminal. The call is restarted
    // after the handler, so that without a stop this would never end.
    raise(SIGSTOP);
  } else {
    const auto byte = static_cast<unsigned char>(signal);
    // A full pipe has signals enough.
    [[maybe_unused]] const ssize_t count = write(g_signal_pipe, &byte, 1);
  }
  errno = saved;
}

void OnInterrupt(int signal) {
  int nothing = 0;
  // Threads may run it at the same time.
  if (!g_interrupted_by.compare_exchange_strong(nothing, signal)) {
    // Takes effect when the handler returns.
    ::signal(signal, SIG_DFL);
    raise(signal);
    return;
  }
  const int saved = errno;
  g_interrupt->Cancel();
  errno = saved;
}

// What ck was started to ignore (nohup) stays ignored.
void Catch(int signal, const struct sigaction& action) {
  struct sigaction before = {};
  if (sigaction(signal, nullptr, &before) != 0) return;
  if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
}

bool IsForwardable(int signal) {
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCHLD:
    case SIGPIPE:
    case SIGURG:
      return false;
    default:
      // The C library's own are between the classic ones and SIGRTMIN.
      return signal < __SIGRTMIN || signal >= SIGRTMIN;
  }
}

}  // namespace

const CancelToken& CatchInterrupts() {
  g_interrupt = new CancelToken;
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) Catch(signal, action);
  return *g_interrupt;
}

int InterruptExitCode() {
  const int signal = g_interrupted_by;
  return signal == 0 ? 0 : 128 + signal;
}

absl::StatusOr<int> OpenSignalPipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "pipe2");
  }
  g_signal_pipe = ends[1];
  return ends[0];
}

void CatchSignals(bool all) {
  struct sigaction action = {};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigfillset(&action.sa_mask);
  sigaction(SIGWINCH, &action, nullptr);
  for (int signal = 1; all && signal <= SIGRTMAX; ++signal) {
    if (IsForwardable(signal)) Catch(signal, action);
  }
}

}  // namespace containerkit::cli
