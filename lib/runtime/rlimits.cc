#include "lib/runtime/rlimits.h"

#include <sys/resource.h>

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {
namespace {

struct Named {
  absl::string_view name;
  int number;
};

constexpr Named kLimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

}  // namespace

std::optional<int> RlimitNumber(absl::string_view spec_name) {
  for (const Named& limit : kLimits) {
    if (limit.name == spec_name) return limit.number;
  }
  return std::nullopt;
}

std::string RlimitSpecName(absl::string_view docker_name) {
  const std::string name =
      absl::StrCat("RLIMIT_", absl::AsciiStrToUpper(docker_name));
  return RlimitNumber(name).has_value() ? name : "";
}

}  // namespace containerkit::runtime
