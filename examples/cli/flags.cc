#include "examples/cli/flags.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

constexpr size_t kHelpWidth = 80;

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

absl::Status SetHelp(void* options, absl::string_view value) {
  return StoreFlag(static_cast<ParsedFlags*>(options)->help, value);
}

constexpr Flag kHelp = {"help", 'h', "", "Print usage", SetHelp};

class FlagParser {
 public:
  FlagParser(std::span<const Flag> flags, std::span<const char* const> words,
             bool interspersed, void* options)
      : flags_(flags),
        words_(words),
        interspersed_(interspersed),
        options_(options) {}

  absl::StatusOr<ParsedFlags> Run() {
    while (at_ < words_.size()) {
      const absl::string_view word = words_[at_++];
      if (word.size() < 2 || word[0] != '-') {
        parsed_.arguments.emplace_back(word);
        if (!interspersed_) break;
        continue;
      }
      if (word == "--") break;
      CLI_RETURN_IF_ERROR(word[1] == '-' ? Long(word.substr(2))
                                         : Short(word.substr(1)));
      if (parsed_.help) return std::move(parsed_);
    }
    for (; at_ < words_.size(); ++at_) {
      parsed_.arguments.emplace_back(words_[at_]);
    }
    return std::move(parsed_);
  }

 private:
  absl::Status Long(absl::string_view text) {
    const size_t equals = text.find('=');
    const absl::string_view name = text.substr(0, equals);
    if (name.empty() || name[0] == '-') {
      return Bad(absl::StrCat("bad flag syntax: --", text));
    }
    const Flag* const flag = FindLong(name);
    if (flag == nullptr) return Bad(absl::StrCat("unknown flag: --", name));
    if (equals != absl::string_view::npos) {
      return Apply(*flag, text.substr(equals + 1));
    }
    if (flag->type.empty()) return Apply(*flag, "true");
    if (at_ >= words_.size()) {
      return Bad(absl::StrCat("flag needs an argument: --", name));
    }
    return Apply(*flag, words_[at_++]);
  }

  absl::Status Short(absl::string_view letters) {
    const absl::string_view all = letters;
    while (!letters.empty()) {
      const char letter = letters[0];
      const Flag* const flag = FindShort(letter);
      if (flag == nullptr) {
        return Bad(absl::StrCat("unknown shorthand flag: '",
                                letters.substr(0, 1), "' in -", all));
      }
      letters.remove_prefix(1);
      if (absl::ConsumePrefix(&letters, "=")) return Apply(*flag, letters);
      if (flag->type.empty()) {
        CLI_RETURN_IF_ERROR(Apply(*flag, "true"));
        continue;
      }
      if (!letters.empty()) return Apply(*flag, letters);
      if (at_ >= words_.size()) {
        return Bad(absl::StrCat("flag needs an argument: '",
                                std::string(1, letter), "' in -", all));
      }
      return Apply(*flag, words_[at_++]);
    }
    return absl::OkStatus();
  }

  const Flag* FindLong(absl::string_view name) const {
    for (const Flag& flag : flags_) {
      if (flag.name == name) return &flag;
    }
    return name == kHelp.name ? &kHelp : nullptr;
  }

  const Flag* FindShort(char letter) const {
    for (const Flag& flag : flags_) {
      if (flag.shorthand == letter && letter != '\0') return &flag;
    }
    return letter == kHelp.shorthand ? &kHelp : nullptr;
  }

  absl::Status Apply(const Flag& flag, absl::string_view value) {
    const absl::Status status =
        flag.set(&flag == &kHelp ? &parsed_ : options_, value);
    if (status.ok()) return status;
    const std::string shown =
        flag.shorthand != '\0' && &flag != &kHelp
            ? absl::StrCat("-", std::string(1, flag.shorthand), ", --",
                           flag.name)
            : absl::StrCat("--", flag.name);
    return Bad(absl::StrCat("invalid argument ", GoQuote(value), " for \"",
                            shown, "\" flag: ", status.message()));
  }

  const std::span<const Flag> flags_;
  const std::span<const char* const> words_;
  const bool interspersed_;
  void* const options_;
  size_t at_ = 0;
  ParsedFlags parsed_;
};

