// The two kinds of Cgroup. Not for others.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_INTERNAL_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_INTERNAL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/sys/cgroup.h"
#include "lib/sys/cgroup_files.h"

namespace containerkit::sys {

// A v1 directory and the controllers that it is for.
struct CgroupV1Dir {
  std::vector<std::string> controllers;
  CgroupDir dir;
};

// `unified` is the v2 directory of hybrid mode, if there is one.
std::unique_ptr<Cgroup> MakeCgroupV1(std::vector<CgroupV1Dir> directories,
                                     std::vector<CgroupDir> unified);
std::unique_ptr<Cgroup> MakeCgroupV2(CgroupDir directory);

inline constexpr absl::Duration kCgroupFreezeTimeout = absl::Seconds(5);
inline constexpr absl::Duration kCgroupRemoveTimeout = absl::Seconds(2);

// "no process survives, no state is reached in time".
absl::Status CgroupTimeout(const std::string& path, absl::string_view what);
// A limit that needs a controller which is not there.
absl::Status CgroupControllerMissing(const std::string& controller);

// Waits a little longer each time; false once `deadline` has passed.
class CgroupBackoff {
 public:
  explicit CgroupBackoff(absl::Time deadline) : deadline_(deadline) {}
  bool Wait();

 private:
  const absl::Time deadline_;
  absl::Duration pause_ = absl::Microseconds(50);
};

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_INTERNAL_H_
