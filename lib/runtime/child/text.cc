#include "lib/runtime/child/text.h"

#include <string.h>

namespace containerkit::runtime::child {

Str ToStr(const char* text) { return {text, uint32_t(strlen(text))}; }

Text& Text::Add(const char* text) { return AddBytes(text, strlen(text)); }
Text& Text::Add(Str text) { return AddBytes(text.data, text.size); }

Text& Text::AddBytes(const char* data, size_t size) {
  const size_t room = capacity_ - 1 - size_;
  if (size > room) {
    size = room;
    cut_ = true;
  }
  memcpy(buffer_ + size_, data, size);
  size_ += size;
  buffer_[size_] = '\0';
  return *this;
}

Text& Text::AddInt(int64_t value) {
  char digits[21];
  int at = sizeof digits;
  uint64_t rest = value < 0 ? uint64_t{0} - uint64_t(value) : uint64_t(value);
  do {
    digits[--at] = char('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) digits[--at] = '-';
  return AddBytes(digits + at, sizeof digits - size_t(at));
}

Text& Text::AddPadded(uint64_t value, int digits) {
  char text[20];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = char('0' + value % 10);
    value /= 10;
  }
  return AddBytes(text, size_t(digits));
}

bool ParseInt(const char* text, uint64_t* value) {
  while (*text == ' ' || *text == '\t') ++text;
  if (*text < '0' || *text > '9') return false;
  uint64_t result = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    const uint64_t digit = uint64_t(*text - '0');
    if (result > (~uint64_t{0} - digit) / 10) return false;
    result = result * 10 + digit;
  }
  *value = result;
  return true;
}

bool Equal(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

bool StartsWith(const char* text, const char* prefix) {
  while (*prefix != '\0') {
    if (*text++ != *prefix++) return false;
  }
  return true;
}

const char* FindLast(const char* text, char c) {
  const char* found = nullptr;
  for (; *text != '\0'; ++text) {
    if (*text == c) found = text;
  }
  return found;
}

const char* Find(const char* text, const char* part) {
  for (; *text != '\0'; ++text) {
    if (StartsWith(text, part)) return text;
  }
  return nullptr;
}

namespace {

// Year, month and day of a day count since 1970-01-01 (proleptic Gregorian,
// with years that begin in March so that leap days come last).
struct Date {
  int64_t year;
  uint64_t month, day;
};

Date DateOfDay(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const uint64_t day_of_era = uint64_t(days - era * 146097);
  const uint64_t year_of_era = (day_of_era - day_of_era / 1460 +
                                day_of_era / 36524 - day_of_era / 146096) /
                               365;
  const uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint64_t month = (5 * day_of_year + 2) / 153;
  Date date;
  date.day = day_of_year - (153 * month + 2) / 5 + 1;
  date.month = month < 10 ? month + 3 : month - 9;
  date.year = int64_t(year_of_era) + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

}  // namespace

void AddTime(Text& out, int64_t realtime_ns) {
  const uint64_t seconds = uint64_t(realtime_ns) / 1000000000;
  const Date date = DateOfDay(int64_t(seconds / 86400));
  const uint64_t in_day = seconds % 86400;
  out.AddPadded(uint64_t(date.year), 4)
      .AddChar('-')
      .AddPadded(date.month, 2)
      .AddChar('-')
      .AddPadded(date.day, 2)
      .AddChar('T')
      .AddPadded(in_day / 3600, 2)
      .AddChar(':')
      .AddPadded(in_day / 60 % 60, 2)
      .AddChar(':')
      .AddPadded(in_day % 60, 2)
      .AddChar('.')
      .AddPadded(uint64_t(realtime_ns) % 1000000000, 9)
      .AddChar('Z');
}

namespace {

// Length of the valid UTF-8 sequence at `p`, 0 if there is none.
size_t Utf8Length(const unsigned char* p, size_t left) {
  const unsigned char c = p[0];
  size_t length;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (c >= 0xc2 && c <= 0xdf) {
    length = 2;
  } else if (c >= 0xe0 && c <= 0xef) {
    length = 3;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;  // surrogates
  } else if (c >= 0xf0 && c <= 0xf4) {
    length = 4;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (left < length || p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

size_t EscapeAscii(unsigned char c, char* out) {
  constexpr char kHex[] = "0123456789abcdef";
  const char* two = nullptr;
  switch (c) {
    case '"':
      two = "\\\"";
      break;
    case '\\':
      two = "\\\\";
      break;
    case '\n':
      two = "\\n";
      break;
    case '\r':
      two = "\\r";
      break;
    case '\t':
      two = "\\t";
      break;
    default:
      break;
  }
  if (two != nullptr) {
    memcpy(out, two, 2);
    return 2;
  }
  memcpy(out, "\\u00", 4);
  out[4] = kHex[c >> 4];
  out[5] = kHex[c & 15];
  return 6;
}

}  // namespace

size_t EscapeJson(const char* data, size_t size, char* out) {
  const auto* p = reinterpret_cast<const unsigned char*>(data);
  char* const start = out;
  for (size_t i = 0; i < size;) {
    const unsigned char c = p[i];
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      *out++ = char(c);
      ++i;
    } else if (c < 0x80) {
      if (c == 0x7f) {
        *out++ = char(c);
      } else {
        out += EscapeAscii(c, out);
      }
      ++i;
    } else if (const size_t length = Utf8Length(p + i, size - i)) {
      memcpy(out, p + i, length);
      out += length;
      i += length;
    } else {
      memcpy(out, "\\ufffd", 6);
      out += 6;
      ++i;
    }
  }
  return size_t(out - start);
}

}  // namespace containerkit::runtime::child
