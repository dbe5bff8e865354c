#include "lib/runtime/seccomp_compiler.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/seccomp_profile.h"
#include "lib/runtime/seccomp_simulator.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {
namespace {

constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

struct Abi {
  uint32_t arch;
  uint32_t base;
  SeccompArch kind;
};
constexpr Abi kAbis[] = {
    {AUDIT_ARCH_X86_64, 0, SeccompArch::kX86_64},
    {AUDIT_ARCH_I386, 0, SeccompArch::kI386},
    {AUDIT_ARCH_X86_64, kX32Bit, SeccompArch::kX32},
};

seccomp_data Call(const Abi& abi, uint32_t number, uint64_t arg0 = 0,
                  uint64_t arg1 = 0) {
  seccomp_data call = {};
  call.arch = abi.arch;
  call.nr = static_cast<int>(number + abi.base);
  call.args[0] = arg0;
  call.args[1] = arg1;
  return call;
}

// Values around every constant of the rules, and those that confuse halves.
std::set<uint64_t> Edges(const oci::Seccomp& seccomp) {
  std::set<uint64_t> out = {
      0, 1, ~uint64_t{0}, uint64_t{1} << 32, 0xffffffff, uint64_t{1} << 63};
  for (const oci::SeccompRule& rule : seccomp.syscalls) {
    for (const oci::SeccompArg& arg : rule.args) {
      for (const uint64_t value : {arg.value, arg.value_two, ~arg.value}) {
        for (const uint64_t edge :
             {value - 1, value, value + 1, value | uint64_t{1} << 32,
              value | uint64_t{1} << 63}) {
          out.insert(edge);
        }
      }
    }
  }
  return out;
}

// Every number of every ABI, and every edge for the calls with arguments.
void ExpectEqualEverywhere(const oci::Seccomp& seccomp) {
  const auto compiled = CompileSeccomp(seccomp, SeccompArch::kX86_64);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const SeccompEvaluator evaluator(seccomp, SeccompArch::kX86_64);
  const std::set<uint64_t> edges = Edges(seccomp);
  // The second argument's edges only where some rule asks for it.
  std::set<uint64_t> second = {0, ~uint64_t{0}};
  for (const oci::SeccompRule& rule : seccomp.syscalls) {
    for (const oci::SeccompArg& arg : rule.args) {
      if (arg.index == 1) second = edges;
    }
  }
  const auto check = [&](const seccomp_data& call) {
    const auto got = SimulateSeccomp(compiled->program, call);
    ASSERT_TRUE(got.has_value());
    ASSERT_EQ(*got, evaluator.Evaluate(call))
        << "arch " << std::hex << call.arch << " nr " << call.nr << " args "
        << call.args[0] << " " << call.args[1];
  };
  constexpr uint32_t kNumbers = 600;
  for (const Abi& abi : kAbis) {
    for (uint32_t number = 0; number < kNumbers; ++number) {
      check(Call(abi, number));
      check(Call(abi, number, ~uint64_t{0}, ~uint64_t{0}));
    }
    std::set<uint32_t> with_args;
    for (const oci::SeccompRule& rule : seccomp.syscalls) {
      for (const std::string& name : rule.names) {
        const auto number = SyscallNumber(abi.kind, name);
        if (number.has_value() &&
            (!rule.args.empty() || name == "ipc" || name == "socketcall")) {
          with_args.insert(*number - abi.base);
        }
      }
    }
    for (const uint32_t number : with_args) {
      for (const uint64_t a : edges) {
        for (const uint64_t b : second) check(Call(abi, number, a, b));
      }
    }
  }
  for (const uint32_t number : {0xffffffffu, 0x7fffffffu, 0x3fffffffu}) {
    check(Call(kAbis[0], number));
    check(Call(kAbis[1], number));
  }
  seccomp_data foreign = Call(kAbis[0], 0);
  foreign.arch = AUDIT_ARCH_AARCH64;
  check(foreign);
}

oci::SeccompRule Rule(std::vector<std::string> names, std::string action,
                      std::vector<oci::SeccompArg> args = {}) {
  oci::SeccompRule rule;
  rule.names = std::move(names);
  rule.action = std::move(action);
  rule.args = std::move(args);
  return rule;
}

oci::Seccomp AllowAllButRules() {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                           "SCMP_ARCH_X32"};
  return seccomp;
}

uint32_t Decide(const oci::Seccomp& seccomp, const seccomp_data& call) {
  const auto compiled = CompileSeccomp(seccomp, SeccompArch::kX86_64);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  if (!compiled.ok()) return 0;
  return SimulateSeccomp(compiled->program, call).value_or(0xdead);
}

