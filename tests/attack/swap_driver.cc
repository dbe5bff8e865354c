#include "tests/attack/swap_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"

namespace containerkit::attack {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// Where a system call keeps a directory and the path below it. -1: the
// working directory.
struct PathCall {
  int number;
  int directory;
  int path;
  const char* name;
};

constexpr PathCall kPathCalls[] = {
    {SYS_openat, 0, 1, "openat"},
    {SYS_openat2, 0, 1, "openat2"},
    {SYS_open, -1, 0, "open"},
    {SYS_mkdirat, 0, 1, "mkdirat"},
    {SYS_mkdir, -1, 0, "mkdir"},
    {SYS_mknodat, 0, 1, "mknodat"},
    {SYS_unlinkat, 0, 1, "unlinkat"},
    {SYS_unlink, -1, 0, "unlink"},
    {SYS_rmdir, -1, 0, "rmdir"},
    {SYS_symlinkat, 1, 2, "symlinkat"},
    {SYS_linkat, 0, 1, "linkat"},
    {SYS_linkat, 2, 3, "linkat"},
    {SYS_renameat, 0, 1, "renameat"},
    {SYS_renameat2, 0, 1, "renameat2"},
    {SYS_rename, -1, 0, "rename"},
    {SYS_fchownat, 0, 1, "fchownat"},
    {SYS_chown, -1, 0, "chown"},
    {SYS_lchown, -1, 0, "lchown"},
    {SYS_fchmodat, 0, 1, "fchmodat"},
    {452 /* fchmodat2 */, 0, 1, "fchmodat2"},
    {SYS_chmod, -1, 0, "chmod"},
    {SYS_utimensat, 0, 1, "utimensat"},
    {SYS_newfstatat, 0, 1, "newfstatat"},
    {SYS_statx, 0, 1, "statx"},
    {SYS_stat, -1, 0, "stat"},
    {SYS_lstat, -1, 0, "lstat"},
    {SYS_readlinkat, 0, 1, "readlinkat"},
    {SYS_readlink, -1, 0, "readlink"},
    {SYS_faccessat, 0, 1, "faccessat"},
    {SYS_faccessat2, 0, 1, "faccessat2"},
    {SYS_access, -1, 0, "access"},
    {SYS_execve, -1, 0, "execve"},
    {SYS_execveat, 0, 1, "execveat"},
    {SYS_chdir, -1, 0, "chdir"},
    {SYS_chroot, -1, 0, "chroot"},
    {SYS_mount, -1, 1, "mount"},
    {SYS_umount2, -1, 0, "umount2"},
    {SYS_open_tree, 0, 1, "open_tree"},
    {SYS_move_mount, 2, 3, "move_mount"},
    {SYS_mount_setattr, 0, 1, "mount_setattr"},
    {SYS_setxattr, -1, 0, "setxattr"},
    {SYS_lsetxattr, -1, 0, "lsetxattr"},
    {SYS_getxattr, -1, 0, "getxattr"},
    {SYS_lgetxattr, -1, 0, "lgetxattr"},
    {SYS_listxattr, -1, 0, "listxattr"},
    {SYS_truncate, -1, 0, "truncate"},
    {SYS_statfs, -1, 0, "statfs"},
};

std::string ReadString(pid_t pid, uint64_t address) {
  char buffer[4096];
  // Not over the end of a page at a time: the next may not be there.
  std::string text;
  while (text.size() < sizeof(buffer)) {
    const size_t piece = 256 - address % 256;
    iovec local = {buffer, piece};
    iovec remote = {reinterpret_cast<void*>(address), piece};
    const ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n <= 0) return text;
    const size_t end = strnlen(buffer, n);
    text.append(buffer, end);
    if (end < static_cast<size_t>(n)) return text;
    address += n;
  }
  return text;
}

std::string LinkOf(const std::string& path) {
  char target[4096];
  const ssize_t n = readlink(path.c_str(), target, sizeof(target));
  return std::string(target, n > 0 ? n : 0);
}

