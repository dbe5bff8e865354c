// What a compressed stream from outside may grow to.
#ifndef CONTAINERKIT_LIB_STORE_STREAM_LIMITS_H_
#define CONTAINERKIT_LIB_STORE_STREAM_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace containerkit::store {

struct StreamLimits {
  uint64_t max_bytes = uint64_t{256} << 30;
  // Uncompressed by compressed bytes, looked at from 256 MiB on: gzip cannot
  // exceed 1032, a zstd bomb can.
  uint64_t max_ratio = 1100;
};

// Whether `bytes` may have come out of `compressed_bytes`; `what` ("layer") is
// for the message.
//
// Errors: RESOURCE_EXHAUSTED / kLimitExceeded.
absl::Status CheckStreamLimits(const StreamLimits& limits,
                               uint64_t compressed_bytes, uint64_t bytes,
                               absl::string_view what,
                               absl::string_view operation);

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_STREAM_LIMITS_H_
