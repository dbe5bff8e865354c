#include "capi/src/callback.h"

#include "lib/base/status.h"

namespace containerkit::capi {

absl::Status Callbacks::Outcome(absl::Status status, CallState& call) const {
  if (threw_.load()) {
    return InternalError("capi.callback", "the callback threw an exception");
  }
  if (code_.load() == 0) return status;
  call.callback_code = code_.load();
  return MakeError(
      absl::StatusCode::kCancelled, "ended by the callback",
      {.reason = Reason::kCancelled, .operation = "capi.callback"});
}

}  // namespace containerkit::capi
