#include "lib/runtime/child/clone.h"

#include <linux/limits.h>
#include <linux/prctl.h>
#include <sys/mman.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/bind_from.h"
#include "lib/runtime/child/cgroups.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

long CloneInto(Proc& proc, uint64_t flags, int cgroup, bool as_sibling) {
  struct clone_args args = {};
  args.flags = flags | CLONE_PARENT_SETTID;
  args.parent_tid = uint64_t(ToLong(const_cast<int32_t*>(&proc.shared->pid)));
  if (as_sibling) {
    args.flags |= CLONE_PARENT;  // which forbids an exit signal
  } else {
    args.flags |= CLONE_PIDFD;
    args.pidfd = uint64_t(ToLong(&proc.pidfd));
    args.exit_signal = SIGCHLD;
  }
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = uint64_t(cgroup);
  }
  return Sys(SYS_clone3, &args, sizeof args);
}

// The directory of the fifo that AwaitStart opens.
long OpenFifoDirectory(Proc& proc, FieldReader fields) {
  const Str path = fields.S();
  const uint64_t index = fields.U();
  if (index != kNoFd) {
    if (index >= proc.extra_count) return Fail(-EBADF, "fifo", path);
    const long fd = Sys(SYS_fcntl, proc.extra[index], F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? Fail(fd, "fcntl", path) : fd;
  }
  char directory[PATH_MAX];
  const char* slash = FindLast(path.c_str(), '/');
  Text text(directory, sizeof directory);
  if (slash == nullptr) {
    text.AddChar('.');
  } else {
    text.AddBytes(path.data, size_t(slash - path.data) + 1);
  }
  const long fd = Open(directory, O_PATH | O_DIRECTORY);
  return fd < 0 ? Fail(fd, "open", path) : fd;
}

bool IsMountSource(Op op) {
  return op == Op::kRootOverlay || op == Op::kRootBind || op == Op::kBind ||
         NeedsMonitor(op);
}

// Must the child be born by somebody who is in the namespaces already?
bool StartsInside(const Joins& joins, uint64_t clone_flags) {
  constexpr uint64_t kTypes = CLONE_NEWPID | CLONE_NEWUSER;
  return joins.count > 0 &&
         ((joins.AllTypes() & kTypes) != 0 || (clone_flags & CLONE_NEWUSER));
}

// Is the network namespace that was made in advance one for this child?
bool UsesSpareNetwork(const Proc& proc, uint64_t clone_flags,
                      const Joins& joins) {
  return proc.network >= 0 && (clone_flags & CLONE_NEWNET) != 0 &&
         (clone_flags & CLONE_NEWUSER) == 0 &&
         !StartsInside(joins, clone_flags);
}

// A whole sysfs, of the child's network namespace.
bool IsSysfs(const StepView& step) {
  if (step.op != Op::kMount) return false;
  FieldReader fields = step.Fields();
  const Str fstype = fields.S();
  fields.S();
  return Equal(fstype.c_str(), "sysfs") && fields.L().count == 0;
}

// Opens for the child what it cannot reach itself, and what was made in
// advance.
long Prepare(Proc& proc, uint64_t clone_flags, PreparedFds& prepared) {
  const bool open_sources =
      (clone_flags & CLONE_NEWUSER) != 0 && Sys(SYS_geteuid) == 0;
  Plan::Cursor cursor = proc.cursor;
  StepView step;
  bool cgroups_later = false;
  while (proc.plan.Next(cursor, step)) {
    long fd = -1;
    FieldReader fields = step.Fields();
    if (step.op == Op::kMakeCgroup) {
      cgroups_later = true;
      continue;
    }
    if (step.op == Op::kAttachCgroup) {
      if (cgroups_later) continue;
      const Str path = fields.S();
      const bool optional = (fields.U() & kWriteOptional) != 0;
      fd = OpenAttachFile(path.c_str());
      if (fd < 0 && optional) continue;
      if (fd < 0) Fail(fd, "open", path);
    } else if (step.op == Op::kAwaitStart) {
      fd = OpenFifoDirectory(proc, fields);
    } else if (proc.sysfs >= 0 && IsSysfs(step)) {
      fd = proc.sysfs;
      proc.sysfs = -1;
    } else if (step.op == Op::kBindFrom) {
      fd = PrepareBindFrom(step, proc.donor, *proc.shared);
    } else if (IsMountSource(step.op) &&
               (open_sources || IsClonedByMonitor(step))) {
      fd = PrepareMount(step, *proc.shared);
      if (fd < 0 && !NeedsMonitor(step.op)) continue;
    } else {
      continue;
    }
    if (fd >= 0 && !prepared.Add(step.index, int(fd))) {
      Close(int(fd));
      fd = Fail(-EMFILE, "open", "too many mounts");
    }
    if (fd < 0) {
      FailureSlot()->step = step.index;
      FailureSlot()->op = uint16_t(step.op);
      return fd;
    }
  }
  return 0;
}

int LastMonitorStep(const Plan& plan) {
  int last = -1;
  Plan::Cursor cursor;
  StepView step;
  while (plan.Next(cursor, step)) {
    if (step.op == Op::kExec) break;
    if (ActorOf(uint16_t(step.op)) == 'M') last = step.index;
  }
  return last;
}

// setns(2) in an order that works both ways: what the host's privileges are
// needed for first, then the user namespace, then what it gives access to.
long Join(Joins& joins) {
  for (int pass = 0; pass < 3; ++pass) {
    for (int i = 0; i < joins.count; ++i) {
      Joins::Item& item = joins.items[i];
      const bool user = !item.pidfd && (item.types & CLONE_NEWUSER) != 0;
      if (item.joined || user != (pass == 1)) continue;
      const long result = Sys(SYS_setns, item.fd, item.types);
      if (result == -EPERM && pass == 0) continue;
      if (result < 0) return Fail(result, "setns", item.path);
      item.joined = true;
    }
  }
  return 0;
}

struct Birth {
  Proc& proc;
  const StepView& step;
  Joins& joins;
  PreparedFds& prepared;
  Child& child;
  uint64_t flags;
  int cgroup;
};

// Closes the descriptors of Prepare() and those of the child's stdio.
void CloseBirth(Birth& birth) {
  for (uint32_t i = 0; i < birth.prepared.count; ++i) {
    Close(birth.prepared.items[i].fd);
  }
  for (int fd : birth.child.stdio) Close(fd);
  Close(birth.cgroup);
}

[[noreturn]] void FailIntermediate(Birth& birth, long result) {
  SharedPage& shared = *birth.proc.shared;
  shared.failure.step = birth.step.index;
  shared.failure.op = uint16_t(Op::kJoinNamespace);
  shared.failure.os_errno = int32_t(-result);
  shared.phase = SharedPage::kFailed;
  Exit(1);
}

// Enters the namespaces and makes the child as a sibling of itself. Once it
// is inside, processes there may see it: it holds no descriptor of the host
// and is not dumpable.
[[noreturn]] void RunIntermediate(Birth& birth) {
  SetFailureSlot(&birth.proc.shared->failure);
  Sys(SYS_prctl, PR_SET_DUMPABLE, Mutated("R03D") ? 1 : 0, 0, 0, 0);
  StepView step;
  Plan::Cursor cursor = birth.proc.cursor;
  while (birth.proc.plan.Next(cursor, step)) {
    if (step.op != Op::kAttachCgroup) continue;
    const int fd = birth.prepared.Find(step.index);
    if (fd < 0) continue;
    FieldReader fields = step.Fields();
    const Str path = fields.S();
    const long result = Write(fd, "0", 1);
    if (result < 0 && (fields.U() & kWriteOptional) == 0) {
      FailIntermediate(birth, Fail(result, "write", path));
    }
  }
  // The attach files must not be seen from inside; the slots stay, so that
  // nothing is attached twice.
  for (uint32_t i = 0; i < birth.prepared.count; ++i) {
    Plan::Cursor at;
    while (birth.proc.plan.Next(at, step)) {
      PreparedFds::Item& item = birth.prepared.items[i];
      if (step.index == item.step && step.op == Op::kAttachCgroup) {
        CloseAndForget(item.fd);
      }
    }
  }
  int keep[kMostJoins];
  for (int i = 0; i < birth.joins.count; ++i) {
    keep[i] = birth.joins.items[i].fd;
  }
  TakeDescriptors(birth.child, keep, birth.joins.count);
  long result = Join(birth.joins);
  if (result < 0) FailIntermediate(birth, result);
  for (int i = 0; i < birth.joins.count; ++i) Close(keep[i]);
  if (birth.joins.AllTypes() & CLONE_NEWUSER) {
    Sys(SYS_setgroups, 0, nullptr);
    Sys(SYS_setresgid, 0, 0, 0);
    Sys(SYS_setresuid, 0, 0, 0);
  }
  birth.child.cgroup_by_child = false;
  result = CloneInto(birth.proc, birth.flags, -1, true);
  if (result < 0) FailIntermediate(birth, Fail(result, "clone3", ""));
  if (result == 0) RunChild(birth.child, birth.proc.cursor);
  Exit(0);
}

long CloneThroughIntermediate(Birth& birth) {
  Proc& proc = birth.proc;
  int pidfd = -1;
  // The child inherits the intermediate's cgroup.
  long result = Fork(&pidfd, birth.cgroup);
  if (result == 0) RunIntermediate(birth);
  if (result < 0) return Fail(result, "fork", "");
  // In a frozen cgroup it would never end.
  constexpr long kPatienceMs = 10000;
  if (PollOne(pidfd, POLLIN, kPatienceMs) <= 0) {
    Sys(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
    Close(pidfd);
    return Fail(-ETIMEDOUT, "setns", "");
  }
  WaitPidfd(pidfd, 0, nullptr);
  Close(pidfd);
  if (proc.shared->pid == 0) {
    if (proc.shared->phase != SharedPage::kFailed) {
      return Fail(-ECHILD, "setns", "");
    }
    *FailureSlot() = proc.shared->failure;
    return -FailureSlot()->os_errno;
  }
  // There is a child, which may have ended already: it must be reaped, or a
  // pid namespace that it is in could never end.
  // Not reaped yet, so the number is still its.
  result = Sys(SYS_pidfd_open, int(proc.shared->pid), 0);
  if (result < 0) return Fail(result, "pidfd_open", "");
  proc.pidfd = int(result);
  return 0;
}

// Enters the network namespace that was made in advance.
long EnterNetwork(Birth& birth, int network) {
  if (network < 0) return 0;
  const long result = Sys(SYS_setns, network, CLONE_NEWNET);
  Close(network);
  if (result == 0) return 0;
  birth.proc.shared->failure.op = uint16_t(Op::kClone);
  return Fail(result, "setns", "network");
}

long CloneDirectly(Birth& birth) {
  Proc& proc = birth.proc;
  const int network = proc.network;
  if (network >= 0) birth.flags &= ~uint64_t{CLONE_NEWNET};
  const long result = CloneInto(proc, birth.flags, birth.cgroup, false);
  if (result != 0) CloseAndForget(proc.network);
  if (result < 0) return Fail(result, "clone3", "");
  if (result > 0) return 0;
  SetFailureSlot(&proc.shared->failure);
  if (EnterNetwork(birth, network) < 0) {
    proc.shared->failure.step = birth.step.index;
    proc.shared->phase = SharedPage::kFailed;
    Exit(1);
  }
  if (birth.child.unprivileged && (birth.flags & CLONE_NEWUSER)) {
    // Its id maps are files that only root owns otherwise; nobody else is in
    // its namespaces yet.
    Sys(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  if (Join(birth.joins) < 0) {
    proc.shared->failure.op = uint16_t(Op::kJoinNamespace);
    proc.shared->failure.step = birth.step.index;
    proc.shared->phase = SharedPage::kFailed;
    Exit(1);
  }
  RunChild(birth.child, proc.cursor);
}

long MakeShared(Proc& proc) {
  if (proc.shared == nullptr) {
    const long result =
        Sys(SYS_mmap, nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result < 0 && result > -4096) return Fail(result, "mmap", "");
    proc.shared = reinterpret_cast<SharedPage*>(result);
  }
  memset(proc.shared, 0, sizeof *proc.shared);
  return 0;
}

long OpenCgroup(Str path) {
  if (path.empty()) return -1;
  const long fd = Open(path.c_str(), O_PATH | O_DIRECTORY);
  return fd < 0 ? Fail(fd, "open", path) : fd;
}

}  // namespace

long StepJoinNamespace(Proc& proc, FieldReader fields, Joins& joins) {
  const uint64_t type = fields.U();
  const Str path = fields.S();
  const uint64_t index = fields.U();
  const uint64_t types = fields.U();
  if (joins.count == kMostJoins) return Fail(-E2BIG, "setns", path);
  Joins::Item item = {-1, path, false, type == 0,
                      uint32_t(type == 0 ? types : type)};
  if (index != kNoFd) {
    if (index >= proc.extra_count) return Fail(-EBADF, "setns", path);
    item.fd = proc.extra[index];
  } else if (type == 0 && path.empty()) {
    item.fd = proc.container_pidfd;
    if (item.fd < 0) return Fail(-ESRCH, "setns", "container");
  } else {
    const uint32_t place = joins.by_path++;
    if (place == proc.namespace_count) {
      const long fd = Open(path.c_str(), O_RDONLY);
      if (fd < 0) return Fail(fd, "open", path);
      proc.namespaces[proc.namespace_count++] = int(fd);
    }
    item.fd = proc.namespaces[place];
  }
  joins.items[joins.count++] = item;
  return 0;
}

long StepClone(Proc& proc, const StepView& step, Joins& joins) {
  FieldReader fields = step.Fields();
  const uint64_t flags = fields.U();
  const Str cgroup_path = fields.S();
  if (proc.pid != 0) return Fail(-EINVAL, "clone3", "second Clone step");
  PreparedFds prepared;
  Child child;
  Birth birth = {proc, step, joins, prepared, child, flags, -1};
  int pair[2] = {-1, -1};
  if (!UsesSpareNetwork(proc, flags, joins)) {
    CloseAndForget(proc.network);
    CloseAndForget(proc.sysfs);
  }
  long result = MakeShared(proc);
  if (result == 0) result = Prepare(proc, flags, prepared);
  if (result == 0) result = MakeStdio(proc, child.stdio);
  if (result == 0 && !cgroup_path.empty()) {
    result = OpenCgroup(cgroup_path);
    birth.cgroup = int(result);
  }
  if (result >= 0) {
    result =
        Sys(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (result < 0) Fail(result, "socketpair", "");
  }
  if (result >= 0) {
    proc.sync = pair[0];
    child.plan = &proc.plan;
    child.shared = proc.shared;
    child.prepared = &prepared;
    child.sync = pair[1];
    child.own_stdio = (proc.flags & kLaunchTty) == 0 && proc.pipes;
    for (int fd : proc.given) child.own_stdio = child.own_stdio && fd < 0;
    if (proc.flags & kLaunchGiveStdio) child.own_stdio = true;
    child.unprivileged = Sys(SYS_geteuid) != 0;
    child.extra = proc.extra;
    child.extra_count = proc.extra_count;
    child.preserve_fds = proc.preserve_fds;
    child.last_actor = LastMonitorStep(proc.plan);
    result = StartsInside(joins, flags) ? CloneThroughIntermediate(birth)
                                        : CloneDirectly(birth);
  }
  Close(pair[1]);
  CloseBirth(birth);
  CloseAndForget(proc.sysfs);
  if (result < 0) return result;
  proc.pid = proc.shared->pid;
  proc.start_ticks = StartTicks(proc.pid);
  return 0;
}

}  // namespace containerkit::runtime::child
