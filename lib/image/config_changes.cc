#include "lib/image/config_changes.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/runtime/signals.h"

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

// "80", "53/udp" or "8000-8010", of which each is exposed, as docker does.
bool AddPorts(oci::ImageRunConfig& config, absl::string_view text) {
  constexpr int kMaxPort = 65535;
  const size_t slash = text.find('/');
  const absl::string_view ports = text.substr(0, slash);
  const std::string protocol =
      slash == absl::string_view::npos
          ? "tcp"
          : absl::AsciiStrToLower(text.substr(slash + 1));
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return false;
  }
  if (ports.find_first_not_of("0123456789-") != absl::string_view::npos) {
    return false;
  }
  const size_t dash = ports.find('-');
  int first = 0;
  int last = 0;
  if (!absl::SimpleAtoi(ports.substr(0, dash), &first)) return false;
  last = first;
  if (dash != absl::string_view::npos &&
      !absl::SimpleAtoi(ports.substr(dash + 1), &last)) {
    return false;
  }
  if (first < 0 || last < first || last > kMaxPort) return false;
  for (int port = first; port <= last; ++port) {
    config.exposed_ports.insert(absl::StrCat(port, "/", protocol));
  }
  return true;
}

std::string JoinDir(const std::string& base, absl::string_view dir) {
  if (absl::StartsWith(dir, "/")) return std::string(dir);
  return absl::StrCat(base == "/" ? "" : base, "/", dir);
}

// The first word, in capitals, and what follows it, without blanks around.
std::pair<std::string, absl::string_view> FirstWord(absl::string_view text) {
  const size_t blank = text.find_first_of(" \t");
  return {absl::AsciiStrToUpper(text.substr(0, blank)),
          blank == absl::string_view::npos
              ? ""
              : absl::StripAsciiWhitespace(text.substr(blank))};
}

// What each instruction does with its argument, which is not empty. Answers
// what is wrong with it; empty: nothing.
using Why = std::string;
using Config = oci::ImageRunConfig;

Why Cmd(absl::string_view rest, Config& config) {
  config.cmd = CommandForm(rest, config);
  return "";
}

Why Entrypoint(absl::string_view rest, Config& config) {
  config.entrypoint = CommandForm(rest, config);
  return "";
}

Why User(absl::string_view rest, Config& config) {
  config.user = std::string(rest);
  return "";
}

Why Workdir(absl::string_view rest, Config& config) {
  config.working_dir = JoinDir(config.working_dir, rest);
  return "";
}

Why StopSignal(absl::string_view rest, Config& config) {
  if (!runtime::ParseSignal(rest).ok()) return "no such signal";
  config.stop_signal = std::string(rest);
  return "";
}

Why OnBuild(absl::string_view rest, Config& config) {
  const std::string verb = FirstWord(rest).first;
  if (verb == "ONBUILD" || verb == "FROM" || verb == "MAINTAINER") {
    return absl::StrCat(verb, " cannot be a trigger");
  }
  config.on_build.emplace_back(rest);
  return "";
}

Why Env(absl::string_view rest, Config& config) {
  const auto pairs = Pairs(rest);
  if (!pairs.has_value()) return "want name=value";
  for (const auto& [name, value] : *pairs) SetEnv(config, name, value);
  return "";
}

Why Label(absl::string_view rest, Config& config) {
  const auto pairs = Pairs(rest);
  if (!pairs.has_value()) return "want name=value";
  for (const auto& [name, value] : *pairs) config.labels[name] = value;
  return "";
}

std::optional<std::vector<std::string>> JsonOrWords(absl::string_view text) {
  if (auto list = JsonForm(text)) return list;
  return SplitWords(text);
}

Why Expose(absl::string_view rest, Config& config) {
  const auto words = JsonOrWords(rest);
  if (!words.has_value()) return "unfinished quote";
  for (const std::string& word : *words) {
    if (!AddPorts(config, word)) return "malformed port";
  }
  return "";
}

