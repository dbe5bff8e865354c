#include "lib/runtime/seccomp_simulator.h"

#include <linux/audit.h>
#include <linux/filter.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {
namespace {

sock_filter Instruction(absl::string_view program, size_t index) {
  sock_filter insn;
  std::memcpy(&insn, program.data() + index * sizeof insn, sizeof insn);
  return insn;
}

bool Jump(const sock_filter& insn, uint32_t a) {
  switch (BPF_OP(insn.code)) {
    case BPF_JEQ:
      return a == insn.k;
    case BPF_JGT:
      return a > insn.k;
    case BPF_JGE:
      return a >= insn.k;
    default:
      return (a & insn.k) != 0;
  }
}

uint32_t ErrnoOf(std::optional<uint32_t> errno_ret) {
  return errno_ret.value_or(EPERM);
}

uint32_t ActionOf(absl::string_view action, std::optional<uint32_t> errno_ret) {
  if (action == "SCMP_ACT_ALLOW") return SECCOMP_RET_ALLOW;
  if (action == "SCMP_ACT_ERRNO") return SECCOMP_RET_ERRNO | ErrnoOf(errno_ret);
  if (action == "SCMP_ACT_TRACE") return SECCOMP_RET_TRACE | ErrnoOf(errno_ret);
  if (action == "SCMP_ACT_TRAP") return SECCOMP_RET_TRAP;
  if (action == "SCMP_ACT_LOG") return SECCOMP_RET_LOG;
  if (action == "SCMP_ACT_NOTIFY") return SECCOMP_RET_USER_NOTIF;
  if (action == "SCMP_ACT_KILL_PROCESS") return SECCOMP_RET_KILL_PROCESS;
  return SECCOMP_RET_KILL_THREAD;
}

bool Holds(const oci::SeccompArg& arg, uint64_t value) {
  if (arg.op == "SCMP_CMP_EQ") return value == arg.value;
  if (arg.op == "SCMP_CMP_NE") return value != arg.value;
  if (arg.op == "SCMP_CMP_LT") return value < arg.value;
  if (arg.op == "SCMP_CMP_LE") return value <= arg.value;
  if (arg.op == "SCMP_CMP_GT") return value > arg.value;
  if (arg.op == "SCMP_CMP_GE") return value >= arg.value;
  return (value & arg.value) == arg.value_two;
}

bool ArgsMatch(const oci::SeccompRule& rule, const seccomp_data& call) {
  int seen[6] = {};
  bool repeated = false;
  for (const oci::SeccompArg& arg : rule.args) {
    repeated |= ++seen[arg.index] > 1;
  }
  const auto holds = [&](const oci::SeccompArg& arg) {
    return Holds(arg, call.args[arg.index]);
  };
  return repeated ? std::any_of(rule.args.begin(), rule.args.end(), holds)
                  : std::all_of(rule.args.begin(), rule.args.end(), holds);
}

bool ViaMatches(const Multiplexed& via, const seccomp_data& call) {
  const uint64_t mask = via.multiplexer == "ipc" ? 0xffff : ~uint64_t{0};
  return (call.args[0] & mask) == via.call;
}

}  // namespace

std::optional<uint32_t> SimulateSeccomp(absl::string_view program,
                                        const seccomp_data& call) {
  const size_t count = program.size() / sizeof(sock_filter);
  if (count == 0 || count > BPF_MAXINSNS) return std::nullopt;
  uint32_t a = 0;
  // Jumps only go forward, so this ends.
  for (size_t pc = 0; pc < count; ++pc) {
    const sock_filter insn = Instruction(program, pc);
    switch (BPF_CLASS(insn.code)) {
      case BPF_LD:
        if (insn.k % 4 != 0 || insn.k >= sizeof call) return std::nullopt;
        std::memcpy(&a, reinterpret_cast<const char*>(&call) + insn.k, 4);
        break;
      case BPF_ALU:
        if (BPF_OP(insn.code) != BPF_AND) return std::nullopt;
        a &= insn.k;
        break;
      case BPF_JMP:
        if (BPF_OP(insn.code) == BPF_JA) {
          pc += insn.k;
        } else {
          pc += Jump(insn, a) ? insn.jt : insn.jf;
        }
        break;
      case BPF_RET:
        return insn.k;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

SeccompEvaluator::SeccompEvaluator(const oci::Seccomp& seccomp,
                                   SeccompArch native)
    : seccomp_(seccomp) {
  arches_.push_back({native, {}});
  for (const std::string& name : seccomp.architectures) {
    const auto arch = SeccompArchOf(name);
    if (arch.has_value()) arches_.push_back({*arch, {}});
  }
  for (Arch& arch : arches_) {
    for (const oci::SeccompRule& rule : seccomp.syscalls) {
      for (const std::string& name : rule.names) {
        if (const auto number = SyscallNumber(arch.arch, name)) {
          arch.calls[*number].push_back({&rule, std::nullopt});
        }
        if (arch.arch != SeccompArch::kI386 || !rule.args.empty()) continue;
        if (const auto via = I386Multiplexed(name)) {
          arch.calls[*SyscallNumber(arch.arch, via->multiplexer)].push_back(
              {&rule, via});
        }
      }
    }
  }
}

uint32_t SeccompEvaluator::Evaluate(const seccomp_data& call) const {
  auto number = static_cast<uint32_t>(call.nr);
  const auto find = [&](bool x32) -> const Arch* {
    for (const Arch& arch : arches_) {
      if (AuditArch(arch.arch) == call.arch &&
          (arch.arch == SeccompArch::kX32) == x32) {
        return &arch;
      }
    }
    return nullptr;
  };
  const bool x32 = call.arch == AUDIT_ARCH_X86_64 && number >= kX32Bit;
  const Arch* arch = find(false);
  if (arch == nullptr || (x32 && find(true) == nullptr)) {
    return SECCOMP_RET_KILL_THREAD;
  }
  if (x32 && number >= kX32Bit + kFirstX32Call) {
    arch = find(true);
  } else if (x32) {
    number -= kX32Bit;
  }
  const oci::SeccompRule* plain = nullptr;
  const auto entries = arch->calls.find(number);
  if (entries != arch->calls.end()) {
    for (const Entry& entry : entries->second) {
      const oci::SeccompRule& rule = *entry.rule;
      if (rule.args.empty() && !entry.via.has_value()) {
        if (plain == nullptr) plain = &rule;
        continue;
      }
      const bool matches = entry.via.has_value() ? ViaMatches(*entry.via, call)
                                                 : ArgsMatch(rule, call);
      if (matches) return ActionOf(rule.action, rule.errno_ret);
    }
  }
  if (plain != nullptr) return ActionOf(plain->action, plain->errno_ret);
  const uint32_t other =
      ActionOf(seccomp_.default_action, seccomp_.default_errno_ret);
  const uint32_t kind = other & SECCOMP_RET_ACTION_FULL;
  const bool denies = kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG &&
                      kind != SECCOMP_RET_TRACE;
  if (denies && !arch->calls.empty() && number > arch->calls.rbegin()->first) {
    return SECCOMP_RET_ERRNO | ENOSYS;
  }
  return other;
}

}  // namespace containerkit::runtime
