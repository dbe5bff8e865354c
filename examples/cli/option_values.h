// The values of `ck run`'s flags: text to the types of ContainerConfig. Pure,
// but for those that read a file that the flag names.
//
// Errors of all: INVALID_ARGUMENT with docker's words.
#ifndef CONTAINERKIT_EXAMPLES_CLI_OPTION_VALUES_H_
#define CONTAINERKIT_EXAMPLES_CLI_OPTION_VALUES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"

namespace containerkit::cli {

// "nofile=1024:2048".
absl::StatusOr<UlimitConfig> ParseUlimit(absl::string_view text);
// "/dev/a[:/dev/b[:rwm]]", "/dev/a:rw".
absl::StatusOr<DeviceConfig> ParseDevice(absl::string_view text);
// "c 13:* rwm".
absl::StatusOr<std::string> ParseDeviceRule(absl::string_view text);
// "name:address" or "name=address".
absl::StatusOr<std::pair<std::string, std::string>> ParseExtraHost(
    absl::string_view text);
// An IP address of either family.
absl::StatusOr<std::string> ParseAddress(absl::string_view text);
// "no", "always", "unless-stopped", "on-failure[:N]".
absl::StatusOr<RestartConfig> ParseRestart(absl::string_view text);
// "1.5" as billionths of a processor.
absl::StatusOr<int64_t> ParseCpus(absl::string_view text);
// As ParseBytes(), and "-1".
absl::StatusOr<int64_t> ParseSwap(absl::string_view text);
// "/dev/sda:500".
absl::StatusOr<std::pair<std::string, uint16_t>> ParseWeightDevice(
    absl::string_view text);
// "/dev/sda:1mb".
absl::StatusOr<std::pair<std::string, uint64_t>> ParseBytesDevice(
    absl::string_view text);
// "/dev/sda:1000".
absl::StatusOr<std::pair<std::string, uint64_t>> ParseOperationsDevice(
    absl::string_view text);
// "key=value", "key" with an empty value.
absl::StatusOr<std::pair<std::string, std::string>> ParseLabel(
    absl::string_view text);
// "key=value" and no less.
absl::StatusOr<std::pair<std::string, std::string>> ParseSysctl(
    absl::string_view text);

absl::StatusOr<NamespaceChoice> ParseNetworkMode(absl::string_view text);
absl::StatusOr<NamespaceChoice> ParsePidMode(absl::string_view text);
absl::StatusOr<NamespaceChoice> ParseIpcMode(absl::string_view text);
absl::StatusOr<NamespaceChoice> ParseUtsMode(absl::string_view text);
absl::StatusOr<NamespaceChoice> ParseCgroupMode(absl::string_view text);
absl::StatusOr<UserNamespaceChoice> ParseUserMode(absl::string_view text);

// "80", "80/udp", "7000-7010/tcp", one entry a port.
absl::StatusOr<std::vector<std::string>> ParseExpose(absl::string_view text);

// "seccomp=FILE", "apparmor=...", "label=...", "no-new-privileges",
// "systempaths=unconfined"; the older "key:value" too.
absl::Status ApplySecurityOption(absl::string_view text,
                                 SecurityConfig& security);

absl::StatusOr<LogConfig::Driver> ParseLogDriver(absl::string_view text);
// "max-size=10m", "max-file=3".
absl::Status ApplyLogOption(absl::string_view text, LogConfig& log);

// -e: "NAME=value" as it is; "NAME" with the value it has in ck's own
// environment, and alone (which removes it) when it has none.
absl::StatusOr<std::string> ParseEnv(absl::string_view text);
// The lines of --env-file: as -e, but names without a value are left out.
absl::StatusOr<std::vector<std::string>> ParseEnvFile(absl::string_view text);
// The lines of --label-file.
absl::StatusOr<std::vector<std::string>> ParseLabelFile(absl::string_view text);

// What --platform is when it is not given: DOCKER_DEFAULT_PLATFORM.
std::string DefaultPlatform();

// The whole of a file, at most `max_bytes`. Errors: by errno, with Go's words
// "open /x: no such file or directory".
absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         size_t max_bytes = 8 << 20);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_OPTION_VALUES_H_
