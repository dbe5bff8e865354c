// System call names and numbers of the architectures that a filter may name.
#ifndef CONTAINERKIT_LIB_RUNTIME_SECCOMP_SYSCALLS_H_
#define CONTAINERKIT_LIB_RUNTIME_SECCOMP_SYSCALLS_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace containerkit::runtime {

enum class SeccompArch { kX86_64, kI386, kX32, kAarch64 };

// Set in the numbers of x32 calls (arch is AUDIT_ARCH_X86_64 for them).
inline constexpr uint32_t kX32Bit = 0x40000000;
// The first number that is x32's alone; those below are x86_64's.
inline constexpr uint32_t kFirstX32Call = 512;

// The architecture this was built for.
inline constexpr SeccompArch kNativeSeccompArch =
#if defined(__aarch64__)
    SeccompArch::kAarch64;
#else
    SeccompArch::kX86_64;
#endif

// The AUDIT_ARCH_* value in struct seccomp_data.
uint32_t AuditArch(SeccompArch arch);

// "SCMP_ARCH_X86_64" -> kX86_64; nullopt for those we have no numbers of.
std::optional<SeccompArch> SeccompArchOf(absl::string_view name);

// True for every SCMP_ARCH_* of the runtime spec, also foreign ones.
bool IsKnownSeccompArchName(absl::string_view name);

// The number of `name` on `arch`, kX32Bit included; nullopt when there is no
// such call (or we do not know it).
std::optional<uint32_t> SyscallNumber(SeccompArch arch, absl::string_view name);

// True if some architecture has the call.
bool IsKnownSyscall(absl::string_view name);

// i386 reaches these calls also through socketcall(2) and ipc(2): the
// multiplexer's name and the value of its first argument.
struct Multiplexed {
  absl::string_view multiplexer;
  uint32_t call;
};
std::optional<Multiplexed> I386Multiplexed(absl::string_view name);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SECCOMP_SYSCALLS_H_
