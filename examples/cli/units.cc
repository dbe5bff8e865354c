#include "examples/cli/units.h"

#include <signal.h>

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"

namespace containerkit::cli {
namespace {

constexpr absl::string_view kDecimalUnits[] = {"B",  "kB", "MB", "GB", "TB",
                                               "PB", "EB", "ZB", "YB"};
constexpr absl::string_view kBinaryUnits[] = {"B",   "KiB", "MiB", "GiB", "TiB",
                                              "PiB", "EiB", "ZiB", "YiB"};

std::string Scaled(double size, double base, int digits,
                   std::span<const absl::string_view> units) {
  size_t unit = 0;
  while (size >= base && unit + 1 < units.size()) {
    size /= base;
    ++unit;
  }
  return absl::StrCat(absl::StrFormat("%.*g", digits, size), units[unit]);
}

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// The length of a leading decimal number, "12", "1.5", ".5".
size_t NumberLength(absl::string_view text) {
  size_t length = 0;
  bool point = false;
  while (length < text.size() && (absl::ascii_isdigit(text[length]) ||
                                  (text[length] == '.' && !point))) {
    point = point || text[length] == '.';
    ++length;
  }
  return length == 1 && text[0] == '.' ? 0 : length;
}

std::optional<absl::Duration> UnitDuration(absl::string_view unit) {
  if (unit == "ns") return absl::Nanoseconds(1);
  if (unit == "us" || unit == "µs" || unit == "μs") {
    return absl::Microseconds(1);
  }
  if (unit == "ms") return absl::Milliseconds(1);
  if (unit == "s") return absl::Seconds(1);
  if (unit == "m") return absl::Minutes(1);
  if (unit == "h") return absl::Hours(1);
  return std::nullopt;
}

// "1700000000" or "1700000000.000000001".
std::optional<absl::Time> ParseUnixTime(absl::string_view text) {
  const size_t point = text.find('.');
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(text.substr(0, point), &seconds)) return std::nullopt;
  if (point == absl::string_view::npos) return absl::FromUnixSeconds(seconds);
  std::string fraction(text.substr(point + 1));
  if (fraction.size() > 9) return std::nullopt;
  fraction.resize(9, '0');
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(fraction, &nanoseconds)) return std::nullopt;
  return absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanoseconds);
}

constexpr std::pair<absl::string_view, int> kSignals[] = {
    {"ABRT", SIGABRT},     {"ALRM", SIGALRM},   {"BUS", SIGBUS},
    {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},    {"CONT", SIGCONT},
    {"FPE", SIGFPE},       {"HUP", SIGHUP},     {"ILL", SIGILL},
    {"INT", SIGINT},       {"IO", SIGIO},       {"IOT", SIGABRT},
    {"KILL", SIGKILL},     {"PIPE", SIGPIPE},   {"POLL", SIGPOLL},
    {"PROF", SIGPROF},     {"PWR", SIGPWR},     {"QUIT", SIGQUIT},
    {"SEGV", SIGSEGV},     {"STOP", SIGSTOP},   {"STKFLT", SIGSTKFLT},
    {"SYS", SIGSYS},       {"TERM", SIGTERM},   {"TRAP", SIGTRAP},
    {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU},
    {"URG", SIGURG},       {"USR1", SIGUSR1},   {"USR2", SIGUSR2},
    {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH}, {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ},
};

// The kernel's real-time signals as containers count them: libc keeps the
// first two for itself.
constexpr int kFirstRealTime = 34;
constexpr int kLastRealTime = 64;

}  // namespace

std::string HumanSize(double bytes, int digits) {
  return Scaled(bytes, 1000, digits, kDecimalUnits);
}

std::string BinarySize(double bytes) {
  return Scaled(bytes, 1024, 4, kBinaryUnits);
}

std::string HumanDuration(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return absl::StrCat(seconds, " seconds");
  const int64_t minutes = absl::ToInt64Minutes(duration);
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return absl::StrCat(minutes, " minutes");
  const int64_t hours = std::lround(absl::ToDoubleHours(duration));
  if (hours == 1) return "About an hour";
  if (hours < 48) return absl::StrCat(hours, " hours");
  const int64_t days = hours / 24;
  if (days < 14) return absl::StrCat(days, " days");
  if (days < 60) return absl::StrCat(days / 7, " weeks");
  if (days < 730) return absl::StrCat(days / 30, " months");
  return absl::StrCat(absl::ToInt64Hours(duration) / 24 / 365, " years");
}

