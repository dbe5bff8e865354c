#include "lib/base/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit {

namespace {

// How long a wait does not ask a token that has no descriptor.
constexpr int64_t kAskEveryMs = 100;

}  // namespace

struct CancelToken::State {
  std::atomic<bool> cancelled{false};
  UniqueFd event{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

CancelToken::CancelToken() : state_(std::make_shared<State>()) {}

// Signal handlers come here: only a lock-free store and write(2).
void CancelToken::Cancel() const noexcept {
  if (state_ == nullptr) return;
  state_->cancelled.store(true, std::memory_order_release);
  if (!state_->event.ok()) return;
  const int saved = errno;
  const uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t n =
      write(state_->event.get(), &one, sizeof one);
  errno = saved;
}

bool CancelToken::cancelled() const noexcept {
  return state_ != nullptr && state_->cancelled.load(std::memory_order_acquire);
}

int CancelToken::fd() const noexcept {
  return state_ == nullptr ? -1 : state_->event.get();
}

absl::Status CheckCancelled(const CancelToken& cancel,
                            absl::string_view operation) {
  if (!cancel.cancelled()) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kCancelled, "cancelled by the caller",
      {.reason = Reason::kCancelled, .operation = std::string(operation)});
}

int PollMillis(absl::Time deadline, const CancelToken* cancel) {
  const bool ask = cancel != nullptr && cancel->fd() < 0;
  if (deadline == absl::InfiniteFuture() && !ask) return -1;
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now() +
                                                 absl::Microseconds(999));
  return static_cast<int>(
      std::clamp<int64_t>(left, 0, ask ? kAskEveryMs : INT_MAX));
}

absl::Status CancellableSleep(const CancelToken& cancel,
                              absl::Duration duration,
                              absl::string_view operation) {
  const absl::Time end = absl::Now() + std::min(duration, absl::Hours(24));
  while (!cancel.cancelled()) {
    if (absl::Now() >= end) return absl::OkStatus();
    pollfd event = {.fd = cancel.fd(), .events = POLLIN, .revents = 0};
    poll(&event, 1, PollMillis(end, &cancel));
  }
  return CheckCancelled(cancel, operation);
}

namespace {

absl::Status WaitUntilReady(const CancelToken& cancel, int fd, short wanted,
                            absl::string_view operation) {
  for (;;) {
    CK_RETURN_IF_ERROR(CheckCancelled(cancel, operation));
    pollfd events[2] = {{.fd = fd, .events = wanted, .revents = 0},
                        {.fd = cancel.fd(), .events = POLLIN, .revents = 0}};
    const int ready = poll(events, 2, cancel.fd() < 0 ? 100 : -1);
    if (ready < 0 && errno != EINTR) {
      return SyscallError(errno, operation, "poll");
    }
    // Whatever is the matter with it, read(2) or write(2) tells.
    if (ready > 0 && events[0].revents != 0) return absl::OkStatus();
  }
}

}  // namespace

absl::Status WaitReadable(const CancelToken& cancel, int fd,
                          absl::string_view operation) {
  return WaitUntilReady(cancel, fd, POLLIN, operation);
}

absl::Status WaitWritable(const CancelToken& cancel, int fd,
                          absl::string_view operation) {
  return WaitUntilReady(cancel, fd, POLLOUT, operation);
}

}  // namespace containerkit
