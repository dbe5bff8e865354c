// Hears of processes that the kernel kills for memory, when it happens.
#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

const char* OomPath() { return monitor->request->wire.oom_path; }

bool IsV1() { return Find(OomPath(), "memory.oom_control") != nullptr; }

// The kernel's count of processes that it killed for memory; -errno.
long ReadOomKills(int fd) {
  char text[512];
  const long n = ReadAll(fd, text, sizeof text - 1);
  if (n < 0) return n;
  text[n] = '\0';
  const char* at = Find(text, "oom_kill ");
  uint64_t count = 0;
  if (at != nullptr) ParseInt(at + 9, &count);
  return long(count);
}

uint64_t OomKillsNow() {
  const long fd = *OomPath() == '\0' ? -1 : Open(OomPath(), O_RDONLY);
  if (fd < 0) return 0;
  const long count = ReadOomKills(int(fd));
  Close(int(fd));
  return count < 0 ? 0 : uint64_t(count);
}

// The container decides how often it is killed for memory, but not how much of
// the event log that takes.
void PublishOom() {
  constexpr int64_t kPause = 1000000000;
  const int64_t now = NowMonotonicNs();
  if (monitor->oom_told && now - monitor->oom_told_at < kPause) return;
  monitor->oom_told_at = now;
  monitor->oom_told = true;
  Publish(MakeEvent(EventType::kOom));
}

void StopWatching() {
  monitor->loop.Set(monitor->oom, 0);
  CloseAndForget(monitor->oom.fd);
}

// An eventfd(2) that the kernel writes to before it kills, which it does not do
// where that is disabled (cgroup-v1/memory.rst, 9). -errno.
long OpenV1() {
  const char* const slash = FindLast(OomPath(), '/');
  if (slash == nullptr) return -EINVAL;
  const long group = [&] {
    char path[sizeof LaunchRequest::oom_path];
    Text(path, sizeof path).AddBytes(OomPath(), size_t(slash - OomPath()));
    return Open(path, O_PATH | O_DIRECTORY);
  }();
  if (group < 0) return group;
  const long file = OpenAt(int(group), slash + 1, O_RDONLY);
  const long event = Sys(SYS_eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
  long result = file < 0 ? file : event;
  if (result >= 0) {
    char line[32];
    Text text(line, sizeof line);
    text.AddInt(event).Add(" ").AddInt(file);
    result =
        WriteFileAt(int(group), "cgroup.event_control", line, strlen(line));
  }
  Close(int(file));
  Close(int(group));
  if (result >= 0) return event;
  Close(int(event));
  return result;
}

// Takes in what the kernel has said.
void TakeOom() {
  const int fd = monitor->oom.fd;
  if (fd < 0) return;
  if (IsV1()) {
    uint64_t times;
    if (Read(fd, &times, sizeof times) == long(sizeof times)) PublishOom();
    return;
  }
  Sys(SYS_lseek, fd, 0, SEEK_SET);
  const long kills = ReadOomKills(fd);
  if (kills < 0) {
    StopWatching();  // the group is gone
  } else if (uint64_t(kills) > monitor->oom_seen) {
    monitor->oom_seen = uint64_t(kills);
    PublishOom();
  }
}

// Tells of what the kernel counts and has not said.
bool CheckOom() {
  TakeOom();
  const bool killed = OomKillsNow() > monitor->oom_kills;
  if (killed && !monitor->oom_told) PublishOom();
  return killed;
}

}  // namespace

void WatchOom() {
  Watch& watch = monitor->oom;
  if (watch.fd >= 0 || *OomPath() == '\0') return;
  const long fd = IsV1() ? OpenV1() : Open(OomPath(), O_RDONLY);
  if (fd < 0) return;  // told when the container ends
  watch.fd = int(fd);
  watch.handle = [](Watch&, uint32_t) { TakeOom(); };
  // From before it was watched; a file of v2 has changed until it is read.
  CheckOom();
  if (watch.fd < 0) return;
  const uint32_t events = IsV1() ? EPOLLIN : EPOLLPRI;
  if (!monitor->loop.TrySet(watch, events)) CloseAndForget(watch.fd);
}

bool TakeOomKills() {
  const bool killed = CheckOom();
  monitor->oom_kills = OomKillsNow();
  monitor->oom_told = false;
  return killed;
}

}  // namespace containerkit::runtime::child
