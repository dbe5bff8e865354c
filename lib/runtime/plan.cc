#include "lib/runtime/plan.h"

#include <cctype>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {
namespace {

struct OpInfo {
  absl::string_view name;
  char actor;
  absl::string_view fields;
};

OpInfo InfoOf(Op op) {
  switch (op) {
#define CK_OP(value, name, actor, fields) \
  case Op::k##name:                       \
    return {#name, actor, fields};
#include "lib/runtime/plan_ops.inc"
#undef CK_OP
  }
  return {"?", '?', ""};
}

template <typename T>
void PutInt(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void PutString(std::string& out, absl::string_view value) {
  PutInt(out, static_cast<uint32_t>(value.size()));
  out.append(value.data(), value.size());
  out.push_back('\0');
}

void PutField(std::string& out, const Field& field) {
  if (const auto* number = std::get_if<uint64_t>(&field)) {
    PutInt(out, *number);
  } else if (const auto* text = std::get_if<std::string>(&field)) {
    PutString(out, *text);
  } else {
    const auto& list = std::get<std::vector<std::string>>(field);
    PutInt(out, static_cast<uint32_t>(list.size()));
    for (const std::string& item : list) PutString(out, item);
  }
}

// Text as it is, anything else by its size.
std::string Shown(absl::string_view value) {
  constexpr size_t kLongest = 200;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\t') {
      return absl::StrCat("<", value.size(), " bytes>");
    }
  }
  const std::string text = absl::CEscape(value.substr(0, kLongest));
  return value.size() > kLongest ? absl::StrCat(text, "...") : text;
}

std::string ShownField(const Field& field) {
  if (const auto* number = std::get_if<uint64_t>(&field)) {
    return *number < 4096 ? absl::StrCat(*number)
                          : absl::StrCat("0x", absl::Hex(*number));
  }
  if (const auto* text = std::get_if<std::string>(&field)) return Shown(*text);
  const auto& list = std::get<std::vector<std::string>>(field);
  return absl::StrCat(
      "[",
      absl::StrJoin(list, " ",
                    [](std::string* out, const std::string& item) {
                      absl::StrAppend(out, Shown(absl::string_view(item)));
                    }),
      "]");
}

}  // namespace

absl::string_view OpName(Op op) { return InfoOf(op).name; }
char OpActor(Op op) { return InfoOf(op).actor; }

void LaunchPlan::Add(Op op, std::vector<Field> fields) {
  steps_.push_back(Step{op, std::move(fields)});
}

void LaunchPlan::Append(const LaunchPlan& other) {
  steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
}

std::string LaunchPlan::Encode() const {
  std::string out(sizeof(PlanHeader), '\0');
  for (const Step& step : steps_) {
    const size_t at = out.size();
    out.append(sizeof(StepHeader), '\0');
    for (const Field& field : step.fields) PutField(out, field);
    const StepHeader header{
        static_cast<uint16_t>(step.op), 0,
        static_cast<uint32_t>(out.size() - at - sizeof(StepHeader))};
    std::memcpy(out.data() + at, &header, sizeof header);
  }
  const PlanHeader header{kPlanMagic, static_cast<uint32_t>(out.size()),
                          static_cast<uint32_t>(steps_.size()), 0};
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

std::string LaunchPlan::Describe() const {
  std::string out;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const OpInfo info = InfoOf(step.op);
    absl::StrAppend(&out, i, " ", std::string(1, info.actor), " ", info.name);
    const std::vector<absl::string_view> names =
        absl::StrSplit(info.fields, ',', absl::SkipEmpty());
    for (size_t f = 0; f < step.fields.size(); ++f) {
      const absl::string_view name =
          f < names.size() ? names[f].substr(2) : "?";
      absl::StrAppend(&out, " ", name, "=", ShownField(step.fields[f]));
    }
    out.push_back('\n');
  }
  return out;
}

}  // namespace containerkit::runtime