TEST(SeccompCompilerTest, DefaultProfileIsWhatItsRulesSay) {
  for (const CapabilityMask mask :
       {kDefaultCapabilities, kAllCapabilities, CapabilityMask{0}}) {
    ExpectEqualEverywhere(
        DefaultSeccompProfile({mask, {6, 1}, SeccompArch::kX86_64}));
  }
}

TEST(SeccompCompilerTest, DefaultProfileIsSmall) {
  const auto compiled = CompileSeccomp(DefaultSeccompProfile(
      {kDefaultCapabilities, {6, 1}, SeccompArch::kX86_64}));
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  // Three ABIs; libseccomp needs more than a thousand.
  EXPECT_LT(compiled->program.size() / sizeof(sock_filter), 200u);
}

// What lets both share one table.
TEST(SeccompCompilerTest, X32HasNumbersOfX8664OrItsOwnFrom512On) {
  const oci::Seccomp profile =
      DefaultSeccompProfile({kAllCapabilities, {6, 18}, SeccompArch::kX86_64});
  int shared = 0;
  for (const std::string& name : profile.syscalls[0].names) {
    const auto x32 = SyscallNumber(SeccompArch::kX32, name);
    if (!x32.has_value()) continue;
    const uint32_t number = *x32 - kX32Bit;
    if (number >= kFirstX32Call) continue;
    EXPECT_EQ(SyscallNumber(SeccompArch::kX86_64, name), number) << name;
    ++shared;
  }
  EXPECT_GT(shared, 200);
}

TEST(SeccompCompilerTest, X32WithoutX8664IsAForeignArchitecture) {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.architectures = {"SCMP_ARCH_X32"};
  const auto compiled = CompileSeccomp(seccomp, SeccompArch::kAarch64);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const SeccompEvaluator evaluator(seccomp, SeccompArch::kAarch64);
  for (const uint32_t number : {0u, 1u, kFirstX32Call}) {
    const seccomp_data call = Call(kAbis[2], number);
    EXPECT_EQ(SimulateSeccomp(compiled->program, call),
              SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(evaluator.Evaluate(call), SECCOMP_RET_KILL_THREAD);
  }
}

TEST(SeccompCompilerTest, EachComparisonHoldsOnBothHalvesOfAnArgument) {
  for (const char* op :
       {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ",
        "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}) {
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{5}, uint64_t{0x500000000},
          uint64_t{0x500000005}, ~uint64_t{0}}) {
      oci::Seccomp seccomp = AllowAllButRules();
      seccomp.syscalls.push_back(Rule({"mkdir"}, "SCMP_ACT_ERRNO",
                                      {{0, value, value & 0x100000001, op}}));
      ExpectEqualEverywhere(seccomp);
    }
  }
}

TEST(SeccompCompilerTest, AllArgumentsOfARuleMustMatch) {
  oci::Seccomp seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(
      Rule({"socket"}, "SCMP_ACT_ERRNO",
           {{0, 16, 0, "SCMP_CMP_EQ"}, {1, 9, 0, "SCMP_CMP_EQ"}}));
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 16, 9)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 16, 8)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 15, 9)), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompilerTest, ConditionsOnOneArgumentAreAlternatives) {
  oci::Seccomp seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(
      Rule({"socket"}, "SCMP_ACT_ERRNO",
           {{0, 38, 0, "SCMP_CMP_EQ"}, {0, 40, 0, "SCMP_CMP_EQ"}}));
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 38)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 40)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 41, 39)), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompilerTest, NewerCallsAreUnknownRatherThanForbidden) {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_ERRNO";
  seccomp.syscalls.push_back(Rule({"read", "openat2"}, "SCMP_ACT_ALLOW"));
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 0)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 1)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 437)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 438)), kEnosys);
}

TEST(SeccompCompilerTest, ArchitecturesThatAreNotListedKill) {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_ALLOW";
  EXPECT_EQ(Decide(seccomp, Call(kAbis[0], 0)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], 0)), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[2], 0)), SECCOMP_RET_KILL_THREAD);
}

TEST(SeccompCompilerTest, MultiplexersOfI386AreCovered) {
  oci::Seccomp seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(Rule({"connect", "shmat"}, "SCMP_ACT_ERRNO"));
  constexpr uint32_t kSocketcall = 102;
  constexpr uint32_t kIpc = 117;
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], kSocketcall, 3)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], kSocketcall, 2)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], kIpc, 21)), kEperm);
  // The upper half of the call's number is a version.
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], kIpc, 0x10015)), kEperm);
  EXPECT_EQ(Decide(seccomp, Call(kAbis[1], kIpc, 22)), SECCOMP_RET_ALLOW);
}