std::string HumanAgo(absl::Time then, absl::Time now) {
  return absl::StrCat(HumanDuration(now - then), " ago");
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  const absl::Status invalid = Bad(absl::StrCat("invalid size: '", text, "'"));
  absl::string_view rest = text;
  const bool negative = absl::ConsumePrefix(&rest, "-");
  const size_t length = NumberLength(rest);
  double number = 0;
  if (length == 0 || !absl::SimpleAtod(rest.substr(0, length), &number)) {
    return invalid;
  }
  if (negative) return Bad(absl::StrCat("invalid size: '", text, "'"));
  rest.remove_prefix(length);
  const std::string suffix =
      absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(rest));
  double unit = 1;
  if (!suffix.empty()) {
    constexpr absl::string_view kLetters = "bkmgtp";
    const size_t power = kLetters.find(suffix[0]);
    const absl::string_view after = absl::string_view(suffix).substr(1);
    const bool known =
        power != absl::string_view::npos &&
        (after.empty() || (power > 0 && (after == "b" || after == "ib")));
    if (!known) return Bad(absl::StrCat("invalid suffix: '", suffix, "'"));
    unit = std::pow(1024, static_cast<double>(power));
  }
  const double bytes = number * unit;
  if (bytes >= 9.2e18) return invalid;
  return static_cast<int64_t>(bytes);
}

absl::StatusOr<absl::Duration> ParseGoDuration(absl::string_view text) {
  const std::string quoted = GoQuote(text);
  const absl::Status invalid =
      Bad(absl::StrCat("time: invalid duration ", quoted));
  absl::string_view rest = text;
  const bool negative = absl::ConsumePrefix(&rest, "-");
  if (!negative) absl::ConsumePrefix(&rest, "+");
  if (rest == "0") return absl::ZeroDuration();
  if (rest.empty()) return invalid;
  absl::Duration total = absl::ZeroDuration();
  while (!rest.empty()) {
    const size_t length = NumberLength(rest);
    double number = 0;
    if (length == 0 || !absl::SimpleAtod(rest.substr(0, length), &number)) {
      return invalid;
    }
    rest.remove_prefix(length);
    size_t unit_length = 0;
    while (unit_length < rest.size() && rest[unit_length] != '.' &&
           !absl::ascii_isdigit(rest[unit_length])) {
      ++unit_length;
    }
    const absl::string_view unit = rest.substr(0, unit_length);
    if (unit.empty()) {
      return Bad(absl::StrCat("time: missing unit in duration ", quoted));
    }
    const std::optional<absl::Duration> one = UnitDuration(unit);
    if (!one.has_value()) {
      return Bad(absl::StrCat("time: unknown unit ", GoQuote(unit),
                              " in duration ", quoted));
    }
    total += number * *one;
    if (total > absl::Hours(2562047)) return invalid;
    rest.remove_prefix(unit_length);
  }
  return negative ? -total : total;
}

absl::StatusOr<absl::Time> ParseDockerTime(absl::string_view text,
                                           absl::Time now) {
  if (const auto unix_time = ParseUnixTime(text)) return *unix_time;
  if (const auto before = ParseGoDuration(text); before.ok()) {
    return now - *before;
  }
  const absl::TimeZone zone = absl::LocalTimeZone();
  absl::Time time;
  std::string error;
  for (const char* const format :
       {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d%ET%H:%M%Ez",
        "%Y-%m-%d%ET%H:%M:%E*S", "%Y-%m-%d%ET%H:%M", "%Y-%m-%d%ET%H",
        "%Y-%m-%d%Ez", "%Y-%m-%d"}) {
    if (absl::ParseTime(format, text, zone, &time, &error)) return time;
  }
  return Bad(absl::StrCat("failed to parse value as time or duration: ",
                          GoQuote(text)));
}

std::string GoTimeString(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S %z %Z", time,
                          absl::LocalTimeZone());
}

std::string LocalRfc3339(absl::Time time) {
  const std::string text =
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%S%Ez", time, absl::LocalTimeZone());
  absl::string_view prefix = text;
  if (absl::ConsumeSuffix(&prefix, "+00:00")) return absl::StrCat(prefix, "Z");
  return text;
}

std::string LogTimestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E9SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  const absl::Status invalid = Bad(absl::StrCat("invalid signal: ", text));
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number < 1 || number > kLastRealTime) return invalid;
    return number;
  }
  const std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = upper;
  absl::ConsumePrefix(&name, "SIG");
  for (const auto& [known, value] : kSignals) {
    if (known == name) return value;
  }
  int base = 0;
  if (absl::ConsumePrefix(&name, "RTMIN")) {
    base = kFirstRealTime;
  } else if (absl::ConsumePrefix(&name, "RTMAX")) {
    base = kLastRealTime;
  } else {
    return invalid;
  }
  if (name.empty()) return base;
  if ((name[0] != '+' && name[0] != '-') || !absl::SimpleAtoi(name, &number)) {
    return invalid;
  }
  const int value = base + number;
  if (value < kFirstRealTime || value > kLastRealTime) return invalid;
  return value;
}

}  // namespace containerkit::cli
