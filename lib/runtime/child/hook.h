// Programs that the helper runs for the host: hooks, newuidmap.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_HOOK_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_HOOK_H_

#include <stdint.h>

#include "lib/runtime/child/wire_reader.h"

namespace containerkit::runtime::child {

// Runs a Hook or ChildHook step: the state on stdin, cwd "/", exactly the
// given environment (an image's LD_PRELOAD must not reach the host's
// programs), no other descriptor. Failures: call "exit" with the exit status
// as errno, "signal" with the signal's number, "timeout" with ETIMEDOUT; the
// subject has path and the first line that it printed.
long StepHook(FieldReader fields, int pid);

// Runs a program to its end; argv and envp are null-terminated. stdin_fd -1:
// /dev/null. timeout_ms < 0: none. Same failures as StepHook.
long RunProgram(const char* path, const char* const* argv,
                const char* const* envp, int stdin_fd, int64_t timeout_ms);

// A null-terminated array of the list's strings, in pages that the caller
// frees (FreePages with *size), or null.
const char** MakeVector(List list, size_t* size);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_HOOK_H_
