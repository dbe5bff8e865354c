#include "lib/base/clock.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit {
namespace {

constexpr char kGoZeroTime[] = "0001-01-01T00:00:00Z";

}  // namespace

std::string FormatRfc3339(absl::Time time) {
  static const absl::Time kYearOne =
      absl::FromCivil(absl::CivilSecond(1), absl::UTCTimeZone());
  static const absl::Time kYear10000 =
      absl::FromCivil(absl::CivilSecond(10000), absl::UTCTimeZone());
  if (time < kYearOne || time >= kYear10000) return kGoZeroTime;
  // %E*S prints what is left of a second, down to absl's quarter nanosecond.
  const absl::Time whole =
      absl::FromUnixSeconds(0) +
      absl::Floor(time - absl::FromUnixSeconds(0), absl::Nanoseconds(1));
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", whole, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text) {
  absl::Time time;
  std::string error;
  // ParseTime takes longer forms too ("infinite-future"): a length and a
  // digit in front keep them out.
  const bool plausible = text.size() >= 20 && text.size() <= 40 &&
                         text[0] >= '0' && text[0] <= '9';
  if (!plausible || !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return InvalidArgument(
        Reason::kInvalidArgument, "clock.parse",
        absl::StrCat("invalid time \"", absl::CHexEscape(text.substr(0, 40)),
                     "\": want RFC 3339"));
  }
  return time;
}

}  // namespace containerkit
