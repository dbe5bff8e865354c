#include "lib/container/archive_paths.h"

#include <errno.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace containerkit::container::internal {

CopyPath ParseCopyPath(absl::string_view text) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  CopyPath result;
  result.path = absl::StrCat("/", absl::StrJoin(parts, "/"));
  const bool dot = text == "." || absl::EndsWith(text, "/.");
  result.directory = dot || absl::EndsWith(text, "/") || parts.empty();
  if (parts.empty()) {
    result.name = "/";
  } else {
    result.name = dot ? "." : std::string(parts.back());
  }
  return result;
}

std::optional<std::string> CleanEntryName(absl::string_view name) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  return absl::StrJoin(parts, "/");
}

absl::Status PathError(const absl::Status& status, const std::string& path) {
  const std::optional<ErrorDetail> detail = GetErrorDetail(status);
  if (!detail.has_value()) return status;
  // ELOOP: O_NOFOLLOW met a link, or links go in circles.
  Reason reason;
  absl::StatusCode code;
  if (detail->os_errno == ENOENT) {
    reason = Reason::kPathNotFound;
    code = absl::StatusCode::kNotFound;
  } else if (detail->os_errno == ENOTDIR) {
    reason = Reason::kNotADirectory;
    code = absl::StatusCode::kInvalidArgument;
  } else {
    return status;
  }
  return MakeError(code, status.message(),
                   {.reason = reason,
                    .os_errno = detail->os_errno,
                    .operation = detail->operation,
                    .path = path});
}

bool IsPortableXattr(absl::string_view name) {
  return name == "security.capability" ||
         (absl::StartsWith(name, "user.") &&
          !absl::StartsWith(name, "user.overlay."));
}

}  // namespace containerkit::container::internal
