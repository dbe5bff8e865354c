// Errors as data: what every containerkit call reports when it fails.
//
// A call fails with an absl::Status whose code says what the caller can do
// and whose ErrorDetail says what happened. docs/errors.md lists the reasons.
#ifndef CONTAINERKIT_STATUS_H_
#define CONTAINERKIT_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace containerkit {

// What happened. Values are stable: they cross the C ABI and are stored.
// Append only; docs/errors.md has one row for each.
enum class Reason : int32_t {
#define CK_REASON(value, name) k##name = value,
#include "containerkit/reasons.inc"
#undef CK_REASON
};

// The reason's name without its `k`, e.g. "NameInUse"; "Unknown" for a value
// that this version does not know. Never null, static storage.
absl::string_view ReasonName(Reason reason) noexcept;

// The one payload of a failed Status, set once where the failure was seen.
struct ErrorDetail {
  Reason reason = Reason::kUnspecified;
  // errno of the failed system call; 0 when none was involved.
  int32_t os_errno = 0;
  // "<component>.<action>", e.g. "mount.overlay", "registry.fetch_blob".
  std::string operation;
  // What the operation was on: "container", "image", "blob", ... and its id.
  std::string object_kind;
  std::string object_id;
  // File or URL concerned, raw bytes. Empty: none.
  std::string path;
  // The same call may succeed later without any change by the caller.
  bool retryable = false;
  // What to do about it; a sentence, or empty.
  std::string hint;
};

// The detail of a failed status; nullopt for OK and for foreign statuses.
std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status);

// Shorthand: the reason of `status`, kUnspecified when it has no detail.
Reason GetReason(const absl::Status& status);

}  // namespace containerkit

#endif  // CONTAINERKIT_STATUS_H_
