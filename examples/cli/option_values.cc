#include "examples/cli/option_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

using Pair = std::pair<std::string, std::string>;

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// At the first `separator`; the second part is empty and `found` false when
// there is none.
struct Halves {
  absl::string_view first;
  absl::string_view second;
  bool found = false;
};

Halves Cut(absl::string_view text, absl::string_view separator) {
  const size_t at = text.find(separator);
  if (at == absl::string_view::npos) return {text, "", false};
  return {text.substr(0, at), text.substr(at + separator.size()), true};
}

constexpr absl::string_view kUlimitNames[] = {
    "as",      "core",     "cpu",        "data",   "fsize", "locks",
    "memlock", "msgqueue", "nice",       "nofile", "nproc", "rss",
    "rtprio",  "rttime",   "sigpending", "stack"};

bool IsAddress(const std::string& text) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

bool IsDeviceAccess(absl::string_view text) {
  return !text.empty() && text.size() <= 3 &&
         text.find_first_not_of("rwm") == absl::string_view::npos;
}

// "container:NAME" for the modes that know it.
bool ParseContainerMode(absl::string_view text, NamespaceChoice& choice) {
  if (!absl::ConsumePrefix(&text, "container:") || text.empty()) return false;
  choice = {NamespaceChoice::Kind::kContainer, std::string(text)};
  return true;
}

absl::StatusOr<uint64_t> ParsePort(absl::string_view text) {
  uint64_t port = 0;
  if (absl::SimpleAtoi(text, &port) && port <= 65535) return port;
  return Bad(absl::StrCat("invalid port ", GoQuote(text)));
}

// Calls `use` with every line of a file that is neither empty nor a comment.
absl::Status ForEachLine(
    absl::string_view text,
    const std::function<absl::Status(absl::string_view line)>& use) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    line = absl::StripLeadingAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const absl::string_view name = Cut(line, "=").first;
    if (name.empty()) {
      return Bad(absl::StrCat("no variable name on line '", line, "'"));
    }
    if (name.find_first_of(" \t") != absl::string_view::npos) {
      return Bad(absl::StrCat("variable '", name, "' contains whitespaces"));
    }
    CLI_RETURN_IF_ERROR(use(line));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UlimitConfig> ParseUlimit(absl::string_view text) {
  const Halves halves = Cut(text, "=");
  if (!halves.found || halves.second.empty()) {
    return Bad(absl::StrCat("invalid ulimit argument: ", text));
  }
  UlimitConfig limit;
  limit.name = absl::AsciiStrToLower(halves.first);
  if (std::count(std::begin(kUlimitNames), std::end(kUlimitNames),
                 limit.name) == 0) {
    return Bad(absl::StrCat("invalid ulimit type: ", halves.first));
  }
  const Halves values = Cut(halves.second, ":");
  if (absl::StrContains(values.second, ":")) {
    return Bad(absl::StrCat("too many limit value arguments - ", halves.second,
                            ", can only have up to two, `soft[:hard]`"));
  }
  const auto read = [&](absl::string_view value, int64_t& out) {
    if (value == "unlimited") {
      out = -1;
      return true;
    }
    return absl::SimpleAtoi(value, &out);
  };
  if (!read(values.first, limit.soft)) {
    return Bad(absl::StrCat("invalid ulimit argument: ", text));
  }
  limit.hard = limit.soft;
  if (values.found && !read(values.second, limit.hard)) {
    return Bad(absl::StrCat("invalid ulimit argument: ", text));
  }
  if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard)) {
    return Bad(absl::StrCat(
        "ulimit soft limit must be less than or equal to hard limit: ",
        limit.soft, " > ", limit.hard));
  }
  return limit;
}