// The text in lines of at most `width`, each but the first after `indent`.
std::string Wrap(absl::string_view text, size_t indent, size_t width) {
  std::string out;
  size_t column = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (column > 0 && column + 1 + word.size() > width) {
      absl::StrAppend(&out, "\n", std::string(indent, ' '));
      column = 0;
    } else if (column > 0) {
      out += " ";
      ++column;
    }
    absl::StrAppend(&out, word);
    column += word.size();
  }
  return out;
}

template <typename T>
absl::Status StoreInteger(T& target, absl::string_view value,
                          absl::string_view function) {
  absl::string_view digits = value;
  if (!absl::StartsWith(value, "+-")) absl::ConsumePrefix(&digits, "+");
  int base = 10;
  if (absl::StartsWithIgnoreCase(digits, "0x")) {
    digits.remove_prefix(2);
    base = 16;
  }
  const char* const end = digits.data() + digits.size();
  T parsed{};
  const auto [stop, error] = std::from_chars(digits.data(), end, parsed, base);
  if (error == std::errc() && stop == end && !digits.empty()) {
    target = parsed;
    return absl::OkStatus();
  }
  return Bad(absl::StrCat("strconv.", function, ": parsing ", GoQuote(value),
                          error == std::errc::result_out_of_range
                              ? ": value out of range"
                              : ": invalid syntax"));
}

}  // namespace

absl::StatusOr<ParsedFlags> ParseFlags(std::span<const Flag> flags,
                                       std::span<const char* const> words,
                                       bool interspersed, void* options) {
  return FlagParser(flags, words, interspersed, options).Run();
}

std::string FlagUsage(std::span<const Flag> flags) {
  std::vector<std::string> names;
  size_t width = 0;
  for (const Flag& flag : flags) {
    std::string text = flag.shorthand == '\0'
                           ? absl::StrCat("      --", flag.name)
                           : absl::StrCat("  -", std::string(1, flag.shorthand),
                                          ", --", flag.name);
    if (!flag.type.empty()) absl::StrAppend(&text, " ", flag.type);
    width = std::max(width, text.size() + 3);
    names.push_back(std::move(text));
  }
  std::string out;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i].help.empty()) continue;  // accepted, not shown
    std::string help(flags[i].help);
    if (!flags[i].default_value.empty()) {
      absl::StrAppend(&help, " (default ", flags[i].default_value, ")");
    }
    absl::StrAppend(&out, names[i], std::string(width - names[i].size(), ' '),
                    Wrap(help, width, kHelpWidth - width), "\n");
  }
  return out;
}

absl::Status StoreFlag(bool& target, absl::string_view value) {
  for (const absl::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (value != yes) continue;
    target = true;
    return absl::OkStatus();
  }
  for (const absl::string_view no :
       {"0", "f", "F", "false", "FALSE", "False"}) {
    if (value != no) continue;
    target = false;
    return absl::OkStatus();
  }
  return Bad(absl::StrCat("strconv.ParseBool: parsing ", GoQuote(value),
                          ": invalid syntax"));
}

absl::Status StoreFlag(int& target, absl::string_view value) {
  return StoreInteger(target, value, "ParseInt");
}

absl::Status StoreFlag(int64_t& target, absl::string_view value) {
  return StoreInteger(target, value, "ParseInt");
}

absl::Status StoreFlag(uint64_t& target, absl::string_view value) {
  return StoreInteger(target, value, "ParseUint");
}

absl::Status StoreFlag(uint16_t& target, absl::string_view value) {
  return StoreInteger(target, value, "ParseUint");
}

absl::Status StoreFlag(std::string& target, absl::string_view value) {
  target = std::string(value);
  return absl::OkStatus();
}

absl::Status StoreFlag(std::vector<std::string>& target,
                       absl::string_view value) {
  target.emplace_back(value);
  return absl::OkStatus();
}

absl::Status StoreFlag(absl::Duration& target, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(target, ParseGoDuration(value));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ParseByteFlag(absl::string_view value) {
  return ParseBytes(value);
}

absl::StatusOr<std::pair<std::string, std::string>> ParseFilterFlag(
    absl::string_view value) {
  const size_t equals = value.find('=');
  if (equals == absl::string_view::npos) {
    return Bad("bad format of filter (expected name=value)");
  }
  return std::pair(
      absl::AsciiStrToLower(
          absl::StripAsciiWhitespace(value.substr(0, equals))),
      std::string(absl::StripAsciiWhitespace(value.substr(equals + 1))));
}

}  // namespace containerkit::cli
