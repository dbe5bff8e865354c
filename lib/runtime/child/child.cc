#include "lib/runtime/child/child.h"

#include <linux/prctl.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/bind_from.h"
#include "lib/runtime/child/cgroups.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/hook.h"
#include "lib/runtime/child/init.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/overlay.h"
#include "lib/runtime/child/process.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

// Closes everything above 2 that is not in the list.
void CloseOthers(int* keep, int count) {
  for (int i = 1; i < count; ++i) {
    for (int k = i; k > 0 && keep[k - 1] > keep[k]; --k) {
      const int swap = keep[k];
      keep[k] = keep[k - 1];
      keep[k - 1] = swap;
    }
  }
  int next = 3;
  for (int i = 0; i < count; ++i) {
    if (keep[i] > next) Sys(SYS_close_range, next, keep[i] - 1, 0);
    if (keep[i] >= next) next = keep[i] + 1;
  }
  Sys(SYS_close_range, next, ~0u, 0);
}

// In a fresh user namespace the process has no id yet that files could have.
void BecomeRoot(Child& child) {
  Sys(SYS_setgroups, 0, nullptr);
  Sys(SYS_setresgid, 0, 0, 0);
  Sys(SYS_setresuid, 0, 0, 0);
  child.id_pending = false;
}

long StepSync(Child& child, uint16_t index) {
  // Nobody waits for a child after the monitor's last step.
  if (child.last_actor > int(index)) {
    const char message = kMessageSync;
    const long sent = SendPacket(child.sync, &message, 1, nullptr, 0, 0);
    if (sent < 0) Exit(1);
  }
  char answer;
  if (Read(child.sync, &answer, 1) != 1) Exit(1);
  if (child.id_pending) BecomeRoot(child);
  if (child.unprivileged) Sys(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  return 0;
}

long StepReady(Child& child) {
  if (!child.plan->Has(Op::kAwaitStart)) return 0;
  const char message = kMessageReady;
  const long sent = SendPacket(child.sync, &message, 1, nullptr, 0, 0);
  return sent < 0 ? Fail(sent, "sendmsg", "ready") : 0;
}

long StepDieWithMonitor(Child& child) {
  const long result = Sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (result < 0) return Fail(result, "prctl", "pdeathsig");
  // It may have died before.
  if (PollOne(child.sync, 0, 0) != 0) Exit(1);
  return 0;
}

// The child moves itself: one single-threaded process writing "0" to `tasks`
// spares the kernel the grace period that moving another one costs.
long StepAttachCgroup(Child& child, const StepView& step) {
  if (!child.cgroup_by_child) return 0;
  FieldReader fields = step.Fields();
  const Str path = fields.S();
  const bool optional = (fields.U() & kWriteOptional) != 0;
  long fd = child.prepared->Find(step.index);
  if (fd < 0) fd = OpenAttachFile(path.c_str());
  if (fd < 0) return optional ? 0 : Fail(fd, "open", path);
  const long result = Write(int(fd), "0", 1);
  Close(int(fd));
  return result >= 0 || optional ? 0 : Fail(result, "write", path);
}

// Steps that build the root.
long ExecuteRootStep(Child& child, const StepView& step) {
  const FieldReader fields = step.Fields();
  switch (step.op) {
    case Op::kPropagation:
      return StepPropagation(child, fields);
    case Op::kRootOverlay:
    case Op::kRootOverlayMapped:
      return StepRootOverlay(child, step);
    case Op::kRootBind:
      return StepRootBind(child, step);
    case Op::kMount:
      return StepMount(child, step);
    case Op::kBind:
    case Op::kBindMapped:
      return StepBind(child, step);
    case Op::kBindFrom:
      return StepBindFrom(child, step);
    case Op::kSetMountAttr:
      return StepSetMountAttr(child, fields);
    case Op::kMkdir:
      return StepMkdir(child, fields);
    case Op::kSymlink:
      return StepSymlink(child, fields);
    case Op::kDevice:
      return StepDevice(child, fields);
    case Op::kWriteFile:
      return StepWriteFile(child, fields);
    case Op::kChildHook:
      return StepHook(fields, child.shared->pid);
    case Op::kPivotRoot:
      return StepPivotRoot(child);
    case Op::kMoveRoot:
      return StepMoveRoot(child);
    case Op::kMaskPath:
      return StepMaskPath(child, fields);
    case Op::kReadonlyPath:
      return StepReadonlyPath(child, fields);
    case Op::kReadonlyRoot:
      return StepReadonlyRoot(child);
    default:
      return Fail(-EINVAL, "step", "unknown");
  }
}

// Steps that set up namespaces and the process.
long ExecuteProcessStep(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  switch (step.op) {
    case Op::kUnshare:
      return StepUnshare(fields);
    case Op::kTimeOffsets:
      return StepTimeOffsets(child, fields);
    case Op::kHostname:
    case Op::kDomainname:
      return StepName(step.op, fields);
    case Op::kLoopbackUp:
      return StepLoopbackUp();
    case Op::kSysctl:
      return StepSysctl(child, fields);
    case Op::kSessionKeyring:
      return StepSessionKeyring(fields);
    case Op::kSession:
      return StepSession();
    case Op::kTerminal:
      return StepTerminal(child, fields);
    case Op::kRlimit:
      return StepRlimit(fields);
    case Op::kUmask:
      Sys(SYS_umask, fields.U());
      child.umask_set = true;
      return 0;
    case Op::kPersonality:
      return StepPersonality(fields);
    case Op::kScheduler:
      return StepScheduler(fields);
    case Op::kIoPriority:
      return StepIoPriority(fields);
    case Op::kApparmorProfile:
    case Op::kSelinuxLabel:
      return StepLabel(child, step.op, fields);
    default:
      return ExecuteRootStep(child, step);
  }
}

long Execute(Child& child, const StepView& step) {
  const FieldReader fields = step.Fields();
  switch (step.op) {
    case Op::kSync:
      return StepSync(child, step.index);
    case Op::kAttachCgroup:
      return StepAttachCgroup(child, step);
    case Op::kBoundingSet:
      return StepBoundingSet(fields);
    case Op::kUser:
      return StepUser(child, fields);
    case Op::kCapabilities:
      return StepCapabilities(fields);
    case Op::kNoNewPrivs:
      return StepNoNewPrivs();
    case Op::kSeccomp:
      return StepSeccomp(child, step);
    case Op::kChdir:
      return StepChdir(child, fields);
    case Op::kInit:
      return StepInit();
    case Op::kCloseFds: {
      if constexpr (Mutated("R02")) return 0;
      FieldReader walk = fields;
      Sys(SYS_close_range, 3 + walk.U(), ~0u, kCloseRangeCloexec);
      return 0;
    }
    case Op::kFindExecutable:
      return StepFindExecutable(child, fields);
    case Op::kDieWithMonitor:
      return StepDieWithMonitor(child);
    case Op::kReady:
      return StepReady(child);
    case Op::kAwaitStart:
      return StepAwaitStart(child, step);
    case Op::kExec:
      return StepExec(child);
    default:
      return ExecuteProcessStep(child, step);
  }
}

// What the child must know of the monitor's steps.
void Notice(Child& child, const StepView& step) {
  if (step.op == Op::kIdMap) child.id_pending = true;
}

}  // namespace

