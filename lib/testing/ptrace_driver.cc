#include "lib/testing/ptrace_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace containerkit::testing {
namespace {

// No option of prctl(2): the kernel refuses it, the driver sees it.
constexpr uint64_t kMark = 0x636b6d61;

constexpr uintptr_t kTraceOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                                    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

long Ptrace(int request, pid_t pid, uintptr_t address, uintptr_t data) {
  return ptrace(static_cast<__ptrace_request>(request), pid,
                reinterpret_cast<void*>(address),
                reinterpret_cast<void*>(data));
}

std::string Comm(pid_t pid) {
  std::string name;
  std::ifstream in(absl::StrCat("/proc/", pid, "/comm"));
  std::getline(in, name);
  return name;
}

pid_t ProcessOf(pid_t thread) {
  std::ifstream in(absl::StrCat("/proc/", thread, "/status"));
  std::string line;
  pid_t process = thread;
  while (std::getline(in, line)) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "Tgid:")) continue;
    (void)absl::SimpleAtoi(rest, &process);
    break;
  }
  return process;
}

std::string ExeOf(pid_t pid) {
  char target[512];
  const ssize_t n = readlink(absl::StrCat("/proc/", pid, "/exe").c_str(),
                             target, sizeof target);
  return n > 0 ? std::string(target, static_cast<size_t>(n)) : "";
}

// Kills when the time is over, unless it is gone before.
class Watchdog {
 public:
  Watchdog(absl::Duration patience, std::function<void()> bite)
      : thread_([this, patience, bite = std::move(bite)] {
          std::unique_lock<std::mutex> lock(mutex_);
          if (!changed_.wait_for(lock, absl::ToChronoNanoseconds(patience),
                                 [this] { return over_; })) {
            bite();
          }
        }) {}
  ~Watchdog() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

class Tracer {
 public:
  explicit Tracer(const TraceOptions& options) : options_(options) {}

  TraceResult Run() {
    if (!Start()) {
      result_.wait_status = -1;
      return result_;
    }
    const Watchdog watchdog(options_.patience, [this] {
      timed_out_ = true;
      KillAll();
    });
    while (!threads_.empty()) {
      int status = 0;
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) break;
      OnWait(thread, status);
    }
    result_.timed_out = timed_out_;
    return result_;
  }

 private:
  struct Thread {
    pid_t process = 0;
    int fail = 0;  // what the call that is being skipped shall answer
    bool renamed = false;
  };

  bool Start();
  void OnWait(pid_t thread, int status);
  void OnEnd(pid_t thread, int status);
  void OnStop(pid_t thread, Thread& state, int status);
  void OnEvent(pid_t thread, Thread& state, int event);
  void OnSystemCall(pid_t thread, Thread& state);
  void OnEntry(pid_t thread, Thread& state,
               const struct __ptrace_syscall_info& info);
  void OnExit(pid_t thread, Thread& state);
  void Apply(const Verdict& verdict, pid_t thread, Thread& state);
  void Resume(pid_t thread, int signal = 0);
  void Adopt(pid_t thread);
  void LetGo();
  void KillAll();
  const std::string& ProgramOf(pid_t process);

  const TraceOptions& options_;
  TraceResult result_;
  pid_t root_ = 0;
  std::atomic<bool> timed_out_ = false;
  bool letting_go_ = false;
  int phase_ = 0;
  uint64_t index_ = 0;
  std::map<pid_t, Thread> threads_;
  std::map<pid_t, std::string> programs_;
  std::mutex mutex_;  // of processes_, which the watchdog reads
  std::set<pid_t> processes_;
};

