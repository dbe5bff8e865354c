#include <linux/limits.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/hook.h"
#include "lib/runtime/child/process.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr char kDefaultPath[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// May the file be executed by this process's ids? 0, or why not.
long CheckExecutable(const char* path) {
  struct stat stat;
  long result = Sys(SYS_newfstatat, kAtFdCwd, path, &stat, 0);
  if (result < 0) return result;
  if (S_ISDIR(stat.st_mode)) return -EISDIR;
  if (!S_ISREG(stat.st_mode)) return -EACCES;
  constexpr int kMayExecute = 1;  // X_OK
  result = Sys(SYS_faccessat2, kAtFdCwd, path, kMayExecute, AT_EACCESS);
  // A seccomp profile that is older than the call.
  if (result != -ENOSYS && result != -EPERM) return result;
  return Sys(SYS_faccessat, kAtFdCwd, path, kMayExecute);
}

char found_path[PATH_MAX];

// execvp's search: the first that may be executed; EACCES is remembered.
long SearchPath(Str name, const char* path) {
  long result = -ENOENT;
  for (;;) {
    size_t size = 0;
    while (path[size] != '\0' && path[size] != ':') ++size;
    Text text(found_path, sizeof found_path);
    if (size == 0) {
      text.Add(".");
    } else {
      text.AddBytes(path, size);
    }
    text.AddChar('/').Add(name);
    if (!text.cut()) {
      const long check = CheckExecutable(found_path);
      if (check == 0) return 0;
      if (check == -EACCES) result = -EACCES;
    }
    if (path[size] == '\0') return result;
    path += size + 1;
  }
}

}  // namespace

long StepFindExecutable(Child& child, FieldReader fields) {
  List argv = fields.L();
  List env = fields.L();
  if (argv.count == 0) return Fail(-EINVAL, "exec", "");
  const Str name = argv.Take();
  if (name.empty()) return Fail(-ENOENT, "exec", name);
  long result;
  if (FindLast(name.c_str(), '/') != nullptr) {
    result = CheckExecutable(name.c_str());
    child.executable = name.c_str();
  } else {
    const char* path = kDefaultPath;
    while (env.count > 0) {
      const Str variable = env.Take();
      if (StartsWith(variable.c_str(), "PATH=")) path = variable.c_str() + 5;
    }
    result = SearchPath(name, path);
    child.executable = found_path;
  }
  return result < 0 ? Fail(result, "exec", name) : 0;
}

namespace {

// What Exec needs, made before a seccomp filter may forbid to make it.
const char** exec_argv;
const char** exec_env;

// Puts the preserved descriptors at 3, 4, ... and lets nothing else survive.
long PlaceDescriptors(Child& child) {
  const int first = 3;
  const int end = first + int(child.preserve_fds);
  int fds[kMaxPassedFds];
  for (uint32_t i = 0; i < child.preserve_fds; ++i) {
    const long fd = Sys(SYS_fcntl, child.extra[i], F_DUPFD_CLOEXEC, end);
    if (fd < 0) return Fail(fd, "fcntl", "preserved descriptor");
    fds[i] = int(fd);
  }
  if (child.sync < end) {
    const long fd = Sys(SYS_fcntl, child.sync, F_DUPFD_CLOEXEC, end);
    if (fd < 0) return Fail(fd, "fcntl", "socket");
    Close(child.sync);
    child.sync = int(fd);
  }
  if constexpr (!Mutated("R02")) {
    Sys(SYS_close_range, end, ~0u, kCloseRangeCloexec);
  }
  for (uint32_t i = 0; i < child.preserve_fds; ++i) {
    const long fd = Sys(SYS_dup3, fds[i], first + int(i), 0);
    if (fd < 0) return Fail(fd, "dup3", "preserved descriptor");
  }
  return 0;
}

}  // namespace

long PrepareExec(const Plan& plan) {
  if (exec_argv != nullptr) return 0;
  Plan::Cursor cursor;
  StepView step;
  while (plan.Next(cursor, step)) {
    if (step.op != Op::kExec) continue;
    FieldReader fields = step.Fields();
    const List argv = fields.L();
    size_t size;
    if (argv.count == 0) return Fail(-EINVAL, "exec", "no command");
    exec_argv = MakeVector(argv, &size);
    exec_env = MakeVector(fields.L(), &size);
    if (exec_argv != nullptr && exec_env != nullptr) return 0;
  }
  return Fail(-ENOMEM, "exec", "arguments");
}

long StepExec(Child& child) {
  long result = PrepareExec(*child.plan);
  if (result == 0) result = PlaceDescriptors(child);
  if (result < 0) return result;
  if (!child.umask_set) Sys(SYS_umask, 022);
  const char* program =
      child.executable != nullptr ? child.executable : exec_argv[0];
  child.shared->phase = SharedPage::kExecuting;
  result = Sys(SYS_execve, program, exec_argv, exec_env);
  child.shared->phase = SharedPage::kRunning;
  return Fail(result, "exec", exec_argv[0]);
}

}  // namespace containerkit::runtime::child