class Tracer {
 public:
  Tracer(const Inside& inside, const Swap& swap)
      : inside_(inside), swap_(swap) {
    struct stat st;
    if (!inside.prefix.empty() && stat(inside.prefix.c_str(), &st) == 0) {
      root_ = {st.st_dev, st.st_ino};
    }
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
      unsigned major = 0, minor = 0;
      if (sscanf(line.c_str(), "%*d %*d %u:%u", &major, &minor) == 2) {
        host_devices_.insert(makedev(major, minor));
      }
    }
    host_devices_.insert(0);
  }

  // `pid` stopped itself with SIGSTOP and is traced.
  void Run(pid_t pid, const std::string& program, Traced& result) {
    // As /proc/PID/exe has it.
    char* const real = realpath(program.c_str(), nullptr);
    program_ = real != nullptr ? real : program;
    free(real);
    result_ = &result;
    const absl::Time deadline = absl::Now() + kPatience;
    tracees_[pid] = State();
    main_ = pid;
    while (!tracees_.empty()) {
      int status = 0;
      const pid_t stopped = waitpid(-1, &status, __WALL | WNOHANG);
      if (stopped < 0) break;
      if (stopped == 0) {
        if (absl::Now() > deadline && !result.timed_out) {
          result.timed_out = true;
          for (const auto& [traced, state] : tracees_) kill(traced, SIGKILL);
        }
        // A stop of a tracee is a SIGCHLD; a timer bounds the wait for it.
        const timespec most = {0, 100'000'000};
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigtimedwait(&child, nullptr, &most);
        continue;
      }
      Handle(stopped, status);
    }
  }

 private:
  struct State {
    bool attached = false;  // its first SIGSTOP has been seen
    bool undo = false;      // exchange back when the call returns
  };

  void Handle(pid_t pid, int status) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid == main_) {
        result_->exit_code =
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      tracees_.erase(pid);
      return;
    }
    if (!WIFSTOPPED(status)) return;
    State& state = tracees_[pid];
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    int deliver = 0;
    if (signal == (SIGTRAP | 0x80)) {
      OnSystemCall(pid, state);
    } else if (event == PTRACE_EVENT_EXEC) {
      ++result_->programs;
      if (!IsEngine(pid)) {
        tracees_.erase(pid);
        ptrace(PTRACE_DETACH, pid, 0, 0);
        return;
      }
    } else if (event != 0) {
      // A new child stops by itself.
    } else if (signal == SIGSTOP && !state.attached) {
      state.attached = true;
      ptrace(PTRACE_SETOPTIONS, pid, 0,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    } else {
      deliver = signal;
    }
    ptrace(PTRACE_SYSCALL, pid, 0, deliver);
  }

  bool IsEngine(pid_t pid) const {
    const std::string exe = LinkOf(absl::StrCat("/proc/", pid, "/exe"));
    return exe == program_ || absl::StartsWith(exe, "/memfd:");
  }

  void OnSystemCall(pid_t pid, State& state) {
    struct __ptrace_syscall_info info = {};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0) {
      return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && state.undo) {
      state.undo = false;
      Exchange(swap_.one, swap_.two);
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    for (const PathCall& call : kPathCalls) {
      if (static_cast<uint64_t>(call.number) != info.entry.nr) continue;
      const std::string path = ReadString(pid, info.entry.args[call.path]);
      const int directory =
          call.directory < 0
              ? AT_FDCWD
              : static_cast<int>(info.entry.args[call.directory]);
      if (!IsInside(pid, directory, path)) continue;
      if (++result_->calls != swap_.at) return;
      if (Exchange(swap_.one, swap_.two)) ++result_->exchanges;
      result_->at_call = absl::StrCat(call.name, " ", path);
      state.undo = swap_.back;
      return;
    }
  }

  bool HasPrefix(const std::string& path) const {
    return !inside_.prefix.empty() && absl::StartsWith(path, inside_.prefix);
  }

  bool IsInside(pid_t pid, int directory, const std::string& path) const {
    // What is named by its descriptor alone cannot be exchanged.
    if (path.empty()) return false;
    if (HasPrefix(path)) return true;
    const std::string proc = absl::StrCat("/proc/", pid, "/");
    struct stat st;
    const std::string root = proc + "root";
    if (stat(root.c_str(), &st) == 0 && IsForeign(st)) return true;
    std::string base = proc + "cwd";
    if (path[0] == '/') {
      base = root;
    } else if (directory != AT_FDCWD) {
      base = absl::StrCat(proc, "fd/", directory);
    }
    // With RESOLVE_IN_ROOT also an absolute path starts at the descriptor.
    if (directory != AT_FDCWD && directory >= 0) {
      base = absl::StrCat(proc, "fd/", directory);
    }
    if (stat(base.c_str(), &st) != 0) return false;
    return IsForeign(st) || HasPrefix(LinkOf(base));
  }

  bool IsForeign(const struct stat& st) const {
    if (root_ == std::pair(st.st_dev, st.st_ino)) return true;
    return inside_.other_file_systems && !host_devices_.contains(st.st_dev);
  }

  const Inside& inside_;
  const Swap& swap_;
  std::pair<dev_t, ino_t> root_;
  std::set<dev_t> host_devices_;
  std::string program_;
  std::map<pid_t, State> tracees_;
  pid_t main_ = 0;
  Traced* result_ = nullptr;
};

