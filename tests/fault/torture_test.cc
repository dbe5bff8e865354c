// Every system call of an operation fails in turn, with each error that it
// may really answer: in the host and in every process of the engine
// (security.md F03). CI takes every n-th call; CK_FAULT_FULL=1 takes all.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fault/fault_fixture.h"

namespace containerkit::testing {
namespace {

const std::map<int, std::set<long>>& CallsByErrno() {
  static const auto* calls = new std::map<int, std::set<long>>{
      {ENOSPC,
       {SYS_mkdirat, SYS_mkdir, SYS_write, SYS_pwrite64, SYS_writev,
        SYS_fallocate, SYS_ftruncate, SYS_rename, SYS_renameat, SYS_renameat2,
        SYS_linkat, SYS_symlinkat, SYS_mknodat, SYS_fsync, SYS_fdatasync,
        SYS_syncfs, SYS_clone, SYS_clone3, SYS_unshare}},
      {EIO, {SYS_read,       SYS_pread64,    SYS_write,    SYS_pwrite64,
             SYS_fsync,      SYS_fdatasync,  SYS_syncfs,   SYS_openat,
             SYS_getdents64, SYS_newfstatat, SYS_fstat,    SYS_statx,
             SYS_unlinkat,   SYS_unlink,     SYS_renameat, SYS_rename,
             SYS_mkdirat,    SYS_readlinkat, SYS_readlink, SYS_fchmod}},
      {ENOMEM,
       {SYS_openat,        SYS_openat2,    SYS_clone,         SYS_clone3,
        SYS_fork,          SYS_vfork,      SYS_fsopen,        SYS_fsmount,
        SYS_fsconfig,      SYS_open_tree,  SYS_move_mount,    SYS_mount,
        SYS_umount2,       SYS_socketpair, SYS_socket,        SYS_memfd_create,
        SYS_epoll_create1, SYS_epoll_ctl,  SYS_inotify_init1, SYS_pipe2,
        SYS_sendmsg,       SYS_unshare,    SYS_setns,         SYS_seccomp,
        SYS_execveat,      SYS_execve,     SYS_pivot_root,    SYS_bpf,
        SYS_keyctl}},
      {EMFILE,
       {SYS_openat, SYS_openat2, SYS_open, SYS_dup, SYS_socket, SYS_socketpair,
        SYS_pipe2, SYS_memfd_create, SYS_epoll_create1, SYS_eventfd2,
        SYS_inotify_init1, SYS_accept4, SYS_pidfd_open, SYS_open_tree,
        SYS_fsopen, SYS_fsmount}},
      {EINTR,
       {SYS_read, SYS_write, SYS_poll, SYS_ppoll, SYS_epoll_wait,
        SYS_epoll_pwait, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom, SYS_sendto,
        SYS_connect, SYS_accept4, SYS_flock, SYS_waitid, SYS_wait4,
        SYS_nanosleep, SYS_clock_nanosleep, SYS_fallocate}}};
  return *calls;
}

bool MayAnswer(const SystemCall& call, int error) {
  // A cgroup's directory is not on a disk.
  if (call.number == SYS_unlinkat && (call.arguments[2] & AT_REMOVEDIR) != 0) {
    return false;
  }
  return CallsByErrno().at(error).contains(call.number);
}

// A call that is found again in the next run, whatever the order in which
// processes and threads take their turns: the n-th of its kind in a program.
struct Point {
  std::string program;
  long number = 0;
  int nth = 0;

  bool operator==(const Point&) const = default;
};

// Counts calls by program and number.
class Odometer {
 public:
  Point Next(const SystemCall& call) {
    const int nth = ++seen_[{call.program, call.number}];
    return {call.program, call.number, nth};
  }

 private:
  std::map<std::pair<std::string, long>, int> seen_;
};

class TortureTest : public FaultTest {
 protected:
  // The calls of an undisturbed run that may answer `error`.
  using Points = std::map<int, std::vector<Point>>;
  Points Record(const std::string& operation) {
    Points points;
    Odometer odometer;
    Prepare(operation);
    RunWorker(operation, [&](const SystemCall& call) {
      const Point point = odometer.Next(call);
      for (const auto& [error, calls] : CallsByErrno()) {
        if (MayAnswer(call, error)) points[error].push_back(point);
      }
      return Verdict::Run();
    });
    const Outcome outcome = ReadOutcome();
    EXPECT_TRUE(outcome.ok) << outcome.line;
    CheckAfter(operation, outcome);
    return points;
  }

  // False when the run had no such call.
  bool FailAt(const std::string& operation, const Point& point, int error) {
    bool failed = false;
    Odometer odometer;
    Prepare(operation);
    const TraceResult result =
        RunWorker(operation, [&](const SystemCall& call) {
          if (failed || odometer.Next(call) != point) return Verdict::Run();
          failed = true;
          return Verdict::Fail(error);
        });
    SCOPED_TRACE(absl::StrCat(operation, ": call ", point.number, ", the ",
                              point.nth, "-th of ", point.program, ", answers ",
                              strerrorname_np(error)));
    EXPECT_FALSE(result.timed_out);
    EXPECT_TRUE(result.crashes.empty()) << result.crashes[0];
    EXPECT_TRUE(WIFEXITED(result.wait_status) &&
                WEXITSTATUS(result.wait_status) == 0);
    const Outcome outcome = ReadOutcome();
    EXPECT_TRUE(outcome.answered);
    if (outcome.answered && !outcome.ok) ExpectExplained(error, outcome);
    CheckAfter(operation, outcome);
    return failed;
  }

  static void ExpectExplained(int error, const Outcome& outcome) {
    EXPECT_NE(error, EINTR) << outcome.line;
    EXPECT_NE(outcome.reason, "Unspecified") << outcome.line;
    EXPECT_NE(outcome.reason, "Internal") << outcome.line;
    EXPECT_NE(outcome.operation, "-") << outcome.line;
  }

  void FailEverywhere(const std::string& operation, size_t every) {
    const size_t step = StepOf(every);
    int runs = 0;
    int faults = 0;
    int failed = 0;
    size_t first = 0;
    for (const auto& [error, points] : Record(operation)) {
      // Each error begins at another call, so that steps miss little.
      for (size_t i = first++ % step; i < points.size(); i += step) {
        ++runs;
        faults += FailAt(operation, points[i], error);
        if (HasFatalFailure() || (HasFailure() && ++failed == 3)) return;
      }
    }
    printf("%s: %d runs, %d faults\n", operation.c_str(), runs, faults);
    EXPECT_GT(faults, 0);
    EXPECT_GE(faults, runs * 3 / 4);
  }
};

TEST_F(TortureTest, Create) { FailEverywhere("create", 7); }
TEST_F(TortureTest, Start) { FailEverywhere("start", 17); }
TEST_F(TortureTest, Stop) { FailEverywhere("stop", 11); }
TEST_F(TortureTest, Remove) { FailEverywhere("remove", 7); }

}  // namespace
}  // namespace containerkit::testing
