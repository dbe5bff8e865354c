#include "lib/container/scope_id.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

constexpr size_t kStatBytes = 4096;

absl::StatusOr<std::string> BootId() {
  CK_ASSIGN_OR_RETURN(
      std::string id,
      sys::ReadFileAt(AT_FDCWD, "/proc/sys/kernel/random/boot_id", kStatBytes));
  absl::StripAsciiWhitespace(&id);
  return id;
}

absl::StatusOr<uint64_t> StartTicks(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/stat");
  CK_ASSIGN_OR_RETURN(const std::string stat,
                      sys::ReadFileAt(AT_FDCWD, path, kStatBytes));
  // The command is in parentheses and may hold anything.
  const size_t after = stat.rfind(')');
  const std::vector<absl::string_view> fields = absl::StrSplit(
      absl::string_view(stat).substr(after == std::string::npos ? 0 : after),
      ' ');
  constexpr size_t kStartTime = 20;  // field 22, counted from the parenthesis
  uint64_t ticks = 0;
  if (fields.size() <= kStartTime ||
      !absl::SimpleAtoi(fields[kStartTime], &ticks)) {
    return InternalError("container.scope", absl::StrCat("unreadable ", path));
  }
  return ticks;
}

}  // namespace

absl::StatusOr<std::string> NewScopeId() {
  CK_ASSIGN_OR_RETURN(const std::string boot, BootId());
  CK_ASSIGN_OR_RETURN(const uint64_t ticks, StartTicks(getpid()));
  return absl::StrCat(boot, ".", getpid(), ".", ticks, ".", sys::RandomHex(8));
}

bool ScopeOwnerLives(absl::string_view scope_id) {
  const std::vector<absl::string_view> parts = absl::StrSplit(scope_id, '.');
  pid_t pid = 0;
  uint64_t ticks = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[1], &pid) ||
      !absl::SimpleAtoi(parts[2], &ticks)) {
    return false;
  }
  const absl::StatusOr<std::string> boot = BootId();
  if (!boot.ok() || *boot != parts[0]) return false;
  const absl::StatusOr<uint64_t> now = StartTicks(pid);
  return now.ok() && *now == ticks;
}

}  // namespace containerkit::container