absl::StatusOr<DeviceConfig> ParseDevice(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  DeviceConfig device;
  if (parts.size() > 3 || parts[0].empty()) {
    return Bad(absl::StrCat("invalid device specification: ", text));
  }
  device.host_path = std::string(parts[0]);
  if (parts.size() == 2 && IsDeviceAccess(parts[1])) {
    device.access = std::string(parts[1]);
  } else if (parts.size() >= 2) {
    device.container_path = std::string(parts[1]);
  }
  if (parts.size() == 3) {
    if (!IsDeviceAccess(parts[2])) {
      return Bad(absl::StrCat("invalid device mode: ", parts[2]));
    }
    device.access = std::string(parts[2]);
  }
  if (device.host_path[0] != '/') {
    return Bad(absl::StrCat(text, " is not an absolute path"));
  }
  if (!device.container_path.empty() && device.container_path[0] != '/') {
    return Bad(absl::StrCat(device.container_path, " is not an absolute path"));
  }
  return device;
}

absl::StatusOr<std::string> ParseDeviceRule(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  const auto number = [](absl::string_view part) {
    uint32_t value = 0;
    return part == "*" || absl::SimpleAtoi(part, &value);
  };
  if (parts.size() == 3 && parts[0].size() == 1 &&
      absl::StrContains("abc", parts[0]) && IsDeviceAccess(parts[2])) {
    const Halves ids = Cut(parts[1], ":");
    if (number(ids.first) && number(ids.second)) return std::string(text);
  }
  return Bad(absl::StrCat("invalid device cgroup format '", text, "'"));
}

absl::StatusOr<Pair> ParseExtraHost(absl::string_view text) {
  Halves halves = Cut(text, "=");
  if (!halves.found) halves = Cut(text, ":");
  if (!halves.found || halves.first.empty() || halves.second.empty()) {
    return Bad(absl::StrCat("bad format for add-host: ", GoQuote(text)));
  }
  absl::string_view address = halves.second;
  if (address.size() > 2 && address[0] == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (address != "host-gateway" && !IsAddress(std::string(address))) {
    return Bad(
        absl::StrCat("invalid IP address in add-host: ", GoQuote(address)));
  }
  return Pair(halves.first, address);
}

absl::StatusOr<std::string> ParseAddress(absl::string_view text) {
  const std::string address(absl::StripAsciiWhitespace(text));
  if (IsAddress(address)) return address;
  return Bad(absl::StrCat("IP address is not correctly formatted: ", text));
}

absl::StatusOr<RestartConfig> ParseRestart(absl::string_view text) {
  const Halves halves = Cut(text, ":");
  RestartConfig restart;
  using Policy = RestartConfig::Policy;
  if (halves.first.empty() && halves.found) {
    return Bad(
        "invalid restart policy format: no policy provided before colon");
  }
  if (halves.first == "on-failure") {
    restart.policy = Policy::kOnFailure;
    if (halves.found &&
        !absl::SimpleAtoi(halves.second, &restart.max_retries)) {
      return Bad(
          "invalid restart policy format: maximum retry count must be an "
          "integer");
    }
    return restart;
  }
  if (halves.first == "always") {
    restart.policy = Policy::kAlways;
  } else if (halves.first == "unless-stopped") {
    restart.policy = Policy::kUnlessStopped;
  } else if (halves.first != "no" && !halves.first.empty()) {
    return Bad(absl::StrCat("invalid restart policy: unknown policy '",
                            halves.first,
                            "'; use one of 'no', 'always', 'on-failure', or "
                            "'unless-stopped'"));
  }
  if (halves.found) {
    return Bad(
        "invalid restart policy: maximum retry count can only be used with "
        "'on-failure'");
  }
  return restart;
}

absl::StatusOr<int64_t> ParseCpus(absl::string_view text) {
  const absl::Status bad =
      Bad(absl::StrCat("failed to parse ", text, " as a rational number"));
  constexpr size_t kDigits = 9;
  const Halves halves = Cut(text, ".");
  int64_t whole = 0;
  if (halves.first.empty() && halves.second.empty()) return bad;
  if (!halves.first.empty() &&
      (!absl::SimpleAtoi(halves.first, &whole) || whole < 0)) {
    return bad;
  }
  if (halves.second.find_first_not_of("0123456789") !=
      absl::string_view::npos) {
    return bad;
  }
  if (halves.second.size() > kDigits) return Bad("value is too precise");
  std::string fraction(halves.second);
  fraction.resize(kDigits, '0');
  int64_t billionths = 0;
  if (!absl::SimpleAtoi(fraction, &billionths) || whole > 1000000) return bad;
  return whole * 1000000000 + billionths;
}

absl::StatusOr<int64_t> ParseSwap(absl::string_view text) {
  if (text == "-1") return -1;
  return ParseBytes(text);
}

namespace {

// "/dev/x:VALUE".
absl::StatusOr<Halves> CutDevice(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return Bad(absl::StrCat("bad format: ", text));
  }
  if (!absl::StartsWith(text, "/dev/")) {
    return Bad(absl::StrCat("bad format for device path: ", text));
  }
  return Halves{text.substr(0, colon), text.substr(colon + 1), true};
}

}  // namespace

