#include "lib/runtime/child/proc.h"

#include <linux/prctl.h>
#include <sys/mman.h>

#include "lib/runtime/child/clone.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/hook.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

// A failure that the monitor noted itself.
long FailStep(const StepView& step, long result) {
  ChildFailure* failure = FailureSlot();
  failure->step = step.index;
  failure->op = uint16_t(step.op);
  failure->os_errno = int32_t(-result);
  return result;
}

long FailOp(const Proc& proc, Op op, long result) {
  Plan::Cursor cursor;
  StepView step;
  while (proc.plan.Next(cursor, step)) {
    if (step.op == op) return FailStep(step, result);
  }
  return result;
}

// The child ended before its program ran: what it said, or how it died.
long FailChild(Proc& proc) {
  ChildFailure* failure = FailureSlot();
  const SharedPage& shared = *proc.shared;
  if (shared.phase == SharedPage::kFailed) {
    *failure = shared.failure;
    if (failure->os_errno <= 0) failure->os_errno = EIO;
    return -failure->os_errno;
  }
  int code = 0;
  if (proc.pidfd >= 0) {
    Sys(SYS_pidfd_send_signal, proc.pidfd, SIGKILL, nullptr, 0);
    if (WaitPidfd(proc.pidfd, 0, &code) == 0) proc.exited = true;
  }
  char text[24];
  Text(text, sizeof text).Add("status ").AddInt(code);
  Fail(-ECHILD, "child ended", text);
  failure->step = uint16_t(shared.step);
  Plan::Cursor cursor;
  StepView step;
  while (proc.plan.Next(cursor, step)) {
    if (step.index == failure->step) failure->op = uint16_t(step.op);
  }
  return -ECHILD;
}

// Waits until the child has reached a Sync.
long AwaitSync(Proc& proc) {
  while (!proc.synced) {
    // A negative descriptor is skipped by poll(2).
    constexpr short kHalfClosed = 0x2000;  // POLLRDHUP
    struct pollfd polls[3] = {{proc.sync, POLLIN, 0},
                              {proc.watch[0], POLLIN | kHalfClosed, 0},
                              {proc.watch[1], kHalfClosed, 0}};
    const long n = Poll(polls, 3, -1);
    if (n < 0) return Fail(n, "poll", "");
    if (polls[0].revents != 0) {
      const long result = HandleSync(proc);
      if (result == 0) return FailChild(proc);
      if (result < 0 && result != -EAGAIN) return result;
      continue;
    }
    return Fail(-ECANCELED, "launch", "the owner is gone");
  }
  proc.synced = false;
  return 0;
}

bool MonitorStepsFollow(const Proc& proc) {
  Plan::Cursor cursor = proc.cursor;
  StepView step;
  while (proc.plan.Next(cursor, step)) {
    if (step.op == Op::kExec) return false;
    if (ActorOf(uint16_t(step.op)) == 'M') return true;
  }
  return false;
}

// Lets the child pass; waits for it only where a step of the monitor follows.
long StepSync(Proc& proc) {
  const char go = kMessageSync;
  const long sent = SendPacket(proc.sync, &go, 1, nullptr, 0, 0);
  if (sent < 0) return FailChild(proc);
  return MonitorStepsFollow(proc) ? AwaitSync(proc) : 0;
}

// The fifo that the child will open for writing.
void GiveFifo(const Proc& proc, uint64_t uid) {
  Plan::Cursor cursor;
  StepView step;
  while (proc.plan.Next(cursor, step)) {
    if (step.op != Op::kAwaitStart) continue;
    FieldReader fields = step.Fields();
    const Str path = fields.S();
    Sys(SYS_fchownat, kAtFdCwd, path.c_str(), uid, -1, AT_SYMLINK_NOFOLLOW);
  }
}

// The container's root must be able to reopen its standard streams.
void GivePipes(Proc& proc, FieldReader fields) {
  const Str uids = fields.S();
  const char* line = uids.c_str();
  while (*line != '\0') {
    uint64_t inside = 1;
    uint64_t outside = 0;
    const bool good = ParseInt(line, &inside);
    while (*line == ' ') ++line;
    while (*line >= '0' && *line <= '9') ++line;
    if (good && inside == 0 && ParseInt(line, &outside)) {
      GiveFifo(proc, outside);
      const int pipes[] = {proc.in, proc.out[0], proc.out[1]};
      for (const int fd : pipes) {
        if (fd >= 0) Sys(SYS_fchown, fd, outside, -1);
      }
      return;
    }
    while (*line != '\0' && *line != '\n') ++line;
    if (*line == '\n') ++line;
  }
}

