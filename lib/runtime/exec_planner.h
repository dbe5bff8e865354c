// The launch plan of an exec: one more process in a running container.
#ifndef CONTAINERKIT_LIB_RUNTIME_EXEC_PLANNER_H_
#define CONTAINERKIT_LIB_RUNTIME_EXEC_PLANNER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/planner.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime {

// The container to join.
struct ExecTarget {
  // Index of its first process's pidfd among the request's extra descriptors.
  uint64_t pidfd_index = 0;
  // CLONE_NEW* of the namespaces that are not ours; ContainerNamespaces() of
  // its spec.
  uint64_t namespaces = 0;
  // Of its own user namespace; empty: it has none.
  std::vector<oci::IdMapping> uid_mappings;
  std::vector<oci::IdMapping> gid_mappings;
  // The container has one id only, so setgroups(2) is denied in it.
  bool setgroups_denied = false;
  // As PlannedLaunch::cgroup said; empty: it has none.
  std::vector<sys::CgroupDirectory> cgroup;
  bool cgroup_optional = false;
  // The container's filter; nullopt: none.
  std::optional<oci::Seccomp> seccomp;
  // Names of the container's capabilities for the built-in filter, which
  // stays the container's even in `exec --privileged`.
  std::vector<std::string> seccomp_bounding;
  std::optional<oci::Personality> personality;
};

struct ExecPlanOptions {
  bool clamp = true;
  bool oom_score_optional = true;  // as in PlanOptions
  uint32_t preserve_fds = 0;
  bool die_with_monitor = true;
  bool create_cwd = false;
  // The state document for a seccomp agent.
  std::string state_head, state_tail;
};

// The namespaces that a container of `spec` has for itself.
uint64_t ContainerNamespaces(const oci::RuntimeSpec& spec);

// What exec has to know of a container that was planned from `spec`.
ExecTarget ExecTargetOf(const oci::RuntimeSpec& spec, const HostFacts& facts,
                        const PlannedLaunch& launch);

// Makes the plan. `PlannedLaunch::cgroup` and `oom_path` stay empty: the
// container's are its own launch's business.
//
// Errors: as PlanLaunch().
absl::StatusOr<PlannedLaunch> PlanExec(const oci::Process& process,
                                       const HostFacts& facts,
                                       const ExecTarget& target,
                                       const ExecPlanOptions& options = {});

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_EXEC_PLANNER_H_
