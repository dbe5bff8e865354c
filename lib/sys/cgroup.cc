#include "lib/sys/cgroup.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/sys/cgroup_files.h"
#include "lib/sys/cgroup_internal.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::sys {

absl::Status CgroupTimeout(const std::string& path, absl::string_view what) {
  return MakeError(absl::StatusCode::kDeadlineExceeded,
                   absl::StrCat(what, ": ", path),
                   {.reason = Reason::kCgroupFailed,
                    .operation = "cgroup.wait",
                    .path = path});
}

absl::Status CgroupControllerMissing(const std::string& controller) {
  return FailedPrecondition(
      Reason::kCgroupFailed, "cgroup.update",
      absl::StrCat("the container has no cgroup controller ", controller));
}

bool CgroupBackoff::Wait() {
  if (absl::Now() > deadline_) return false;
  absl::SleepFor(pause_);
  pause_ = std::min(pause_ * 2, absl::Milliseconds(10));
  return true;
}

absl::StatusOr<std::unique_ptr<Cgroup>> Cgroup::Open(
    const std::vector<CgroupDirectory>& directories) {
  std::vector<CgroupV1Dir> legacy;
  std::vector<CgroupDir> unified;
  for (const CgroupDirectory& directory : directories) {
    absl::StatusOr<CgroupDir> dir = CgroupDir::Open(directory.path);
    if (absl::IsNotFound(dir.status())) continue;
    CK_RETURN_IF_ERROR(dir.status());
    if (directory.v2) {
      unified.push_back(*std::move(dir));
    } else {
      legacy.push_back({directory.controllers, *std::move(dir)});
    }
  }
  if (legacy.empty() && unified.empty()) {
    return NotFound(Reason::kCgroupFailed, "cgroup.open",
                    directories.empty()
                        ? "the container has no cgroup"
                        : absl::StrCat("no cgroup ", directories[0].path));
  }
  if (legacy.empty()) return MakeCgroupV2(std::move(unified[0]));
  return MakeCgroupV1(std::move(legacy), std::move(unified));
}

}  // namespace containerkit::sys