bool Tracer::Start() {
  std::vector<char*> argv;
  for (const std::string& argument : options_.argv) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  int go[2];
  if (pipe2(go, O_CLOEXEC) < 0) return false;
  root_ = fork();
  if (root_ == 0) {
    char byte;
    if (read(go[0], &byte, 1) == 1) execv(argv[0], argv.data());
    _exit(127);
  }
  const bool seized =
      root_ > 0 && Ptrace(PTRACE_SEIZE, root_, 0, kTraceOptions) == 0;
  if (seized) {
    Adopt(root_);
    // Stops it, so that its calls are seen from now on.
    Ptrace(PTRACE_INTERRUPT, root_, 0, 0);
  }
  const bool gone = write(go[1], "x", 1) == 1;
  close(go[0]);
  close(go[1]);
  return seized && gone;
}

void Tracer::Adopt(pid_t thread) {
  Thread& state = threads_[thread];
  if (state.process != 0) return;
  state.process = ProcessOf(thread);
  const std::lock_guard<std::mutex> lock(mutex_);
  processes_.insert(state.process);
}

void Tracer::KillAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const pid_t process : processes_) kill(process, SIGKILL);
}

const std::string& Tracer::ProgramOf(pid_t process) {
  std::string& name = programs_[process];
  if (name.empty()) name = Comm(process);
  return name;
}

// The root has ended: the others run on without us.
void Tracer::LetGo() {
  letting_go_ = true;
  for (const auto& [thread, state] : threads_) {
    Ptrace(PTRACE_INTERRUPT, thread, 0, 0);
  }
}

void Tracer::Resume(pid_t thread, int signal) {
  if (letting_go_) {
    if (Ptrace(PTRACE_DETACH, thread, 0, signal) == 0) threads_.erase(thread);
    return;
  }
  Ptrace(PTRACE_SYSCALL, thread, 0, signal);
}

void Tracer::OnWait(pid_t thread, int status) {
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    OnEnd(thread, status);
    return;
  }
  if (!WIFSTOPPED(status)) return;
  // A new thread may report before the call that made it.
  Adopt(thread);
  OnStop(thread, threads_[thread], status);
}

void Tracer::OnEnd(pid_t thread, int status) {
  const auto found = threads_.find(thread);
  if (found == threads_.end()) return;  // a child that was let go
  const pid_t process = found->second.process;
  threads_.erase(found);
  if (thread != process) return;
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    result_.crashes.push_back(
        absl::StrCat(programs_[process], ": signal ", WTERMSIG(status)));
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    processes_.erase(process);
  }
  programs_.erase(process);
  if (thread != root_) return;
  result_.wait_status = status;
  LetGo();
}

void Tracer::OnStop(pid_t thread, Thread& state, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  if (event == PTRACE_EVENT_STOP) {
    const bool group = signal == SIGSTOP || signal == SIGTSTP ||
                       signal == SIGTTIN || signal == SIGTTOU;
    if (group && !letting_go_) {
      Ptrace(PTRACE_LISTEN, thread, 0, 0);
    } else {
      Resume(thread);
    }
    return;
  }
  if (event != 0) {
    OnEvent(thread, state, event);
    return;
  }
  if (signal == (SIGTRAP | 0x80)) {
    OnSystemCall(thread, state);
    return;
  }
  Resume(thread, signal);
}

void Tracer::OnEvent(pid_t thread, Thread& state, int event) {
  unsigned long message = 0;
  Ptrace(PTRACE_GETEVENTMSG, thread, 0, reinterpret_cast<uintptr_t>(&message));
  if (event != PTRACE_EVENT_EXEC) {
    Adopt(static_cast<pid_t>(message));
    Resume(thread);
    return;
  }
  if (static_cast<pid_t>(message) != thread) {
    threads_.erase(static_cast<pid_t>(message));
  }
  programs_.erase(state.process);
  if (options_.follow == nullptr || options_.follow(ExeOf(thread))) {
    Resume(thread);
    return;
  }
  const pid_t process = state.process;
  if (Ptrace(PTRACE_DETACH, thread, 0, 0) < 0) return;
  threads_.erase(thread);
  const std::lock_guard<std::mutex> lock(mutex_);
  processes_.erase(process);
}

