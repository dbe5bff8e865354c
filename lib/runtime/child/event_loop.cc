#include "lib/runtime/child/event_loop.h"

#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

long EventLoop::Open() {
  const long fd = Sys(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (fd < 0) return fd;
  fd_ = int(fd);
  return 0;
}

bool EventLoop::TrySet(Watch& watch, uint32_t events) {
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = &watch;
  if (Sys(SYS_epoll_ctl, fd_, EPOLL_CTL_ADD, watch.fd, &event) < 0) {
    return false;
  }
  watch.events = events;
  return true;
}

void EventLoop::Set(Watch& watch, uint32_t events) {
  if (events == watch.events) return;
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = &watch;
  const int operation = events == 0         ? EPOLL_CTL_DEL
                        : watch.events == 0 ? EPOLL_CTL_ADD
                                            : EPOLL_CTL_MOD;
  watch.events = events;
  if (watch.fd < 0) return;
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    const long result = Sys(SYS_epoll_ctl, fd_, operation, watch.fd, &event);
    if (result != -ENOMEM && result != -ENOSPC) return;
    SleepNs(5 * 1000 * 1000);
  }
  // Nobody would ever hear of the container's end; it ends with us instead.
  Exit(1);
}

bool EventLoop::RunOnce(int64_t deadline_ns) {
  int timeout_ms = -1;
  if (deadline_ns != kNever) {
    const int64_t left = deadline_ns - NowMonotonicNs();
    // Rounded up: waking too early would only mean to wait again.
    const int64_t ms = left <= 0 ? 0 : (left + 999999) / 1000000;
    timeout_ms = ms > 1000000 ? 1000000 : int(ms);
  }
  struct epoll_event event;
  const long n = Sys(SYS_epoll_pwait, fd_, &event, 1, timeout_ms, nullptr, 8);
  if (n != 1) return false;
  auto* watch = static_cast<Watch*>(event.data.ptr);
  watch->handle(*watch, event.events);
  return true;
}

}  // namespace containerkit::runtime::child
