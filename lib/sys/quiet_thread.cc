#include "lib/sys/quiet_thread.h"

#include <signal.h>

#include <functional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "lib/base/status.h"

namespace containerkit::sys {

absl::StatusOr<std::thread> StartQuietThread(std::function<void()> body) {
  // A thread starts with its maker's mask.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  absl::Cleanup restore = [&old] {
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  };
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& error) {
    return SyscallError(error.code().value(), "thread.start", "pthread_create");
  }
}

}  // namespace containerkit::sys
