#include "lib/store/stream_limits.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr uint64_t kRatioFloorBytes = 256 << 20;

absl::Status LimitError(absl::string_view message,
                        absl::string_view operation) {
  return MakeError(
      absl::StatusCode::kResourceExhausted, message,
      {.reason = Reason::kLimitExceeded, .operation = std::string(operation)});
}

}  // namespace

absl::Status CheckStreamLimits(const StreamLimits& limits,
                               uint64_t compressed_bytes, uint64_t bytes,
                               absl::string_view what,
                               absl::string_view operation) {
  if (bytes > limits.max_bytes) {
    return LimitError(
        absl::StrCat(what, " has more than ", limits.max_bytes, " bytes"),
        operation);
  }
  if (bytes > kRatioFloorBytes && bytes / limits.max_ratio > compressed_bytes) {
    return LimitError(absl::StrCat(what, " is compressed more than ",
                                   limits.max_ratio, " times"),
                      operation);
  }
  return absl::OkStatus();
}

}  // namespace containerkit::store
