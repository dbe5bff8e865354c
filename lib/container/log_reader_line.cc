#include "lib/container/log_reader_line.h"

#include <string.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace containerkit::container {

namespace {

// Nesting of members that are skipped ("attrs" has one level).
constexpr int kMaxDepth = 16;

// A cursor over one line. Not a JSON parser: what the monitor never writes
// need not be refused, only not be crashed on.
class Scanner {
 public:
  explicit Scanner(absl::string_view text)
      : at_(text.data()), end_(text.data() + text.size()) {}

  bool Eat(char c) {
    SkipSpace();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  // A string with its escapes undone.
  bool String(std::string* out) {
    out->clear();
    if (!Eat('"')) return false;
    for (;;) {
      const char* const start = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
      out->append(start, at_ - start);
      if (at_ == end_) return false;
      if (*at_++ == '"') return true;
      if (!Escape(out)) return false;
    }
  }

  // A string as it stands, for keys and plain words.
  bool RawString(absl::string_view* out) {
    if (!Eat('"')) return false;
    const char* const start = at_;
    while (at_ != end_ && *at_ != '"') {
      if (*at_++ == '\\' && at_ != end_) ++at_;
    }
    if (at_ == end_) return false;
    *out = absl::string_view(start, at_ - start);
    ++at_;
    return true;
  }

  bool SkipValue(int depth = 0) {
    SkipSpace();
    if (at_ == end_ || depth > kMaxDepth) return false;
    absl::string_view ignored;
    if (*at_ == '"') return RawString(&ignored);
    if (*at_ == '{' || *at_ == '[') {
      const char close = *at_++ == '{' ? '}' : ']';
      if (Eat(close)) return true;
      do {
        if (close == '}' && (!RawString(&ignored) || !Eat(':'))) return false;
        if (!SkipValue(depth + 1)) return false;
      } while (Eat(','));
      return Eat(close);
    }
    const char* const start = at_;
    while (at_ != end_ && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
    return at_ != start;
  }

 private:
  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool Escape(std::string* out) {
    if (at_ == end_) return false;
    const char c = *at_++;
    switch (c) {
      case 'n':
        out->push_back('\n');
        return true;
      case 't':
        out->push_back('\t');
        return true;
      case 'r':
        out->push_back('\r');
        return true;
      case 'b':
        out->push_back('\b');
        return true;
      case 'f':
        out->push_back('\f');
        return true;
      case '"':
      case '\\':
      case '/':
        out->push_back(c);
        return true;
      case 'u':
        return Unicode(out);
      default:
        return false;
    }
  }

  bool Hex4(uint32_t* out) {
    if (end_ - at_ < 4) return false;
    *out = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      uint32_t digit;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = c - 'A' + 10;
      } else {
        return false;
      }
      *out = *out << 4 | digit;
    }
    return true;
  }

  bool Unicode(std::string* out) {
    uint32_t point = 0;
    if (!Hex4(&point)) return false;
    if (point >= 0xd800 && point < 0xdc00 && end_ - at_ >= 6 &&
        at_[0] == '\\' && at_[1] == 'u') {
      at_ += 2;
      uint32_t low = 0;
      if (!Hex4(&low) || low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (point < 0x80) {
      out->push_back(static_cast<char>(point));
    } else if (point < 0x800) {
      out->push_back(static_cast<char>(0xc0 | point >> 6));
      out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
      out->push_back(static_cast<char>(0xe0 | point >> 12));
      out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
      out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
    } else {
      out->push_back(static_cast<char>(0xf0 | point >> 18));
      out->push_back(static_cast<char>(0x80 | (point >> 12 & 0x3f)));
      out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3f)));
      out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
    }
    return true;
  }

  const char* at_;
  const char* const end_;
};

bool Digits(const char* text, int count, int64_t* out) {
  *out = 0;
  for (int i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    *out = *out * 10 + (text[i] - '0');
  }
  return true;
}

// Days since 1970-01-01 of the proleptic Gregorian calendar; March is the
// first month of its year, so that the leap day is the last.
int64_t DaysFromCivil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year =
      (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
         719468;
}

// "2024-01-01T00:00:00.123456789Z", the only form that the monitor writes;
// absl takes about ten times as long.
bool ParseUtcNanos(absl::string_view text, int64_t* ns) {
  int64_t year, month, day, hour, minute, second;
  if (text.size() < 20 || text.back() != 'Z') return false;
  const char* const p = text.data();
  if (!Digits(p, 4, &year) || p[4] != '-' || !Digits(p + 5, 2, &month) ||
      p[7] != '-' || !Digits(p + 8, 2, &day) || p[10] != 'T' ||
      !Digits(p + 11, 2, &hour) || p[13] != ':' ||
      !Digits(p + 14, 2, &minute) || p[16] != ':' ||
      !Digits(p + 17, 2, &second) || month < 1 || month > 12) {
    return false;
  }
  int64_t fraction = 0;
  if (text.size() > 20) {
    const int digits = static_cast<int>(text.size()) - 21;
    if (p[19] != '.' || digits < 1 || digits > 9 ||
        !Digits(p + 20, digits, &fraction)) {
      return false;
    }
    for (int i = digits; i < 9; ++i) fraction *= 10;
  }
  const int64_t seconds = DaysFromCivil(year, month, day) * 86400 +
                          hour * 3600 + minute * 60 + second;
  // Beyond these years nanoseconds do not fit.
  if (year < 1680 || year > 2260) return false;
  *ns = seconds * 1000000000 + fraction;
  return true;
}

bool ParseTime(absl::string_view text, int64_t* ns) {
  if (ParseUtcNanos(text, ns)) return true;
  const absl::StatusOr<absl::Time> time = ParseRfc3339(text);
  if (!time.ok()) return false;
  *ns = absl::ToUnixNanos(*time);
  return true;
}

bool ParseRecord(absl::string_view text, LogLine* line) {
  Scanner scanner(text);
  bool have_text = false, have_stream = false, have_time = false;
  if (!scanner.Eat('{')) return false;
  do {
    absl::string_view key, word;
    if (!scanner.RawString(&key) || !scanner.Eat(':')) return false;
    if (key == "log") {
      have_text = scanner.String(&line->text);
      if (!have_text) return false;
    } else if (key == "stream") {
      if (!scanner.RawString(&word)) return false;
      have_stream = word == "stdout" || word == "stderr";
      line->stream =
          word == "stderr" ? Output::Stream::kStderr : Output::Stream::kStdout;
    } else if (key == "time") {
      have_time = scanner.RawString(&word) && ParseTime(word, &line->time_ns);
    } else if (!scanner.SkipValue()) {
      return false;
    }
  } while (scanner.Eat(','));
  return scanner.Eat('}') && scanner.AtEnd() && have_text && have_stream &&
         have_time;
}

}  // namespace

bool ParseLogLine(absl::string_view text, LogLine* line) {
  if (ParseRecord(text, line)) return true;
  // Inside of a record every quote is escaped, so this starts another one,
  // written behind what a crash had cut short.
  const size_t again = text.rfind("{\"log\":\"");
  return again != absl::string_view::npos && again > 0 &&
         ParseRecord(text.substr(again), line);
}

}  // namespace containerkit::container
