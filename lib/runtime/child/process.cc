#include "lib/runtime/child/process.h"

#include <linux/if.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/sched/types.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/root.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

long StepRlimit(FieldReader fields) {
  const uint64_t resource = fields.U();
  const uint64_t limit[2] = {fields.U(), fields.U()};
  const long result = Sys(SYS_prlimit64, 0, resource, limit, nullptr);
  if (result == 0) return 0;
  char subject[24];
  Text(subject, sizeof subject).AddInt(int64_t(resource));
  return Fail(result, "prlimit64", subject);
}

long StepPersonality(FieldReader fields) {
  const long result = Sys(SYS_personality, fields.U());
  return result < 0 ? Fail(result, "personality", "") : 0;
}

long StepScheduler(FieldReader fields) {
  struct sched_attr attr = {};
  attr.size = sizeof attr;
  attr.sched_policy = uint32_t(fields.U());
  attr.sched_flags = fields.U();
  attr.sched_nice = int32_t(fields.U());
  attr.sched_priority = uint32_t(fields.U());
  attr.sched_runtime = fields.U();
  attr.sched_deadline = fields.U();
  attr.sched_period = fields.U();
  const long result = Sys(SYS_sched_setattr, 0, &attr, 0);
  return result < 0 ? Fail(result, "sched_setattr", "") : 0;
}

long StepIoPriority(FieldReader fields) {
  constexpr int kProcess = 1;  // IOPRIO_WHO_PROCESS
  const long result = Sys(SYS_ioprio_set, kProcess, 0, fields.U());
  return result < 0 ? Fail(result, "ioprio_set", "") : 0;
}

long StepName(Op op, FieldReader fields) {
  const Str name = fields.S();
  const bool host = op == Op::kHostname;
  const long result =
      Sys(host ? SYS_sethostname : SYS_setdomainname, name.data, name.size);
  if (result == 0) return 0;
  return Fail(result, host ? "sethostname" : "setdomainname", name);
}

long StepUnshare(FieldReader fields) {
  const long result = Sys(SYS_unshare, fields.U());
  return result < 0 ? Fail(result, "unshare", "") : 0;
}

long StepTimeOffsets(Child& child, FieldReader fields) {
  const Str offsets = fields.S();
  const long procfs = OwnProcfs(child);
  if (procfs < 0) return procfs;
  long result = Sys(SYS_unshare, CLONE_NEWTIME);
  if (result < 0) return Fail(result, "unshare", "time");
  result = WriteFileAt(int(procfs), "self/timens_offsets", offsets.data,
                       offsets.size);
  if (result < 0) return Fail(result, "write timens_offsets", offsets);
  const long ns = OpenAt(int(procfs), "self/ns/time_for_children", O_RDONLY);
  if (ns < 0) return Fail(ns, "open", "time_for_children");
  result = Sys(SYS_setns, ns, CLONE_NEWTIME);
  Close(int(ns));
  return result < 0 ? Fail(result, "setns", "time") : 0;
}