void TakeDescriptors(Child& child, const int* keep, int keep_count) {
  int all[20 + kMaxRequestFds + PreparedFds::kMost];
  int count = 0;
  for (int i = 0; i < keep_count && i < 16; ++i) {
    if (keep[i] >= 0) all[count++] = keep[i];
  }
  all[count++] = child.sync;
  for (int fd : child.stdio) {
    if (fd >= 0) all[count++] = fd;
  }
  for (uint32_t i = 0; i < child.preserve_fds; ++i) {
    all[count++] = child.extra[i];
  }
  for (uint32_t i = 0; i < child.prepared->count; ++i) {
    all[count++] = child.prepared->items[i].fd;
  }
  if constexpr (!Mutated("R02") && !Mutated("R03F")) CloseOthers(all, count);
  for (int i = 0; i < 3; ++i) {
    if (child.stdio[i] >= 0) Sys(SYS_dup3, child.stdio[i], i, 0);
  }
  for (int& fd : child.stdio) CloseAndForget(fd);
}

namespace {

bool HasRoot(const Plan& plan) {
  return plan.Has(Op::kRootOverlay) || plan.Has(Op::kRootOverlayMapped) ||
         plan.Has(Op::kRootBind);
}

}  // namespace

void RunChild(Child& child, Plan::Cursor cursor) {
  SetFailureSlot(&child.shared->failure);
  TakeDescriptors(child, nullptr, 0);
  UnblockSignals();
  Sys(SYS_umask, 0);
  if (!HasRoot(*child.plan)) {
    child.root = int(Open("/", O_PATH | O_DIRECTORY));
    ReopenNull(child);
  }
  StepView step;
  while (child.plan->Next(cursor, step)) {
    child.shared->step = step.index;
    if (ActorOf(uint16_t(step.op)) == 'M') {
      Notice(child, step);
      continue;
    }
    const long result = Execute(child, step);
    if (result >= 0) continue;
    child.shared->failure.step = step.index;
    child.shared->failure.op = uint16_t(step.op);
    child.shared->failure.os_errno = int32_t(-result);
    child.shared->phase = SharedPage::kFailed;
    Exit(1);
  }
  // A plan without Exec has done its work.
  child.shared->phase = SharedPage::kExecuting;
  Exit(0);
}

}  // namespace containerkit::runtime::child
