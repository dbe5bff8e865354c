// EventStream: what a monitor reports about its container, event by event.
#ifndef CONTAINERKIT_LIB_RUNTIME_ATTACH_EVENTS_H_
#define CONTAINERKIT_LIB_RUNTIME_ATTACH_EVENTS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime {

// Waits until `fd` has one of `events` (poll(2)) or hung up.
//
// Errors: DEADLINE_EXCEEDED / kTimeout at `deadline`; CANCELLED / kCancelled.
// Blocks; thread-safe.
absl::Status WaitForFd(int fd, short events, absl::Time deadline,
                       const CancelToken* cancel = nullptr);

// The receiving end of a monitor's events. Owns its socket; closing it does
// not disturb the container. Move-only; one thread at a time.
class EventStream {
 public:
  EventStream() = default;
  explicit EventStream(UniqueFd socket) : socket_(std::move(socket)) {}

  bool ok() const { return socket_.ok(); }
  // For poll(2): readable when Next() will not block.
  int fd() const { return socket_.get(); }

  // The next event.
  //
  // Errors: as WaitForFd(); UNAVAILABLE / kMonitorLost when the monitor is
  //   gone (after kExited with kEventFinal, and after kFailed, that is its
  //   normal end).
  // Blocks until `deadline`.
  absl::StatusOr<Event> Next(absl::Time deadline,
                             const CancelToken* cancel = nullptr);

  // Gives the socket away.
  UniqueFd Release() { return std::move(socket_); }

 private:
  UniqueFd socket_;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_ATTACH_EVENTS_H_
