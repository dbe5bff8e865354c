#include "lib/runtime/seccomp_compiler.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/seccomp_syscalls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace containerkit::runtime {
namespace {

constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t kMaxErrno = 4095;
constexpr int kArgCount = 6;

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kSeccompInvalid, "seccomp.compile", message);
}

enum class Compare { kNe, kLt, kLe, kEq, kGe, kGt, kMaskedEq };

struct Condition {
  uint32_t index;
  Compare compare;
  uint64_t value;  // kMaskedEq: the mask
  uint64_t datum;  // kMaskedEq only

  friend bool operator==(const Condition&, const Condition&) = default;
};

// All conditions hold -> action.
struct ArgRule {
  std::vector<Condition> conditions;
  uint32_t action;

  friend bool operator==(const ArgRule&, const ArgRule&) = default;
};

// What becomes of one call.
struct Verdict {
  std::vector<ArgRule> rules;  // the first that matches
  uint32_t action;             // else

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct PendingVerdict {
  std::vector<ArgRule> rules;
  std::optional<uint32_t> action;
};

// Numbers from `start` to the next range's share a verdict, but for some.
struct Range {
  uint32_t start;
  Verdict verdict;
  std::vector<std::pair<uint32_t, Verdict>> exceptions;
};

std::optional<Compare> CompareOf(absl::string_view op) {
  if (op == "SCMP_CMP_NE") return Compare::kNe;
  if (op == "SCMP_CMP_LT") return Compare::kLt;
  if (op == "SCMP_CMP_LE") return Compare::kLe;
  if (op == "SCMP_CMP_EQ") return Compare::kEq;
  if (op == "SCMP_CMP_GE") return Compare::kGe;
  if (op == "SCMP_CMP_GT") return Compare::kGt;
  if (op == "SCMP_CMP_MASKED_EQ") return Compare::kMaskedEq;
  return std::nullopt;
}

absl::StatusOr<std::vector<Condition>> ConditionsOf(
    const oci::SeccompRule& rule) {
  std::vector<Condition> out;
  for (const oci::SeccompArg& arg : rule.args) {
    const std::optional<Compare> compare = CompareOf(arg.op);
    if (!compare.has_value()) {
      return Invalid(absl::StrCat("unknown comparison ", arg.op));
    }
    if (arg.index >= kArgCount) {
      return Invalid(absl::StrCat("argument index ", arg.index, " of ",
                                  rule.names.empty() ? "" : rule.names[0]));
    }
    out.push_back({arg.index, *compare, arg.value,
                   *compare == Compare::kMaskedEq ? arg.value_two : 0});
  }
  return out;
}

// The alternatives that a rule's conditions stand for.
std::vector<std::vector<Condition>> Alternatives(
    std::vector<Condition> conditions) {
  std::array<int, kArgCount> count{};
  bool repeated = false;
  for (const Condition& condition : conditions) {
    repeated |= ++count[condition.index] > 1;
  }
  if (!repeated) return {std::move(conditions)};
  std::vector<std::vector<Condition>> out;
  for (const Condition& condition : conditions) out.push_back({condition});
  return out;
}

// The rules of one architecture, by number.
class RuleTable {
 public:
  RuleTable(SeccompArch arch, uint32_t default_action)
      : arch_(arch), default_(default_action) {}

  void AddRule(const oci::SeccompRule& rule,
               const std::vector<Condition>& conditions, uint32_t action) {
    for (const std::string& name : rule.names) {
      if (const std::optional<uint32_t> number = SyscallNumber(arch_, name)) {
        Add(*number, conditions, action);
      }
      if (arch_ != SeccompArch::kI386 || !conditions.empty()) continue;
      if (const std::optional<Multiplexed> via = I386Multiplexed(name)) {
        const Condition call =
            via->multiplexer == "ipc"
                ? Condition{0, Compare::kMaskedEq, 0xffff, via->call}
                : Condition{0, Compare::kEq, via->call, 0};
        Add(*SyscallNumber(arch_, via->multiplexer), {call}, action);
      }
    }
  }