Why Volume(absl::string_view rest, Config& config) {
  const auto words = JsonOrWords(rest);
  if (!words.has_value()) return "unfinished quote";
  for (const std::string& word : *words) {
    if (!absl::StartsWith(word, "/")) return "volume path is not absolute";
    config.volumes.insert(word);
  }
  return "";
}

// "--interval=30s" of a health check.
Why SetHealthFlag(absl::string_view flag, oci::ImageHealthcheck& check) {
  const size_t equals = flag.find('=');
  if (equals == absl::string_view::npos) return "want --flag=value";
  const absl::string_view name = flag.substr(0, equals);
  const absl::string_view value = flag.substr(equals + 1);
  if (name == "--retries") {
    const bool good = absl::SimpleAtoi(value, &check.retries) &&
                      check.retries >= 0 &&
                      check.retries <= std::numeric_limits<int32_t>::max();
    return good ? "" : "malformed --retries";
  }
  int64_t* const ns = name == "--interval"         ? &check.interval_ns
                      : name == "--timeout"        ? &check.timeout_ns
                      : name == "--start-period"   ? &check.start_period_ns
                      : name == "--start-interval" ? &check.start_interval_ns
                                                   : nullptr;
  if (ns == nullptr) return absl::StrCat("unknown flag ", name);
  absl::Duration duration;
  if (!absl::ParseDuration(value, &duration) ||
      duration == absl::InfiniteDuration() ||
      (duration != absl::ZeroDuration() && duration < absl::Milliseconds(1))) {
    return absl::StrCat("malformed ", name, ": want 0, or at least 1ms");
  }
  *ns = absl::ToInt64Nanoseconds(duration);
  return "";
}

Why HealthCheck(absl::string_view rest, Config& config) {
  oci::ImageHealthcheck check;
  bool has_flags = false;
  while (absl::StartsWith(rest, "--")) {
    const size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    const Why why = SetHealthFlag(rest.substr(0, end), check);
    if (!why.empty()) return why;
    rest = absl::StripAsciiWhitespace(rest.substr(end));
    has_flags = true;
  }
  const auto [type, command] = FirstWord(rest);
  if (type == "NONE") {
    if (has_flags || !command.empty()) return "NONE takes no arguments";
    check.test = {"NONE"};
  } else if (type != "CMD") {
    return "want NONE, or CMD and a command";
  } else if (auto list = JsonForm(command)) {
    if (list->empty()) return "CMD without a command";
    check.test = *std::move(list);
    check.test.insert(check.test.begin(), "CMD");
  } else {
    if (command.empty()) return "CMD without a command";
    check.test = {"CMD-SHELL", std::string(command)};
  }
  config.healthcheck = std::move(check);
  return "";
}

struct Instruction {
  absl::string_view verb;
  Why (*apply)(absl::string_view rest, Config& config);
};
constexpr Instruction kInstructions[] = {
    {"CMD", Cmd},         {"ENTRYPOINT", Entrypoint},
    {"ENV", Env},         {"EXPOSE", Expose},
    {"LABEL", Label},     {"HEALTHCHECK", HealthCheck},
    {"ONBUILD", OnBuild}, {"STOPSIGNAL", StopSignal},
    {"USER", User},       {"VOLUME", Volume},
    {"WORKDIR", Workdir},
};

}  // namespace

absl::Status ApplyChange(absl::string_view instruction,
                         oci::ImageRunConfig& config) {
  const absl::string_view line = absl::StripAsciiWhitespace(instruction);
  if (line.size() > kMaxInstructionBytes ||
      line.find('\0') != absl::string_view::npos) {
    return BadChange(line, "too long, or with a NUL");
  }
  const auto [verb, rest] = FirstWord(line);
  for (const Instruction& instruction : kInstructions) {
    if (instruction.verb != verb) continue;
    if (rest.empty()) return BadChange(line, "no argument");
    // What is wrong leaves nothing behind.
    oci::ImageRunConfig changed = config;
    const Why why = instruction.apply(rest, changed);
    if (!why.empty()) return BadChange(line, why);
    config = std::move(changed);
    return absl::OkStatus();
  }
  return BadChange(line, "unknown instruction");
}

}  // namespace containerkit::image
