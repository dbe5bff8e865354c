// The last part of every plan: one process becomes the program.
//
// The order is the security of it (security.md, section 2):
//   - everything that writes to /proc comes before any seccomp filter;
//   - the bounding set shrinks before the user changes;
//   - without no_new_privs the filter must be loaded while CAP_SYS_ADMIN is
//     still there, with it the filter is loaded last;
//   - the program is looked up by the final user and before "ready", so that
//     errors of the command line come back from `create`.
#include <sched.h>
#include <sys/personality.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner_internal.h"
#include "lib/runtime/rlimits.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_profile.h"

namespace containerkit::runtime::planner {
namespace {

// linux/ioprio.h, which C++ cannot read.
constexpr uint64_t kIoRealTime = 1;
constexpr uint64_t kIoBestEffort = 2;
constexpr uint64_t kIoIdle = 3;
constexpr int kIoClassShift = 13;

constexpr CapabilityMask kSysResource = CapabilityMask{1} << 24;

absl::Status CheckStrings(const oci::Process& process) {
  if (process.args.empty()) {
    return Invalid(Reason::kSpecInvalid, "process.args is empty");
  }
  for (const std::string& text : process.args) {
    if (text.find('\0') != std::string::npos) {
      return Invalid(Reason::kSpecInvalid, "process.args has a NUL");
    }
  }
  for (const std::string& text : process.env) {
    if (text.find('\0') != std::string::npos) {
      return Invalid(Reason::kSpecInvalid, "process.env has a NUL");
    }
  }
  return absl::OkStatus();
}

absl::Status PlanRlimits(const ProcessInputs& in, LaunchPlan& plan) {
  uint64_t seen = 0;
  const bool may_raise =
      in.facts.privileged() && (in.facts.effective_caps & kSysResource) != 0;
  for (const oci::Rlimit& limit : in.process.rlimits) {
    const std::optional<int> number = RlimitNumber(limit.type);
    if (!number.has_value()) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("unknown rlimit ", limit.type));
    }
    if ((seen >> *number & 1) != 0) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("rlimit ", limit.type, " is given twice"));
    }
    seen |= uint64_t{1} << *number;
    if (limit.soft > limit.hard) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("rlimit ", limit.type,
                                  ": soft limit above the hard limit"));
    }
    uint64_t soft = limit.soft;
    uint64_t hard = limit.hard;
    if (in.clamp && !may_raise) {
      hard = std::min(hard, in.facts.rlimits[*number].hard);
      soft = std::min(soft, hard);
    }
    plan.Add(Op::kRlimit, {static_cast<uint64_t>(*number), soft, hard});
  }
  return absl::OkStatus();
}

// sched(7): the kernel would say EINVAL, and not why.
absl::Status CheckDeadline(const oci::Scheduler& scheduler) {
  constexpr uint64_t kMinRuntimeNs = 1024;
  if (scheduler.policy != "SCHED_DEADLINE") return absl::OkStatus();
  const uint64_t period =
      scheduler.period_ns != 0 ? scheduler.period_ns : scheduler.deadline_ns;
  if (scheduler.runtime_ns < kMinRuntimeNs ||
      scheduler.runtime_ns > scheduler.deadline_ns ||
      scheduler.deadline_ns > period || period >> 63 != 0) {
    return Invalid(Reason::kSpecInvalid,
                   "process.scheduler: SCHED_DEADLINE needs 1024 ns <= runtime "
                   "<= deadline <= period");
  }
  return absl::OkStatus();
}