  // Sorted, covering everything from `first` on, neighbours different.
  std::vector<Range> Ranges(uint32_t first) const {
    std::vector<Range> out;
    const Verdict other{{}, default_};
    uint32_t next = first;
    for (const auto& [number, pending] : calls_) {
      if (number < first) continue;
      if (number > next) Append(out, next, other);
      Append(out, number, Final(pending));
      next = number + 1;
    }
    Append(out, next, Verdict{{}, HigherAction()});
    return out;
  }

 private:
  void Add(uint32_t number, const std::vector<Condition>& conditions,
           uint32_t action) {
    PendingVerdict& call = calls_[number];
    if (conditions.empty()) {
      if (!call.action.has_value()) call.action = action;
      return;
    }
    for (std::vector<Condition>& all : Alternatives(conditions)) {
      call.rules.push_back({std::move(all), action});
    }
  }

  // Rules that end as the fall-through does are dropped from the end on.
  Verdict Final(const PendingVerdict& pending) const {
    Verdict verdict{pending.rules, pending.action.value_or(default_)};
    while (!verdict.rules.empty() &&
           verdict.rules.back().action == verdict.action) {
      verdict.rules.pop_back();
    }
    return verdict;
  }

  uint32_t HigherAction() const {
    if (calls_.empty()) return default_;
    switch (default_ & SECCOMP_RET_ACTION_FULL) {
      case SECCOMP_RET_ALLOW:
      case SECCOMP_RET_LOG:
      case SECCOMP_RET_TRACE:
        return default_;
      default:
        return kEnosys;
    }
  }

  // What starts at `start`. A single number between two equal ranges becomes
  // their exception: one comparison instead of two.
  static void Append(std::vector<Range>& out, uint32_t start,
                     const Verdict& verdict) {
    constexpr size_t kMostExceptions = 8;
    if (!out.empty() && out.back().verdict == verdict) return;
    if (out.size() >= 2) {
      Range& before = out[out.size() - 2];
      const Range& last = out.back();
      if (last.start + 1 == start && last.exceptions.empty() &&
          before.verdict == verdict &&
          before.exceptions.size() < kMostExceptions) {
        before.exceptions.emplace_back(last.start, last.verdict);
        out.pop_back();
        return;
      }
    }
    out.push_back({start, verdict, {}});
  }

  const SeccompArch arch_;
  const uint32_t default_;
  std::map<uint32_t, PendingVerdict> calls_;
};

// Builds a program from its end to its start, so that every jump goes to an
// instruction that is there already. Instructions are named by their distance
// from the end.
class Assembler {
 public:
  using Label = size_t;

  // A RET that can be jumped to from the next instructions.
  Label Return(uint32_t action) {
    const auto it = returns_.find(action);
    if (it != returns_.end() && Near(it->second)) return it->second;
    const Label label = Emit(BPF_STMT(BPF_RET | BPF_K, action));
    returns_[action] = label;
    return label;
  }

  // if (A <op> k) goto yes; else goto no. op: BPF_JEQ, BPF_JGT, BPF_JGE.
  Label Branch(uint16_t op, uint32_t k, Label yes, Label no) {
    yes = Reach(yes);
    no = Reach(no);
    yes = Reach(yes);
    sock_filter insn = BPF_JUMP(BPF_JMP | BPF_K, k, 0, 0);
    insn.code |= op;
    insn.jt = static_cast<uint8_t>(Distance(yes));
    insn.jf = static_cast<uint8_t>(Distance(no));
    return Emit(insn);
  }

