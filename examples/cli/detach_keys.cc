#include "examples/cli/detach_keys.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

// The control byte of "ctrl-X"; -1: there is none.
int ControlByte(char key) {
  if (key >= 'a' && key <= 'z') return key - 'a' + 1;
  switch (key) {
    case '@':
      return 0;
    case '[':
      return 27;
    case '\\':
      return 28;
    case ']':
      return 29;
    case '^':
      return 30;
    case '_':
      return 31;
    default:
      return -1;
  }
}

}  // namespace

absl::StatusOr<DetachKeys> DetachKeys::Parse(absl::string_view text) {
  if (text.empty()) text = "ctrl-p,ctrl-q";
  std::string keys;
  for (const absl::string_view key : absl::StrSplit(text, ',')) {
    absl::string_view letter = key;
    const bool control = absl::ConsumePrefix(&letter, "ctrl-");
    const int byte = letter.size() != 1 ? -1
                     : control          ? ControlByte(letter[0])
                                        : letter[0];
    if (byte < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "invalid detach keys (", text, "): unknown character: '", key, "'"));
    }
    keys.push_back(static_cast<char>(byte));
  }
  return DetachKeys(std::move(keys));
}

std::string ConfiguredDetachKeys(absl::string_view config_json) {
  const auto config = nlohmann::json::parse(config_json.begin(),
                                            config_json.end(), nullptr, false);
  if (!config.is_object()) return "";
  const auto keys = config.find("detachKeys");
  const bool is_text = keys != config.end() && keys->is_string();
  return is_text ? keys->get<std::string>() : "";
}

bool DetachKeys::Feed(absl::string_view typed, std::string* out) {
  for (const char c : typed) {
    if (c != keys_[matched_]) {
      out->append(keys_, 0, matched_);
      matched_ = 0;
    }
    if (c != keys_[matched_]) {
      out->push_back(c);
    } else if (++matched_ == keys_.size()) {
      return true;
    }
  }
  return false;
}

}  // namespace containerkit::cli