absl::Status PlanScheduler(const oci::Scheduler& scheduler, LaunchPlan& plan) {
  struct Named {
    absl::string_view name;
    uint64_t value;
  };
  static constexpr Named kPolicies[] = {{"SCHED_OTHER", SCHED_OTHER},
                                        {"SCHED_FIFO", SCHED_FIFO},
                                        {"SCHED_RR", SCHED_RR},
                                        {"SCHED_BATCH", SCHED_BATCH},
                                        {"SCHED_IDLE", SCHED_IDLE},
                                        {"SCHED_DEADLINE", SCHED_DEADLINE},
                                        {"SCHED_ISO", 4}};
  // linux/sched.h, which does not go with sched.h.
  static constexpr Named kFlags[] = {
      {"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},
      {"SCHED_FLAG_DL_OVERRUN", 0x04},    {"SCHED_FLAG_KEEP_POLICY", 0x08},
      {"SCHED_FLAG_KEEP_PARAMS", 0x10},   {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
      {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};
  const Named* policy = std::find_if(
      std::begin(kPolicies), std::end(kPolicies),
      [&](const Named& named) { return named.name == scheduler.policy; });
  if (policy == std::end(kPolicies)) {
    return Invalid(
        Reason::kSpecInvalid,
        absl::StrCat("process.scheduler.policy \"", scheduler.policy, "\""));
  }
  CK_RETURN_IF_ERROR(CheckDeadline(scheduler));
  uint64_t flags = 0;
  for (const std::string& flag : scheduler.flags) {
    const Named* named =
        std::find_if(std::begin(kFlags), std::end(kFlags),
                     [&](const Named& known) { return known.name == flag; });
    if (named == std::end(kFlags)) {
      return Invalid(Reason::kSpecInvalid,
                     absl::StrCat("process.scheduler.flags \"", flag, "\""));
    }
    flags |= named->value;
  }
  plan.Add(Op::kScheduler,
           {policy->value, flags,
            static_cast<uint64_t>(static_cast<int64_t>(scheduler.nice)),
            static_cast<uint64_t>(static_cast<int64_t>(scheduler.priority)),
            scheduler.runtime_ns, scheduler.deadline_ns, scheduler.period_ns});
  return absl::OkStatus();
}

absl::Status PlanIoPriority(const oci::IoPriority& io, LaunchPlan& plan) {
  uint64_t io_class = 0;
  if (io.io_class == "IOPRIO_CLASS_RT") {
    io_class = kIoRealTime;
  } else if (io.io_class == "IOPRIO_CLASS_BE") {
    io_class = kIoBestEffort;
  } else if (io.io_class == "IOPRIO_CLASS_IDLE") {
    io_class = kIoIdle;
  } else {
    return Invalid(
        Reason::kSpecInvalid,
        absl::StrCat("process.ioPriority.class \"", io.io_class, "\""));
  }
  if (io.priority < 0 || io.priority > 7) {
    return Invalid(Reason::kSpecInvalid,
                   absl::StrCat("process.ioPriority.priority ", io.priority));
  }
  plan.Add(Op::kIoPriority,
           {io_class << kIoClassShift | static_cast<uint64_t>(io.priority)});
  return absl::OkStatus();
}

absl::Status PlanPersonality(const oci::Personality& personality,
                             LaunchPlan& plan) {
  uint64_t domain = 0;
  if (personality.domain == "LINUX") {
    domain = PER_LINUX;
  } else if (personality.domain == "LINUX32") {
    domain = PER_LINUX32;
  } else {
    return Invalid(
        Reason::kSpecInvalid,
        absl::StrCat("linux.personality.domain \"", personality.domain, "\""));
  }
  if (!personality.flags.empty()) {
    return Unimplemented(Reason::kUnsupportedOption, "planner.personality",
                         "linux.personality.flags");
  }
  plan.Add(Op::kPersonality, {domain});
  return absl::OkStatus();
}

void PlanLabels(const ProcessInputs& in, LaunchPlan& plan,
                std::vector<std::string>& warnings) {
  const std::string& profile = in.process.apparmor_profile;
  if (!profile.empty() && profile != "unconfined") {
    if (in.facts.apparmor || !in.clamp) {
      plan.Add(Op::kApparmorProfile, {profile});
    } else {
      warnings.push_back(absl::StrCat("this kernel has no AppArmor: profile ",
                                      profile, " is not applied"));
    }
  }
  const std::string& label = in.process.selinux_label;
  if (!label.empty()) {
    if (in.facts.selinux || !in.clamp) {
      plan.Add(Op::kSelinuxLabel, {label});
    } else {
      warnings.push_back(absl::StrCat("this kernel has no SELinux: label ",
                                      label, " is not applied"));
    }
  }
}

struct Sets {
  CapabilityMask bounding = 0;
  CapabilityMask effective = 0;
  CapabilityMask permitted = 0;
  CapabilityMask inheritable = 0;
  CapabilityMask ambient = 0;
};

absl::StatusOr<Sets> CapabilitySetsOf(const ProcessInputs& in) {
  Sets sets;
  if (!in.process.capabilities.has_value()) return sets;
  const oci::CapabilitySets& spec = *in.process.capabilities;
  CK_ASSIGN_OR_RETURN(sets.bounding, ParseCapabilities(spec.bounding),
                      "process.capabilities.bounding");
  CK_ASSIGN_OR_RETURN(sets.effective, ParseCapabilities(spec.effective),
                      "process.capabilities.effective");
  CK_ASSIGN_OR_RETURN(sets.permitted, ParseCapabilities(spec.permitted),
                      "process.capabilities.permitted");
  CK_ASSIGN_OR_RETURN(sets.inheritable, ParseCapabilities(spec.inheritable),
                      "process.capabilities.inheritable");
  CK_ASSIGN_OR_RETURN(sets.ambient, ParseCapabilities(spec.ambient),
                      "process.capabilities.ambient");
  if (in.clamp) {
    const CapabilityMask ours =
        in.new_user_namespace ? kAllCapabilities : in.facts.bounding_caps;
    sets.bounding &= ours;
    sets.permitted &= ours;
    sets.effective &= sets.permitted;
    sets.inheritable &= ours;
    // The kernel refuses others.
    sets.ambient &= sets.permitted & sets.inheritable;
  }
  return sets;
}

void PlanSeccomp(const ProcessInputs& in, LaunchPlan& plan) {
  if (in.seccomp == nullptr) return;
  plan.Add(Op::kSeccomp,
           {in.seccomp->program, in.seccomp->flags, in.seccomp->listener_path,
            in.seccomp->listener_metadata, in.state_head, in.state_tail});
}

std::vector<std::string> GroupsOf(const oci::ProcessUser& user) {
  std::vector<std::string> groups;
  for (const uint32_t gid : user.additional_gids) {
    groups.push_back(absl::StrCat(gid));
  }
  return groups;
}

// Limits, scheduling, labels: what needs privileges or /proc.
absl::Status PlanAttributes(const ProcessInputs& in,
                            const oci::Personality* personality,
                            LaunchPlan& plan,
                            std::vector<std::string>& warnings) {
  CK_RETURN_IF_ERROR(PlanRlimits(in, plan));
  if (in.process.user.umask.has_value()) {
    if (*in.process.user.umask > 0777) {
      return Invalid(Reason::kSpecInvalid, "process.user.umask above 0777");
    }
    plan.Add(Op::kUmask, {uint64_t{*in.process.user.umask}});
  }
  if (personality != nullptr) {
    CK_RETURN_IF_ERROR(PlanPersonality(*personality, plan));
  }
  if (in.process.scheduler.has_value()) {
    CK_RETURN_IF_ERROR(PlanScheduler(*in.process.scheduler, plan));
  }
  if (in.process.io_priority.has_value()) {
    CK_RETURN_IF_ERROR(PlanIoPriority(*in.process.io_priority, plan));
  }
  PlanLabels(in, plan, warnings);
  return absl::OkStatus();
}

}  // namespace

void PlanHooks(Op op, absl::string_view kind,
               const std::vector<oci::Hook>& hooks, const std::string& head,
               const std::string& tail, LaunchPlan& plan) {
  for (const oci::Hook& hook : hooks) {
    std::vector<std::string> args = hook.args;
    if (args.empty()) args.push_back(hook.path);
    plan.Add(op,
             {std::string(kind), hook.path, std::move(args), hook.env,
              static_cast<uint64_t>(hook.timeout_s.value_or(0)), head, tail});
  }
}

absl::StatusOr<CapabilityMask> BoundingCapabilities(
    const oci::Process& process) {
  if (!process.capabilities.has_value()) return 0;
  return ParseCapabilities(process.capabilities->bounding);
}

absl::StatusOr<std::shared_ptr<const SeccompProgram>> ResolveSeccomp(
    const std::optional<oci::Seccomp>& seccomp, const HostFacts& facts,
    CapabilityMask bounding, std::vector<std::string>& warnings) {
  std::shared_ptr<const SeccompProgram> none;
  if (!seccomp.has_value()) return none;
  if (!facts.seccomp) {
    if (!seccomp->builtin_profile) {
      return Unimplemented(Reason::kKernelUnsupported, "planner.seccomp",
                           "this kernel has no seccomp filters");
    }
    warnings.push_back("this kernel has no seccomp: no system call filter");
    return none;
  }
  if (seccomp->builtin_profile) {
    return DefaultSeccompProgram({bounding, facts.kernel, kNativeSeccompArch});
  }
  CK_ASSIGN_OR_RETURN(SeccompProgram program, CompileSeccomp(*seccomp));
  if (program.notify && program.listener_path.empty()) {
    return Invalid(Reason::kSeccompInvalid,
                   "SCMP_ACT_NOTIFY without linux.seccomp.listenerPath");
  }
  if (!program.notify) program.listener_path.clear();
  return std::make_shared<const SeccompProgram>(std::move(program));
}

absl::Status PlanOomScore(const oci::Process& process, const HostFacts& facts,
                          bool optional, LaunchPlan& plan) {
  if (!process.oom_score_adj.has_value()) return absl::OkStatus();
  const int32_t score = *process.oom_score_adj;
  if (score < -1000 || score > 1000) {
    return Invalid(Reason::kSpecInvalid,
                   absl::StrCat("process.oomScoreAdj ", score));
  }
  // Lowering it is a privilege.
  const bool lower = score < facts.oom_score_adj;
  plan.Add(Op::kWriteChildProc, {"oom_score_adj", absl::StrCat(score),
                                 FlagIf(optional && lower, kWriteOptional)});
  return absl::OkStatus();
}

absl::Status PlanProcess(const ProcessInputs& in,
                         const oci::Personality* personality, LaunchPlan& plan,
                         std::vector<std::string>& warnings) {
  const oci::Process& process = in.process;
  CK_RETURN_IF_ERROR(CheckStrings(process));
  CK_ASSIGN_OR_RETURN(const Sets sets, CapabilitySetsOf(in));
  CK_RETURN_IF_ERROR(PlanAttributes(in, personality, plan, warnings));
  plan.Add(Op::kCloseFds, {uint64_t{in.preserve_fds}});
  plan.Add(Op::kChdir, {process.cwd, uint64_t{in.create_cwd}});
  if (process.no_new_privileges) {
    plan.Add(Op::kNoNewPrivs);
  } else {
    PlanSeccomp(in, plan);
  }
  plan.Add(Op::kBoundingSet, {sets.bounding});
  plan.Add(Op::kUser, {uint64_t{process.user.uid}, uint64_t{process.user.gid},
                       GroupsOf(process.user),
                       FlagIf(in.setgroups_denied, kUserNoSetgroups)});
  plan.Add(Op::kCapabilities,
           {sets.effective, sets.permitted, sets.inheritable, sets.ambient});
  // A change of user takes this away, so it comes after.
  if (in.die_with_monitor) plan.Add(Op::kDieWithMonitor);
  plan.Add(Op::kFindExecutable, {process.args, process.env});
  if (in.init) plan.Add(Op::kInit);
  if (process.no_new_privileges) PlanSeccomp(in, plan);
  if (!in.exec_fifo.empty()) {
    plan.Add(Op::kReady);
    plan.Add(Op::kAwaitStart, {in.exec_fifo, kNoFd});
  }
  PlanHooks(Op::kChildHook, "startContainer", in.start_hooks,
            in.hook_state_head, in.hook_state_tail, plan);
  plan.Add(Op::kExec, {process.args, process.env});
  return absl::OkStatus();
}

}  // namespace containerkit::runtime::planner
