#include "lib/runtime/seccomp_profile.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_simulator.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {
namespace {

constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;

SeccompConditions Conditions(CapabilityMask mask) {
  return {mask, {6, 1}, SeccompArch::kX86_64};
}

uint32_t Default(const char* name, uint64_t arg0 = 0,
                 CapabilityMask mask = kDefaultCapabilities,
                 SeccompArch arch = SeccompArch::kX86_64) {
  const auto program = DefaultSeccompProgram(Conditions(mask));
  EXPECT_TRUE(program.ok()) << program.status();
  seccomp_data call = {};
  call.arch = AuditArch(arch);
  call.nr = static_cast<int>(*SyscallNumber(arch, name));
  call.args[0] = arg0;
  return *SimulateSeccomp((*program)->program, call);
}

TEST(SeccompProfileTest, HasAsManyNamesAsDockers) {
  const oci::Seccomp profile =
      DefaultSeccompProfile(Conditions(kDefaultCapabilities));
  ASSERT_FALSE(profile.syscalls.empty());
  EXPECT_EQ(profile.syscalls[0].names.size(), 361u);
  std::set<std::string> names;
  for (const oci::SeccompRule& rule : profile.syscalls) {
    if (rule.action != "SCMP_ACT_ALLOW") continue;
    names.insert(rule.names.begin(), rule.names.end());
  }
  // security.md, section 2: 370 names on amd64 with the default
  // capabilities, clone3 (which is answered ENOSYS) among them.
  EXPECT_EQ(names.size() + 1, 371u);
  std::set<std::string> all;
  for (const oci::SeccompRule& rule :
       DefaultSeccompProfile(Conditions(kAllCapabilities)).syscalls) {
    all.insert(rule.names.begin(), rule.names.end());
  }
  EXPECT_GT(all.size(), names.size());
}

TEST(SeccompProfileTest, DangerousCallsNeedTheirCapability) {
  for (const char* name : {"mount",
                           "umount2",
                           "bpf",
                           "unshare",
                           "setns",
                           "open_tree",
                           "fsopen",
                           "perf_event_open",
                           "keyctl",
                           "add_key",
                           "request_key",
                           "io_uring_setup",
                           "io_uring_enter",
                           "io_uring_register",
                           "userfaultfd",
                           "kexec_load",
                           "init_module",
                           "reboot",
                           "swapon",
                           "settimeofday",
                           "acct",
                           "iopl",
                           "open_by_handle_at"}) {
    EXPECT_EQ(Default(name), kEperm) << name;
  }
  for (const char* name : {"mount", "bpf", "unshare", "setns", "reboot",
                           "init_module", "iopl", "clone3"}) {
    EXPECT_EQ(Default(name, 0, kAllCapabilities), SECCOMP_RET_ALLOW) << name;
  }
  // Nobody may have these.
  EXPECT_EQ(Default("keyctl", 0, kAllCapabilities), kEperm);
  EXPECT_EQ(Default("io_uring_setup", 0, kAllCapabilities), kEperm);
}

TEST(SeccompProfileTest, CloneMakesNoNamespaces) {
  constexpr uint64_t kNewUser = 0x10000000;
  EXPECT_EQ(Default("clone", 0x01200011), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Default("clone", kNewUser), kEperm);
  EXPECT_EQ(Default("clone", kNewUser, kAllCapabilities), SECCOMP_RET_ALLOW);
  // libc falls back to clone.
  EXPECT_EQ(Default("clone3"), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(SeccompProfileTest, SocketFamiliesAlgAndVsockAreDenied) {
  for (const SeccompArch arch :
       {SeccompArch::kX86_64, SeccompArch::kI386, SeccompArch::kX32}) {
    for (const uint64_t family : {0, 1, 2, 10, 16, 17, 37, 39, 41, 44}) {
      EXPECT_EQ(Default("socket", family, kDefaultCapabilities, arch),
                SECCOMP_RET_ALLOW)
          << family;
    }
    EXPECT_EQ(Default("socket", 38, kAllCapabilities, arch), kEperm);
    EXPECT_EQ(Default("socket", 40, kAllCapabilities, arch), kEperm);
  }
}

TEST(SeccompProfileTest, PtraceIsAllowedSinceKernel48) {
  EXPECT_EQ(Default("ptrace"), SECCOMP_RET_ALLOW);
  const oci::Seccomp old = DefaultSeccompProfile(
      {kDefaultCapabilities, {4, 7}, SeccompArch::kX86_64});
  for (const oci::SeccompRule& rule : old.syscalls) {
    for (const std::string& name : rule.names) EXPECT_NE(name, "ptrace");
  }
}

TEST(SeccompProfileTest, CompilesOncePerSetOfCapabilities) {
  const auto first = DefaultSeccompProgram(Conditions(kDefaultCapabilities));
  const auto second = DefaultSeccompProgram(Conditions(kDefaultCapabilities));
  const auto other = DefaultSeccompProgram(Conditions(0));
  ASSERT_TRUE(first.ok() && second.ok() && other.ok());
  EXPECT_EQ(first->get(), second->get());
  EXPECT_NE(first->get(), other->get());
}

TEST(SeccompProfileTest, EveryNameOfTheDefaultProfileIsOne) {
  const std::set<std::string> foreign = {
      // Of other architectures or long gone; the profile has them for those.
      "epoll_ctl_old", "epoll_wait_old", "getsid",
      "recv",          "send",           "riscv_hwprobe"};
  for (const oci::SeccompRule& rule :
       DefaultSeccompProfile(Conditions(kAllCapabilities)).syscalls) {
    for (const std::string& name : rule.names) {
      EXPECT_TRUE(IsKnownSyscall(name) || foreign.count(name) > 0) << name;
    }
  }
}

TEST(SeccompProfileTest, ReadsDockersFormat) {
  constexpr char kProfile[] = R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13,
    "archMap": [
      {"architecture": "SCMP_ARCH_X86_64",
       "subArchitectures": ["SCMP_ARCH_X86"]},
      {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}],
    "syscalls": [
      {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
      {"name": "write", "action": "SCMP_ACT_ALLOW", "args": []},
      {"names": ["mount"], "action": "SCMP_ACT_ALLOW",
       "includes": {"caps": ["CAP_SYS_ADMIN"]}},
      {"names": ["reboot"], "action": "SCMP_ACT_ALLOW",
       "excludes": {"caps": ["CAP_CHOWN"]}},
      {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW",
       "includes": {"minKernel": "4.8"}},
      {"names": ["bpf"], "action": "SCMP_ACT_ALLOW",
       "includes": {"minKernel": "6.2"}},
      {"names": ["iopl"], "action": "SCMP_ACT_ALLOW",
       "includes": {"arches": ["s390x"]}},
      {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
       "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
    ]})";
  const auto profile =
      ParseSeccompProfile(kProfile, Conditions(kDefaultCapabilities));
  ASSERT_TRUE(profile.ok()) << profile.status();
  std::vector<std::string> names;
  for (const oci::SeccompRule& rule : profile->syscalls) {
    names.insert(names.end(), rule.names.begin(), rule.names.end());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"read", "write", "ptrace", "socket"}));
  EXPECT_EQ(profile->default_errno_ret, 13u);
  EXPECT_EQ(profile->architectures,
            (std::vector<std::string>{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}));
  const auto admin = ParseSeccompProfile(kProfile, Conditions(1 << 21));
  ASSERT_TRUE(admin.ok());
  EXPECT_EQ(admin->syscalls.size(), 6u);
}

TEST(SeccompProfileTest, BadProfilesAreRefused) {
  const SeccompConditions conditions = Conditions(0);
  for (const char* json :
       {"", "[]", "{}", R"({"defaultAction": 3})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"]}]})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],
            "name":"b","action":"SCMP_ACT_ALLOW"}]})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],
            "action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_FLY"]}}]})",
        R"({"defaultAction":"SCMP_ACT_ALLOW",
            "architectures":["SCMP_ARCH_X86"],"archMap":[]})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],
            "action":"SCMP_ACT_ALLOW","args":[{"index":9,"value":0,
            "op":"SCMP_CMP_EQ"}]}]})"}) {
    const auto profile = ParseSeccompProfile(json, conditions);
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument)
        << json;
    const Reason reason = GetReason(profile.status());
    EXPECT_TRUE(reason == Reason::kInvalidJson ||
                reason == Reason::kSeccompInvalid)
        << json << profile.status();
  }
}

// The kernel's own checker takes the program, and the filter does what the
// simulator says.
TEST(SeccompProfileTest, TheKernelLoadsIt) {
  const auto program = DefaultSeccompProgram(Conditions(kDefaultCapabilities));
  ASSERT_TRUE(program.ok());
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    std::vector<sock_filter> insns((*program)->program.size() /
                                   sizeof(sock_filter));
    std::memcpy(insns.data(), (*program)->program.data(),
                (*program)->program.size());
    sock_fprog filter = {static_cast<unsigned short>(insns.size()),
                         insns.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(10);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
      _exit(11);
    }
    if (syscall(SYS_getpid) < 0) _exit(12);
    if (syscall(SYS_unshare, 0x10000000) != -1 || errno != EPERM) _exit(13);
    if (syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) _exit(14);
    if (syscall(1000) != -1 || errno != ENOSYS) _exit(15);
    if (syscall(SYS_socket, 38, 5, 0) != -1 || errno != EPERM) _exit(16);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace containerkit::runtime