TEST(SeccompCompilerTest, RandomRulesCompileToWhatTheySay) {
  std::mt19937 random(7);
  const std::vector<std::string> names = {
      "read",   "write",  "openat", "clone", "socket",  "connect",
      "ipc",    "semop",  "mount",  "mseal", "_llseek", "preadv",
      "ptrace", "execve", "stat",   "ioctl", "time",    "socketcall"};
  const std::vector<std::string> actions = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",
                                            "SCMP_ACT_LOG", "SCMP_ACT_TRAP",
                                            "SCMP_ACT_KILL_PROCESS"};
  const std::vector<std::string> ops = {
      "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
      "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  for (int round = 0; round < 12; ++round) {
    oci::Seccomp seccomp = AllowAllButRules();
    seccomp.default_action = pick(actions);
    for (int i = 0; i < 10; ++i) {
      std::vector<oci::SeccompArg> args;
      for (unsigned n = random() % 3; n > 0; --n) {
        const uint64_t mask = random() % 16;
        args.push_back({static_cast<uint32_t>(random() % 2), mask,
                        mask & random(), pick(ops)});
      }
      seccomp.syscalls.push_back(
          Rule({pick(names), pick(names)}, pick(actions), args));
    }
    ExpectEqualEverywhere(seccomp);
  }
}

TEST(SeccompCompilerTest, ManyRulesNeedLongJumps) {
  oci::Seccomp seccomp = AllowAllButRules();
  for (uint64_t i = 0; i < 150; ++i) {
    seccomp.syscalls.push_back(
        Rule({"ioctl"}, "SCMP_ACT_ERRNO", {{1, i * 3, 0, "SCMP_CMP_EQ"}}));
    seccomp.syscalls.back().errno_ret = static_cast<uint32_t>(i % 40);
  }
  const auto compiled = CompileSeccomp(seccomp, SeccompArch::kX86_64);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  const SeccompEvaluator evaluator(seccomp, SeccompArch::kX86_64);
  for (const Abi& abi : kAbis) {
    const auto number = SyscallNumber(abi.kind, "ioctl");
    for (uint64_t value = 0; value < 460; ++value) {
      const seccomp_data call = Call(abi, *number - abi.base, 0, value);
      ASSERT_EQ(SimulateSeccomp(compiled->program, call),
                evaluator.Evaluate(call));
    }
  }
}

TEST(SeccompCompilerTest, BadRulesAreNamed) {
  const auto reason = [](const oci::Seccomp& seccomp) {
    const auto compiled = CompileSeccomp(seccomp);
    EXPECT_EQ(compiled.status().code(), absl::StatusCode::kInvalidArgument);
    return GetReason(compiled.status());
  };
  oci::Seccomp seccomp = AllowAllButRules();
  seccomp.default_action = "SCMP_ACT_NONSENSE";
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp.default_action = "SCMP_ACT_NOTIFY";
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(Rule({"write"}, "SCMP_ACT_NOTIFY"));
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(
      Rule({"read"}, "SCMP_ACT_ERRNO", {{6, 0, 0, "SCMP_CMP_EQ"}}));
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(
      Rule({"read"}, "SCMP_ACT_ERRNO", {{0, 0, 0, "SCMP_CMP_LIKE"}}));
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.flags = {"SECCOMP_FILTER_FLAG_FASTER"};
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.architectures = {"SCMP_ARCH_PDP11"};
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
  seccomp = AllowAllButRules();
  seccomp.syscalls.push_back(Rule({"read"}, "SCMP_ACT_KILL"));
  seccomp.syscalls[0].errno_ret = 5;
  EXPECT_EQ(reason(seccomp), Reason::kSeccompInvalid);
}

TEST(SeccompCompilerTest, TooManyRulesAreRefused) {
  oci::Seccomp seccomp = AllowAllButRules();
  for (uint64_t i = 0; i < 3000; ++i) {
    seccomp.syscalls.push_back(
        Rule({"ioctl"}, "SCMP_ACT_ERRNO", {{1, i * 3, 0, "SCMP_CMP_EQ"}}));
  }
  const auto compiled = CompileSeccomp(seccomp);
  EXPECT_EQ(GetReason(compiled.status()), Reason::kSeccompInvalid);
}

TEST(SeccompCompilerTest, NotifyAsksForAListener) {
  oci::Seccomp seccomp = AllowAllButRules();
  seccomp.listener_path = "/run/agent";
  seccomp.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"};
  seccomp.syscalls.push_back(Rule({"mknod"}, "SCMP_ACT_NOTIFY"));
  const auto compiled = CompileSeccomp(seccomp);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_TRUE(compiled->notify);
  EXPECT_EQ(compiled->flags, uint64_t{SECCOMP_FILTER_FLAG_LOG |
                                      SECCOMP_FILTER_FLAG_NEW_LISTENER});
  EXPECT_EQ(compiled->listener_path, "/run/agent");
}

}  // namespace
}  // namespace containerkit::runtime
