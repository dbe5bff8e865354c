#include "examples/cli/template/functions.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/cli/go_format.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;
using Arguments = std::span<const Json>;
using Result = absl::StatusOr<Json>;

// pad() and friends make no longer strings than this.
constexpr int64_t kMaxPad = 1 << 16;

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

absl::Status WantString(const Json& value) {
  if (value.is_string()) return absl::OkStatus();
  return Bad(absl::StrCat("wrong type for value; expected string; got ",
                          GoSprintf("%T", Arguments(&value, 1))));
}

absl::Status WantInteger(const Json& value) {
  if (value.is_number_integer()) return absl::OkStatus();
  return Bad(absl::StrCat("wrong type for value; expected int; got ",
                          GoSprintf("%T", Arguments(&value, 1))));
}

// "basic kind" of Go's comparisons; values of different kinds do not compare.
enum class Basis { kNone, kBool, kInteger, kFloat, kString };

Basis BasisOf(const Json& value) {
  if (value.is_boolean()) return Basis::kBool;
  if (value.is_number_integer()) return Basis::kInteger;
  if (value.is_number_float()) return Basis::kFloat;
  if (value.is_string()) return Basis::kString;
  return Basis::kNone;
}

Result Equal(Arguments arguments) {
  if (arguments.size() < 2) return Bad("missing argument for comparison");
  const Json& first = arguments[0];
  for (const Json& other : arguments.subspan(1)) {
    if (BasisOf(first) != BasisOf(other) && !first.is_null() &&
        !other.is_null()) {
      return Bad("incompatible types for comparison");
    }
    if (first.is_structured() || other.is_structured()) {
      return Bad("non-comparable type for comparison");
    }
    if (first == other) return Json(true);
  }
  return Json(false);
}

Result NotEqual(Arguments arguments) {
  Result equal = Equal(arguments);
  if (!equal.ok()) return equal;
  return Json(!equal->get<bool>());
}

absl::StatusOr<bool> LessThan(const Json& a, const Json& b) {
  const Basis basis = BasisOf(a);
  if (basis == Basis::kNone || basis == Basis::kBool) {
    return Bad("invalid type for comparison");
  }
  if (basis != BasisOf(b)) return Bad("incompatible types for comparison");
  return a < b;
}

Result Less(Arguments arguments) {
  const auto less = LessThan(arguments[0], arguments[1]);
  if (!less.ok()) return less.status();
  return Json(*less);
}

Result Greater(Arguments arguments) {
  return Less(std::vector<Json>{arguments[1], arguments[0]});
}

Result LessOrEqual(Arguments arguments) {
  const Result greater = Greater(arguments);
  if (!greater.ok()) return greater;
  return Json(!greater->get<bool>());
}

Result GreaterOrEqual(Arguments arguments) {
  const Result less = Less(arguments);
  if (!less.ok()) return less;
  return Json(!less->get<bool>());
}

Result And(Arguments arguments) {
  for (const Json& value : arguments) {
    if (!TemplateTruth(value)) return value;
  }
  return arguments.back();
}

Result Or(Arguments arguments) {
  for (const Json& value : arguments) {
    if (TemplateTruth(value)) return value;
  }
  return arguments.back();
}

Result Not(Arguments arguments) { return Json(!TemplateTruth(arguments[0])); }

Result Length(Arguments arguments) {
  const Json& value = arguments[0];
  if (value.is_string()) {
    return Json(value.get_ref<const std::string&>().size());
  }
  if (value.is_structured()) return Json(value.size());
  if (value.is_null()) return Bad("len of nil pointer");
  return Bad(absl::StrCat("len of type ", GoSprintf("%T", arguments)));
}

absl::StatusOr<size_t> CheckIndex(const Json& index, size_t size) {
  if (!index.is_number_integer()) {
    return Bad(absl::StrCat("cannot index slice/array with type ",
                            GoSprintf("%T", Arguments(&index, 1))));
  }
  const int64_t at = index.get<int64_t>();
  if (at < 0 || static_cast<uint64_t>(at) >= size) {
    return Bad(absl::StrCat("index out of range: ", at));
  }
  return static_cast<size_t>(at);
}

