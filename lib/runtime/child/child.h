// The process that becomes the container's program: what its steps share.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_CHILD_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_CHILD_H_

#include <stdint.h>

#include "lib/runtime/child/wire_reader.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime::child {

// A page that monitor and child share until the child execs.
struct SharedPage {
  enum Phase : uint32_t { kRunning = 0, kExecuting = 1, kFailed = 2 };
  volatile uint32_t step;   // where the child is
  volatile uint32_t phase;  // kExecuting: an end of the child is its exec
  volatile int32_t pid;     // of the child, in the monitor's pid namespace
  volatile int32_t made;    // what MakeApart() returns
  ChildFailure failure;
};

// What a child sends over its socket; one byte, the descriptor if any, text.
enum SyncMessage : char {
  kMessageSync = 'S',
  kMessageReady = 'R',
  kMessageTerminal = 'T',  // fd: the pty's master; text: the slave's name
  kMessageListener = 'N',  // fd: seccomp notifications; text: the step index
};

// Mount sources that the monitor opened because the child, in its user
// namespace, may not; and files it opened for the child's own use.
struct PreparedFds {
  static constexpr uint32_t kMost = 256;
  uint32_t count = 0;
  struct Item {
    uint16_t step;
    int fd;
  } items[kMost];

  int Find(uint16_t step) const {
    for (uint32_t i = 0; i < count; ++i) {
      if (items[i].step == step) return items[i].fd;
    }
    return -1;
  }
  bool Add(uint16_t step, int fd) {
    if (count == kMost) return false;
    items[count++] = {step, fd};
    return true;
  }
};

struct Child {
  const Plan* plan = nullptr;
  SharedPage* shared = nullptr;
  PreparedFds* prepared = nullptr;
  int sync = -1;
  int stdio[3] = {-1, -1, -1};  // -1: what the spawner left there (/dev/null)
  bool own_stdio = false;       // chown'ed to the user
  bool cgroup_by_child = true;  // AttachCgroup not done by an intermediate
  bool unprivileged = false;    // the monitor is not root
  const int* extra = nullptr;
  uint32_t extra_count = 0;
  uint32_t preserve_fds = 0;

  // State of the interpretation.
  int root = -1;             // directory of the container's root
  int procfs = -1;           // OwnProcfs(), once there is one
  int mask = -1;             // the mount behind masked directories
  int null = -1;             // the device behind masked files
  int proc = -1, sys = -1;   // what was mounted on /proc and /sys
  int dev = -1;              // the tmpfs that the plan mounted on /dev
  int covered = -1;          // PrepareCovered()
  int last_actor = -1;       // index of the last step of M
  bool shared_root = false;  // "/" propagates: the old root must not
  bool new_user = false;     // in a user namespace made by this plan
  bool id_pending = false;   // ids are mapped after the next Sync
  bool umask_set = false;
  const char* executable = nullptr;  // FindExecutable's answer
};

// Closes every descriptor above 2 that the child does not need, `keep` (-1:
// none) excepted: the monitor's lock, log, sockets and clients are not the
// child's. Moves the standard streams to 0, 1 and 2. May be called twice.
void TakeDescriptors(Child& child, const int* keep, int keep_count);

// Interprets the plan's child steps to the end. `child` may be large and
// lives in the caller's frame.
[[noreturn]] void RunChild(Child& child, Plan::Cursor cursor);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_CHILD_H_