absl::StatusOr<std::pair<std::string, uint16_t>> ParseWeightDevice(
    absl::string_view text) {
  CLI_ASSIGN_OR_RETURN(const Halves halves, CutDevice(text));
  uint32_t weight = 0;
  if (!absl::SimpleAtoi(halves.second, &weight) ||
      (weight != 0 && (weight < 10 || weight > 1000))) {
    return Bad(absl::StrCat("invalid weight for device: ", text));
  }
  return std::pair(std::string(halves.first), static_cast<uint16_t>(weight));
}

absl::StatusOr<std::pair<std::string, uint64_t>> ParseBytesDevice(
    absl::string_view text) {
  CLI_ASSIGN_OR_RETURN(const Halves halves, CutDevice(text));
  const absl::StatusOr<int64_t> rate = ParseBytes(halves.second);
  if (rate.ok()) {
    return std::pair(std::string(halves.first), static_cast<uint64_t>(*rate));
  }
  return Bad(absl::StrCat(
      "invalid rate for device: ", text,
      ". The correct format is <device-path>:<number>[<unit>]. Number must be "
      "a positive integer. Unit is optional and can be kb, mb, or gb"));
}

absl::StatusOr<std::pair<std::string, uint64_t>> ParseOperationsDevice(
    absl::string_view text) {
  CLI_ASSIGN_OR_RETURN(const Halves halves, CutDevice(text));
  uint64_t rate = 0;
  if (absl::SimpleAtoi(halves.second, &rate)) {
    return std::pair(std::string(halves.first), rate);
  }
  return Bad(absl::StrCat(
      "invalid rate for device: ", text,
      ". The correct format is <device-path>:<number>. Number must be a "
      "positive integer"));
}

absl::StatusOr<Pair> ParseLabel(absl::string_view text) {
  const Halves halves = Cut(text, "=");
  if (halves.first.empty()) {
    return Bad(absl::StrCat("invalid label '", text, "': empty name"));
  }
  return Pair(halves.first, halves.second);
}

absl::StatusOr<Pair> ParseSysctl(absl::string_view text) {
  const Halves halves = Cut(text, "=");
  if (halves.found && !halves.first.empty()) {
    return Pair(halves.first, halves.second);
  }
  return Bad(absl::StrCat("sysctl '", text, "' is not allowed"));
}

absl::StatusOr<NamespaceChoice> ParseNetworkMode(absl::string_view text) {
  NamespaceChoice choice;
  if (ParseContainerMode(text, choice)) return choice;
  if (text == "none") return NamespaceChoice{NamespaceChoice::Kind::kNone, ""};
  if (text == "host") return NamespaceChoice{NamespaceChoice::Kind::kHost, ""};
  return Bad(absl::StrCat("network ", GoQuote(text),
                          " is not available: this version of ck knows "
                          "\"none\", \"host\" and \"container:NAME\""));
}

absl::StatusOr<NamespaceChoice> ParsePidMode(absl::string_view text) {
  NamespaceChoice choice;
  if (ParseContainerMode(text, choice) || text.empty()) return choice;
  if (text == "host") return NamespaceChoice{NamespaceChoice::Kind::kHost, ""};
  return Bad("--pid: invalid PID mode");
}

