// Sizes, durations and times as docker prints and reads them.
#ifndef CONTAINERKIT_EXAMPLES_CLI_UNITS_H_
#define CONTAINERKIT_EXAMPLES_CLI_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace containerkit::cli {

// "4.26MB": powers of 1000, `digits` significant.
std::string HumanSize(double bytes, int digits = 4);
// "1.944GiB": powers of 1024.
std::string BinarySize(double bytes);

// "3 seconds", "About a minute", "5 days".
std::string HumanDuration(absl::Duration duration);
// HumanDuration() since `then`, with " ago".
std::string HumanAgo(absl::Time then, absl::Time now);

// "64m", "1.5GiB", "512": powers of 1024 whatever the suffix's spelling.
// Errors: INVALID_ARGUMENT, "invalid suffix: 'x'", "invalid size: '...'".
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

// "1m30s", "500ms", "0". Errors: INVALID_ARGUMENT with Go's words.
absl::StatusOr<absl::Duration> ParseGoDuration(absl::string_view text);

// --since and --until: RFC 3339 with or without zone, a date, seconds since
// the epoch with a fraction, or a duration before `now`.
absl::StatusOr<absl::Time> ParseDockerTime(absl::string_view text,
                                           absl::Time now);

// "2024-01-02 15:04:05 +0000 UTC", in the local zone.
std::string GoTimeString(absl::Time time);
// "2024-01-02T15:04:05Z", in the local zone.
std::string LocalRfc3339(absl::Time time);
// "2024-01-02T15:04:05.123456789Z".
std::string LogTimestamp(absl::Time time);

// "TERM", "SIGTERM", "15", "RTMIN+3". Errors: INVALID_ARGUMENT.
absl::StatusOr<int> ParseSignal(absl::string_view text);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_UNITS_H_
