#include "lib/runtime/seccomp_syscalls.h"

#include <seccomp.h>

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace containerkit::runtime {
namespace {

constexpr const char* kNames[] = {
#define CK_SYSCALL(name, x86_64, i386, x32, aarch64) #name,
#include "lib/runtime/seccomp_syscalls.inc"
#undef CK_SYSCALL
};

struct Known {
  SeccompArch arch;
  uint32_t token;
};
constexpr Known kArches[] = {{SeccompArch::kX86_64, SCMP_ARCH_X86_64},
                             {SeccompArch::kI386, SCMP_ARCH_X86},
                             {SeccompArch::kX32, SCMP_ARCH_X32},
                             {SeccompArch::kAarch64, SCMP_ARCH_AARCH64}};

TEST(SeccompSyscallsTest, NumbersAreLibseccomps) {
  int compared = 0;
  for (const Known& known : kArches) {
    for (const char* name : kNames) {
      const int theirs = seccomp_syscall_resolve_name_arch(known.token, name);
      // Negative: not there, newer than the library, or multiplexed.
      if (theirs < 0) continue;
      const auto ours = SyscallNumber(known.arch, name);
      if (!ours.has_value()) continue;
      EXPECT_EQ(*ours, static_cast<uint32_t>(theirs)) << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 1300);
}

TEST(SeccompSyscallsTest, NothingThatLibseccompHasIsMissing) {
  for (const Known& known : kArches) {
    for (const char* name : kNames) {
      const int theirs = seccomp_syscall_resolve_name_arch(known.token, name);
      if (theirs < 0) continue;
      EXPECT_TRUE(SyscallNumber(known.arch, name).has_value())
          << name << " " << std::hex << known.token;
    }
  }
}

TEST(SeccompSyscallsTest, UnknownNamesHaveNoNumber) {
  EXPECT_FALSE(SyscallNumber(SeccompArch::kX86_64, "fly").has_value());
  EXPECT_FALSE(SyscallNumber(SeccompArch::kX86_64, "").has_value());
  EXPECT_FALSE(SyscallNumber(SeccompArch::kX86_64, "socketcall").has_value());
  EXPECT_FALSE(IsKnownSyscall("zzz"));
  EXPECT_TRUE(IsKnownSyscall("socketcall"));
}

TEST(SeccompSyscallsTest, X32NumbersCarryTheirBit) {
  EXPECT_EQ(SyscallNumber(SeccompArch::kX32, "read"), kX32Bit);
  EXPECT_EQ(SyscallNumber(SeccompArch::kX32, "rt_sigaction"), kX32Bit + 512);
}

}  // namespace
}  // namespace containerkit::runtime
