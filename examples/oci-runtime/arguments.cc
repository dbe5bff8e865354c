#include "examples/oci-runtime/arguments.h"

#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace ck_oci {
namespace {

std::string Dashed(absl::string_view name) {
  return absl::StrCat(name.size() == 1 ? "-" : "--", name);
}

}  // namespace

void Arguments::Add(absl::string_view names, Kind kind, void* value,
                    absl::string_view help) {
  flags_.push_back({.names = absl::StrSplit(names, ','),
                    .kind = kind,
                    .value = value,
                    .help = std::string(help)});
}

void Arguments::Bool(absl::string_view names, bool* value,
                     absl::string_view help) {
  Add(names, Kind::kBool, value, help);
}

void Arguments::String(absl::string_view names, std::string* value,
                       absl::string_view help) {
  Add(names, Kind::kString, value, help);
}

void Arguments::List(absl::string_view names, std::vector<std::string>* values,
                     absl::string_view help) {
  Add(names, Kind::kList, values, help);
}

void Arguments::Count(absl::string_view names, int* value,
                      absl::string_view help) {
  Add(names, Kind::kCount, value, help);
}

const Arguments::Flag* Arguments::Find(absl::string_view name) const {
  for (const Flag& flag : flags_) {
    for (const std::string& known : flag.names) {
      if (known == name) return &flag;
    }
  }
  return nullptr;
}

absl::Status Arguments::Set(const Flag& flag, absl::string_view name,
                            const std::string* value) {
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("flag ", Dashed(name), " ", what));
  };
  if (flag.kind == Kind::kBool) {
    bool* target = static_cast<bool*>(flag.value);
    if (value == nullptr) {
      *target = true;
    } else if (!absl::SimpleAtob(*value, target)) {
      return bad(absl::StrCat("is no boolean: \"", *value, "\""));
    }
    return absl::OkStatus();
  }
  if (value == nullptr) return bad("needs an argument");
  switch (flag.kind) {
    case Kind::kString:
      *static_cast<std::string*>(flag.value) = *value;
      break;
    case Kind::kList:
      static_cast<std::vector<std::string>*>(flag.value)->push_back(*value);
      break;
    default: {
      int number = 0;
      if (!absl::SimpleAtoi(*value, &number) || number < 0) {
        return bad(absl::StrCat("is no number: \"", *value, "\""));
      }
      *static_cast<int*>(flag.value) = number;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Arguments::Parse(
    const std::vector<std::string>& arguments, FlagOrder order) const {
  std::vector<std::string> others;
  const auto flags_over = [&] {
    return (order == FlagOrder::kBeforeFirst && !others.empty()) ||
           (order == FlagOrder::kBeforeSecond && others.size() >= 2);
  };
  size_t i = 0;
  while (i < arguments.size() && !flags_over()) {
    const std::string& argument = arguments[i++];
    if (argument == "--") break;
    if (argument.size() < 2 || argument[0] != '-') {
      others.push_back(argument);
      continue;
    }
    const size_t dashes = argument[1] == '-' ? 2 : 1;
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(argument.substr(dashes), absl::MaxSplits('=', 1));
    const Flag* flag = Find(parts.first);
    if (flag == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("flag provided but not defined: ", argument));
    }
    const std::string* value = nullptr;
    if (argument.find('=') != std::string::npos) {
      value = &parts.second;
    } else if (flag->kind != Kind::kBool && i < arguments.size()) {
      value = &arguments[i++];
    }
    if (absl::Status status = Set(*flag, parts.first, value); !status.ok()) {
      return status;
    }
  }
  others.insert(others.end(), arguments.begin() + i, arguments.end());
  return others;
}

std::string Arguments::Help() const {
  std::string text;
  for (const Flag& flag : flags_) {
    if (flag.help.empty()) continue;
    std::vector<std::string> names;
    for (const std::string& name : flag.names) names.push_back(Dashed(name));
    std::string left = absl::StrJoin(names, ", ");
    if (flag.kind != Kind::kBool) absl::StrAppend(&left, " VALUE");
    if (left.size() < 30) left.resize(30, ' ');
    absl::StrAppend(&text, "   ", left, "  ", flag.help, "\n");
  }
  return text;
}

}  // namespace ck_oci
