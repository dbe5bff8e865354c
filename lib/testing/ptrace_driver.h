// Runs a program and everything that it starts under ptrace, and asks before
// every system call what shall become of it: the seam of the tests that kill,
// fail or race the engine at each of its steps.
#ifndef CONTAINERKIT_LIB_TESTING_PTRACE_DRIVER_H_
#define CONTAINERKIT_LIB_TESTING_PTRACE_DRIVER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace containerkit::testing {

// A traced thread that stands before a system call.
struct SystemCall {
  pid_t thread = 0;
  pid_t process = 0;
  // /proc/<process>/comm: "ck-monitor", "ck-spawner", the program's own.
  std::string program;
  // The process that RunTraced() started, not one of its descendants.
  bool root = false;
  long number = 0;
  uint64_t arguments[6] = {};
  // What the root last gave MarkPhase(); 0 before the first.
  int phase = 0;
  // Among all calls of all traced processes in this phase, from 1. The marks
  // themselves do not count.
  uint64_t index = 0;
};

struct Verdict {
  enum class Kind {
    kRun,
    kFail,         // it does not run and answers -error
    kKillProcess,  // SIGKILL instead, for the process before the call
    kKillAll,      // SIGKILL for every traced process
  };
  Kind kind = Kind::kRun;
  int error = 0;

  static Verdict Run() { return {}; }
  static Verdict Fail(int error) { return {Kind::kFail, error}; }
  static Verdict KillProcess() { return {Kind::kKillProcess, 0}; }
  static Verdict KillAll() { return {Kind::kKillAll, 0}; }
};

struct TraceOptions {
  std::vector<std::string> argv;
  // Called on the tracing thread while the caller stands still; the others go
  // on. It may do to the file system what it likes.
  std::function<Verdict(const SystemCall&)> on_call;
  // Whether to go on tracing a process that has just executed the program
  // `exe` (the target of /proc/PID/exe). Empty: all.
  std::function<bool(const std::string& exe)> follow;
  // After this time everything is killed and `timed_out` is set.
  absl::Duration patience = absl::Seconds(60);
};

struct TraceResult {
  int wait_status = 0;  // of the program
  bool timed_out = false;
  // Processes that died of a signal other than SIGKILL, as "name: signal 11".
  std::vector<std::string> crashes;
};

// Returns once the program has ended; what it left running is let go and runs
// on untraced. Reaps every child of this process meanwhile, so the caller may
// not wait for others at the same time.
TraceResult RunTraced(const TraceOptions& options);

// Called in the traced program: what comes is of phase `phase`.
void MarkPhase(int phase);

// Reads at most `size` bytes of a path or other string argument.
std::string ReadTraceeString(pid_t thread, uint64_t address,
                             size_t size = 4096);

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_LIB_TESTING_PTRACE_DRIVER_H_
