// The order of a launch, and the checks that concern the whole spec. Parts:
// planner_cgroup.cc, planner_mounts.cc, planner_process.cc.
#include "lib/runtime/planner.h"

#include <linux/mount.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
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
#include "lib/runtime/host_facts.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner_internal.h"
#include "lib/runtime/seccomp_profile.h"
#include "lib/runtime/sysctls.h"

namespace containerkit::runtime {
namespace planner {

using oci::NamespaceType;

absl::Status Invalid(Reason reason, absl::string_view message) {
  return InvalidArgument(reason, "planner.plan", message);
}

namespace {

// Longest name that the kernel takes (__NEW_UTS_LEN).
constexpr size_t kMaxHostname = 64;

void ReadNamespaces(Planning& p) {
  for (const oci::Namespace& ns : p.spec.linux_config.namespaces) {
    const uint64_t flag = oci::NamespaceCloneFlag(ns.type);
    p.own |= flag;
    if (ns.path.empty()) p.fresh |= flag;
  }
  p.user_namespace = p.Own(NamespaceType::kUser) || p.facts.in_user_namespace;
}

absl::Status CheckNames(const Planning& p) {
  const oci::RuntimeSpec& spec = p.spec;
  const bool names = !spec.hostname.empty() || !spec.domainname.empty();
  if (names && !p.Own(NamespaceType::kUts)) {
    return Invalid(Reason::kSpecInvalid,
                   "hostname and domainname need a uts namespace");
  }
  if (spec.hostname.size() > kMaxHostname ||
      spec.domainname.size() > kMaxHostname) {
    return Invalid(Reason::kSpecInvalid, "hostname or domainname too long");
  }
  if (spec.hostname.find('\0') != std::string::npos) {
    return Invalid(Reason::kSpecInvalid, "hostname has a NUL");
  }
  return absl::OkStatus();
}

absl::Status CheckNamespaces(const Planning& p) {
  for (const oci::Namespace& ns : p.spec.linux_config.namespaces) {
    if (ns.type != NamespaceType::kMount || ns.path.empty()) continue;
    return Unimplemented(Reason::kUnsupportedOption, "planner.plan",
                         absl::StrCat("joining the mount namespace ", ns.path));
  }
  if (!p.Fresh(NamespaceType::kMount)) {
    return Unimplemented(Reason::kUnsupportedOption, "planner.plan",
                         "linux.namespaces without a new mount namespace");
  }
  const bool mapped = !p.spec.linux_config.uid_mappings.empty() ||
                      !p.spec.linux_config.gid_mappings.empty();
  if (mapped && !p.Own(NamespaceType::kUser)) {
    return Invalid(Reason::kIdMapInvalid, "id mappings need a user namespace");
  }
  if (!p.spec.linux_config.time_offsets.empty() &&
      !p.Fresh(NamespaceType::kTime)) {
    return Invalid(Reason::kSpecInvalid,
                   "linux.timeOffsets needs a new time namespace");
  }
  for (const auto& [clock, offset] : p.spec.linux_config.time_offsets) {
    if (clock != "monotonic" && clock != "boottime") {
      return Invalid(Reason::kSpecInvalid,
                     absl::StrCat("linux.timeOffsets of clock ", clock));
    }
    if (offset.nanosecs > 999999999) {
      return Invalid(Reason::kSpecInvalid, "linux.timeOffsets.nanosecs");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSpec(const Planning& p) {
  if (!p.spec.process.has_value()) {
    return Invalid(Reason::kSpecInvalid, "the spec has no process");
  }
  if (p.spec.linux_config.intel_rdt.has_value()) {
    return Unimplemented(Reason::kUnsupportedOption, "planner.plan",
                         "linux.intelRdt");
  }
  CK_RETURN_IF_ERROR(CheckNamespaces(p));
  CK_RETURN_IF_ERROR(CheckNames(p));
  SysctlScope scope;
  scope.own_ipc = p.Own(NamespaceType::kIpc);
  scope.own_network = p.Own(NamespaceType::kNetwork);
  scope.own_uts = p.Own(NamespaceType::kUts);
  scope.own_user = p.Own(NamespaceType::kUser);
  for (const auto& [key, value] : p.spec.linux_config.sysctl) {
    CK_RETURN_IF_ERROR(CheckSysctl(key, value, scope));
    if (absl::StartsWith(key, "kernel") && absl::EndsWith(key, "domainname") &&
        !p.spec.domainname.empty() && value != p.spec.domainname) {
      return Invalid(Reason::kSysctlRefused,
                     "sysctl kernel.domainname contradicts domainname");
    }
  }
  return absl::OkStatus();
}

void PlanJoins(Planning& p) {
  for (const oci::Namespace& ns : p.spec.linux_config.namespaces) {
    if (ns.path.empty()) continue;
    p.plan().Add(Op::kJoinNamespace, {oci::NamespaceCloneFlag(ns.type), ns.path,
                                      kNoFd, uint64_t{0}});
  }
}

absl::Status PlanIds(Planning& p) {
  CK_ASSIGN_OR_RETURN(const PlannedIdMap map,
                      PlanIdMap(p.spec.linux_config.uid_mappings,
                                p.spec.linux_config.gid_mappings, p.facts));
  p.plan().Add(Op::kIdMap, {map.uid_map, map.gid_map, uint64_t{map.mode}});
  // Without ids the child can do nothing.
  PlanSync(p);
  return absl::OkStatus();
}

// The clone, and what the monitor does for the child before and right after.
absl::Status PlanClone(Planning& p) {
  // These two are entered by the child itself, later.
  const uint64_t later = oci::NamespaceCloneFlag(NamespaceType::kCgroup) |
                         oci::NamespaceCloneFlag(NamespaceType::kTime);
  if (!p.cgroup_later) {
    CK_RETURN_IF_ERROR(PlanCgroupSetup(p));
  }
  PlanJoins(p);
  p.plan().Add(Op::kClone, {p.fresh & ~later, CloneCgroupPath(p)});
  if (p.cgroup_later) {
    CK_RETURN_IF_ERROR(PlanCgroupSetup(p));
  } else {
    PlanCgroupAttach(p);
  }
  CK_RETURN_IF_ERROR(PlanOomScore(*p.spec.process, p.facts,
                                  p.options.oom_score_optional, p.plan()));
  return p.Fresh(NamespaceType::kUser) ? PlanIds(p) : absl::OkStatus();
}

void PlanTime(Planning& p) {
  if (!p.Fresh(NamespaceType::kTime)) return;
  std::string text;
  for (const auto& [clock, offset] : p.spec.linux_config.time_offsets) {
    absl::StrAppend(&text, clock, " ", offset.secs, " ", offset.nanosecs, "\n");
  }
  p.plan().Add(Op::kTimeOffsets, {text});
}

// Hooks around the change of root, and the change itself.
void PlanRootChange(Planning& p) {
  const oci::Hooks& hooks = p.spec.hooks;
  PlanSync(p);
  if (!hooks.prestart.empty() || !hooks.create_runtime.empty()) {
    // The mounts are there when they start, and they are done when the child
    // goes on.
    p.plan().Add(Op::kSync);
    PlanHooks(Op::kHook, "prestart", hooks.prestart,
              p.options.creating_state_head, p.options.creating_state_tail,
              p.plan());
    PlanHooks(Op::kHook, "createRuntime", hooks.create_runtime,
              p.options.creating_state_head, p.options.creating_state_tail,
              p.plan());
    p.plan().Add(Op::kSync);
  }
  PlanHooks(Op::kChildHook, "createContainer", hooks.create_container,
            p.options.creating_state_head, p.options.creating_state_tail,
            p.plan());
  p.plan().Add(p.options.no_pivot ? Op::kMoveRoot : Op::kPivotRoot);
}

void PlanNames(Planning& p) {
  if (!p.spec.hostname.empty()) {
    p.plan().Add(Op::kHostname, {p.spec.hostname});
  }
  if (!p.spec.domainname.empty()) {
    p.plan().Add(Op::kDomainname, {p.spec.domainname});
  }
  if (p.Fresh(NamespaceType::kNetwork)) p.plan().Add(Op::kLoopbackUp);
}

// Sysctls are written before their files are hidden or read-only.
void PlanRestrictions(Planning& p) {
  const oci::LinuxConfig& config = p.spec.linux_config;
  for (const auto& [key, value] : config.sysctl) {
    p.plan().Add(Op::kSysctl, {key, value});
  }
  PlanMountsFinish(p);
  if (p.spec.root.readonly) {
    if (p.options.create_cwd) {
      p.plan().Add(Op::kMkdir, {p.spec.process->cwd, uint64_t{0755},
                                uint64_t{0}, uint64_t{0}});
    }
    p.plan().Add(Op::kReadonlyRoot);
  }
  for (const std::string& path : config.readonly_paths) {
    p.plan().Add(Op::kReadonlyPath, {path});
  }
  for (const std::string& path : config.masked_paths) {
    p.plan().Add(Op::kMaskPath, {path});
  }
}

void PlanTerminal(Planning& p) {
  const oci::Process& process = *p.spec.process;
  p.plan().Add(Op::kSession);
  if (!process.terminal) return;
  const oci::ConsoleSize size =
      process.console_size.value_or(oci::ConsoleSize{});
  p.out.terminal = true;
  p.out.rows = size.height;
  p.out.columns = size.width;
  p.plan().Add(Op::kTerminal, {uint64_t{size.height}, uint64_t{size.width},
                               uint64_t{kTerminalConsole}});
}

// One id is all that the namespace has: there are no groups to set.
bool SetgroupsDenied(const Planning& p) {
  if (!p.Fresh(NamespaceType::kUser)) return false;
  return IsSingleIdMap(p.spec.linux_config.uid_mappings,
                       p.spec.linux_config.gid_mappings, p.facts);
}

absl::Status PlanContainerProcess(Planning& p) {
  const oci::Process& process = *p.spec.process;
  CK_RETURN_IF_ERROR(
      CheckUserIsMapped(process.user, p.spec.linux_config.uid_mappings,
                        p.spec.linux_config.gid_mappings, p.facts));
  CK_ASSIGN_OR_RETURN(CapabilityMask bounding, BoundingCapabilities(process));
  CK_ASSIGN_OR_RETURN(const std::shared_ptr<const SeccompProgram> seccomp,
                      ResolveSeccomp(p.spec.linux_config.seccomp, p.facts,
                                     bounding, p.out.warnings));
  ProcessInputs in{.process = process, .facts = p.facts};
  in.clamp = p.options.clamp;
  in.new_user_namespace = p.Own(NamespaceType::kUser);
  in.setgroups_denied = SetgroupsDenied(p);
  in.seccomp = seccomp.get();
  in.state_head = p.options.creating_state_head;
  in.state_tail = p.options.creating_state_tail;
  in.preserve_fds = p.options.preserve_fds;
  in.die_with_monitor = p.options.die_with_monitor;
  in.init = p.options.init;
  in.create_cwd = p.options.create_cwd;
  in.exec_fifo = p.options.exec_fifo;
  in.start_hooks = p.spec.hooks.start_container;
  in.hook_state_head = p.options.created_state_head;
  in.hook_state_tail = p.options.created_state_tail;
  const std::optional<oci::Personality>& personality =
      p.spec.linux_config.personality;
  return PlanProcess(in, personality.has_value() ? &*personality : nullptr,
                     p.plan(), p.out.warnings);
}

absl::Status PlanAll(Planning& p) {
  ReadNamespaces(p);
  CK_RETURN_IF_ERROR(CheckSpec(p));
  p.out.pid_private = p.Fresh(NamespaceType::kPid);
  p.out.own_network = p.Fresh(NamespaceType::kNetwork) && !p.user_namespace;
  p.cgroup_later = CgroupCanBeLater(p);
  CK_RETURN_IF_ERROR(PlanClone(p));
  if (!p.options.keyring_name.empty()) {
    p.plan().Add(Op::kSessionKeyring, {p.options.keyring_name});
  }
  CK_RETURN_IF_ERROR(PlanRootFs(p));
  CK_RETURN_IF_ERROR(PlanMounts(p));
  CK_RETURN_IF_ERROR(PlanDevices(p));
  PlanRootChange(p);
  PlanTime(p);
  PlanNames(p);
  PlanTerminal(p);
  PlanRestrictions(p);
  return PlanContainerProcess(p);
}

// The user namespace that lets an ordinary user mount; root looks at the files
// from outside the container's.
absl::Status PlanViewSteps(Planning& p) {
  ReadNamespaces(p);
  const bool user = !p.facts.privileged() && p.Fresh(NamespaceType::kUser);
  p.plan().Add(Op::kClone,
               {uint64_t{CLONE_NEWNS} | FlagIf(user, CLONE_NEWUSER), ""});
  if (user) {
    CK_RETURN_IF_ERROR(PlanIds(p));
  }
  CK_RETURN_IF_ERROR(PlanRootFs(p));
  CK_RETURN_IF_ERROR(PlanMounts(p));
  p.plan().Add(Op::kSetMountAttr,
               {"/", uint64_t{MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID},
                uint64_t{0}, uint64_t{0}, uint64_t{kMountRecursiveAttr}});
  if (p.spec.root.readonly) p.plan().Add(Op::kReadonlyRoot);
  p.plan().Add(Op::kExec, {std::vector<std::string>{"/proc/self/exe"},
                           std::vector<std::string>{}});
  return absl::OkStatus();
}

}  // namespace
}  // namespace planner

absl::StatusOr<LaunchPlan> PlanView(const oci::RuntimeSpec& spec,
                                    const HostFacts& facts,
                                    const PlanOptions& options) {
  PlannedLaunch out;
  planner::Planning planning{spec, facts, options, out};
  CK_RETURN_IF_ERROR(planner::PlanViewSteps(planning));
  return std::move(out.plan);
}

absl::StatusOr<PlannedLaunch> PlanLaunch(const oci::RuntimeSpec& spec,
                                         const HostFacts& facts,
                                         const PlanOptions& options) {
  PlannedLaunch out;
  planner::Planning planning{spec, facts, options, out};
  CK_RETURN_IF_ERROR(planner::PlanAll(planning));
  return out;
}

}  // namespace containerkit::runtime
