// Where the cgroup hierarchies of this machine are: v1, v2 or both.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_LAYOUT_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_LAYOUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::sys {

enum class CgroupMode {
  kNone,     // no usable hierarchy
  kLegacy,   // v1 controllers, no v2 mount
  kHybrid,   // v1 controllers, a v2 mount without controllers beside them
  kUnified,  // v2 alone
};

// One mounted hierarchy.
struct CgroupHierarchy {
  // v1: the controllers mounted together ("cpu", "cpuacct"), or "name=systemd".
  // v2: those in cgroup.controllers.
  std::vector<std::string> controllers;
  std::string mount_point;  // "/sys/fs/cgroup/memory"
  // The part of the hierarchy that is mounted there ("/" on a host).
  std::string root = "/";
  // This process's cgroup, relative to `root`: "/user.slice", "/".
  std::string own_path = "/";
  // This process may make cgroups below its own.
  bool own_writable = true;
  bool v2 = false;

  // True if `controller` is one of `controllers`.
  bool Has(absl::string_view controller) const;

  friend bool operator==(const CgroupHierarchy&,
                         const CgroupHierarchy&) = default;
};

struct CgroupLayout {
  CgroupMode mode = CgroupMode::kNone;
  // v1 hierarchies in mount order, then the v2 one if mounted.
  std::vector<CgroupHierarchy> hierarchies;

  // The v1 hierarchy with `controller`; null if there is none.
  const CgroupHierarchy* V1(absl::string_view controller) const;
  // The v2 hierarchy; null if not mounted.
  const CgroupHierarchy* V2() const;

  friend bool operator==(const CgroupLayout&, const CgroupLayout&) = default;
};

// Reads the layout from the text of /proc/self/mountinfo and
// /proc/self/cgroup. `v2_controllers` is the text of the v2 mount's
// cgroup.controllers. Pure; lines that make no sense are skipped.
CgroupLayout ParseCgroupLayout(absl::string_view mountinfo,
                               absl::string_view proc_cgroup,
                               absl::string_view v2_controllers);

// The layout of this process. Reads three files of /proc and /sys, and asks
// where it may write.
// Errors: as the system calls report them.
absl::StatusOr<CgroupLayout> ProbeCgroupLayout();

// A container's directory in one hierarchy.
struct CgroupDirectory {
  std::vector<std::string> controllers;
  std::string path;  // absolute
  std::string mount_point;
  // False if this process's own cgroup, below which it is, cannot be changed.
  bool writable = true;
  bool v2 = false;

  friend bool operator==(const CgroupDirectory&,
                         const CgroupDirectory&) = default;
};

// The directories of the cgroup `path` in all hierarchies. An absolute path
// counts from the mount point, a relative one from this process's own cgroup.
// In hybrid mode the v2 directory comes last, without controllers.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for a path with ".." or control
//         characters; FAILED_PRECONDITION / kCgroupFailed with no hierarchy.
absl::StatusOr<std::vector<CgroupDirectory>> CgroupDirectories(
    const CgroupLayout& layout, absl::string_view path);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_LAYOUT_H_
