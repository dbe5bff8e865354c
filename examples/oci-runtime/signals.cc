#include "examples/oci-runtime/signals.h"

#include <signal.h>
#include <string.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace ck_oci {
namespace {

// RTMIN, RTMIN+n, RTMAX, RTMAX-n, as `kill -l` counts them.
std::optional<int> ParseRealTime(absl::string_view name) {
  int base = 34;
  int sign = 1;
  if (absl::ConsumePrefix(&name, "RTMAX")) {
    base = 64;
    sign = -1;
  } else if (!absl::ConsumePrefix(&name, "RTMIN")) {
    return std::nullopt;
  }
  if (name.empty()) return base;
  int offset = 0;
  if (name[0] != (sign > 0 ? '+' : '-') ||
      !absl::SimpleAtoi(name.substr(1), &offset) || offset < 0 || offset > 30) {
    return std::nullopt;
  }
  return base + sign * offset;
}

}  // namespace

std::optional<int> ParseSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number < 1 || number > 64) return std::nullopt;
    return number;
  }
  const std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = upper;
  absl::ConsumePrefix(&name, "SIG");
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  if (name == "IOT") return SIGABRT;
  if (name == "CLD") return SIGCHLD;
  return ParseRealTime(name);
}

}  // namespace ck_oci
