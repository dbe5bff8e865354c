#include "lib/sys/device_filter.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::sys {
namespace {

using Rules = std::vector<CgroupDeviceRule>;
constexpr auto kAny = std::nullopt;

struct Access {
  char type;
  uint32_t major, minor;
  uint32_t wanted;  // BPF_DEVCG_ACC_*
};

// The few instructions that the generator uses. -1: bad program.
int Simulate(const std::string& program, const Access& access) {
  std::vector<bpf_insn> insns(program.size() / sizeof(bpf_insn));
  std::memcpy(insns.data(), program.data(), program.size());
  bpf_cgroup_dev_ctx context = {};
  context.access_type =
      access.wanted << 16 |
      (access.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
  context.major = access.major;
  context.minor = access.minor;
  uint64_t r[11] = {};
  for (size_t pc = 0; pc < insns.size(); ++pc) {
    const bpf_insn& i = insns[pc];
    const auto k = static_cast<uint32_t>(i.imm);
    uint64_t& dst = r[i.dst_reg];
    switch (i.code) {
      case BPF_LDX | BPF_MEM | BPF_W: {
        uint32_t value;
        std::memcpy(&value, reinterpret_cast<char*>(&context) + i.off, 4);
        dst = value;
        break;
      }
      case BPF_ALU | BPF_MOV | BPF_X:
        dst = static_cast<uint32_t>(r[i.src_reg]);
        break;
      case BPF_ALU64 | BPF_MOV | BPF_K:
        dst = static_cast<uint64_t>(static_cast<int64_t>(i.imm));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        dst = static_cast<uint32_t>(dst) & k;
        break;
      case BPF_ALU | BPF_RSH | BPF_K:
        dst = static_cast<uint32_t>(dst) >> k;
        break;
      case BPF_JMP32 | BPF_JNE | BPF_K:
        if (static_cast<uint32_t>(dst) != k) pc += i.off;
        break;
      case BPF_JMP32 | BPF_JEQ | BPF_K:
        if (static_cast<uint32_t>(dst) == k) pc += i.off;
        break;
      case BPF_JMP | BPF_EXIT:
        return static_cast<int>(r[0]);
      default:
        return -1;
    }
  }
  return -1;
}

uint32_t Bits(const std::string& access) {
  uint32_t bits = 0;
  for (const char c : access) {
    bits |= c == 'r'   ? BPF_DEVCG_ACC_READ
            : c == 'w' ? BPF_DEVCG_ACC_WRITE
                       : BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

// The contract: for each right, the last rule about it decides.
int Evaluate(const Rules& rules, const Access& access) {
  for (const uint32_t right :
       {BPF_DEVCG_ACC_READ, BPF_DEVCG_ACC_WRITE, BPF_DEVCG_ACC_MKNOD}) {
    if ((access.wanted & right) == 0) continue;
    bool allowed = false;
    for (const CgroupDeviceRule& rule : rules) {
      if (rule.type != 'a' && rule.type != access.type) continue;
      if (rule.major.value_or(access.major) != access.major) continue;
      if (rule.minor.value_or(access.minor) != access.minor) continue;
      const uint32_t bits = rule.access.empty() ? 7 : Bits(rule.access);
      if ((bits & right) != 0) allowed = rule.allow;
    }
    if (!allowed) return 0;
  }
  return 1;
}

void ExpectEqual(const Rules& rules) {
  const std::string program = DeviceFilterProgram(rules);
  for (const char type : {'b', 'c'}) {
    for (uint32_t major = 0; major < 5; ++major) {
      for (uint32_t minor = 0; minor < 4; ++minor) {
        for (uint32_t wanted = 1; wanted < 8; ++wanted) {
          const Access access = {type, major, minor, wanted};
          ASSERT_EQ(Simulate(program, access), Evaluate(rules, access))
              << type << " " << major << ":" << minor << " " << wanted;
        }
      }
    }
  }
}

TEST(DeviceFilterTest, LastRuleDecides) {
  const CgroupDeviceRule deny = {false, 'a', kAny, kAny, "rwm"};
  const CgroupDeviceRule allow = {true, 'a', kAny, kAny, "rwm"};
  ExpectEqual({});
  ExpectEqual({deny});
  ExpectEqual({allow});
  ExpectEqual({deny, {true, 'c', 1, 3, "rwm"}});
  ExpectEqual({allow, {false, 'c', 1, 3, "w"}});
  ExpectEqual({deny, {true, 'c', 1, kAny, "rw"}, {false, 'c', 1, 2, "w"}});
  ExpectEqual({{true, 'c', 1, 3, "r"}, {true, 'c', kAny, 3, "w"}});
  ExpectEqual({deny, {true, 'a', 1, 1, "m"}, {false, 'b', kAny, kAny, ""}});
}

TEST(DeviceFilterTest, RandomRules) {
  std::mt19937 random(11);
  const std::vector<std::string> accesses = {"r",  "w",  "m",   "rw",
                                             "rm", "wm", "rwm", ""};
  for (int round = 0; round < 100; ++round) {
    Rules rules;
    for (unsigned n = random() % 8; n > 0; --n) {
      CgroupDeviceRule rule;
      rule.allow = random() % 2 == 0;
      rule.type = "abc"[random() % 3];
      if (random() % 2 == 0) rule.major = random() % 5;
      if (random() % 2 == 0) rule.minor = random() % 4;
      rule.access = accesses[random() % accesses.size()];
      rules.push_back(rule);
    }
    ExpectEqual(rules);
  }
}

TEST(DeviceFilterTest, BigNumbersAreComparedAsTheyAre) {
  const std::string program =
      DeviceFilterProgram({{true, 'c', 0xfffffff0, 0x80000000, "r"}});
  EXPECT_EQ(Simulate(program, {'c', 0xfffffff0, 0x80000000, 2}), 1);
  EXPECT_EQ(Simulate(program, {'c', 0xfffffff0, 0x80000001, 2}), 0);
}

TEST(DeviceFilterTest, KnowsWhenNothingIsForbidden) {
  const CgroupDeviceRule deny = {false, 'a', kAny, kAny, "rwm"};
  const CgroupDeviceRule allow = {true, 'a', kAny, kAny, "rwm"};
  EXPECT_FALSE(AllowsAllDevices({}));
  EXPECT_TRUE(AllowsAllDevices({deny, allow}));
  EXPECT_TRUE(AllowsAllDevices({allow, {true, 'c', 1, 3, "r"}}));
  EXPECT_FALSE(AllowsAllDevices({allow, {false, 'c', 1, 3, "r"}}));
}

TEST(DeviceFilterTest, TheKernelTakesThePrograms) {
  for (const Rules& rules : {Rules{}, Rules{{true, 'a', kAny, kAny, "rwm"}},
                             Rules{{false, 'a', kAny, kAny, "rwm"},
                                   {true, 'c', 1, 3, "rwm"},
                                   {false, 'b', 8, kAny, "w"},
                                   {true, 'a', kAny, 7, "m"}}}) {
    const std::string program = DeviceFilterProgram(rules);
    char log[8192] = "";
    bpf_attr attr = {};
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = reinterpret_cast<uint64_t>(program.data());
    attr.insn_cnt = program.size() / sizeof(bpf_insn);
    attr.license = reinterpret_cast<uint64_t>("Apache");
    attr.log_buf = reinterpret_cast<uint64_t>(log);
    attr.log_size = sizeof log;
    attr.log_level = 1;
    const long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    if (fd < 0 && (errno == EPERM || errno == ENOSYS)) {
      GTEST_SKIP() << "no permission to load BPF programs";
    }
    EXPECT_GE(fd, 0) << strerror(errno) << "\n" << log;
    if (fd >= 0) close(static_cast<int>(fd));
  }
}

}  // namespace
}  // namespace containerkit::sys
