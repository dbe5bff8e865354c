#include "lib/runtime/attach_events.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
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

absl::Status TimedOut() {
  ErrorDetail detail;
  detail.reason = Reason::kTimeout;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kDeadlineExceeded, "deadline exceeded",
                   detail);
}

}  // namespace

absl::Status WaitForFd(int fd, short events, absl::Time deadline,
                       const CancelToken* cancel) {
  for (;;) {
    // poll(2) skips negative descriptors.
    const int cancel_fd = cancel == nullptr ? -1 : cancel->fd();
    pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};
    const int n = poll(fds, 2, PollMillis(deadline, cancel));
    if (n < 0 && errno != EINTR) return SyscallError(errno, kOperation, "poll");
    if (n > 0 && fds[0].revents != 0) return absl::OkStatus();
    if (cancel != nullptr) {
      CK_RETURN_IF_ERROR(CheckCancelled(*cancel, kOperation));
    }
    if (n == 0 && absl::Now() >= deadline) return TimedOut();
  }
}

absl::StatusOr<Event> EventStream::Next(absl::Time deadline,
                                        const CancelToken* cancel) {
  for (;;) {
    CK_RETURN_IF_ERROR(WaitForFd(socket_.get(), POLLIN, deadline, cancel));
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