  // A = data[offset]; then goes on at `next`.
  Label Load(uint32_t offset, Label next) {
    FallTo(next);
    return Emit(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
  }

  // A &= mask; then goes on at `next`.
  Label And(uint32_t mask, Label next) {
    FallTo(next);
    return Emit(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
  }

  size_t size() const { return reversed_.size(); }

  std::string Program() const {
    std::string out;
    out.reserve(reversed_.size() * sizeof(sock_filter));
    for (auto it = reversed_.rbegin(); it != reversed_.rend(); ++it) {
      out.append(reinterpret_cast<const char*>(&*it), sizeof *it);
    }
    return out;
  }

 private:
  // Jumps of conditions have eight bits; some are kept for the instructions
  // that Reach() itself adds.
  static constexpr size_t kReach = 250;

  size_t Distance(Label label) const { return reversed_.size() - label - 1; }
  bool Near(Label label) const { return Distance(label) < kReach; }

  Label Emit(sock_filter insn) {
    reversed_.push_back(insn);
    return reversed_.size() - 1;
  }

  // `label`, or a jump to it that is near.
  Label Reach(Label label) {
    if (Near(label)) return label;
    return Emit(
        BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(Distance(label))));
  }

  // Makes `label` the instruction that the next one falls into.
  void FallTo(Label label) {
    if (Distance(label) != 0) {
      Emit(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(Distance(label))));
    }
  }

  std::vector<sock_filter> reversed_;
  std::map<uint32_t, Label> returns_;
};

using Label = Assembler::Label;

constexpr uint32_t LowOffset(uint32_t arg) {
  return offsetof(seccomp_data, args) + arg * 8;
}
constexpr uint32_t HighOffset(uint32_t arg) { return LowOffset(arg) + 4; }
constexpr uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
constexpr uint32_t High(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}

Label EmitOrder(Assembler& as, uint32_t arg, uint64_t value, uint16_t low_op,
                Label yes, Label no) {
  const Label low =
      as.Load(LowOffset(arg), as.Branch(low_op, Low(value), yes, no));
  const Label equal = as.Branch(BPF_JEQ, High(value), low, no);
  return as.Load(HighOffset(arg), as.Branch(BPF_JGT, High(value), yes, equal));
}

Label EmitEqual(Assembler& as, uint32_t arg, uint64_t value, Label yes,
                Label no) {
  const Label low =
      as.Load(LowOffset(arg), as.Branch(BPF_JEQ, Low(value), yes, no));
  return as.Load(HighOffset(arg), as.Branch(BPF_JEQ, High(value), low, no));
}

Label EmitMasked(Assembler& as, uint32_t arg, uint64_t mask, uint64_t datum,
                 Label yes, Label no) {
  const Label low_test = as.Branch(BPF_JEQ, Low(datum), yes, no);
  const Label low = as.Load(LowOffset(arg), as.And(Low(mask), low_test));
  if (High(mask) == 0 && High(datum) == 0) return low;
  const Label high_test = as.Branch(BPF_JEQ, High(datum), low, no);
  return as.Load(HighOffset(arg), as.And(High(mask), high_test));
}

Label EmitCondition(Assembler& as, const Condition& c, Label yes, Label no) {
  switch (c.compare) {
    case Compare::kEq:
      return EmitEqual(as, c.index, c.value, yes, no);
    case Compare::kNe:
      return EmitEqual(as, c.index, c.value, no, yes);
    case Compare::kGt:
      return EmitOrder(as, c.index, c.value, BPF_JGT, yes, no);
    case Compare::kLe:
      return EmitOrder(as, c.index, c.value, BPF_JGT, no, yes);
    case Compare::kGe:
      return EmitOrder(as, c.index, c.value, BPF_JGE, yes, no);
    case Compare::kLt:
      return EmitOrder(as, c.index, c.value, BPF_JGE, no, yes);
    case Compare::kMaskedEq:
      return EmitMasked(as, c.index, c.value, c.datum, yes, no);
  }
  return no;
}

// Turns tables into searches. Architectures share the code of equal verdicts.
class SearchEmitter {
 public:
  explicit SearchEmitter(Assembler& as) : as_(as) {}

  // The search for numbers from `first` on; the number is in A.
  Label Emit(const RuleTable& table, uint32_t first) {
    const std::vector<Range> ranges = table.Ranges(first);
    return EmitSearch(ranges, 0, ranges.size());
  }

