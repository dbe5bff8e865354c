// Versions and features.
#ifndef CONTAINERKIT_VERSION_H_
#define CONTAINERKIT_VERSION_H_

#include "absl/strings/string_view.h"

namespace containerkit {

inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 1;
inline constexpr int kVersionPatch = 0;

// "0.1.0". Static storage.
absl::string_view Version() noexcept;

// Whether this build knows a feature of docs/features.md, e.g.
// "runtime.seccomp". Unknown names answer false.
bool HasFeature(absl::string_view name) noexcept;

}  // namespace containerkit

#endif  // CONTAINERKIT_VERSION_H_
