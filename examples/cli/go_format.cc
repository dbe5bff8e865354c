#include "examples/cli/go_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

struct Rune {
  uint32_t value = 0;
  size_t length = 0;  // bytes; 0 at the end
  bool valid = false;
};

Rune DecodeRune(absl::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (first < 0xc2 || first > 0xf4 || text.size() < length) {
    return {first, 1, false};
  }
  uint32_t value = first & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {first, 1, false};
    value = value << 6 | (byte(i) & 0x3f);
  }
  if (value < kLeast[length] || value > 0x10ffff ||
      (value >= 0xd800 && value < 0xe000)) {
    return {first, 1, false};
  }
  return {value, length, true};
}

void AppendRune(uint32_t rune, std::string* out) {
  if (rune < 0x80) {
    out->push_back(static_cast<char>(rune));
    return;
  }
  const int more = rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;
  constexpr uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out->push_back(static_cast<char>(kLead[more] | rune >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(0x80 | (rune >> (6 * i) & 0x3f)));
  }
}

constexpr std::pair<char, char> kEscapes[] = {
    {'a', '\a'}, {'b', '\b'}, {'f', '\f'},  {'n', '\n'}, {'r', '\r'},
    {'t', '\t'}, {'v', '\v'}, {'\\', '\\'}, {'"', '"'},  {'\'', '\''}};

// The value of `count` digits of `base`; false when they are not there.
bool Digits(absl::string_view text, size_t count, int base, uint32_t* value) {
  if (text.size() < count) return false;
  const char* const end = text.data() + count;
  const auto [stop, error] = std::from_chars(text.data(), end, *value, base);
  return error == std::errc() && stop == end;
}

// One escape sequence behind the backslash; gives its length, 0 for none.
size_t Unescape(absl::string_view text, std::string* out) {
  if (text.empty()) return 0;
  for (const auto& [letter, value] : kEscapes) {
    if (text[0] != letter) continue;
    out->push_back(value);
    return 1;
  }
  uint32_t value = 0;
  if (text[0] == 'x' && Digits(text.substr(1), 2, 16, &value)) {
    out->push_back(static_cast<char>(value));
    return 3;
  }
  if (text[0] >= '0' && text[0] <= '7' && Digits(text, 3, 8, &value) &&
      value < 256) {
    out->push_back(static_cast<char>(value));
    return 3;
  }
  const size_t digits = text[0] == 'u' ? 4 : text[0] == 'U' ? 8 : 0;
  if (digits == 0 || !Digits(text.substr(1), digits, 16, &value) ||
      value > 0x10ffff) {
    return 0;
  }
  AppendRune(value, out);
  return 1 + digits;
}

absl::string_view TypeName(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "<nil>";
    case Json::value_t::string:
      return "string";
    case Json::value_t::boolean:
      return "bool";
    case Json::value_t::number_float:
      return "float64";
    case Json::value_t::array:
      return "[]interface {}";
    case Json::value_t::object:
      return "map[string]interface {}";
    default:
      return "int";
  }
}

// One verb of a format: %[flags][width][.precision]verb.
struct Verb {
  bool minus = false;
  bool plus = false;
  bool zero = false;
  bool space = false;
  bool sharp = false;
  int width = 0;
  int precision = -1;
  char letter = 0;
};

std::string Pad(std::string text, const Verb& verb, bool number) {
  const size_t count = RuneCount(text);
  const size_t width = static_cast<size_t>(verb.width);
  if (count >= width) return text;
  const size_t missing = width - count;
  if (verb.minus) return text.append(missing, ' ');
  if (verb.zero && number) {
    const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
    return text.insert(sign ? 1 : 0, missing, '0');
  }
  return text.insert(0, missing, ' ');
}

std::string InBase(uint64_t value, int base, bool upper) {
  char buffer[65];
  const auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value, base);
  std::string text(buffer, result.ptr);
  return upper ? absl::AsciiStrToUpper(text) : text;
}

std::string BadVerb(const Verb& verb, const Json& value) {
  if (value.is_null()) {
    return absl::StrCat("%!", std::string(1, verb.letter), "(<nil>)");
  }
  return absl::StrCat("%!", std::string(1, verb.letter), "(", TypeName(value),
                      "=", GoPrint(value), ")");
}

