// Seccomp rules -> a classic BPF program.
//
// What a rule list means, for a call with number N of architecture A:
//   1. the first rule that names N, has arguments, and all of them match;
//   2. else the first rule that names N and has no arguments;
//   3. else, if N is higher than every number of A that the rules name and the
//      default action is a denial: ENOSYS, so that programs fall back as on a
//      kernel without the call (not EPERM, which they report);
//   4. else the default action.
// A rule with several conditions on one argument stands for one rule for each
// of them (as runc does). Calls of architectures that are not listed kill the
// thread. Names that no architecture has are ignored (they are newer than us).
// x32 counts where x86_64 does: its calls below 512 have x86_64's numbers, or
// are none (arch/x86/entry/syscalls/syscall_64.tbl), and get their verdicts.
//
// The program is a binary search over merged ranges of equal verdicts, so
// loading costs tens of microseconds and a call few instructions.
#ifndef CONTAINERKIT_LIB_RUNTIME_SECCOMP_COMPILER_H_
#define CONTAINERKIT_LIB_RUNTIME_SECCOMP_COMPILER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {

struct SeccompProgram {
  std::string program;  // array of struct sock_filter
  uint64_t flags = 0;   // SECCOMP_FILTER_FLAG_*
  // Some rule notifies: the filter needs a listener.
  bool notify = false;
  std::string listener_path;
  std::string listener_metadata;
};

// Compiles `seccomp` for a kernel of architecture `native`. Not for
// `builtin_profile` (see seccomp_profile.h).
//
// Trust: rules may be hostile; the program is at most BPF_MAXINSNS long.
// Errors: INVALID_ARGUMENT / kSeccompInvalid, naming the rule.
absl::StatusOr<SeccompProgram> CompileSeccomp(
    const oci::Seccomp& seccomp, SeccompArch native = kNativeSeccompArch);

// SECCOMP_RET_* of an action name ("SCMP_ACT_ERRNO") with its errno (absent:
// EPERM where one is used).
// Errors: INVALID_ARGUMENT / kSeccompInvalid for unknown actions, and for an
//         errno where the action has none.
absl::StatusOr<uint32_t> SeccompActionValue(absl::string_view action,
                                            std::optional<uint32_t> errno_ret);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SECCOMP_COMPILER_H_
