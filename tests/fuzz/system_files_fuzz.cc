// The small text files that decide who a container is and where it lives: an
// image's passwd and group, and the host's mountinfo, cgroup and subuid; and
// the binary records of a monitor.
//
// The first byte of an input chooses the parser; NUL bytes separate the files.
#include <stddef.h>
#include <stdint.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/state_file.h"
#include "lib/runtime/users.h"
#include "lib/sys/cgroup_layout.h"
#include "tests/fuzz/check.h"

namespace {

namespace runtime = containerkit::runtime;
namespace sys = containerkit::sys;
using containerkit::GetReason;
using containerkit::Reason;

constexpr uint32_t kMaxId = uint32_t{1} << 31;

void CheckUsers(const std::vector<std::string>& files) {
  const std::string passwd = files.size() > 1 ? files[1] : "";
  const std::string group = files.size() > 2 ? files[2] : "";
  const auto user = runtime::ResolveUser(files[0], passwd, group);
  if (!user.ok()) {
    CK_FUZZ_CHECK(GetReason(user.status()) != Reason::kUnspecified);
    return;
  }
  CK_FUZZ_CHECK(user->uid < kMaxId && user->gid < kMaxId);
  CK_FUZZ_CHECK(!user->additional_gids.empty());
  for (const uint32_t gid : user->additional_gids) {
    CK_FUZZ_CHECK(gid < kMaxId);
  }
  for (const char c : user->home) CK_FUZZ_CHECK(!absl::ascii_iscntrl(c));
}

void CheckCgroups(const std::vector<std::string>& files) {
  const sys::CgroupLayout layout =
      sys::ParseCgroupLayout(files[0], files.size() > 1 ? files[1] : "",
                             files.size() > 2 ? files[2] : "");
  if (layout.mode == sys::CgroupMode::kNone) {
    CK_FUZZ_CHECK(layout.V2() == nullptr);
  }
  for (const sys::CgroupHierarchy& hierarchy : layout.hierarchies) {
    CK_FUZZ_CHECK(hierarchy.mount_point.substr(0, 1) == "/");
    CK_FUZZ_CHECK(hierarchy.own_path.substr(0, 1) == "/");
  }
}

void CheckHost(const std::vector<std::string>& files) {
  for (const runtime::SubIdRange& range : runtime::ParseSubIds(
           files[0], files.size() > 1 ? files[1] : "u", 1000)) {
    CK_FUZZ_CHECK(range.count > 0);
    CK_FUZZ_CHECK(uint64_t{range.start} + range.count <= uint64_t{1} << 32);
  }
  runtime::ParseKernelRelease(files[0]);
  runtime::IsInitialUidMap(files[0]);
}

void CheckState(absl::string_view bytes) {
  const auto records = runtime::ParseStateRecords(bytes);
  CK_FUZZ_CHECK(records.size() <= bytes.size());
  const std::array<uint8_t, 16> boot_id = {};
  for (const bool monitored : {false, true}) {
    const runtime::ProcessSnapshot state =
        runtime::EvaluateState(records, monitored, boot_id);
    CK_FUZZ_CHECK(monitored ||
                  state.state != runtime::ProcessState::kRestarting);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 << 16) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data + 1),
                               size - 1);
  const std::vector<std::string> files =
      absl::StrSplit(rest, absl::MaxSplits('\0', 2));
  switch (data[0] % 4) {
    case 0:
      CheckUsers(files);
      break;
    case 1:
      CheckCgroups(files);
      break;
    case 2:
      CheckHost(files);
      break;
    default:
      CheckState(rest);
  }
  return 0;
}