long ExecuteStep(Proc& proc, const StepView& step, Joins& joins) {
  FieldReader fields = step.Fields();
  if (step.op != Op::kWriteHost) CloseAndForget(proc.host_file.fd);
  switch (step.op) {
    case Op::kMakeCgroup:
      if (proc.cgroups == nullptr) return Fail(-EINVAL, "mkdir", fields.S());
      return proc.cgroups->Make(fields.S().c_str());
    case Op::kWriteHost:
      return StepWriteHost(fields, proc.host_file);
    case Op::kDeviceProgram:
      return StepDeviceProgram(fields);
    case Op::kJoinNamespace:
      return StepJoinNamespace(proc, fields, joins);
    case Op::kClone:
      return StepClone(proc, step, joins);
    case Op::kIdMap:
      GivePipes(proc, fields);
      return StepIdMap(fields, proc.pid);
    case Op::kWriteChildProc:
      return StepWriteChildProc(fields, proc.pid);
    case Op::kHook:
      return StepHook(fields, proc.pid);
    case Op::kSync:
      return StepSync(proc);
    default:
      return 0;
  }
}

long MakePipe(int* read_end, int* write_end) {
  int ends[2];
  const long result = Sys(SYS_pipe2, ends, O_CLOEXEC);
  if (result < 0) return Fail(result, "pipe2", "");
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

void SetNonblocking(int fd) {
  if (fd >= 0) Sys(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
}

}  // namespace

long MakeStdio(Proc& proc, int ends[3]) {
  for (int i = 0; i < 3; ++i) {
    ends[i] = -1;
    if (proc.given[i] >= 0) {
      const long fd = Sys(SYS_fcntl, proc.given[i], F_DUPFD_CLOEXEC, 3);
      if (fd < 0) return Fail(fd, "fcntl", "stdio");
      ends[i] = int(fd);
    }
  }
  if (proc.flags & kLaunchTty) return 0;
  long result = 0;
  if (ends[0] < 0 && (proc.flags & kLaunchStdinOpen)) {
    result = MakePipe(&ends[0], &proc.in);
    SetNonblocking(proc.in);
  }
  for (int i = 0; i < 2 && result == 0 && proc.pipes; ++i) {
    if (ends[i + 1] >= 0) continue;
    result = MakePipe(&proc.out[i], &ends[i + 1]);
    SetNonblocking(proc.out[i]);
  }
  return result;
}

bool LoadPlan(Proc& proc, int fd) {
  struct stat stat;
  long result = Fstat(fd, &stat);
  if (result == 0) {
    proc.plan_size = size_t(stat.st_size);
    result =
        Sys(SYS_mmap, nullptr, proc.plan_size, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  Close(fd);
  if (result < 0 && result > -4096) {
    Fail(result, "mmap", "plan");
    return false;
  }
  proc.plan_bytes = reinterpret_cast<void*>(result);
  if (proc.plan.Init(proc.plan_bytes, proc.plan_size)) return true;
  Fail(-EBADMSG, "read", "plan");
  return false;
}

long Launch(Proc& proc) {
  ChildFailure* failure = FailureSlot();
  memset(failure, 0, sizeof *failure);
  proc.cursor = Plan::Cursor();
  proc.started = proc.ready = proc.exited = proc.synced = false;
  Joins joins;
  StepView step;
  long result = 0;
  constexpr int kMostTries = 4;
  int tries = 0;
  Plan::Cursor before = proc.cursor;
  Plan::Cursor cgroups = proc.cursor;
  bool in_cgroups = false;
  for (; result == 0 && proc.plan.Next(proc.cursor, step);
       before = proc.cursor) {
    if (step.op == Op::kExec) break;
    if (ActorOf(uint16_t(step.op)) == 'C') continue;
    const bool cgroup = step.op == Op::kMakeCgroup || step.op == Op::kWriteHost;
    if (cgroup && !in_cgroups) cgroups = before;
    in_cgroups = cgroup;
    result = ExecuteStep(proc, step, joins);
    // Another container that ended may have taken the parent away that both
    // had in common; making it again includes its settings.
    if (result == -ENOENT && cgroup && tries < kMostTries) {
      ++tries;
      result = 0;
      proc.cursor = cgroups;
      continue;
    }
    // A failure of the child comes with its own step.
    const bool by_child =
        failure->op != 0 && (step.op == Op::kSync || step.op == Op::kClone);
    if (result < 0 && !by_child) FailStep(step, result);
  }
  CloseAndForget(proc.host_file.fd);
  if (result == 0 && proc.pid == 0) {
    result = FailStep(step, Fail(-EINVAL, "clone3", "no Clone step"));
  }
  if (result < 0) Abandon(proc);
  return result;
}

long HandleSync(Proc& proc) {
  char message[64] = {};
  int fd = -1;
  int count = 1;
  const long n = ReceivePacket(proc.sync, message, sizeof message - 1, &fd,
                               &count, MSG_DONTWAIT);
  if (n == -EAGAIN) return n;
  if (n <= 0) {
    proc.started = proc.shared->phase == SharedPage::kExecuting;
    if (!proc.started) FailChild(proc);
    return 0;
  }
  if (message[0] == kMessageSync) {
    proc.synced = true;
  } else if (message[0] == kMessageReady) {
    proc.ready = true;
  } else if (message[0] == kMessageTerminal && fd >= 0) {
    if (proc.console >= 0) {
      const char* name = message + 1;
      const long sent = SendPacket(proc.console, name, strlen(name), &fd, 1, 0);
      Close(fd);
      if (sent < 0) {
        return FailOp(proc, Op::kTerminal,
                      Fail(sent, "sendmsg", "console socket"));
      }
    } else {
      proc.master = fd;
      SetNonblocking(fd);
    }
  } else if (message[0] == kMessageListener && fd >= 0) {
    uint64_t index = 0;
    ParseInt(message + 1, &index);
    Plan::Cursor cursor;
    StepView step;
    long result = -EINVAL;
    while (proc.plan.Next(cursor, step)) {
      if (step.index != index || step.op != Op::kSeccomp) continue;
      result = SendListener(step, fd, proc.pid);
      if (result < 0) FailStep(step, result);
    }
    Close(fd);
    if (result < 0) return result;
  }
  return 1;
}

long RunLateSteps(Proc& proc) {
  Joins joins;
  StepView step;
  while (proc.plan.Next(proc.cursor, step)) {
    if (ActorOf(uint16_t(step.op)) != 'M') continue;
    const long result = ExecuteStep(proc, step, joins);
    if (result < 0) return FailStep(step, result);
  }
  return 0;
}

void Abandon(Proc& proc) {
  if (proc.pidfd >= 0 && !proc.exited) {
    Sys(SYS_pidfd_send_signal, proc.pidfd, SIGKILL, nullptr, 0);
    if (proc.cgroups != nullptr) proc.cgroups->Thaw();
    WaitPidfd(proc.pidfd, 0, &proc.code);
    proc.exited = true;
  }
  CloseAndForget(proc.pidfd);
  CloseAndForget(proc.sync);
  CloseAndForget(proc.in);
  CloseAndForget(proc.out[0]);
  CloseAndForget(proc.out[1]);
  CloseAndForget(proc.master);
  proc.pid = 0;
}

void Release(Proc& proc) {
  for (int& fd : proc.given) CloseAndForget(fd);
  for (uint32_t i = 0; i < proc.extra_count; ++i) Close(proc.extra[i]);
  proc.extra_count = 0;
  for (uint32_t i = 0; i < proc.namespace_count; ++i) {
    Close(proc.namespaces[i]);
  }
  proc.namespace_count = 0;
  CloseAndForget(proc.donor);
  CloseAndForget(proc.console);
  FreePages(proc.plan_bytes, proc.plan_size);
  proc.plan_bytes = nullptr;
  FreePages(proc.shared, sizeof(SharedPage));
  proc.shared = nullptr;
}

}  // namespace containerkit::runtime::child
