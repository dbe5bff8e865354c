// Names of resource limits.
#ifndef CONTAINERKIT_LIB_RUNTIME_RLIMITS_H_
#define CONTAINERKIT_LIB_RUNTIME_RLIMITS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// "RLIMIT_NOFILE" -> RLIMIT_NOFILE.
std::optional<int> RlimitNumber(absl::string_view spec_name);

// docker's "nofile" -> "RLIMIT_NOFILE"; "" for unknown names.
std::string RlimitSpecName(absl::string_view docker_name);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_RLIMITS_H_
