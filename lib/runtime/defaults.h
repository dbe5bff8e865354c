// Docker's defaults for what a container sees (security.md, section 2).
#ifndef CONTAINERKIT_LIB_RUNTIME_DEFAULTS_H_
#define CONTAINERKIT_LIB_RUNTIME_DEFAULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace containerkit::runtime {

inline constexpr absl::string_view kDefaultPathEnv =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
inline constexpr uint64_t kDefaultShmSizeBytes = 64 << 20;
// Docker refuses less.
inline constexpr int64_t kMinMemoryBytes = 6 << 20;

// Hidden, and read-only, in every container that is not privileged.
const std::vector<std::string>& DefaultMaskedPaths();
const std::vector<std::string>& DefaultReadonlyPaths();

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_DEFAULTS_H_
