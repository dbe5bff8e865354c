#include "lib/runtime/attach_events.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

constexpr absl::string_view kOperation = "monitor.wait";

absl::Status Lost() {
  ErrorDetail detail;
  detail.reason = Reason::kMonitorLost;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kUnavailable, "monitor is gone", detail);
}

absl::Status Cancelled() {
  ErrorDetail detail;
  detail.reason = Reason::kCancelled;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kCancelled, "cancelled", detail);
}

absl::Status TimedOut() {
  ErrorDetail detail;
  detail.reason = Reason::kTimeout;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kDeadlineExceeded, "deadline exceeded",
                   detail);
}

}  // namespace

absl::Status WaitForFd(int fd, short events, absl::Time deadline,
                       int cancel_fd) {
  for (;;) {
    int timeout_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now() +
                                                     absl::Microseconds(999));
      timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
    }
    // poll(2) skips negative descriptors.
    pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};
    const int n = poll(fds, 2, timeout_ms);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kOperation, "poll");
    if (fds[0].revents != 0) return absl::OkStatus();
    if (n > 0) return Cancelled();
    return TimedOut();
  }
}

absl::StatusOr<Event> EventStream::Next(absl::Time deadline, int cancel_fd) {
  for (;;) {
    CK_RETURN_IF_ERROR(WaitForFd(socket_.get(), POLLIN, deadline, cancel_fd));
    Event event;
    const ssize_t n = recv(socket_.get(), &event, sizeof event, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0 && errno != ECONNRESET) {
      return SyscallError(errno, kOperation, "recv");
    }
    if (n <= 0) return Lost();
    if (n == sizeof event && event.magic == kMonitorMagic) return event;
  }
}

}  // namespace containerkit::runtime