absl::StatusOr<NamespaceChoice> ParseIpcMode(absl::string_view text) {
  using Kind = NamespaceChoice::Kind;
  NamespaceChoice choice;
  if (ParseContainerMode(text, choice) || text.empty()) return choice;
  if (text == "host") return NamespaceChoice{Kind::kHost, ""};
  if (text == "private") return NamespaceChoice{Kind::kPrivate, ""};
  if (text == "shareable") return NamespaceChoice{Kind::kShareable, ""};
  if (text == "none") return NamespaceChoice{Kind::kNone, ""};
  return Bad(absl::StrCat("invalid IPC mode: ", text));
}

absl::StatusOr<NamespaceChoice> ParseUtsMode(absl::string_view text) {
  if (text.empty()) return NamespaceChoice{};
  if (text == "host") return NamespaceChoice{NamespaceChoice::Kind::kHost, ""};
  return Bad("--uts: invalid UTS mode");
}

absl::StatusOr<NamespaceChoice> ParseCgroupMode(absl::string_view text) {
  using Kind = NamespaceChoice::Kind;
  if (text.empty()) return NamespaceChoice{};
  if (text == "host") return NamespaceChoice{Kind::kHost, ""};
  if (text == "private") return NamespaceChoice{Kind::kPrivate, ""};
  return Bad("--cgroupns: invalid CGROUP mode");
}

absl::StatusOr<UserNamespaceChoice> ParseUserMode(absl::string_view text) {
  UserNamespaceChoice choice;
  if (text.empty()) return choice;
  if (text == "host") {
    choice.kind = UserNamespaceChoice::Kind::kHost;
  } else if (text == "auto" || text == "private") {
    choice.kind = UserNamespaceChoice::Kind::kAuto;
  } else {
    return Bad("--userns: invalid USER mode");
  }
  return choice;
}

absl::StatusOr<std::vector<std::string>> ParseExpose(absl::string_view text) {
  const Halves halves = Cut(text, "/");
  const std::string protocol =
      halves.found ? absl::AsciiStrToLower(halves.second) : "tcp";
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return Bad(absl::StrCat(
        "invalid range format for --expose: invalid proto: ", halves.second));
  }
  const Halves range = Cut(halves.first, "-");
  const auto first = ParsePort(range.first);
  const auto last = range.found ? ParsePort(range.second) : first;
  if (!first.ok() || !last.ok() || *last < *first) {
    return Bad(absl::StrCat("invalid range format for --expose: ", text));
  }
  std::vector<std::string> ports;
  for (uint64_t port = *first; port <= *last; ++port) {
    ports.push_back(absl::StrCat(port, "/", protocol));
  }
  return ports;
}

absl::Status ApplySecurityOption(absl::string_view text,
                                 SecurityConfig& security) {
  const size_t at = text.find_first_of("=:");
  const absl::string_view key = text.substr(0, at);
  const bool found = at != absl::string_view::npos;
  const absl::string_view value = found ? text.substr(at + 1) : "";
  if (key == "no-new-privileges" && (!found || value == "true")) {
    security.no_new_privileges = true;
    return absl::OkStatus();
  }
  if (key == "no-new-privileges" && value == "false") {
    security.no_new_privileges = false;
    return absl::OkStatus();
  }
  if (!found || value.empty()) {
    return Bad(absl::StrCat("Invalid --security-opt: ", GoQuote(text)));
  }
  if (key == "apparmor") {
    security.apparmor_profile = std::string(value);
  } else if (key == "label") {
    security.selinux_labels.emplace_back(value);
  } else if (key == "systempaths" && value == "unconfined") {
    security.systempaths_unconfined = true;
  } else if (key == "seccomp" && value == "unconfined") {
    security.seccomp.kind = SeccompChoice::Kind::kUnconfined;
  } else if (key == "seccomp" && value == "builtin") {
    security.seccomp.kind = SeccompChoice::Kind::kBuiltin;
  } else if (key == "seccomp") {
    absl::StatusOr<std::string> profile = ReadTextFile(std::string(value));
    if (!profile.ok()) {
      return Bad(absl::StrCat("opening seccomp profile (", value,
                              ") failed: ", profile.status().message()));
    }
    security.seccomp = {SeccompChoice::Kind::kCustom, *std::move(profile)};
  } else {
    return Bad(absl::StrCat("Invalid --security-opt: ", GoQuote(text)));
  }
  return absl::OkStatus();
}

