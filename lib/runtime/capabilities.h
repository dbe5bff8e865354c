// Capability names and sets.
#ifndef CONTAINERKIT_LIB_RUNTIME_CAPABILITIES_H_
#define CONTAINERKIT_LIB_RUNTIME_CAPABILITIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// One bit a capability, by number.
using CapabilityMask = uint64_t;

inline constexpr int kCapabilityCount = 41;
inline constexpr CapabilityMask kAllCapabilities =
    (CapabilityMask{1} << kCapabilityCount) - 1;

// Docker's fourteen (security.md, section 2).
extern const CapabilityMask kDefaultCapabilities;

// "CAP_CHOWN"; "" for unknown numbers. Static storage.
absl::string_view CapabilityName(int number);

// The number of "CAP_CHOWN", "chown" or "Cap_Chown".
std::optional<int> CapabilityNumber(absl::string_view name);

// The set as the runtime spec writes it, by number.
std::vector<std::string> CapabilityNames(CapabilityMask mask);

// The set of exact spec names ("CAP_CHOWN").
// Errors: INVALID_ARGUMENT / kCapabilityUnknown.
absl::StatusOr<CapabilityMask> ParseCapabilities(
    const std::vector<std::string>& names);

// Docker's arithmetic. "ALL" among `add`: `all` without what `drop` names.
// Else "ALL" among `drop`: only what `add` names. Else: `base` without `drop`,
// with `add`. Names as CapabilityNumber() reads them.
// Errors: INVALID_ARGUMENT / kCapabilityUnknown.
absl::StatusOr<CapabilityMask> TweakCapabilities(
    CapabilityMask base, CapabilityMask all,
    const std::vector<std::string>& add, const std::vector<std::string>& drop);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_CAPABILITIES_H_