 private:
  // Binary search over ranges [from, to).
  Label EmitSearch(const std::vector<Range>& ranges, size_t from, size_t to) {
    if (to - from == 1) return EmitRange(ranges[from]);
    const size_t middle = from + (to - from) / 2;
    const Label high = EmitSearch(ranges, middle, to);
    const Label low = EmitSearch(ranges, from, middle);
    return as_.Branch(BPF_JGE, ranges[middle].start, high, low);
  }

  Label EmitRange(const Range& range) {
    Label next = EmitVerdict(range.verdict);
    for (const auto& [number, verdict] : range.exceptions) {
      const Label then = EmitVerdict(verdict);
      next = as_.Branch(BPF_JEQ, number, then, next);
    }
    return next;
  }

  Label EmitVerdict(const Verdict& verdict) {
    if (verdict.rules.empty()) return as_.Return(verdict.action);
    for (const auto& [known, label] : verdicts_) {
      if (known == verdict) return label;
    }
    Label next = as_.Return(verdict.action);
    for (auto rule = verdict.rules.rbegin(); rule != verdict.rules.rend();
         ++rule) {
      Label then = as_.Return(rule->action);
      for (auto c = rule->conditions.rbegin(); c != rule->conditions.rend();
           ++c) {
        then = EmitCondition(as_, *c, then, next);
      }
      next = then;
    }
    verdicts_.emplace_back(verdict, next);
    return next;
  }

  Assembler& as_;
  std::vector<std::pair<Verdict, Label>> verdicts_;
};

absl::StatusOr<uint64_t> FlagsOf(const oci::Seccomp& seccomp) {
  uint64_t flags = 0;
  for (const std::string& flag : seccomp.flags) {
    if (flag == "SECCOMP_FILTER_FLAG_TSYNC") {
      // The helper has one thread: nothing to synchronize.
    } else if (flag == "SECCOMP_FILTER_FLAG_LOG") {
      flags |= SECCOMP_FILTER_FLAG_LOG;
    } else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
      flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    } else if (flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") {
      flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    } else {
      return Invalid(absl::StrCat("unknown flag ", flag));
    }
  }
  return flags;
}

absl::StatusOr<std::vector<SeccompArch>> ArchesOf(const oci::Seccomp& seccomp,
                                                  SeccompArch native) {
  std::vector<SeccompArch> out = {native};
  for (const std::string& name : seccomp.architectures) {
    if (!IsKnownSeccompArchName(name)) {
      return Invalid(absl::StrCat("unknown architecture ", name));
    }
    const std::optional<SeccompArch> arch = SeccompArchOf(name);
    if (arch.has_value() &&
        std::find(out.begin(), out.end(), *arch) == out.end()) {
      out.push_back(*arch);
    }
  }
  return out;
}

struct CompiledRule {
  const oci::SeccompRule* rule;
  std::vector<Condition> conditions;
  uint32_t action;
};

absl::StatusOr<std::vector<CompiledRule>> RulesOf(const oci::Seccomp& seccomp,
                                                  bool& notify) {
  std::vector<CompiledRule> out;
  for (const oci::SeccompRule& rule : seccomp.syscalls) {
    CompiledRule compiled{&rule, {}, 0};
    if (rule.names.empty()) return Invalid("a rule names no system call");
    CK_ASSIGN_OR_RETURN(compiled.action,
                        SeccompActionValue(rule.action, rule.errno_ret),
                        "rule for ", rule.names[0]);
    CK_ASSIGN_OR_RETURN(compiled.conditions, ConditionsOf(rule));
    if (compiled.action == SECCOMP_RET_USER_NOTIF) {
      notify = true;
      if (std::find(rule.names.begin(), rule.names.end(), "write") !=
          rule.names.end()) {
        // The helper writes to send the listener away.
        return Invalid("SCMP_ACT_NOTIFY cannot be used for write");
      }
    }
    out.push_back(std::move(compiled));
  }
  return out;
}