absl::StatusOr<LogConfig::Driver> ParseLogDriver(absl::string_view text) {
  if (text == "json-file" || text.empty()) {
    return LogConfig::Driver::kJsonFile;
  }
  if (text == "none") return LogConfig::Driver::kNone;
  return Bad(absl::StrCat("logger: no log driver named '", text,
                          "' is registered: use json-file or none"));
}

absl::Status ApplyLogOption(absl::string_view text, LogConfig& log) {
  const Halves halves = Cut(text, "=");
  if (!halves.found) {
    return Bad(absl::StrCat("invalid log opt ", GoQuote(text),
                            ": expected key=value"));
  }
  if (halves.first == "max-size") {
    CLI_ASSIGN_OR_RETURN(const int64_t bytes, halves.second == "-1"
                                                  ? absl::StatusOr<int64_t>(0)
                                                  : ParseBytes(halves.second));
    log.max_size_bytes = static_cast<uint64_t>(bytes);
    return absl::OkStatus();
  }
  if (halves.first == "max-file") {
    if (absl::SimpleAtoi(halves.second, &log.max_files) && log.max_files > 0) {
      return absl::OkStatus();
    }
    return Bad("max-file cannot be less than 1");
  }
  return Bad(absl::StrCat("unknown log opt '", halves.first,
                          "' for json-file log driver"));
}

absl::StatusOr<std::string> ParseEnv(absl::string_view text) {
  const Halves halves = Cut(text, "=");
  if (halves.first.empty()) {
    return Bad(absl::StrCat("invalid environment variable: ", text));
  }
  if (halves.found) return std::string(text);
  const char* const value = getenv(std::string(text).c_str());
  return value == nullptr ? std::string(text) : absl::StrCat(text, "=", value);
}

absl::StatusOr<std::vector<std::string>> ParseEnvFile(absl::string_view text) {
  std::vector<std::string> variables;
  CLI_RETURN_IF_ERROR(ForEachLine(text, [&](absl::string_view line) {
    const absl::StatusOr<std::string> variable = ParseEnv(line);
    if (!variable.ok()) return variable.status();
    if (absl::StrContains(*variable, "=")) variables.push_back(*variable);
    return absl::OkStatus();
  }));
  return variables;
}

absl::StatusOr<std::vector<std::string>> ParseLabelFile(
    absl::string_view text) {
  std::vector<std::string> labels;
  CLI_RETURN_IF_ERROR(ForEachLine(text, [&](absl::string_view line) {
    labels.emplace_back(line);
    return absl::OkStatus();
  }));
  return labels;
}

std::string DefaultPlatform() {
  const char* const value = getenv("DOCKER_DEFAULT_PLATFORM");
  return value == nullptr ? "" : value;
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         size_t max_bytes) {
  const auto fail = [&](absl::string_view call) {
    const absl::Status status = absl::ErrnoToStatus(errno, "");
    return absl::Status(status.code(),
                        absl::StrCat(call, " ", path, ": ",
                                     absl::AsciiStrToLower(strerror(errno))));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("open");
  const absl::Cleanup closer = [fd] { close(fd); };
  std::string text;
  while (true) {
    char buffer[1 << 14];
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("read");
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > max_bytes) {
      return Bad(
          absl::StrCat("read ", path, ": more than ", max_bytes, " bytes"));
    }
  }
}

}  // namespace containerkit::cli