Result Index(Arguments arguments) {
  Json value = arguments[0];
  for (const Json& index : arguments.subspan(1)) {
    if (value.is_object()) {
      if (!index.is_string()) {
        return Bad("value has type int; should be string");
      }
      const auto found = value.find(index.get_ref<const std::string&>());
      // The zero value: docker's maps are mostly of strings.
      Json next = found == value.end() ? Json("") : *found;
      value = std::move(next);
    } else if (value.is_array()) {
      const auto at = CheckIndex(index, value.size());
      if (!at.ok()) return at.status();
      Json next = value[*at];
      value = std::move(next);
    } else if (value.is_string()) {
      const std::string& text = value.get_ref<const std::string&>();
      const auto at = CheckIndex(index, text.size());
      if (!at.ok()) return at.status();
      value = Json(static_cast<uint8_t>(text[*at]));
    } else if (value.is_null()) {
      return Bad("index of nil pointer");
    } else {
      return Bad(absl::StrCat("can't index item of type ",
                              GoSprintf("%T", Arguments(&value, 1))));
    }
  }
  return value;
}

Result Slice(Arguments arguments) {
  const Json& value = arguments[0];
  if (!value.is_string() && !value.is_array()) {
    return Bad(absl::StrCat("can't slice item of type ",
                            GoSprintf("%T", arguments.first(1))));
  }
  const size_t size = value.is_string()
                          ? value.get_ref<const std::string&>().size()
                          : value.size();
  size_t bounds[] = {0, size};
  for (size_t i = 1; i < arguments.size(); ++i) {
    const auto at = CheckIndex(arguments[i], size + 1);
    if (!at.ok()) return at.status();
    bounds[i - 1] = *at;
  }
  if (bounds[0] > bounds[1]) {
    return Bad(
        absl::StrCat("invalid slice index: ", bounds[0], " > ", bounds[1]));
  }
  if (value.is_string()) {
    return Json(value.get_ref<const std::string&>().substr(
        bounds[0], bounds[1] - bounds[0]));
  }
  return Json(
      std::vector<Json>(value.begin() + bounds[0], value.begin() + bounds[1]));
}

Result Print(Arguments arguments) { return Json(GoSprint(arguments)); }

Result PrintLine(Arguments arguments) {
  return Json(
      absl::StrCat(absl::StrJoin(arguments, " ",
                                 [](std::string* out, const Json& value) {
                                   out->append(GoPrint(value));
                                 }),
                   "\n"));
}

Result Printf(Arguments arguments) {
  if (absl::Status status = WantString(arguments[0]); !status.ok()) {
    return status;
  }
  return Json(GoSprintf(arguments[0].get_ref<const std::string&>(),
                        arguments.subspan(1)));
}

Result ToJson(Arguments arguments) { return Json(GoJson(arguments[0])); }

Result Split(Arguments arguments) {
  for (const Json& argument : arguments) {
    if (absl::Status status = WantString(argument); !status.ok()) {
      return status;
    }
  }
  const auto& text = arguments[0].get_ref<const std::string&>();
  const auto& separator = arguments[1].get_ref<const std::string&>();
  return Json(std::vector<std::string>(
      absl::StrSplit(text, absl::ByString(separator))));
}

Result Join(Arguments arguments) {
  if (absl::Status status = WantString(arguments[1]); !status.ok()) {
    return status;
  }
  if (arguments[0].is_null()) return Json("");
  if (!arguments[0].is_array()) {
    return Bad(absl::StrCat("wrong type for value; expected []string; got ",
                            GoSprintf("%T", arguments.first(1))));
  }
  return Json(absl::StrJoin(arguments[0],
                            arguments[1].get_ref<const std::string&>(),
                            [](std::string* out, const Json& value) {
                              out->append(GoPrint(value));
                            }));
}

template <typename Change>
Result ChangeCase(Arguments arguments, Change change) {
  if (absl::Status status = WantString(arguments[0]); !status.ok()) {
    return status;
  }
  std::string text = arguments[0].get<std::string>();
  change(text);
  return Json(std::move(text));
}

Result Title(Arguments arguments) {
  return ChangeCase(arguments, [](std::string& text) {
    bool inside = false;
    for (char& c : text) {
      if (!inside) c = absl::ascii_toupper(c);
      inside = absl::ascii_isalnum(c) || c == '_' || c == '\'' ||
               static_cast<unsigned char>(c) >= 0x80;
    }
  });
}

