// What ck-oci remembers about one container: state.json in its directory.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_RECORD_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_RECORD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::container {

// Largest state.json that is read.
inline constexpr size_t kMaxOciRecordBytes = 4 << 20;

struct OciRecord {
  std::string id;
  std::string oci_version;  // of the bundle's config
  std::string bundle;       // absolute
  std::string rootfs;       // absolute
  // The first process and its start time (proc(5) stat, field 22), which
  // together name it even after the pid was used again. 0: not started yet.
  int32_t pid = 0;
  uint64_t pid_start_ticks = 0;
  absl::Time created = absl::UnixEpoch();
  uint32_t owner_uid = 0;
  bool pid_private = false;
  // The config has poststart or poststop hooks.
  bool late_hooks = false;
  std::map<std::string, std::string> annotations;
  // Its directories, one a hierarchy; empty: it shares its creator's cgroup.
  std::vector<sys::CgroupDirectory> cgroup;

  friend bool operator==(const OciRecord&, const OciRecord&) = default;
};

// The text of state.json.
std::string EncodeOciRecord(const OciRecord& record);

// Errors: INVALID_ARGUMENT / kInvalidJson.
absl::StatusOr<OciRecord> DecodeOciRecord(absl::string_view json);

// runtime-spec's state document, split where the pid goes: hooks get
// head + pid + tail. `status` as in OciContainerState.
struct OciStateDocument {
  std::string head;
  std::string tail;
};
OciStateDocument HookStateDocument(const OciRecord& record,
                                   absl::string_view status);

// The document that runc's `state` prints: the spec's members and rootfs,
// created and owner; two spaces of indent, no line feed at the end.
std::string StateDocument(const OciRecord& record, absl::string_view status,
                          int32_t pid, absl::string_view owner);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_RECORD_H_
