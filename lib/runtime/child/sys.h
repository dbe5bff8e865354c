// The kernel as the helper sees it: raw system calls that return a value or
// -errno. The helper has no C library (its size is paid for by every running
// container), so nothing here may need one.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_SYS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_SYS_H_

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

namespace containerkit::runtime::child {

#if defined(__x86_64__)
inline long RawSyscall(long number, long a, long b, long c, long d, long e,
                       long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
inline long RawSyscall(long number, long a, long b, long c, long d, long e,
                       long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}
#else
#error "the helper knows x86-64 and aarch64"
#endif

inline long ToLong(long value) { return value; }
template <typename T>
inline long ToLong(T* pointer) {
  return reinterpret_cast<long>(pointer);
}
inline long ToLong(decltype(nullptr)) { return 0; }

// Any system call, with up to six integers or pointers.
template <typename A = long, typename B = long, typename C = long,
          typename D = long, typename E = long, typename F = long>
inline long Sys(long number, A a = A(), B b = B(), C c = C(), D d = D(),
                E e = E(), F f = F()) {
  return RawSyscall(number, ToLong(a), ToLong(b), ToLong(c), ToLong(d),
                    ToLong(e), ToLong(f));
}

// Not in every libc's headers under these names.
inline constexpr int kAtFdCwd = AT_FDCWD;
inline constexpr int kAtEmptyPath = 0x1000;
inline constexpr int kAtRecursive = 0x8000;
inline constexpr int kUmountDetach = 2;
inline constexpr unsigned kCloseRangeCloexec = 4;
inline constexpr unsigned kMfdExec = 0x10;

inline int Close(int fd) { return fd < 0 ? 0 : int(Sys(SYS_close, fd)); }
inline void CloseAndForget(int& fd) {
  Close(fd);
  fd = -1;
}
inline long Open(const char* path, int flags, int mode = 0) {
  return Sys(SYS_openat, kAtFdCwd, path, flags | O_CLOEXEC, mode);
}
inline long OpenAt(int dir, const char* path, int flags, int mode = 0) {
  return Sys(SYS_openat, dir, path, flags | O_CLOEXEC, mode);
}
inline long Fstat(int fd, struct stat* out) {
  return Sys(SYS_newfstatat, fd, "", out, kAtEmptyPath);
}

// read(2) and write(2), repeated when a signal interrupts them.
long Read(int fd, void* data, size_t size);
long Write(int fd, const void* data, size_t size);
// All of it, or -errno.
long WriteAll(int fd, const void* data, size_t size);
// Up to `size` bytes until the end of the file.
long ReadAll(int fd, void* data, size_t size);
// Opens, writes once, closes.
long WriteFileAt(int dir, const char* path, const void* data, size_t size);
// poll(2) of one descriptor; timeout_ms < 0 waits for ever. > 0: revents.
long PollOne(int fd, short events, long timeout_ms);
long Poll(struct pollfd* fds, unsigned count, long timeout_ms);

inline constexpr int kMaxPassedFds = 40;

// One packet with descriptors. `fds` may be null.
long SendPacket(int socket, const void* data, size_t size, const int* fds,
                int fd_count, int flags);
// One packet; *fd_count says how many descriptors there is room for and then
// how many came. Surplus ones are closed. 0: end of the stream.
long ReceivePacket(int socket, void* data, size_t size, int* fds, int* fd_count,
                   int flags);

int64_t NowMonotonicNs();
int64_t NowRealtimeNs();
void SleepNs(int64_t nanoseconds);

// fork(2); with a pidfd when `pidfd` is not null; into a cgroup v2 when its
// directory is given.
long Fork(int* pidfd = nullptr, int cgroup = -1);
[[noreturn]] void Exit(int code);
// waitid(2) for one child by pidfd. flags: WEXITED is implied. 0 with *code
// in Docker's terms (0..255, 128 + signal); -ECHILD, ...; 1: WNOHANG and
// still running.
long WaitPidfd(int pidfd, int flags, int* code);
// Starts from a process's stat file: field 22. 0 when it is gone.
uint64_t StartTicks(int pid);

// Whole pages from the kernel; null when there are none.
void* AllocatePages(size_t size);
void FreePages(void* pages, size_t size);

void BlockSignals();
void UnblockSignals();
// Ignored: children vanish without a status. Otherwise the default.
void IgnoreChildSignal(bool ignore);

void SetName(const char* name);

// dev_t of a device's numbers, as the kernel encodes it for user space.
inline uint64_t MakeDevice(uint64_t major, uint64_t minor) {
  return (minor & 0xff) | (major & 0xfff) << 8 |
         (minor & ~uint64_t{0xff}) << 12 | (major & ~uint64_t{0xfff}) << 32;
}

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_SYS_H_