std::string Integer(const Verb& verb, const Json& value) {
  const bool negative = !value.is_number_unsigned() && value.get<int64_t>() < 0;
  const uint64_t magnitude =
      negative ? 0 - static_cast<uint64_t>(value.get<int64_t>())
               : value.get<uint64_t>();
  std::string text;
  switch (verb.letter) {
    case 'd':
    case 'v':
      text = absl::StrCat(magnitude);
      break;
    case 'x':
    case 'X':
      text =
          (verb.sharp ? "0x" : "") + InBase(magnitude, 16, verb.letter == 'X');
      break;
    case 'o':
      text = (verb.sharp ? "0" : "") + InBase(magnitude, 8, false);
      break;
    case 'b':
      text = InBase(magnitude, 2, false);
      break;
    case 'c':
      AppendRune(static_cast<uint32_t>(magnitude), &text);
      break;
    case 'U':
      text = absl::StrFormat("U+%04X", magnitude);
      break;
    case 'q':
      AppendRune(static_cast<uint32_t>(magnitude), &text);
      text = absl::StrCat("'", text, "'");
      break;
    default:
      return BadVerb(verb, value);
  }
  if (negative) {
    text.insert(0, "-");
  } else if (verb.plus) {
    text.insert(0, "+");
  } else if (verb.space) {
    text.insert(0, " ");
  }
  return Pad(std::move(text), verb, true);
}

std::string Float(const Verb& verb, double value, const Json& json) {
  const int precision = verb.precision < 0 ? 6 : verb.precision;
  std::string text;
  switch (verb.letter) {
    case 'f':
    case 'F':
      text = absl::StrFormat("%.*f", precision, value);
      break;
    case 'e':
      text = absl::StrFormat("%.*e", precision, value);
      break;
    case 'g':
    case 'v':
      text = verb.precision < 0 ? GoFloat(value)
                                : absl::StrFormat("%.*g", precision, value);
      break;
    default:
      return BadVerb(verb, json);
  }
  if (verb.plus && value >= 0) text.insert(0, "+");
  return Pad(std::move(text), verb, true);
}

std::string String(const Verb& verb, const std::string& value,
                   const Json& json) {
  std::string text = value;
  if (verb.precision >= 0) {
    text = std::string(FirstRunes(text, static_cast<size_t>(verb.precision)));
  }
  switch (verb.letter) {
    case 's':
      break;
    case 'v':
      if (verb.sharp) text = GoQuote(text);
      break;
    case 'q':
      text = GoQuote(text);
      break;
    case 'x':
    case 'X': {
      std::string hex;
      for (const char c : text) {
        absl::StrAppend(&hex,
                        absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
      }
      text = verb.letter == 'X' ? absl::AsciiStrToUpper(hex) : hex;
      break;
    }
    default:
      return BadVerb(verb, json);
  }
  return Pad(std::move(text), verb, false);
}

std::string FormatOne(const Verb& verb, const Json& value) {
  if (verb.letter == 'T') {
    return Pad(std::string(TypeName(value)), verb, false);
  }
  switch (value.type()) {
    case Json::value_t::string:
      return String(verb, value.get_ref<const std::string&>(), value);
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return Integer(verb, value);
    case Json::value_t::number_float:
      return Float(verb, value.get<double>(), value);
    case Json::value_t::boolean:
      if (verb.letter != 't' && verb.letter != 'v') break;
      return Pad(value.get<bool>() ? "true" : "false", verb, false);
    case Json::value_t::array: {
      std::string text = "[";
      for (const Json& element : value) {
        if (text.size() > 1) text += " ";
        text += FormatOne(verb, element);
      }
      return text + "]";
    }
    case Json::value_t::object: {
      std::string text = "map[";
      for (const auto& [key, element] : value.items()) {
        if (text.size() > 4) text += " ";
        text += FormatOne(verb, Json(key)) + ":" + FormatOne(verb, element);
      }
      return text + "]";
    }
    default:
      if (verb.letter == 'v') return Pad("<nil>", verb, false);
  }
  return BadVerb(verb, value);
}

// Reads a decimal number or "*"; false when the "*" has no integer.
bool ReadCount(absl::string_view format, size_t& at,
               std::span<const Json> arguments, size_t& used, int* count) {
  constexpr int kMaxCount = 10000;
  if (at < format.size() && format[at] == '*') {
    ++at;
    if (used >= arguments.size() || !arguments[used].is_number_integer()) {
      return false;
    }
    *count = static_cast<int>(std::clamp<int64_t>(
        arguments[used++].get<int64_t>(), -kMaxCount, kMaxCount));
    return true;
  }
  int value = 0;
  while (at < format.size() && absl::ascii_isdigit(format[at])) {
    value = std::min(value * 10 + (format[at++] - '0'), kMaxCount);
  }
  *count = value;
  return true;
}

}  // namespace

