#include "lib/sys/directory_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace containerkit::sys {

namespace {

constexpr absl::Duration kPollStep = absl::Milliseconds(50);

int ToMilliseconds(absl::Duration duration) {
  if (duration <= absl::ZeroDuration()) return 0;
  return static_cast<int>(absl::ToInt64Milliseconds(
      absl::Ceil(std::min(duration, absl::Hours(1)), absl::Milliseconds(1))));
}

}  // namespace

DirectoryWatch DirectoryWatch::Create(int dir_fd) noexcept {
  UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (fd.ok()) {
    const std::string path = absl::StrCat("/proc/self/fd/", dir_fd);
    if (inotify_add_watch(fd.get(), path.c_str(),
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE |
                              IN_DELETE_SELF | IN_ONLYDIR) < 0) {
      fd.Reset();
    }
  }
  return DirectoryWatch(std::move(fd));
}

bool DirectoryWatch::Drain(
    const std::function<bool(absl::string_view)>& relevant) {
  bool found = false;
  alignas(inotify_event) char buffer[4096];
  ssize_t size;
  while ((size = read(fd_.get(), buffer, sizeof(buffer))) > 0) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(*event) + event->len);
      // The kernel pads names with NULs; an event of the directory itself, or
      // of a full queue, has none.
      found =
          found || event->len == 0 || relevant(absl::string_view(event->name));
    }
  }
  return found;
}

void DirectoryWatch::Wait(
    absl::Duration timeout, int wake_fd, int other_fd,
    const std::function<bool(absl::string_view)>& relevant) {
  const absl::Time end = absl::Now() + timeout;
  for (;;) {
    absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return;
    if (!fd_.ok()) left = std::min(left, kPollStep);
    // poll(2) skips negative descriptors.
    pollfd events[] = {{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                       {.fd = wake_fd, .events = POLLIN, .revents = 0},
                       {.fd = other_fd, .events = POLLIN, .revents = 0}};
    if (poll(events, 3, ToMilliseconds(left)) < 0) return;
    if (events[1].revents != 0 || events[2].revents != 0 || !fd_.ok()) return;
    if (events[0].revents != 0 && Drain(relevant)) return;
  }
}

}  // namespace containerkit::sys