std::string Assemble(const std::vector<CompiledRule>& rules,
                     const std::vector<SeccompArch>& arches,
                     uint32_t default_action) {
  Assembler as;
  SearchEmitter search(as);
  const auto table = [&](SeccompArch arch) {
    RuleTable out(arch, default_action);
    for (const CompiledRule& rule : rules) {
      out.AddRule(*rule.rule, rule.conditions, rule.action);
    }
    return out;
  };
  const bool x32 = std::find(arches.begin(), arches.end(), SeccompArch::kX32) !=
                   arches.end();
  std::map<uint32_t, Label> sections;  // by AUDIT_ARCH_*
  for (const SeccompArch arch : arches) {
    if (arch == SeccompArch::kX32) continue;  // a part of x86_64's
    Label start = search.Emit(table(arch), 0);
    if (arch == SeccompArch::kX86_64 && x32) {
      constexpr uint32_t kOwn = kX32Bit + kFirstX32Call;
      const Label own = search.Emit(table(SeccompArch::kX32), kOwn);
      const Label shared = as.And(~kX32Bit, start);
      const Label bit = as.Branch(BPF_JGE, kOwn, own, shared);
      start = as.Branch(BPF_JGE, kX32Bit, bit, start);
    } else if (arch == SeccompArch::kX86_64) {
      start = as.Branch(BPF_JGE, kX32Bit, as.Return(SECCOMP_RET_KILL_THREAD),
                        start);
    }
    sections[AuditArch(arch)] = as.Load(offsetof(seccomp_data, nr), start);
  }
  Label next = as.Return(SECCOMP_RET_KILL_THREAD);
  // The native architecture comes last, which is first in the program.
  for (auto arch = arches.rbegin(); arch != arches.rend(); ++arch) {
    if (*arch == SeccompArch::kX32) continue;
    const uint32_t audit = AuditArch(*arch);
    next = as.Branch(BPF_JEQ, audit, sections.at(audit), next);
  }
  as.Load(offsetof(seccomp_data, arch), next);
  return as.Program();
}

}  // namespace

absl::StatusOr<uint32_t> SeccompActionValue(absl::string_view action,
                                            std::optional<uint32_t> errno_ret) {
  struct Named {
    absl::string_view name;
    uint32_t value;
    bool has_errno;
  };
  static constexpr Named kActions[] = {
      {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
      {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
      {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
      {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
      {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
      {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
      {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
      {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
      {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false},
  };
  for (const Named& named : kActions) {
    if (named.name != action) continue;
    if (!named.has_errno) {
      // Docker writes a 0 for "absent" in places.
      if (errno_ret.value_or(0) != 0) {
        return Invalid(absl::StrCat("errnoRet with ", action));
      }
      return named.value;
    }
    const uint32_t data = errno_ret.value_or(EPERM);
    if (data > kMaxErrno) return Invalid(absl::StrCat("errnoRet ", data));
    return named.value | data;
  }
  return Invalid(absl::StrCat("unknown action ", action));
}

absl::StatusOr<SeccompProgram> CompileSeccomp(const oci::Seccomp& seccomp,
                                              SeccompArch native) {
  CK_ASSIGN_OR_RETURN(
      const uint32_t default_action,
      SeccompActionValue(seccomp.default_action, seccomp.default_errno_ret),
      "defaultAction");
  if (default_action == SECCOMP_RET_USER_NOTIF) {
    return Invalid("SCMP_ACT_NOTIFY cannot be the default action");
  }
  SeccompProgram out;
  CK_ASSIGN_OR_RETURN(out.flags, FlagsOf(seccomp));
  CK_ASSIGN_OR_RETURN(const std::vector<SeccompArch> arches,
                      ArchesOf(seccomp, native));
  CK_ASSIGN_OR_RETURN(const std::vector<CompiledRule> rules,
                      RulesOf(seccomp, out.notify));
  if (out.notify) out.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  out.listener_path = seccomp.listener_path;
  out.listener_metadata = seccomp.listener_metadata;
  out.program = Assemble(rules, arches, default_action);
  if (out.program.size() > BPF_MAXINSNS * sizeof(sock_filter)) {
    return Invalid("the rules need a program that the kernel cannot load");
  }
  return out;
}

}  // namespace containerkit::runtime
