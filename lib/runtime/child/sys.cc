#include "lib/runtime/child/sys.h"

#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

template <typename Call>
long Retry(Call call) {
  long result;
  do {
    result = call();
  } while (result == -EINTR);
  return result;
}

}  // namespace

long Read(int fd, void* data, size_t size) {
  return Retry([&] { return Sys(SYS_read, fd, data, size); });
}

long Write(int fd, const void* data, size_t size) {
  return Retry([&] { return Sys(SYS_write, fd, data, size); });
}

long WriteAll(int fd, const void* data, size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const long n = Write(fd, next, size);
    if (n < 0) return n;
    next += n;
    size -= size_t(n);
  }
  return 0;
}

long ReadAll(int fd, void* data, size_t size) {
  size_t have = 0;
  while (have < size) {
    const long n = Read(fd, static_cast<char*>(data) + have, size - have);
    if (n < 0) return n;
    if (n == 0) break;
    have += size_t(n);
  }
  return long(have);
}

long WriteFileAt(int dir, const char* path, const void* data, size_t size) {
  const long fd = OpenAt(dir, path, O_WRONLY);
  if (fd < 0) return fd;
  const long n = Write(int(fd), data, size);
  Close(int(fd));
  if (n < 0) return n;
  return size_t(n) == size ? 0 : -EIO;
}

long Poll(struct pollfd* fds, unsigned count, long timeout_ms) {
  struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
  // The kernel writes the rest of the time back, so a retry keeps the deadline.
  return Retry([&] {
    return Sys(SYS_ppoll, fds, count, timeout_ms < 0 ? nullptr : &time, nullptr,
               0);
  });
}

long PollOne(int fd, short events, long timeout_ms) {
  struct pollfd poll = {fd, events, 0};
  const long n = Poll(&poll, 1, timeout_ms);
  return n <= 0 ? n : poll.revents;
}

long SendPacket(int socket, const void* data, size_t size, const int* fds,
                int fd_count, int flags) {
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)];
  struct iovec iov = {const_cast<void*>(data), size};
  struct msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    if (fd_count > kMaxPassedFds) return -E2BIG;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * size_t(fd_count));
    memset(control, 0, message.msg_controllen);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * size_t(fd_count));
    memcpy(CMSG_DATA(header), fds, sizeof(int) * size_t(fd_count));
  }
  // Whoever waits for this packet waits for ever without it, so a want of
  // memory is sat out.
  constexpr int kTries = 50;
  long sent = -ENOMEM;
  for (int i = 0; i < kTries && (sent == -ENOMEM || sent == -ENOBUFS); ++i) {
    if (i > 0) SleepNs(1000 * 1000);
    sent = Retry([&] {
      return Sys(SYS_sendmsg, socket, &message, flags | MSG_NOSIGNAL);
    });
  }
  return sent;
}

long ReceivePacket(int socket, void* data, size_t size, int* fds, int* fd_count,
                   int flags) {
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)];
  struct iovec iov = {data, size};
  struct msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const int room = fds == nullptr ? 0 : *fd_count;
  if (fd_count != nullptr) *fd_count = 0;
  const long n = Retry([&] {
    return Sys(SYS_recvmsg, socket, &message, flags | MSG_CMSG_CLOEXEC);
  });
  if (n < 0) return n;
  struct cmsghdr* header =
      message.msg_controllen >= sizeof *header ? CMSG_FIRSTHDR(&message) : 0;
  if (header == nullptr || header->cmsg_level != SOL_SOCKET ||
      header->cmsg_type != SCM_RIGHTS) {
    return n;
  }
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; ++i) {
    int fd;
    memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
    if (int(i) < room) {
      fds[(*fd_count)++] = fd;
    } else {
      Close(fd);
    }
  }
  return n;
}

int64_t NowMonotonicNs() {
  struct timespec now;
  Sys(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

int64_t NowRealtimeNs() {
  struct timespec now;
  Sys(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

void SleepNs(int64_t nanoseconds) {
  struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  Sys(SYS_nanosleep, &time, nullptr);
}

long Fork(int* pidfd, int cgroup) {
  struct clone_args args = {};
  args.exit_signal = SIGCHLD;
  if (pidfd != nullptr) {
    args.flags = CLONE_PIDFD;
    args.pidfd = uint64_t(ToLong(pidfd));
  }
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = uint64_t(cgroup);
  }
  const long result = Sys(SYS_clone3, &args, sizeof args);
  if (result != -ENOSYS || cgroup >= 0) return result;
  // Docker's seccomp profile hides clone3, whose flags a filter cannot see.
  const unsigned long flags = SIGCHLD | (pidfd != nullptr ? CLONE_PIDFD : 0);
  return Sys(SYS_clone, flags, nullptr, pidfd, nullptr, nullptr);
}

void Exit(int code) {
  for (;;) Sys(SYS_exit_group, code);
}

long WaitPidfd(int pidfd, int flags, int* code) {
  siginfo_t info;
  info.si_pid = 0;
  const long result = Retry([&] {
    return Sys(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | __WALL | flags,
               nullptr);
  });
  if (result < 0) return result;
  if (info.si_pid == 0) return 1;
  if (code != nullptr) {
    *code = info.si_code == CLD_EXITED ? info.si_status & 0xff
                                       : 128 + info.si_status;
  }
  return 0;
}

uint64_t StartTicks(int pid) {
  char path[32];
  Text name(path, sizeof path);
  name.Add("/proc/").AddInt(pid).Add("/stat");
  const long fd = Open(name.c_str(), O_RDONLY);
  if (fd < 0) return 0;
  char stat[512];
  const long n = Read(int(fd), stat, sizeof stat - 1);
  Close(int(fd));
  if (n <= 0) return 0;
  stat[n] = '\0';
  // The name in parentheses may hold anything: fields count from the last ')'.
  const char* at = nullptr;
  for (const char* p = stat; *p != '\0'; ++p) {
    if (*p == ')') at = p;
  }
  if (at == nullptr) return 0;
  for (int field = 2; *at != '\0' && field < 22; ++at) {
    if (*at == ' ') ++field;
  }
  uint64_t ticks = 0;
  ParseInt(at, &ticks);
  return ticks;
}

void* AllocatePages(size_t size) {
  const long result = Sys(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return result < 0 && result > -4096 ? nullptr
                                      : reinterpret_cast<void*>(result);
}

void FreePages(void* pages, size_t size) {
  if (pages != nullptr) Sys(SYS_munmap, pages, size);
}

namespace {

inline constexpr size_t kKernelSigsetSize = 8;

// struct sigaction of the kernel, which differs from the C library's.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

}  // namespace

void BlockSignals() {
  const uint64_t all = ~uint64_t{0};
  Sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, kKernelSigsetSize);
}

void UnblockSignals() {
  const uint64_t none = 0;
  Sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelSigsetSize);
}

void IgnoreChildSignal(bool ignore) {
  KernelAction action = {};
  action.handler = ignore ? SIG_IGN : SIG_DFL;
  Sys(SYS_rt_sigaction, SIGCHLD, &action, nullptr, kKernelSigsetSize);
}

void SetName(const char* name) { Sys(SYS_prctl, PR_SET_NAME, name, 0, 0, 0); }

}  // namespace containerkit::runtime::child
