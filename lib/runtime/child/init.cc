#include "lib/runtime/child/init.h"

#include <linux/prctl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr size_t kKernelSigsetSize = 8;

// Reaps whoever ended; ends itself with its own child.
void Reap(int child) {
  for (;;) {
    siginfo_t info;
    info.si_pid = 0;
    const long result =
        Sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | __WALL, nullptr);
    if (result < 0 || info.si_pid == 0) return;
    if (info.si_pid != child) continue;
    Exit(info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
  }
}

[[noreturn]] void RunInit(int child) {
  SetName("ck-init");
  Sys(SYS_close_range, 3, ~0u, 0);
  for (;;) {
    Reap(child);
    const uint64_t all = ~uint64_t{0};
    siginfo_t info;
    const long signal =
        Sys(SYS_rt_sigtimedwait, &all, &info, nullptr, kKernelSigsetSize);
    // Stop signals of the terminal are for its foreground group.
    if (signal <= 0 || signal == SIGCHLD || signal == SIGTTIN ||
        signal == SIGTTOU || signal == SIGTSTP) {
      continue;
    }
    Sys(SYS_kill, child, signal);
  }
}

}  // namespace

long StepInit() {
  BlockSignals();
  const long child = Fork();
  if (child < 0) return Fail(child, "clone3", "init");
  if (child > 0) RunInit(int(child));
  Sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // Its own group in the terminal's foreground: what the terminal sends
  // reaches it once, not again through init.
  Sys(SYS_setpgid, 0, 0);
  const int group = int(Sys(SYS_getpid));
  Sys(SYS_ioctl, 0, TIOCSPGRP, &group);  // SIGTTOU is still blocked
  UnblockSignals();
  return 0;
}

}  // namespace containerkit::runtime::child
