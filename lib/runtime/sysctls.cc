#include "lib/runtime/sysctls.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

constexpr size_t kMaxKey = 200;
constexpr size_t kMaxValue = 900;

constexpr absl::string_view kIpcKeys[] = {
    "kernel/msgmax", "kernel/msgmnb",         "kernel/msgmni",
    "kernel/sem",    "kernel/shmall",         "kernel/shmmax",
    "kernel/shmmni", "kernel/shm_rmid_forced"};

absl::Status Refused(absl::string_view key, absl::string_view why) {
  return InvalidArgument(Reason::kSysctlRefused, "sysctl.check",
                         absl::StrCat("sysctl ", key, ": ", why));
}

// With slashes. sysctl(8): the first separator tells which one divides, the
// other then stands for itself the other way round.
std::string Slashes(absl::string_view key) {
  const size_t first = key.find_first_of("./");
  std::string out(key);
  if (first == absl::string_view::npos || key[first] == '/') return out;
  for (char& c : out) {
    if (c == '.') {
      c = '/';
    } else if (c == '/') {
      c = '.';
    }
  }
  return out;
}

// Letters, digits and what interface names may have.
bool IsKeyChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         c == '-' || c == '/' || c == '.' || c == ':' || c == '@';
}

bool HasEmptyOrDots(absl::string_view path) {
  return path.empty() || path.front() == '/' || path.back() == '/' ||
         absl::StrContains(path, "//") || absl::StrContains(path, "..");
}

bool IsValueChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte < 0x7f) || c == '\t';
}

}  // namespace

absl::Status CheckSysctl(absl::string_view key, absl::string_view value,
                         const SysctlScope& scope) {
  if (key.size() > kMaxKey || !std::all_of(key.begin(), key.end(), IsKeyChar)) {
    return Refused("name", "has characters that no sysctl has");
  }
  const std::string path = Slashes(key);
  if (HasEmptyOrDots(path)) return Refused(key, "not a name");
  if (value.size() > kMaxValue ||
      !std::all_of(value.begin(), value.end(), IsValueChar)) {
    return Refused(key, "the value has control characters or is too long");
  }
  const bool ipc = absl::StartsWith(path, "fs/mqueue/") ||
                   std::find(std::begin(kIpcKeys), std::end(kIpcKeys), path) !=
                       std::end(kIpcKeys);
  if (ipc) {
    return scope.own_ipc ? absl::OkStatus()
                         : Refused(key, "needs an own ipc namespace");
  }
  if (absl::StartsWith(path, "net/")) {
    return scope.own_network ? absl::OkStatus()
                             : Refused(key, "needs an own network namespace");
  }
  if (path == "kernel/domainname") {
    return scope.own_uts ? absl::OkStatus()
                         : Refused(key, "needs an own uts namespace");
  }
  if (path == "kernel/hostname") {
    return Refused(key, "the hostname has its own setting");
  }
  return Refused(key, "is not the container's own");
}

}  // namespace containerkit::runtime
