#include "lib/runtime/child/hook.h"

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

// What the program printed first, for the error message.
struct Output {
  char text[160];
  size_t size = 0;
};

void Collect(int fd, Output& output) {
  char chunk[512];
  for (;;) {
    const long n = Read(fd, chunk, sizeof chunk);
    if (n <= 0) return;
    size_t keep = sizeof output.text - 1 - output.size;
    if (keep > size_t(n)) keep = size_t(n);
    memcpy(output.text + output.size, chunk, keep);
    output.size += keep;
  }
}

[[noreturn]] void ExecProgram(const char* path, const char* const* argv,
                              const char* const* envp, int in, int out) {
  UnblockSignals();
  Sys(SYS_dup3, out, 1, 0);
  Sys(SYS_dup3, out, 2, 0);
  if (in >= 0) {
    Sys(SYS_dup3, in, 0, 0);
  } else {
    Sys(SYS_dup3, Open("/dev/null", O_RDONLY), 0, 0);
  }
  Sys(SYS_close_range, 3, ~0u, kCloseRangeCloexec);
  Sys(SYS_chdir, "/");
  const long result = Sys(SYS_execve, path, argv, envp);
  // The caller knows 127 and says so; the errno is more use than a message.
  Exit(result == -ENOENT ? 127 : 126);
}

// Waits for the program while its output is read.
long Await(int pidfd, int out, int64_t timeout_ms, Output& output, int* code) {
  const int64_t end = NowMonotonicNs() + timeout_ms * 1000000;
  bool timed_out = false;
  for (;;) {
    int64_t left = -1;
    if (timeout_ms >= 0) {
      left = (end - NowMonotonicNs()) / 1000000;
      if (left < 0) left = 0;
    }
    struct pollfd polls[2] = {{pidfd, POLLIN, 0}, {out, POLLIN, 0}};
    const long n = Poll(polls, out < 0 ? 1 : 2, left);
    if (n == 0) {
      timed_out = true;
      Sys(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
      break;
    }
    if (polls[1].revents != 0 && out >= 0) {
      Collect(out, output);
      if (polls[1].revents & POLLHUP) out = -1;
    }
    if (polls[0].revents != 0) break;
  }
  const long result = WaitPidfd(pidfd, 0, code);
  if (out >= 0) Collect(out, output);
  if (timed_out) return -ETIMEDOUT;
  return result;
}

void NoteFailure(long result, const char* call, const char* path,
                 Output& output) {
  char subject[220];
  Text text(subject, sizeof subject);
  text.Add(path);
  size_t line = 0;
  while (line < output.size && output.text[line] != '\n') ++line;
  if (line > 0) text.Add(": ").AddBytes(output.text, line);
  Fail(result, call, subject);
}

}  // namespace

const char** MakeVector(List list, size_t* size) {
  *size = (size_t{list.count} + 1) * sizeof(char*);
  auto** vector = static_cast<const char**>(AllocatePages(*size));
  if (vector == nullptr) return nullptr;
  size_t i = 0;
  while (list.count > 0) vector[i++] = list.Take().c_str();
  vector[i] = nullptr;
  return vector;
}

long RunProgram(const char* path, const char* const* argv,
                const char* const* envp, int stdin_fd, int64_t timeout_ms) {
  int out[2];
  long result = Sys(SYS_pipe2, out, O_CLOEXEC);
  if (result < 0) return Fail(result, "pipe2", path);
  Sys(SYS_fcntl, out[0], F_SETFL, O_NONBLOCK);
  int pidfd = -1;
  result = Fork(&pidfd);
  if (result == 0) ExecProgram(path, argv, envp, stdin_fd, out[1]);
  Close(out[1]);
  if (result < 0) {
    Close(out[0]);
    return Fail(result, "fork", path);
  }
  Output output;
  int code = 0;
  result = Await(pidfd, out[0], timeout_ms, output, &code);
  Close(out[0]);
  Close(pidfd);
  if (result == -ETIMEDOUT) {
    NoteFailure(result, "timeout", path, output);
  } else if (result < 0) {
    NoteFailure(result, "waitid", path, output);
  } else if (code > 128) {
    NoteFailure(result = -(code - 128), "signal", path, output);
  } else if (code != 0) {
    NoteFailure(result = -code, "exit", path, output);
  }
  return result;
}

long StepHook(FieldReader fields, int pid) {
  fields.S();  // kind
  const Str path = fields.S();
  const List argv_list = fields.L();
  const List env_list = fields.L();
  const uint64_t timeout_s = fields.U();
  const Str head = fields.S();
  const Str tail = fields.S();

  const long state = Sys(SYS_memfd_create, "state", 1 /* MFD_CLOEXEC */);
  if (state < 0) return Fail(state, "memfd_create", path);
  char number[24];
  Text pid_text(number, sizeof number);
  pid_text.AddInt(pid);
  long result = WriteAll(int(state), head.data, head.size);
  if (result == 0) result = WriteAll(int(state), number, pid_text.size());
  if (result == 0) result = WriteAll(int(state), tail.data, tail.size);
  Sys(SYS_lseek, state, 0, SEEK_SET);
  size_t argv_size = 0;
  size_t env_size = 0;
  const char** argv = MakeVector(argv_list, &argv_size);
  const char** env = MakeVector(env_list, &env_size);
  if (result == 0 && (argv == nullptr || env == nullptr)) result = -ENOMEM;
  if (result < 0) {
    Fail(result, "write", path);
  } else {
    const char* const alone[] = {path.c_str(), nullptr};
    result =
        RunProgram(path.c_str(), argv_list.count == 0 ? alone : argv, env,
                   int(state), timeout_s == 0 ? -1 : int64_t(timeout_s) * 1000);
  }
  FreePages(argv, argv_size);
  FreePages(env, env_size);
  Close(int(state));
  return result;
}

}  // namespace containerkit::runtime::child