std::string GoQuote(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    const absl::string_view bytes = text.substr(0, rune.length);
    text.remove_prefix(rune.length);
    const auto* escape = std::find_if(
        std::begin(kEscapes), std::end(kEscapes), [&](const auto& e) {
          return e.second == bytes[0] && bytes[0] != '\'';
        });
    if (rune.valid && escape != std::end(kEscapes)) {
      out.push_back('\\');
      out.push_back(escape->first);
    } else if (!rune.valid || rune.value < 0x20 || rune.value == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(rune.value, absl::kZeroPad2));
    } else if (rune.value >= 0x80 && rune.value <= 0xa0) {
      absl::StrAppend(&out, "\\u", absl::Hex(rune.value, absl::kZeroPad4));
    } else {
      absl::StrAppend(&out, bytes);
    }
  }
  return out + "\"";
}

bool GoUnquote(absl::string_view quoted, std::string* text) {
  text->clear();
  if (quoted.size() < 2 || quoted.front() != quoted.back()) return false;
  quoted = quoted.substr(1, quoted.size() - 2);
  while (!quoted.empty()) {
    if (quoted[0] != '\\') {
      text->push_back(quoted[0]);
      quoted.remove_prefix(1);
      continue;
    }
    quoted.remove_prefix(1);
    const size_t length = Unescape(quoted, text);
    if (length == 0) return false;
    quoted.remove_prefix(length);
  }
  return true;
}

uint32_t FirstRune(absl::string_view text) { return DecodeRune(text).value; }

size_t RuneCount(absl::string_view text) {
  size_t count = 0;
  for (; !text.empty(); text.remove_prefix(DecodeRune(text).length)) ++count;
  return count;
}

absl::string_view FirstRunes(absl::string_view text, size_t count) {
  size_t length = 0;
  for (; count > 0 && length < text.size(); --count) {
    length += DecodeRune(text.substr(length)).length;
  }
  return text.substr(0, length);
}

std::string GoFloat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  const double magnitude = std::fabs(value);
  // %v takes the exponent form from 1e21 on and below 1e-4.
  const bool exponent =
      magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e21);
  char buffer[400];
  const auto result = std::to_chars(
      buffer, buffer + sizeof(buffer), value,
      exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return std::string(buffer, result.ptr);
}

std::string GoPrint(const Json& value) {
  return FormatOne(Verb{.letter = 'v'}, value);
}

std::string GoSprintf(absl::string_view format,
                      std::span<const Json> arguments) {
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out.push_back(format[at++]);
      continue;
    }
    ++at;
    Verb verb;
    for (; at < format.size(); ++at) {
      bool* const flag = format[at] == '-'   ? &verb.minus
                         : format[at] == '+' ? &verb.plus
                         : format[at] == '0' ? &verb.zero
                         : format[at] == ' ' ? &verb.space
                         : format[at] == '#' ? &verb.sharp
                                             : nullptr;
      if (flag == nullptr) break;
      *flag = true;
    }
    if (!ReadCount(format, at, arguments, used, &verb.width)) {
      out += "%!(BADWIDTH)";
    }
    if (verb.width < 0) {
      verb.minus = true;
      verb.width = -verb.width;
    }
    if (at < format.size() && format[at] == '.') {
      ++at;
      if (!ReadCount(format, at, arguments, used, &verb.precision)) {
        out += "%!(BADPREC)";
      }
    }
    if (at >= format.size()) return out + "%!(NOVERB)";
    verb.letter = format[at++];
    if (verb.letter == '%') {
      out.push_back('%');
    } else if (used >= arguments.size()) {
      absl::StrAppend(&out, "%!", std::string(1, verb.letter), "(MISSING)");
    } else {
      out += FormatOne(verb, arguments[used++]);
    }
  }
  if (used < arguments.size()) {
    out += "%!(EXTRA ";
    for (size_t i = used; i < arguments.size(); ++i) {
      if (i > used) out += ", ";
      out += arguments[i].is_null() ? "<nil>"
                                    : absl::StrCat(TypeName(arguments[i]), "=",
                                                   GoPrint(arguments[i]));
    }
    out += ")";
  }
  return out;
}

std::string GoSprint(std::span<const Json> arguments) {
  std::string out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0 && !arguments[i].is_string() && !arguments[i - 1].is_string()) {
      out += " ";
    }
    out += GoPrint(arguments[i]);
  }
  return out;
}

std::string GoJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string GoJsonIndented(const Json& value) {
  return value.dump(4, ' ', false, Json::error_handler_t::replace);
}

}  // namespace containerkit::cli