void Tracer::OnSystemCall(pid_t thread, Thread& state) {
  struct __ptrace_syscall_info info = {};
  if (Ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info,
             reinterpret_cast<uintptr_t>(&info)) < 0) {
    return;  // killed meanwhile; its end is reported
  }
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    OnEntry(thread, state, info);
  } else {
    OnExit(thread, state);
  }
}

void Tracer::OnEntry(pid_t thread, Thread& state,
                     const struct __ptrace_syscall_info& info) {
  const auto& entry = info.entry;
  const bool prctl = entry.nr == SYS_prctl;
  if (prctl && entry.args[0] == kMark) {
    phase_ = static_cast<int>(entry.args[1]);
    index_ = 0;
    Resume(thread);
    return;
  }
  state.renamed = prctl && entry.args[0] == PR_SET_NAME;
  SystemCall call;
  call.thread = thread;
  call.process = state.process;
  call.program = ProgramOf(state.process);
  call.root = state.process == root_;
  call.number = static_cast<long>(entry.nr);
  for (int i = 0; i < 6; ++i) call.arguments[i] = entry.args[i];
  call.phase = phase_;
  call.index = ++index_;
  Apply(options_.on_call == nullptr ? Verdict::Run() : options_.on_call(call),
        thread, state);
}

void Tracer::Apply(const Verdict& verdict, pid_t thread, Thread& state) {
  switch (verdict.kind) {
    case Verdict::Kind::kRun:
      break;
    case Verdict::Kind::kFail: {
      struct user_regs_struct registers;
      if (Ptrace(PTRACE_GETREGS, thread, 0,
                 reinterpret_cast<uintptr_t>(&registers)) == 0) {
        registers.orig_rax = ~0ULL;
        Ptrace(PTRACE_SETREGS, thread, 0,
               reinterpret_cast<uintptr_t>(&registers));
        state.fail = verdict.error;
      }
      break;
    }
    case Verdict::Kind::kKillProcess:
      kill(state.process, SIGKILL);
      return;  // nothing to resume
    case Verdict::Kind::kKillAll:
      KillAll();
      return;
  }
  Resume(thread);
}

void Tracer::OnExit(pid_t thread, Thread& state) {
  if (state.fail != 0) {
    struct user_regs_struct registers;
    if (Ptrace(PTRACE_GETREGS, thread, 0,
               reinterpret_cast<uintptr_t>(&registers)) == 0) {
      registers.rax = static_cast<unsigned long long>(-state.fail);
      Ptrace(PTRACE_SETREGS, thread, 0,
             reinterpret_cast<uintptr_t>(&registers));
    }
    state.fail = 0;
  }
  if (state.renamed) programs_.erase(state.process);
  state.renamed = false;
  Resume(thread);
}

}  // namespace

TraceResult RunTraced(const TraceOptions& options) {
  return Tracer(options).Run();
}

void MarkPhase(int phase) {
  syscall(SYS_prctl, kMark, static_cast<unsigned long>(phase), 0, 0, 0);
}

std::string ReadTraceeString(pid_t thread, uint64_t address, size_t size) {
  std::string text;
  char block[256];
  while (text.size() < size) {
    // Not beyond the page: the next one may not be there.
    const size_t room = 4096 - (address + text.size()) % 4096;
    const size_t want = std::min(sizeof block, room);
    struct iovec local = {block, want};
    struct iovec remote = {reinterpret_cast<void*>(address + text.size()),
                           want};
    const ssize_t n = process_vm_readv(thread, &local, 1, &remote, 1, 0);
    if (n <= 0) break;
    const size_t end = absl::string_view(block, n).find('\0');
    text.append(block, end == absl::string_view::npos ? n : end);
    if (end != absl::string_view::npos) break;
  }
  return text;
}

}  // namespace containerkit::testing
