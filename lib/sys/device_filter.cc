#include "lib/sys/device_filter.h"

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "lib/sys/cgroup_resources.h"

namespace containerkit::sys {
namespace {

// Registers: what they hold throughout.
constexpr uint8_t kResult = BPF_REG_0;
constexpr uint8_t kContext = BPF_REG_1;
constexpr uint8_t kType = BPF_REG_2;    // BPF_DEVCG_DEV_*
constexpr uint8_t kWanted = BPF_REG_3;  // BPF_DEVCG_ACC_* not yet allowed
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;

constexpr uint32_t kAllAccess =
    BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

uint32_t AccessBits(const CgroupDeviceRule& rule) {
  if (rule.access.empty()) return kAllAccess;
  uint32_t bits = 0;
  for (const char c : rule.access) {
    if (c == 'r') bits |= BPF_DEVCG_ACC_READ;
    if (c == 'w') bits |= BPF_DEVCG_ACC_WRITE;
    if (c == 'm') bits |= BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

bool IsEverything(const CgroupDeviceRule& rule) {
  return rule.type == 'a' && !rule.major.has_value() &&
         !rule.minor.has_value() && AccessBits(rule) == kAllAccess;
}

class Program {
 public:
  void Add(uint8_t code, uint8_t dst, uint8_t src, int16_t offset,
           int32_t immediate) {
    bpf_insn insn = {};
    insn.code = code;
    insn.dst_reg = dst;
    insn.src_reg = src;
    insn.off = offset;
    insn.imm = immediate;
    insns_.push_back(insn);
  }

  void Load(uint8_t dst, size_t offset) {
    Add(BPF_LDX | BPF_MEM | BPF_W, dst, kContext, static_cast<int16_t>(offset),
        0);
  }

  void Exit(int32_t result) {
    Add(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, result);
    Add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  std::string Bytes() const {
    std::string out(insns_.size() * sizeof(bpf_insn), '\0');
    std::memcpy(out.data(), insns_.data(), out.size());
    return out;
  }

 private:
  std::vector<bpf_insn> insns_;
};

// Skips `skip` instructions unless `reg` is `value`. Numbers of devices are
// compared as 32 bits, unsigned.
void SkipUnless(Program& program, uint8_t reg, uint32_t value, int16_t skip) {
  program.Add(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, skip,
              static_cast<int32_t>(value));
}

void AddRule(Program& program, const CgroupDeviceRule& rule) {
  const uint32_t access = AccessBits(rule);
  if (access == 0) return;
  // Instructions of the last part: what the rule does once it matches.
  constexpr int16_t kAllowLength = 4;
  constexpr int16_t kDenyLength = 5;
  const int16_t body = rule.allow ? kAllowLength : kDenyLength;
  int16_t checks = static_cast<int16_t>(
      (rule.type != 'a') + rule.major.has_value() + rule.minor.has_value());
  const auto skip = [&] { return static_cast<int16_t>(--checks + body); };
  if (rule.type != 'a') {
    SkipUnless(program, kType,
               rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
               skip());
  }
  if (rule.major.has_value()) {
    SkipUnless(program, kMajor, static_cast<uint32_t>(*rule.major), skip());
  }
  if (rule.minor.has_value()) {
    SkipUnless(program, kMinor, static_cast<uint32_t>(*rule.minor), skip());
  }
  if (rule.allow) {
    // wanted &= ~access; nothing left: allowed.
    program.Add(BPF_ALU | BPF_AND | BPF_K, kWanted, 0, 0,
                static_cast<int32_t>(~access & kAllAccess));
    program.Add(BPF_JMP32 | BPF_JNE | BPF_K, kWanted, 0, 2, 0);
    program.Exit(1);
    return;
  }
  // Some wanted right is denied: denied.
  program.Add(BPF_ALU | BPF_MOV | BPF_X, kResult, kWanted, 0, 0);
  program.Add(BPF_ALU | BPF_AND | BPF_K, kResult, 0, 0,
              static_cast<int32_t>(access));
  program.Add(BPF_JMP32 | BPF_JEQ | BPF_K, kResult, 0, 2, 0);
  program.Exit(0);
}

}  // namespace

std::string DeviceFilterProgram(const std::vector<CgroupDeviceRule>& rules) {
  Program program;
  program.Load(kType, offsetof(bpf_cgroup_dev_ctx, access_type));
  program.Add(BPF_ALU | BPF_MOV | BPF_X, kWanted, kType, 0, 0);
  program.Add(BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xffff);
  program.Add(BPF_ALU | BPF_RSH | BPF_K, kWanted, 0, 0, 16);
  program.Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
  program.Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
  // A later rule wins, so the last one is asked first.
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (IsEverything(*rule)) {
      // Every right is decided here; the verifier refuses dead code after it.
      program.Exit(rule->allow ? 1 : 0);
      return program.Bytes();
    }
    AddRule(program, *rule);
  }
  program.Exit(0);
  return program.Bytes();
}

bool AllowsAllDevices(const std::vector<CgroupDeviceRule>& rules) {
  bool all = false;
  for (const CgroupDeviceRule& rule : rules) {
    if (IsEverything(rule)) {
      all = rule.allow;
    } else if (!rule.allow) {
      all = false;
    }
  }
  return all;
}

}  // namespace containerkit::sys
