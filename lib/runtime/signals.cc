#include "lib/runtime/signals.h"

#include <cstring>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

// As container programs see them; libc keeps two of its own below.
constexpr int kRtMin = 34;
constexpr int kRtMax = 64;
constexpr int kLastStandard = 31;

absl::Status Unknown(absl::string_view text) {
  return InvalidArgument(Reason::kInvalidArgument, "signal.parse",
                         absl::StrCat("unknown signal \"", text, "\""));
}

}  // namespace

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  int number = 0;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") ==
                                           absl::string_view::npos;
  if (digits) {
    if (!absl::SimpleAtoi(text, &number) || number < 1 || number > kRtMax) {
      return Unknown(text);
    }
    return number;
  }
  const std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = upper;
  absl::ConsumePrefix(&name, "SIG");
  for (int i = 1; i <= kLastStandard; ++i) {
    const char* abbreviation = sigabbrev_np(i);
    if (abbreviation != nullptr && name == abbreviation) return i;
  }
  if (name == "IOT") return 6;
  if (name == "CLD") return 17;
  if (name == "POLL") return 29;
  int base = 0;
  int sign = 0;
  if (absl::ConsumePrefix(&name, "RTMIN")) {
    base = kRtMin;
    sign = 1;
  } else if (absl::ConsumePrefix(&name, "RTMAX")) {
    base = kRtMax;
    sign = -1;
  }
  if (base == 0) return Unknown(text);
  int offset = 0;
  if (!name.empty() &&
      (!absl::ConsumePrefix(&name, sign > 0 ? "+" : "-") || name.empty() ||
       !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) ||
       !absl::SimpleAtoi(name, &offset) || offset > kRtMax - kRtMin)) {
    return Unknown(text);
  }
  return base + sign * offset;
}

}  // namespace containerkit::runtime
