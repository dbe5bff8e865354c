// One process that the monitor started: the container's, an exec'd one, or a
// health probe. Both sides of the launch are driven from here.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_PROC_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_PROC_H_

#include <stdint.h>

#include "lib/runtime/child/cgroups.h"
#include "lib/runtime/child/child.h"
#include "lib/runtime/child/host_steps.h"
#include "lib/runtime/child/wire_reader.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime::child {

// As many namespaces can be joined.
inline constexpr uint32_t kMostJoins = 16;

struct Proc {
  // --- what was asked for ---
  Plan plan;
  void* plan_bytes = nullptr;
  size_t plan_size = 0;
  uint32_t flags = 0;  // LaunchFlags
  uint32_t rows = 0, columns = 0;
  int given[3] = {-1, -1, -1};  // stdin, stdout, stderr from the client
  int extra[kMaxRequestFds];
  uint32_t extra_count = 0;
  uint32_t preserve_fds = 0;
  int console = -1;
  int network = -1;  // for the first launch, instead of a new one
  int sysfs = -1;    // of that network
  // Namespaces that the plan names by path, opened by the first launch: what
  // the path meant may be gone when the container is started again.
  int namespaces[kMostJoins] = {};
  uint32_t namespace_count = 0;
  int donor = -1;            // the mount namespace of BindFrom, once opened
  bool pipes = true;         // somebody will read stdout and stderr
  int container_pidfd = -1;  // for JoinNamespace(type 0, no fd); borrowed
  // A launch ends when the first one (LaunchSpec::scope_fd) is readable or
  // hangs up, or when the second one hangs up.
  int watch[2] = {-1, -1};
  Cgroups* cgroups = nullptr;  // null: MakeCgroup is refused

  // --- the launch ---
  Plan::Cursor cursor;  // the monitor's place in the plan
  SharedPage* shared = nullptr;
  int sync = -1;
  int pid = 0;
  int pidfd = -1;
  uint64_t start_ticks = 0;
  bool synced = false;  // an unread Sync of the child
  OpenHostFile host_file;

  // --- the running process ---
  bool ready = false;    // waits in AwaitStart
  bool started = false;  // has exec'ed
  bool exited = false;
  int code = 0;
  int in = -1;            // write end of stdin
  int out[2] = {-1, -1};  // read ends of stdout and stderr
  int master = -1;        // of its terminal, instead of the three
};

// Maps a plan from its memfd and checks it. Takes `fd`. False with the
// failure noted.
bool LoadPlan(Proc& proc, int fd);

// Makes the pipes, forks, executes the monitor's steps up to Exec. 0, or
// -errno with the whole failure in FailureSlot(): the child is dead then, and
// its descriptors are closed. cgroups stay.
long Launch(Proc& proc);

// Reads one message from the child's socket without waiting. >0: handled;
// 0: the child has exec'ed or ended (proc.started says which, the failure is
// noted), the caller closes proc.sync; -EAGAIN: nothing there.
long HandleSync(Proc& proc);

// The monitor's steps behind Exec (poststart hooks).
long RunLateSteps(Proc& proc);

// Kills the process if it lives, waits for it, closes everything but given
// and extra descriptors; the Proc can be launched again.
void Abandon(Proc& proc);

// Closes what the requester gave and unmaps the plan.
void Release(Proc& proc);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_PROC_H_