long StepLoopbackUp() {
  const long fd = Sys(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Fail(fd, "socket", "lo");
  struct ifreq request = {};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const long result = Sys(SYS_ioctl, fd, SIOCSIFFLAGS, &request);
  Close(int(fd));
  return result < 0 ? Fail(result, "ioctl SIOCSIFFLAGS", "lo") : 0;
}

namespace {

// sysctl(8)'s notation: the first separator tells whether dots or slashes
// divide the key.
bool SysctlPath(Str key, Text& path) {
  path.Add("sys/");
  bool dots = true;
  for (uint32_t i = 0; i < key.size; ++i) {
    if (key.data[i] == '.' || key.data[i] == '/') {
      dots = key.data[i] == '.';
      break;
    }
  }
  for (uint32_t i = 0; i < key.size; ++i) {
    char c = key.data[i];
    if (dots && (c == '.' || c == '/')) c = c == '.' ? '/' : '.';
    path.AddChar(c);
  }
  return !path.cut() && Find(path.c_str(), "..") == nullptr &&
         Find(path.c_str(), "//") == nullptr && key.size > 0;
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == 0; }

// The same words, however divided; numbers by value, since the kernel prints
// in decimal what may have been written with zeros in front.
bool SameWords(const char* a, const char* b) {
  for (;;) {
    while (*a != '\0' && IsBlank(*a)) ++a;
    while (*b != '\0' && IsBlank(*b)) ++b;
    if (*a == '\0' || *b == '\0') return *a == *b;
    uint64_t left;
    uint64_t right;
    if (ParseInt(a, &left) && ParseInt(b, &right) && left == right) {
      while (*a >= '0' && *a <= '9') ++a;
      while (*b >= '0' && *b <= '9') ++b;
    }
    while (!IsBlank(*a) && *a == *b) {
      ++a;
      ++b;
    }
    if (!IsBlank(*a) || !IsBlank(*b)) return false;
  }
}

}  // namespace

long StepSysctl(Child& child, FieldReader fields) {
  const Str key = fields.S();
  const Str value = fields.S();
  char path[256];
  Text text(path, sizeof path);
  if (!SysctlPath(key, text)) return Fail(-EINVAL, "sysctl", key);
  const long procfs = OwnProcfs(child);
  if (procfs < 0) return procfs;
  long result = WriteInProcfs(int(procfs), path, value.data, value.size);
  if (result < 0) return Fail(result, "write", key);
  const long fd = OpenInProcfs(int(procfs), path, O_RDONLY);
  // Some are write-only: they have nothing to be read back.
  if (fd < 0) return fd == -EACCES ? 0 : Fail(fd, "open", key);
  char now[1024];
  result = ReadAll(int(fd), now, sizeof now - 1);
  Close(int(fd));
  if (result < 0) return Fail(result, "read", key);
  now[result] = '\0';
  return SameWords(value.c_str(), now) ? 0 : Fail(-EINVAL, "read back", key);
}

long StepSession() {
  if constexpr (Mutated("R22")) return 0;
  const long result = Sys(SYS_setsid);
  // Already a leader: Terminal without an own session would be refused.
  return result < 0 && result != -EPERM ? Fail(result, "setsid", "") : 0;
}

namespace {

long BindConsole(Child& child, int slave) {
  Entry entry;
  long result = OpenParent(child.root, "/dev/console", &entry);
  if (result < 0) return result;
  // Never through a symlink that the image put there.
  long target = OpenAt(entry.parent, entry.name,
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (target >= 0) Close(int(target));
  target = OpenAt(entry.parent, entry.name, O_PATH | O_NOFOLLOW);
  Close(entry.parent);
  if (target < 0) return target;
  struct stat stat;
  result = Fstat(int(target), &stat);
  if (result == 0 && (S_ISLNK(stat.st_mode) || S_ISDIR(stat.st_mode))) {
    result = -ELOOP;
  }
  if (result == 0) {
    result = Sys(SYS_open_tree, slave, "",
                 kAtEmptyPath | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  }
  if (result >= 0) {
    const int mount = int(result);
    result = Attach(mount, int(target));
    Close(mount);
  }
  Close(int(target));
  return result;
}

// The multiplexer of the devpts that is mounted in the container.
// Trust: verified to be devpts, whatever the image made of /dev/pts.
long OpenPtmx(Child& child) {
  const long pts = OpenInRoot(child.root, "/dev/pts", O_PATH | O_DIRECTORY);
  if (pts < 0) return Fail(pts, "openat2", "/dev/pts");
  struct statfs fs;
  long result = Sys(SYS_fstatfs, pts, &fs);
  if (result == 0 && fs.f_type != DEVPTS_SUPER_MAGIC) result = -ENOTTY;
  if (result == 0) {
    result = OpenAt(int(pts), "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
  }
  Close(int(pts));
  return result < 0 ? Fail(result, "open", "/dev/pts/ptmx") : result;
}

// Red control R05: the terminal by its name, as if nobody could exchange it.
[[maybe_unused]] int OpenTerminalByName(Child& child, int number) {
  char path[32];
  Text(path, sizeof path).Add("/dev/pts/").AddInt(number);
  return int(OpenInRoot(child.root, path, O_PATH));
}

}  // namespace

long StepTerminal(Child& child, FieldReader fields) {
  const uint64_t rows = fields.U();
  const uint64_t columns = fields.U();
  const uint64_t flags = fields.U();
  const long master = OpenPtmx(child);
  if (master < 0) return master;
  const int unlock = 0;
  long result = Sys(SYS_ioctl, master, TIOCSPTLCK, &unlock);
  if (result < 0) return Fail(result, "ioctl TIOCSPTLCK", "/dev/pts/ptmx");
  int number = 0;
  Sys(SYS_ioctl, master, TIOCGPTN, &number);
  const long slave =
      Sys(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return Fail(slave, "ioctl TIOCGPTPEER", "/dev/pts/ptmx");
  if (rows != 0 && columns != 0) {
    const struct winsize size = {uint16_t(rows), uint16_t(columns), 0, 0};
    Sys(SYS_ioctl, slave, TIOCSWINSZ, &size);
  }
  if (flags & kTerminalConsole) {
    int console = int(slave);
    if constexpr (Mutated("R05")) console = OpenTerminalByName(child, number);
    result = BindConsole(child, console);
    if (result < 0) return Fail(result, "bind", "/dev/console");
  }
  char message[32];
  Text text(message, sizeof message);
  text.AddChar(kMessageTerminal).Add("/dev/pts/").AddInt(number);
  const int fd = int(master);
  result = SendPacket(child.sync, message, text.size() + 1, &fd, 1, 0);
  Close(fd);
  if (result < 0) return Fail(result, "sendmsg", "terminal");
  for (int i = 0; i < 3; ++i) Sys(SYS_dup3, slave, i, 0);
  if (slave > 2) Close(int(slave));
  child.own_stdio = true;
  result = Sys(SYS_ioctl, 0, TIOCSCTTY, 0);
  return result < 0 ? Fail(result, "ioctl TIOCSCTTY", "terminal") : 0;
}

long StepChdir(Child& child, FieldReader fields) {
  const Str path = fields.S();
  const bool create = fields.U() != 0;
  if (create) {
    const long made = MakeDirectories(child.root, path.c_str(), 0755, nullptr);
    if (made < 0) return Fail(made, "mkdir", path);
    Close(int(made));
  }
  const long fd = OpenInRoot(child.root, path.empty() ? "/" : path.c_str(),
                             O_PATH | O_DIRECTORY);
  if (fd < 0) return Fail(fd, "openat2", path);
  long result = Sys(SYS_fchdir, fd);
  Close(int(fd));
  if (result < 0) return Fail(result, "chdir", path);
  // The kernel says "(unreachable)" for a directory outside the root.
  char cwd[PATH_MAX];
  result = Sys(SYS_getcwd, cwd, sizeof cwd);
  if (result < 0) return Fail(result, "getcwd", path);
  return cwd[0] == '/' ? 0 : Fail(-ENOENT, "getcwd", path);
}

long StepAwaitStart(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const Str path = fields.S();
  const int directory = child.prepared->Find(step.index);
  const char* slash = FindLast(path.c_str(), '/');
  const char* name = slash == nullptr ? path.c_str() : slash + 1;
  // Blocks until somebody reads.
  const long fd = OpenAt(directory, name, O_WRONLY | O_NOFOLLOW);
  if (fd < 0) return Fail(fd, "open", path);
  const long result = WriteAll(int(fd), "0", 1);
  Close(int(fd));
  return result < 0 ? Fail(result, "write", path) : 0;
}

}  // namespace containerkit::runtime::child
