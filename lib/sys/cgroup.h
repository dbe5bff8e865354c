// A container's cgroup: one directory (v2) or one a hierarchy (v1).
//
// Launch plans make cgroups; this class looks at them, limits, freezes, kills
// and removes them. Destroying a Cgroup leaves the cgroup alone.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/sys/cgroup_layout.h"
#include "lib/sys/cgroup_resources.h"

namespace containerkit::sys {

// Counters of a cgroup and all below it. What the kernel does not count here
// is 0.
struct CgroupStats {
  uint64_t cpu_usage_ns = 0;
  uint64_t cpu_user_ns = 0;
  uint64_t cpu_system_ns = 0;
  uint64_t cpu_periods = 0;
  uint64_t cpu_throttled_periods = 0;
  uint64_t cpu_throttled_ns = 0;
  // As `docker stats` shows it: without inactive file cache.
  uint64_t memory_usage_bytes = 0;
  uint64_t memory_raw_usage_bytes = 0;
  uint64_t memory_max_usage_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // 0: unlimited
  uint64_t memory_cache_bytes = 0;
  uint64_t memory_inactive_file_bytes = 0;
  uint64_t memory_fail_count = 0;
  uint64_t oom_kills = 0;
  uint64_t pids_current = 0;
  uint64_t pids_limit = 0;  // 0: unlimited
  uint64_t block_read_bytes = 0;
  uint64_t block_write_bytes = 0;
};

// Thread-safe: calls may run concurrently; a container may change or remove
// what is below its cgroup at any time.
class Cgroup {
 public:
  // Opens existing directories, as PlannedLaunch::cgroup lists them. Missing
  // ones are left out.
  //
  // Errors: NOT_FOUND / kCgroupFailed when none is there; as open(2).
  static absl::StatusOr<std::unique_ptr<Cgroup>> Open(
      const std::vector<CgroupDirectory>& directories);

  virtual ~Cgroup() = default;

  // Errors: NOT_FOUND / kCgroupFailed once it was removed.
  virtual absl::StatusOr<CgroupStats> Stats() = 0;

  // Sets the limits that `resources` names, leaves all others. Device rules
  // stay as they are.
  //
  // Errors: INVALID_ARGUMENT for values that the kernel refuses, or below the
  //         present usage with check_before_update; FAILED_PRECONDITION /
  //         kCgroupFailed for a controller that is not there.
  virtual absl::Status Update(const CgroupResources& resources) = 0;

  // Stops all processes, or lets them go on; returns when it is so.
  // Errors: DEADLINE_EXCEEDED / kCgroupFailed after five seconds (they are
  //         let go on then); UNIMPLEMENTED without a freezer.
  virtual absl::Status Freeze() = 0;
  virtual absl::Status Thaw() = 0;
  // True if Freeze() was the last of the two.
  virtual absl::StatusOr<bool> Frozen() = 0;

  // SIGKILLs all processes, frozen ones too, and waits until they are gone.
  // Errors: DEADLINE_EXCEEDED / kCgroupFailed when some survive `timeout`.
  virtual absl::Status KillAll(absl::Duration timeout = absl::Seconds(10)) = 0;

  // Pids in our pid namespace, of all processes, sorted.
  virtual absl::StatusOr<std::vector<pid_t>> Processes() = 0;

  // Removes the directories and all below them; no process may be left. OK
  // when they are gone already.
  // Errors: FAILED_PRECONDITION / kCgroupFailed when still busy after two
  //         seconds.
  virtual absl::Status Remove() = 0;

  // The file whose oom_kill count grows: memory.events or
  // memory.oom_control; "" without a memory controller.
  virtual std::string OomPath() const = 0;
};

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_H_