UniqueFd Memory(const std::string& content) {
  UniqueFd fd(memfd_create("stdio", MFD_CLOEXEC));
  EXPECT_TRUE(sys::WriteAll(fd.get(), content).ok());
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string Content(const UniqueFd& fd) {
  lseek(fd.get(), 0, SEEK_SET);
  return sys::ReadFd(fd.get(), 64 << 20).value_or("");
}

[[noreturn]] void Become(const std::vector<std::string>& argv,
                         const UniqueFd& in, const UniqueFd& out,
                         const UniqueFd& err, bool traced) {
  std::vector<char*> pointers;
  for (const std::string& word : argv) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  dup2(in.get(), 0);
  dup2(out.get(), 1);
  dup2(err.get(), 2);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (traced) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
  }
  execv(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

bool Exchange(const std::string& one, const std::string& two) {
  return renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(),
                   RENAME_EXCHANGE) == 0;
}

Traced RunTraced(const std::vector<std::string>& argv, const Inside& inside,
                 const Swap& swap, const std::string& input) {
  const UniqueFd in = Memory(input), out = Memory(""), err = Memory("");
  sigset_t child, before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  Traced result;
  Tracer tracer(inside, swap);
  const pid_t pid = fork();
  if (pid == 0) Become(argv, in, out, err, true);
  tracer.Run(pid, argv[0], result);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  result.out = Content(out);
  result.err = Content(err);
  return result;
}

Traced RunPlain(const std::vector<std::string>& argv,
                const std::string& input) {
  const UniqueFd in = Memory(input), out = Memory(""), err = Memory("");
  Traced result;
  const pid_t pid = fork();
  if (pid == 0) Become(argv, in, out, err, false);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = Content(out);
  result.err = Content(err);
  return result;
}

RandomSwapper::RandomSwapper(const std::string& one, const std::string& two)
    : pid_(fork()) {
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) Exchange(one, two);
}

RandomSwapper::~RandomSwapper() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool GoesOn(int runs, absl::Time end) {
  constexpr int kFew = 3;
  constexpr int kFull = 5000;
  const char* full = getenv("CK_ATTACK_FULL");
  if (full != nullptr && *full == '1') return runs < kFull;
  return runs <= kFew || absl::Now() < end;
}

}  // namespace containerkit::attack
