// Hears of processes that the kernel kills for memory, when it happens.
#include "lib/runtime/child/cgroups.h"
#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

// Between the looks at the count that follow a notice.
inline constexpr int64_t kFirstPause = 1000000;
inline constexpr int64_t kLongestPause = 512 * kFirstPause;

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

long OpenGroup() {
  const char* const slash = FindLast(OomPath(), '/');
  if (slash == nullptr) return -EINVAL;
  char path[sizeof LaunchRequest::oom_path];
  Text(path, sizeof path).AddBytes(OomPath(), size_t(slash - OomPath()));
  return Open(path, O_RDONLY | O_DIRECTORY);
}

// A group of v1 counts those that were in it and not in one below.
long OomKillsV1() {
  const long group = OpenGroup();
  if (group < 0) return group;
  long kills = 0;
  ForEachGroup(
      int(group),
      [](int one, void* sum) {
        const long fd = OpenAt(one, "memory.oom_control", O_RDONLY);
        if (fd < 0) return;
        const long count = ReadOomKills(int(fd));
        if (count > 0) *static_cast<long*>(sum) += count;
        Close(int(fd));
      },
      &kills);
  Close(int(group));
  return kills;
}

long OomKillsV2() {
  // A file that is watched has changed until it is read.
  const int watched = monitor->oom.fd;
  if (watched >= 0) {
    Sys(SYS_lseek, watched, 0, SEEK_SET);
    return ReadOomKills(watched);
  }
  const long fd = Open(OomPath(), O_RDONLY);
  if (fd < 0) return fd;
  const long count = ReadOomKills(int(fd));
  Close(int(fd));
  return count;
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

// Tells of what the kernel has counted since the last look. False: nothing.
bool Look() {
  if (*OomPath() == '\0') return false;
  const long kills = IsV1() ? OomKillsV1() : OomKillsV2();
  if (kills < 0) {
    StopWatching();  // the group is gone
    return false;
  }
  const bool more = uint64_t(kills) > monitor->oom_seen;
  // Less than before: groups below have gone.
  monitor->oom_seen = uint64_t(kills);
  if (!more) return false;
  monitor->oom_in_run = true;
  PublishOom();
  return true;
}

// An eventfd(2) that the kernel writes to (cgroup-v1/memory.rst, 9) before it
// kills, for every group below the one whose limit it is, and where it will not
// kill because that is disabled. -errno.
long OpenV1() {
  const long group = OpenGroup();
  if (group < 0) return group;
  const long file = OpenAt(int(group), "memory.oom_control", O_RDONLY);
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

void OnOom(Watch& watch, uint32_t) {
  if (!IsV1()) {
    Look();
    return;
  }
  uint64_t times;
  if (Read(watch.fd, &times, sizeof times) != long(sizeof times)) return;
  monitor->oom_pause = kFirstPause;
  LookForOom();
}

}  // namespace

// Somebody is about to be killed, here or elsewhere: the count will tell.
void LookForOom() {
  monitor->oom_look_at = kNever;
  if (Look() || monitor->oom_pause > kLongestPause) return;
  monitor->oom_look_at = NowMonotonicNs() + monitor->oom_pause;
  monitor->oom_pause *= 2;
}

void WatchOom() {
  Watch& watch = monitor->oom;
  if (watch.fd >= 0 || *OomPath() == '\0') return;
  const long fd = IsV1() ? OpenV1() : Open(OomPath(), O_RDONLY);
  if (fd < 0) return;  // told when the container ends
  watch.fd = int(fd);
  watch.handle = OnOom;
  // From before it was watched; a file of v2 has changed until it is read.
  Look();
  if (watch.fd < 0) return;
  const uint32_t events = IsV1() ? EPOLLIN : EPOLLPRI;
  if (!monitor->loop.TrySet(watch, events)) CloseAndForget(watch.fd);
}

bool TakeOomKills() {
  Look();
  const bool killed = monitor->oom_in_run;
  if (killed && !monitor->oom_told) PublishOom();
  monitor->oom_in_run = monitor->oom_told = false;
  monitor->oom_look_at = kNever;
  return killed;
}

}  // namespace containerkit::runtime::child
