// Signals by name.
#ifndef CONTAINERKIT_LIB_RUNTIME_SIGNALS_H_
#define CONTAINERKIT_LIB_RUNTIME_SIGNALS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// A signal's number: "SIGTERM", "TERM", "sigterm", "15", "SIGRTMIN+3",
// "RTMAX-1".
// Errors: INVALID_ARGUMENT / kInvalidArgument.
absl::StatusOr<int> ParseSignal(absl::string_view text);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SIGNALS_H_
