// A runtime spec -> the launch plan that makes it come true. Pure: no system
// call, the same inputs give the same plan, so a dry run shows what a start
// would do.
#ifndef CONTAINERKIT_LIB_RUNTIME_PLANNER_H_
#define CONTAINERKIT_LIB_RUNTIME_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/plan.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime {

// Where the root file system comes from.
struct RootSource {
  // An overlay, top layer first, when not empty; otherwise spec.root.path is
  // an existing directory.
  std::vector<std::string> lowers;
  std::string upper;  // empty: a read-only overlay of the lowers
  std::string work;
  // Further overlay options: "volatile", "userxattr", "metacopy=on".
  std::vector<std::string> options;
  // Where the overlay is attached, in the container's mount namespace only.
  std::string mount_point;
};

struct CgroupSettings {
  // No cgroup at all: the container stays in ours.
  bool disabled = false;
  // Used when spec.linux.cgroupsPath is empty.
  std::string default_path;
  // Without a usable hierarchy, and where limits cannot be set, the container
  // runs without them (rootless).
  bool optional = false;
};

struct PlanOptions {
  RootSource root;
  CgroupSettings cgroup;
  // Directory that relative paths of the spec count from.
  std::string bundle;
  // The state document (runtime-spec "State") that hooks and the seccomp
  // agent get: head, the pid in decimal, tail; one for each status that it
  // can have here. May be empty when the spec has no hooks.
  std::string creating_state_head, creating_state_tail;
  std::string created_state_head, created_state_tail;
  // The fifo that `start` opens; empty: the program runs at once.
  std::string exec_fifo;
  // A reaping pid 1 before the program.
  bool init = false;
  // A missing working directory is made.
  bool create_cwd = true;
  // --no-pivot.
  bool no_pivot = false;
  // Descriptors 3.. that the program keeps.
  uint32_t preserve_fds = 0;
  // Capabilities that we do not have ourselves are left out, hard limits
  // above ours are lowered to ours; otherwise the start fails.
  bool clamp = true;
  // An oom score below ours that we may not set is left out; otherwise the
  // start fails.
  bool oom_score_optional = true;
  // A fresh session keyring named after the container; empty: keep ours.
  std::string keyring_name;
  // Do not outlive the monitor.
  bool die_with_monitor = true;
};

struct PlannedLaunch {
  LaunchPlan plan;
  // The container's cgroup, a directory a hierarchy; empty when it has none.
  std::vector<sys::CgroupDirectory> cgroup;
  // Where the out-of-memory count is read; "" = nowhere.
  std::string oom_path;
  bool pid_private = false;
  // In a new network namespace that belongs to our own user namespace.
  bool own_network = false;
  bool terminal = false;
  uint32_t rows = 0, columns = 0;
  // What was asked for and is left out, one sentence each.
  std::vector<std::string> warnings;
};

// Makes the plan of `create`. Prestart, createRuntime, createContainer and
// startContainer hooks are in it; poststart and poststop are the caller's.
//
// Trust: `spec` may come from a hostile bundle: everything in it is checked
// here or is resolved inside the root by the helper.
// Errors: INVALID_ARGUMENT with kSpecInvalid, kCapabilityUnknown,
//         kSysctlRefused, kSeccompInvalid, kDeviceInvalid, kIdMapInvalid,
//         kRlimitRefused; UNIMPLEMENTED / kUnsupportedOption or
//         kKernelUnsupported for what this build or kernel cannot do.
absl::StatusOr<PlannedLaunch> PlanLaunch(const oci::RuntimeSpec& spec,
                                         const HostFacts& facts,
                                         const PlanOptions& options);

// Makes the plan that shows the files of a container that does not run: its
// root at options.root.mount_point of a new mount namespace, and spec.mounts
// in it, all without devices and set-user-id programs. The process then waits
// until its descriptor 3, a socket, is closed.
//
// Errors: as PlanLaunch() for the root and the mounts.
absl::StatusOr<LaunchPlan> PlanView(const oci::RuntimeSpec& spec,
                                    const HostFacts& facts,
                                    const PlanOptions& options);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_PLANNER_H_
