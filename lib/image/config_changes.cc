#include "lib/image/config_changes.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/json.h"
#include "lib/base/status.h"

namespace containerkit::image {
namespace {

constexpr char kChange[] = "image.change";
constexpr size_t kMaxInstructionBytes = 64 << 10;

absl::Status BadChange(absl::string_view instruction, absl::string_view why) {
  return InvalidArgument(
      Reason::kInvalidArgument, kChange,
      absl::StrCat("change \"", absl::CHexEscape(instruction.substr(0, 100)),
                   "\": ", why));
}

// Words as a shell splits them: blanks, quotes and backslashes.
std::optional<std::vector<std::string>> SplitWords(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word.push_back(text[++i]);
      in_word = true;
    } else if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word.push_back(c);
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (absl::ascii_isspace(c)) {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != '\0') return std::nullopt;
  if (in_word) words.push_back(std::move(word));
  return words;
}

// The JSON form, if it is one.
std::optional<std::vector<std::string>> JsonForm(absl::string_view text) {
  if (!absl::StartsWith(text, "[")) return std::nullopt;
  const auto doc = JsonDocument::Parse(text, kChange, {.max_depth = 2});
  if (!doc.ok()) return std::nullopt;
  std::vector<std::string> list = doc->root().Strings();
  if (!doc->status().ok()) return std::nullopt;
  return list;
}

std::vector<std::string> CommandForm(absl::string_view text,
                                     const oci::ImageRunConfig& config) {
  if (auto list = JsonForm(text)) return *std::move(list);
  std::vector<std::string> command = config.shell;
  if (command.empty()) command = {"/bin/sh", "-c"};
  command.emplace_back(text);
  return command;
}

// "k=v k2=v2", or the old "k the rest".
std::optional<std::vector<std::pair<std::string, std::string>>> Pairs(
    absl::string_view text) {
  const auto words = SplitWords(text);
  if (!words.has_value() || words->empty()) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!absl::StrContains((*words)[0], "=")) {
    const size_t blank = text.find_first_of(" \t");
    if (blank == absl::string_view::npos) return std::nullopt;
    pairs.emplace_back(text.substr(0, blank),
                       absl::StripAsciiWhitespace(text.substr(blank + 1)));
    return pairs;
  }
  for (const std::string& word : *words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) return std::nullopt;
    pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return pairs;
}

void SetEnv(oci::ImageRunConfig& config, const std::string& name,
            const std::string& value) {
  const std::string prefix = absl::StrCat(name, "=");
  for (std::string& entry : config.env) {
    if (absl::StartsWith(entry, prefix)) {
      entry = absl::StrCat(prefix, value);
      return;
    }
  }
  config.env.push_back(absl::StrCat(prefix, value));
}

// "80" and "80-90" are TCP; false for what is no port.
bool AddPort(oci::ImageRunConfig& config, absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view ports = text.substr(0, slash);
  const std::string protocol =
      slash == absl::string_view::npos
          ? "tcp"
          : absl::AsciiStrToLower(text.substr(slash + 1));
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return false;
  }
  if (ports.empty() || ports.size() > 11 ||
      ports.find_first_not_of("0123456789-") != absl::string_view::npos) {
    return false;
  }
  config.exposed_ports.insert(absl::StrCat(ports, "/", protocol));
  return true;
}

std::string JoinDir(const std::string& base, absl::string_view dir) {
  if (absl::StartsWith(dir, "/")) return std::string(dir);
  return absl::StrCat(base == "/" ? "" : base, "/", dir);
}

}  // namespace

absl::Status ApplyChange(absl::string_view instruction,
                         oci::ImageRunConfig& config) {
  const absl::string_view line = absl::StripAsciiWhitespace(instruction);
  if (line.size() > kMaxInstructionBytes ||
      line.find('\0') != absl::string_view::npos) {
    return BadChange(line, "too long, or with a NUL");
  }
  const size_t blank = line.find_first_of(" \t");
  const std::string verb = absl::AsciiStrToUpper(line.substr(0, blank));
  const absl::string_view rest =
      blank == absl::string_view::npos
          ? ""
          : absl::StripAsciiWhitespace(line.substr(blank));
  if (rest.empty()) return BadChange(line, "no argument");
  if (verb == "CMD") {
    config.cmd = CommandForm(rest, config);
  } else if (verb == "ENTRYPOINT") {
    config.entrypoint = CommandForm(rest, config);
  } else if (verb == "USER") {
    config.user = std::string(rest);
  } else if (verb == "WORKDIR") {
    config.working_dir = JoinDir(config.working_dir, rest);
  } else if (verb == "STOPSIGNAL") {
    config.stop_signal = std::string(rest);
  } else if (verb == "ONBUILD") {
    config.on_build.emplace_back(rest);
  } else if (verb == "ENV" || verb == "LABEL") {
    const auto pairs = Pairs(rest);
    if (!pairs.has_value()) return BadChange(line, "want name=value");
    for (const auto& [name, value] : *pairs) {
      if (verb == "ENV") {
        SetEnv(config, name, value);
      } else {
        config.labels[name] = value;
      }
    }
  } else if (verb == "EXPOSE" || verb == "VOLUME") {
    auto words = JsonForm(rest);
    if (!words.has_value()) words = SplitWords(rest);
    if (!words.has_value()) return BadChange(line, "unfinished quote");
    for (const std::string& word : *words) {
      if (verb == "EXPOSE") {
        if (!AddPort(config, word)) return BadChange(line, "malformed port");
      } else if (!absl::StartsWith(word, "/")) {
        return BadChange(line, "volume path is not absolute");
      } else {
        config.volumes.insert(word);
      }
    }
  } else {
    return BadChange(line, "unknown instruction");
  }
  return absl::OkStatus();
}

}  // namespace containerkit::image
