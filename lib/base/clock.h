// Time as images, containers and Docker's API spell it.
#ifndef CONTAINERKIT_LIB_BASE_CLOCK_H_
#define CONTAINERKIT_LIB_BASE_CLOCK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace containerkit {

// RFC 3339 in UTC with as many fractional digits as are needed, at most nine:
// "2024-05-01T10:00:00.5Z". absl::InfinitePast() and times before year 1 give
// Go's zero time "0001-01-01T00:00:00Z". Never throws.
std::string FormatRfc3339(absl::Time time);

// Reads RFC 3339 with any offset.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument.
absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text);

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_CLOCK_H_
