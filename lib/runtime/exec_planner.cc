#include "lib/runtime/exec_planner.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner.h"
#include "lib/runtime/planner_internal.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime {
namespace {

// v2 takes the process at its birth; v1 after it.
void PlanMembership(const HostFacts& facts, const ExecTarget& target,
                    LaunchPlan& plan) {
  const bool unified = facts.cgroups.mode == sys::CgroupMode::kUnified;
  const bool born_inside =
      unified && !target.cgroup.empty() && !target.cgroup_optional;
  plan.Add(Op::kClone,
           {uint64_t{0}, born_inside ? target.cgroup.back().path : ""});
  if (born_inside) return;
  for (const sys::CgroupDirectory& directory : target.cgroup) {
    plan.Add(Op::kAttachCgroup,
             {absl::StrCat(directory.path, "/cgroup.procs"),
              planner::FlagIf(target.cgroup_optional, kWriteOptional)});
  }
}

absl::Status PlanStart(const oci::Process& process, const HostFacts& facts,
                       const ExecTarget& target, const ExecPlanOptions& options,
                       PlannedLaunch& out) {
  if (target.namespaces != 0) {
    out.plan.Add(Op::kJoinNamespace,
                 {uint64_t{0}, "", target.pidfd_index, target.namespaces});
  }
  PlanMembership(facts, target, out.plan);
  CK_RETURN_IF_ERROR(planner::PlanOomScore(
      process, facts, options.oom_score_optional, out.plan));
  out.plan.Add(Op::kSync);
  out.plan.Add(Op::kSession);
  if (!process.terminal) return absl::OkStatus();
  const oci::ConsoleSize size =
      process.console_size.value_or(oci::ConsoleSize{});
  out.terminal = true;
  out.rows = size.height;
  out.columns = size.width;
  out.plan.Add(Op::kTerminal,
               {uint64_t{size.height}, uint64_t{size.width}, uint64_t{0}});
  return absl::OkStatus();
}

}  // namespace

uint64_t ContainerNamespaces(const oci::RuntimeSpec& spec) {
  uint64_t flags = 0;
  for (const oci::Namespace& ns : spec.linux_config.namespaces) {
    flags |= oci::NamespaceCloneFlag(ns.type);
  }
  return flags;
}

ExecTarget ExecTargetOf(const oci::RuntimeSpec& spec, const HostFacts& facts,
                        const PlannedLaunch& launch) {
  ExecTarget target;
  target.namespaces = ContainerNamespaces(spec);
  target.cgroup = launch.cgroup;
  target.seccomp = spec.linux_config.seccomp;
  target.personality = spec.linux_config.personality;
  target.uid_mappings = spec.linux_config.uid_mappings;
  target.gid_mappings = spec.linux_config.gid_mappings;
  target.setgroups_denied = IsSingleIdMap(
      spec.linux_config.uid_mappings, spec.linux_config.gid_mappings, facts);
  if (spec.process.has_value() && spec.process->capabilities.has_value()) {
    target.seccomp_bounding = spec.process->capabilities->bounding;
  }
  return target;
}

absl::StatusOr<PlannedLaunch> PlanExec(const oci::Process& process,
                                       const HostFacts& facts,
                                       const ExecTarget& target,
                                       const ExecPlanOptions& options) {
  PlannedLaunch out;
  CK_RETURN_IF_ERROR(CheckUserIsMapped(process.user, target.uid_mappings,
                                       target.gid_mappings, facts));
  CK_RETURN_IF_ERROR(PlanStart(process, facts, target, options, out));
  CK_ASSIGN_OR_RETURN(const CapabilityMask bounding,
                      ParseCapabilities(target.seccomp_bounding));
  CK_ASSIGN_OR_RETURN(
      const std::shared_ptr<const SeccompProgram> seccomp,
      planner::ResolveSeccomp(target.seccomp, facts, bounding, out.warnings));
  planner::ProcessInputs in{.process = process, .facts = facts};
  in.clamp = options.clamp;
  in.new_user_namespace =
      (target.namespaces &
       oci::NamespaceCloneFlag(oci::NamespaceType::kUser)) != 0;
  in.setgroups_denied = target.setgroups_denied;
  in.seccomp = seccomp.get();
  in.state_head = options.state_head;
  in.state_tail = options.state_tail;
  in.preserve_fds = options.preserve_fds;
  in.die_with_monitor = options.die_with_monitor;
  in.create_cwd = options.create_cwd;
  CK_RETURN_IF_ERROR(planner::PlanProcess(
      in, target.personality.has_value() ? &*target.personality : nullptr,
      out.plan, out.warnings));
  return out;
}

}  // namespace containerkit::runtime