Result Lower(Arguments arguments) {
  return ChangeCase(arguments,
                    [](std::string& text) { absl::AsciiStrToLower(&text); });
}

Result Upper(Arguments arguments) {
  return ChangeCase(arguments,
                    [](std::string& text) { absl::AsciiStrToUpper(&text); });
}

// pad TEXT BEFORE AFTER: spaces around a text that is not empty.
Result Pad(Arguments arguments) {
  if (absl::Status status = WantString(arguments[0]); !status.ok()) {
    return status;
  }
  for (const Json& count : arguments.subspan(1)) {
    if (absl::Status status = WantInteger(count); !status.ok()) return status;
  }
  const auto& text = arguments[0].get_ref<const std::string&>();
  if (text.empty()) return arguments[0];
  const auto spaces = [&](size_t i) {
    return std::string(
        std::clamp<int64_t>(arguments[i].get<int64_t>(), 0, kMaxPad), ' ');
  };
  return Json(spaces(1) + text + spaces(2));
}

Result Truncate(Arguments arguments) {
  if (absl::Status status = WantString(arguments[0]); !status.ok()) {
    return status;
  }
  if (absl::Status status = WantInteger(arguments[1]); !status.ok()) {
    return status;
  }
  const int64_t count = std::max<int64_t>(arguments[1].get<int64_t>(), 0);
  return Json(std::string(FirstRunes(arguments[0].get_ref<const std::string&>(),
                                     static_cast<size_t>(count))));
}

struct Function {
  absl::string_view name;
  size_t least;
  size_t most;  // of arguments
  Result (*call)(Arguments);
  // Makes a value look different: hands it through in a table's header.
  bool cosmetic = false;
};

constexpr size_t kAny = SIZE_MAX;

constexpr Function kFunctions[] = {
    {"and", 1, kAny, And},        {"eq", 1, kAny, Equal},
    {"ge", 2, 2, GreaterOrEqual}, {"gt", 2, 2, Greater},
    {"index", 1, kAny, Index},    {"join", 2, 2, Join, true},
    {"json", 1, 1, ToJson, true}, {"le", 2, 2, LessOrEqual},
    {"len", 1, 1, Length},        {"lower", 1, 1, Lower, true},
    {"lt", 2, 2, Less},           {"ne", 2, 2, NotEqual},
    {"not", 1, 1, Not},           {"or", 1, kAny, Or},
    {"pad", 3, 3, Pad},           {"print", 0, kAny, Print},
    {"printf", 1, kAny, Printf},  {"println", 0, kAny, PrintLine},
    {"slice", 1, 3, Slice},       {"split", 2, 2, Split, true},
    {"title", 1, 1, Title, true}, {"truncate", 2, 2, Truncate, true},
    {"upper", 1, 1, Upper, true},
};

const Function* Find(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kFunctions), std::end(kFunctions),
                   [&](const Function& f) { return f.name == name; });
  return found == std::end(kFunctions) ? nullptr : found;
}

}  // namespace

bool TemplateTruth(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return false;
    case Json::value_t::boolean:
      return value.get<bool>();
    case Json::value_t::string:
      return !value.get_ref<const std::string&>().empty();
    case Json::value_t::number_float:
      return value.get<double>() != 0;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return value.get<int64_t>() != 0;
    default:
      return !value.empty();
  }
}

bool IsTemplateFunction(absl::string_view name) {
  return Find(name) != nullptr;
}

Result CallTemplateFunction(absl::string_view name, Arguments arguments,
                            bool header) {
  const Function* const function = Find(name);
  if (function == nullptr) {
    return Bad(absl::StrCat(GoQuote(name), " is not a defined function"));
  }
  if (arguments.size() < function->least || arguments.size() > function->most) {
    return Bad(absl::StrCat("wrong number of args for ", name, ": want ",
                            function->most == kAny ? "at least " : "",
                            function->least, " got ", arguments.size()));
  }
  if (header && function->cosmetic) return arguments[0];
  return function->call(arguments);
}

}  // namespace containerkit::cli
