// Constants of the headers become enums.
#ifndef CONTAINERKIT_CAPI_SRC_ENUMS_H_
#define CONTAINERKIT_CAPI_SRC_ENUMS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::capi {

// Errors: INVALID_ARGUMENT unless 0 <= value <= last; `name` is the
// parameter's.
template <typename E>
absl::StatusOr<E> ToEnum(int32_t value, E last, const char* name) {
  if (value < 0 || value > static_cast<int32_t>(last)) {
    return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                           absl::StrCat(name, " has no value ", value));
  }
  return static_cast<E>(value);
}

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_ENUMS_H_
