// What the parts of the planner share. Not for others.
#ifndef CONTAINERKIT_LIB_RUNTIME_PLANNER_INTERNAL_H_
#define CONTAINERKIT_LIB_RUNTIME_PLANNER_INTERNAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime::planner {

// One call of PlanLaunch().
struct Planning {
  const oci::RuntimeSpec& spec;
  const HostFacts& facts;
  const PlanOptions& options;
  PlannedLaunch& out;

  // Namespaces that are new, as CLONE_NEW* bits, and all that are not the
  // host's.
  uint64_t fresh = 0;
  uint64_t own = 0;
  // The container's root is not the host's: a user namespace of the
  // container, or one that we are in.
  bool user_namespace = false;
  // The monitor makes the cgroups while the child is at its mounts.
  bool cgroup_later = false;
  // Sync was emitted since the clone (the child's cgroup is its own).
  bool synced = false;

  LaunchPlan& plan() { return out.plan; }
  bool Fresh(oci::NamespaceType type) const {
    return (fresh & oci::NamespaceCloneFlag(type)) != 0;
  }
  bool Own(oci::NamespaceType type) const {
    return (own & oci::NamespaceCloneFlag(type)) != 0;
  }
};

absl::Status Invalid(Reason reason, absl::string_view message);

// `flag` if `on`, else 0.
constexpr uint64_t FlagIf(bool on, uint64_t flag) { return on ? flag : 0; }

// Steps of planner_cgroup.cc.
bool CgroupCanBeLater(const Planning& p);
absl::Status PlanCgroupSetup(Planning& p);  // by the monitor
void PlanCgroupAttach(Planning& p);         // by the child
std::string CloneCgroupPath(const Planning& p);

// Emits Sync (if the monitor has done something since the clone), and what has
// to wait for it, once.
void PlanSync(Planning& p);

// Steps of planner_mounts.cc.
absl::Status PlanRootFs(Planning& p);   // propagation and the root
absl::Status PlanMounts(Planning& p);   // spec.mounts
absl::Status PlanDevices(Planning& p);  // nodes and links in /dev
void PlanMountsFinish(Planning& p);     // what must be writable until now

// What the process of a container and that of an exec have in common.
struct ProcessInputs {
  const oci::Process& process;
  const HostFacts& facts;
  bool clamp = true;
  // Capabilities are counted from all, not from our bounding set.
  bool new_user_namespace = false;
  bool setgroups_denied = false;
  // nullptr: no filter.
  const SeccompProgram* seccomp = nullptr;
  std::string state_head, state_tail;  // for the seccomp agent
  uint32_t preserve_fds = 0;
  bool init = false;
  bool die_with_monitor = false;
  bool create_cwd = false;
  std::string exec_fifo;
  std::vector<oci::Hook> start_hooks;
  std::string hook_state_head, hook_state_tail;
};

// Steps of planner_process.cc: from setsid to exec. `personality` is the
// container's, if it has one.
absl::Status PlanProcess(const ProcessInputs& in,
                         const oci::Personality* personality, LaunchPlan& plan,
                         std::vector<std::string>& warnings);

// `optional`: a score below ours that we may not set is left out.
absl::Status PlanOomScore(const oci::Process& process, const HostFacts& facts,
                          bool optional, LaunchPlan& plan);

// Compiles the filter of a spec; nullptr when there is none to load.
// `bounding` are the capabilities that the built-in profile goes by.
absl::StatusOr<std::shared_ptr<const SeccompProgram>> ResolveSeccomp(
    const std::optional<oci::Seccomp>& seccomp, const HostFacts& facts,
    CapabilityMask bounding, std::vector<std::string>& warnings);

// Bounding set that the spec asks for.
absl::StatusOr<CapabilityMask> BoundingCapabilities(
    const oci::Process& process);

// Hooks of one kind, as steps `op` (kHook or kChildHook).
void PlanHooks(Op op, absl::string_view kind,
               const std::vector<oci::Hook>& hooks, const std::string& head,
               const std::string& tail, LaunchPlan& plan);

}  // namespace containerkit::runtime::planner

#endif  // CONTAINERKIT_LIB_RUNTIME_PLANNER_INTERNAL_H_
