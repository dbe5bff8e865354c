#include "lib/runtime/child/spawner.h"

#include <linux/prctl.h>
#include <linux/sched.h>

#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/process.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

MonitorRequest request;
uint8_t boot_id[16];

// A network namespace that is ready before the next container needs it:
// making one takes longer than anything else that a start does. With it comes
// its sysfs: the kernel looks for one among those of all containers.
class SpareNetwork {
 public:
  // -1: there is none.
  void Take(int& network, int& sysfs) {
    network = fd_;
    sysfs = sysfs_;
    fd_ = sysfs_ = -1;
  }

  // In a child, which must not keep them alive.
  void Forget() {
    CloseAndForget(own_);
    CloseAndForget(fd_);
    CloseAndForget(sysfs_);
  }

  // Makes one, while others are at work. Without the privilege for it there
  // will never be one.
  void Make() {
    if (fd_ >= 0 || refused_) return;
    if (own_ < 0) own_ = int(Open(kOwnNetwork, O_RDONLY));
    refused_ = own_ < 0 || Sys(SYS_unshare, CLONE_NEWNET) < 0;
    if (refused_) return;
    fd_ = int(Open(kOwnNetwork, O_RDONLY));
    StepLoopbackUp();
    const char* call;
    sysfs_ = int(MakeMount("sysfs", "sysfs", List(), 0, &call));
    // Monitors must never be born in the wrong one.
    if (Sys(SYS_setns, own_, CLONE_NEWNET) < 0) Exit(1);
  }

 private:
  static constexpr char kOwnNetwork[] = "/proc/thread-self/ns/net";
  int own_ = -1;
  int fd_ = -1;
  int sysfs_ = -1;  // stays below 0 where it cannot be mounted
  bool refused_ = false;
};

// "xxxxxxxx-xxxx-..." to 16 bytes.
bool ReadBootId() {
  char text[64];
  const long fd = Open("/proc/sys/kernel/random/boot_id", O_RDONLY);
  if (fd < 0) return false;
  const long n = ReadAll(int(fd), text, sizeof text);
  Close(int(fd));
  int digits = 0;
  for (long i = 0; i < n && digits < 32; ++i) {
    const char c = text[i];
    int value;
    if (c >= '0' && c <= '9') {
      value = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      value = c - 'a' + 10;
    } else {
      continue;
    }
    boot_id[digits / 2] = uint8_t(boot_id[digits / 2] << 4 | value);
    ++digits;
  }
  return digits == 32;
}

// Distributes the descriptors as LaunchRequest::fds says.
void TakeFds(const int* fds, int count) {
  int next = 0;
  const auto take = [&](uint32_t bit) {
    return (request.wire.fds & bit) != 0 && next < count ? fds[next++] : -1;
  };
  request.plan = take(kFdPlan);
  request.reply = take(kFdReply);
  request.directory = take(kFdDirectory);
  request.stdio[0] = take(kFdStdin);
  request.stdio[1] = take(kFdStdout);
  request.stdio[2] = take(kFdStderr);
  request.attach = take(kFdAttach);
  request.scope = take(kFdScope);
  request.health = take(kFdHealth);
  request.console = take(kFdConsole);
  request.extra_count = 0;
  while (next < count && request.extra_count < uint32_t(kMaxRequestFds)) {
    request.extra[request.extra_count++] = fds[next++];
  }
  request.wire.oom_path[sizeof request.wire.oom_path - 1] = '\0';
}

// A realtime host's policy is not its containers': no process with one can
// enter a cgroup of v1's cpu controller that has no share of realtime.
void LeaveRealtime() {
  const long policy = Sys(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;
  if (policy != SCHED_FIFO && policy != SCHED_RR && policy != SCHED_DEADLINE) {
    return;
  }
  const int no_priority = 0;  // struct sched_param
  Sys(SYS_sched_setscheduler, 0, SCHED_NORMAL, &no_priority);
}

void ReportForkFailure(long result) {
  Event event;
  memset(&event, 0, sizeof event);
  event.magic = kMonitorMagic;
  event.type = EventType::kFailed;
  event.flags = kEventFinal;
  event.failure.op = uint16_t(Op::kClone);
  event.failure.os_errno = int32_t(-result);
  Text(event.failure.call, sizeof event.failure.call).Add("fork");
  Text(event.failure.subject, sizeof event.failure.subject).Add("monitor");
  SendPacket(request.reply, &event, sizeof event, nullptr, 0, MSG_DONTWAIT);
}

}  // namespace

void RunSpawner() {
  SetName("ck-spawner");
  // Monitors end unnoticed; nobody asks for their status.
  IgnoreChildSignal(true);
  Sys(SYS_umask, 022);
  LeaveRealtime();
  // Records with another boot's id would be taken for a restarted machine's.
  if (!ReadBootId()) Exit(1);
  SpareNetwork spare;
  for (;;) {
    int fds[kMaxPassedFds];
    int count = kMaxPassedFds;
    const long n = ReceivePacket(kSpawnerSocket, &request.wire,
                                 sizeof request.wire, fds, &count, 0);
    if (n <= 0) Exit(0);
    const char* const message = reinterpret_cast<const char*>(&request.wire);
    if (n == 1 && *message == kPrepareNetwork) spare.Make();
    if (size_t(n) == sizeof request.wire &&
        request.wire.magic == kMonitorMagic) {
      TakeFds(fds, count);
      const bool network = (request.wire.flags & kLaunchOwnNetwork) != 0;
      request.network = request.sysfs = -1;
      if (network) spare.Take(request.network, request.sysfs);
      const long child = Fork();
      if (child == 0) {
        Close(kSpawnerSocket);
        spare.Forget();
        RunMonitor(request, boot_id);
      }
      if (child < 0) ReportForkFailure(child);
      Close(request.network);
      Close(request.sysfs);
    }
    for (int i = 0; i < count; ++i) Close(fds[i]);
  }
}

}  // namespace containerkit::runtime::child
