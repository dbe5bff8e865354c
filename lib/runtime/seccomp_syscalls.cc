#include "lib/runtime/seccomp_syscalls.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "absl/strings/string_view.h"

namespace containerkit::runtime {
namespace {

struct Row {
  absl::string_view name;
  // By SeccompArch; -1: not there.
  int16_t numbers[4];
};

constexpr Row kRows[] = {
#define CK_SYSCALL(name, x86_64, i386, x32, aarch64) \
  {#name, {x86_64, i386, x32, aarch64}},
#include "lib/runtime/seccomp_syscalls.inc"
#undef CK_SYSCALL
};

struct MultiplexedRow {
  absl::string_view name;
  Multiplexed value;
};

// By name, as the rows above.
constexpr MultiplexedRow kMultiplexed[] = {
    {"accept", {"socketcall", 5}},
    {"accept4", {"socketcall", 18}},
    {"bind", {"socketcall", 2}},
    {"connect", {"socketcall", 3}},
    {"getpeername", {"socketcall", 7}},
    {"getsockname", {"socketcall", 6}},
    {"getsockopt", {"socketcall", 15}},
    {"listen", {"socketcall", 4}},
    {"msgctl", {"ipc", 14}},
    {"msgget", {"ipc", 13}},
    {"msgrcv", {"ipc", 12}},
    {"msgsnd", {"ipc", 11}},
    {"recv", {"socketcall", 10}},
    {"recvfrom", {"socketcall", 12}},
    {"recvmmsg", {"socketcall", 19}},
    {"recvmsg", {"socketcall", 17}},
    {"semctl", {"ipc", 3}},
    {"semget", {"ipc", 2}},
    {"semop", {"ipc", 1}},
    {"semtimedop", {"ipc", 4}},
    {"send", {"socketcall", 9}},
    {"sendmmsg", {"socketcall", 20}},
    {"sendmsg", {"socketcall", 16}},
    {"sendto", {"socketcall", 11}},
    {"setsockopt", {"socketcall", 14}},
    {"shmat", {"ipc", 21}},
    {"shmctl", {"ipc", 24}},
    {"shmdt", {"ipc", 22}},
    {"shmget", {"ipc", 23}},
    {"shutdown", {"socketcall", 13}},
    {"socket", {"socketcall", 1}},
    {"socketpair", {"socketcall", 8}},
};

constexpr std::array<absl::string_view, 21> kArchNames = {
    "SCMP_ARCH_X86",      "SCMP_ARCH_X86_64",      "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",      "SCMP_ARCH_AARCH64",     "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",   "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",    "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",  "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
};

constexpr auto kByName = [](const auto& a, const auto& b) {
  return a.name < b.name;
};
static_assert(std::is_sorted(std::begin(kRows), std::end(kRows), kByName));
static_assert(std::is_sorted(std::begin(kMultiplexed), std::end(kMultiplexed),
                             kByName));

template <typename T, size_t kSize>
const T* Find(const T (&rows)[kSize], absl::string_view name) {
  const T* row = std::lower_bound(
      std::begin(rows), std::end(rows), name,
      [](const T& a, absl::string_view b) { return a.name < b; });
  return row != std::end(rows) && row->name == name ? row : nullptr;
}

}  // namespace

uint32_t AuditArch(SeccompArch arch) {
  switch (arch) {
    case SeccompArch::kX86_64:
    case SeccompArch::kX32:
      return AUDIT_ARCH_X86_64;
    case SeccompArch::kI386:
      return AUDIT_ARCH_I386;
    case SeccompArch::kAarch64:
      return AUDIT_ARCH_AARCH64;
  }
  return 0;
}

std::optional<SeccompArch> SeccompArchOf(absl::string_view name) {
  if (name == "SCMP_ARCH_X86_64") return SeccompArch::kX86_64;
  if (name == "SCMP_ARCH_X86") return SeccompArch::kI386;
  if (name == "SCMP_ARCH_X32") return SeccompArch::kX32;
  if (name == "SCMP_ARCH_AARCH64") return SeccompArch::kAarch64;
  return std::nullopt;
}

bool IsKnownSeccompArchName(absl::string_view name) {
  return std::find(kArchNames.begin(), kArchNames.end(), name) !=
         kArchNames.end();
}

std::optional<uint32_t> SyscallNumber(SeccompArch arch,
                                      absl::string_view name) {
  const Row* row = Find(kRows, name);
  if (row == nullptr) return std::nullopt;
  const int16_t number = row->numbers[static_cast<int>(arch)];
  if (number < 0) return std::nullopt;
  return static_cast<uint32_t>(number) |
         (arch == SeccompArch::kX32 ? kX32Bit : 0);
}

bool IsKnownSyscall(absl::string_view name) {
  return Find(kRows, name) != nullptr;
}

std::optional<Multiplexed> I386Multiplexed(absl::string_view name) {
  const MultiplexedRow* row = Find(kMultiplexed, name);
  return row != nullptr ? std::optional(row->value) : std::nullopt;
}

}  // namespace containerkit::runtime
