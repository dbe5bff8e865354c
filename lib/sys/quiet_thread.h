// Threads of the library inside somebody else's program.
#ifndef CONTAINERKIT_LIB_SYS_QUIET_THREAD_H_
#define CONTAINERKIT_LIB_SYS_QUIET_THREAD_H_

#include <functional>
#include <thread>

#include "absl/status/statusor.h"

namespace containerkit::sys {

// Starts a thread in which all signals are blocked, so that the host's
// handlers keep running on the host's threads. The caller joins it.
//
// Errors: UNAVAILABLE / kSystemCall (EAGAIN) when there are too many threads.
absl::StatusOr<std::thread> StartQuietThread(std::function<void()> body);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_QUIET_THREAD_H_
