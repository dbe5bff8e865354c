// The table of `ck run`: one line a flag, in docker's spelling and order.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "examples/cli/container_options.h"
#include "examples/cli/flags.h"
#include "examples/cli/mount_option.h"
#include "examples/cli/option_values.h"
#include "examples/cli/status_util.h"

namespace containerkit::cli {
namespace {

using O = ContainerOptions;
using C = ContainerConfig;
using R = ResourceConfig;

constexpr auto kConfig = &O::config;
constexpr auto kResources = &C::resources;

// Flag::set from one of option_values.h's functions: assigns its value, or
// adds it to a list or a map.
template <auto Parse, auto... Path>
absl::Status Assign(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(FlagTarget<Path...>(options), Parse(value));
  return absl::OkStatus();
}

template <auto Parse, auto... Path>
absl::Status Append(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(auto parsed, Parse(value));
  FlagTarget<Path...>(options).push_back(std::move(parsed));
  return absl::OkStatus();
}

template <auto Parse, auto... Path>
absl::Status Insert(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(auto parsed, Parse(value));
  FlagTarget<Path...>(options).insert_or_assign(std::move(parsed.first),
                                                std::move(parsed.second));
  return absl::OkStatus();
}

// A flag that needs what this version does not have.
absl::Status Unavailable(void*, absl::string_view) {
  return absl::InvalidArgumentError("not available in this version of ck");
}

absl::Status SetAttach(void* options, absl::string_view value) {
  const std::string stream = absl::AsciiStrToLower(value);
  if (stream != "stdin" && stream != "stdout" && stream != "stderr") {
    return absl::InvalidArgumentError(
        "valid streams are STDIN, STDOUT and STDERR");
  }
  FlagTarget<&O::attach>(options).push_back(stream);
  return absl::OkStatus();
}

absl::Status SetExpose(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(const auto ports, ParseExpose(value));
  auto& all = FlagTarget<kConfig, &C::exposed_ports>(options);
  all.insert(all.end(), ports.begin(), ports.end());
  return absl::OkStatus();
}

absl::Status SetMount(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(auto mount, ParseMountOption(value));
  C& config = FlagTarget<kConfig>(options);
  if (auto* bind = std::get_if<BindMountConfig>(&mount)) {
    config.binds.push_back(std::move(*bind));
  } else {
    config.tmpfs.push_back(std::get<TmpfsMountConfig>(std::move(mount)));
  }
  return absl::OkStatus();
}

absl::Status SetSecurity(void* options, absl::string_view value) {
  return ApplySecurityOption(value, FlagTarget<kConfig, &C::security>(options));
}

absl::Status SetLogOption(void* options, absl::string_view value) {
  return ApplyLogOption(value, FlagTarget<kConfig, &C::log>(options));
}

absl::Status SetRestart(void* options, absl::string_view value) {
  FlagTarget<&O::has_restart>(options) = !value.empty() && value != "no";
  return Assign<ParseRestart, kConfig, &C::restart>(options, value);
}

absl::Status SetPrivileged(void* options, absl::string_view value) {
  bool on = false;
  CLI_RETURN_IF_ERROR(StoreFlag(on, value));
  if (on) FlagTarget<kConfig>(options).Allow(Privileged{});
  return absl::OkStatus();
}

absl::Status SetOomScore(void* options, absl::string_view value) {
  int score = 0;
  CLI_RETURN_IF_ERROR(StoreFlag(score, value));
  if (score < -1000 || score > 1000) {
    return absl::InvalidArgumentError(absl::StrCat(
        "invalid value ", score, ", range for oom score adj is [-1000, 1000]"));
  }
  FlagTarget<kConfig, &C::oom_score_adj>(options) = score;
  return absl::OkStatus();
}

// --health-*: remembers that there was one.
template <auto... Path>
absl::Status SetHealth(void* options, absl::string_view value) {
  FlagTarget<&O::has_health_flag>(options) = true;
  return Set<Path...>(options, value);
}

using H = HealthConfig;
using S = SecurityConfig;
using N = NameConfig;
constexpr auto kHealth = &C::health;
constexpr auto kNames = &C::names;
constexpr auto kSecurity = &C::security;

// clang-format off
constexpr Flag kRunOnly[] = {
    {"detach", 'd', "", "Run container in background and print container ID", Set<&O::detach>},
    {"detach-keys", '\0', "string", "Override the key sequence for detaching a container", Set<&O::detach_keys>},
    {"sig-proxy", '\0', "", "Proxy received signals to the process", Set<&O::sig_proxy>, "true"},
};

constexpr Flag kCommon[] = {
    {"add-host", '\0', "list", "Add a custom host-to-IP mapping (host:ip)", Append<ParseExtraHost, kConfig, kNames, &N::extra_hosts>},
    {"annotation", '\0', "map", "Add an annotation to the container (passed through to the OCI runtime)", Insert<ParseLabel, kConfig, &C::annotations>},
    {"attach", 'a', "list", "Attach to STDIN, STDOUT or STDERR", SetAttach},
    {"blkio-weight", '\0', "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable", Set<kConfig, kResources, &R::blkio_weight>, "0"},
    {"blkio-weight-device", '\0', "list", "Block IO weight (relative device weight)", Append<ParseWeightDevice, kConfig, kResources, &R::blkio_weight_devices>},
    {"cap-add", '\0', "list", "Add Linux capabilities", Set<kConfig, kSecurity, &S::cap_add>},
    {"cap-drop", '\0', "list", "Drop Linux capabilities", Set<kConfig, kSecurity, &S::cap_drop>},
    {"cgroup-parent", '\0', "string", "Optional parent cgroup for the container", Set<kConfig, &C::cgroup_parent>},
    {"cgroupns", '\0', "string", "Cgroup namespace to use (host|private)", Assign<ParseCgroupMode, kConfig, &C::cgroup>},
    {"cidfile", '\0', "string", "Write the container ID to the file", Set<&O::cidfile>},
    {"cpu-period", '\0', "int", "Limit CPU CFS (Completely Fair Scheduler) period", Set<kConfig, kResources, &R::cpu_period_us>},
    {"cpu-quota", '\0', "int", "Limit CPU CFS (Completely Fair Scheduler) quota", Set<kConfig, kResources, &R::cpu_quota_us>},
    {"cpu-rt-period", '\0', "int", "Limit CPU real-time period in microseconds", Set<kConfig, kResources, &R::cpu_realtime_period_us>},
    {"cpu-rt-runtime", '\0', "int", "Limit CPU real-time runtime in microseconds", Set<kConfig, kResources, &R::cpu_realtime_runtime_us>},
    {"cpu-shares", 'c', "int", "CPU shares (relative weight)", Set<kConfig, kResources, &R::cpu_shares>},
    {"cpus", '\0', "decimal", "Number of CPUs", Assign<ParseCpus, kConfig, kResources, &R::nano_cpus>},
    {"cpuset-cpus", '\0', "string", "CPUs in which to allow execution (0-3, 0,1)", Set<kConfig, kResources, &R::cpuset_cpus>},
    {"cpuset-mems", '\0', "string", "MEMs in which to allow execution (0-3, 0,1)", Set<kConfig, kResources, &R::cpuset_mems>},
    {"device", '\0', "list", "Add a host device to the container", Append<ParseDevice, kConfig, &C::devices>},
    {"device-cgroup-rule", '\0', "list", "Add a rule to the cgroup allowed devices list", Append<ParseDeviceRule, kConfig, kResources, &R::device_rules>},
    {"device-read-bps", '\0', "list", "Limit read rate (bytes per second) from a device", Append<ParseBytesDevice, kConfig, kResources, &R::device_read_bps>},
    {"device-read-iops", '\0', "list", "Limit read rate (IO per second) from a device", Append<ParseOperationsDevice, kConfig, kResources, &R::device_read_iops>},
    {"device-write-bps", '\0', "list", "Limit write rate (bytes per second) to a device", Append<ParseBytesDevice, kConfig, kResources, &R::device_write_bps>},
    {"device-write-iops", '\0', "list", "Limit write rate (IO per second) to a device", Append<ParseOperationsDevice, kConfig, kResources, &R::device_write_iops>},
    {"disable-content-trust", '\0', "", "", IgnoreFlag},
    {"dns", '\0', "list", "Set custom DNS servers", Append<ParseAddress, kConfig, kNames, &N::servers>},
    {"dns-opt", '\0', "list", "", Set<kConfig, kNames, &N::options>},
    {"dns-option", '\0', "list", "Set DNS options", Set<kConfig, kNames, &N::options>},
    {"dns-search", '\0', "list", "Set custom DNS search domains", Set<kConfig, kNames, &N::search>},
    {"domainname", '\0', "string", "Container NIS domain name", Set<kConfig, &C::domainname>},
    {"dry-run", '\0', "", "Print what would be done to start the container, and create nothing", Set<&O::dry_run>},
    {"entrypoint", '\0', "string", "Overwrite the default ENTRYPOINT of the image", Set<&O::entrypoint>},
    {"env", 'e', "list", "Set environment variables", Append<ParseEnv, &O::env>},
    {"env-file", '\0', "list", "Read in a file of environment variables", Set<&O::env_files>},
    {"expose", '\0', "list", "Expose a port or a range of ports", SetExpose},
    {"gpus", '\0', "gpu-request", "", Unavailable},
    {"group-add", '\0', "list", "Add additional groups to join", Set<kConfig, &C::group_add>},
    {"health-cmd", '\0', "string", "Command to run to check health", SetHealth<&O::health_command>},
    {"health-interval", '\0', "duration", "Time between running the check (ms|s|m|h)", SetHealth<kConfig, kHealth, &H::interval>, "0s"},
    {"health-retries", '\0', "int", "Consecutive failures needed to report unhealthy", SetHealth<kConfig, kHealth, &H::retries>},
    {"health-start-interval", '\0', "duration", "Time between running the check during the start period (ms|s|m|h)", SetHealth<kConfig, kHealth, &H::start_interval>, "0s"},
    {"health-start-period", '\0', "duration", "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)", SetHealth<kConfig, kHealth, &H::start_period>, "0s"},
    {"health-timeout", '\0', "duration", "Maximum time to allow one check to run (ms|s|m|h)", SetHealth<kConfig, kHealth, &H::timeout>, "0s"},
    {"hostname", 'h', "string", "Container host name", Set<kConfig, &C::hostname>},
    {"init", '\0', "", "Run an init inside the container that forwards signals and reaps processes", Set<kConfig, &C::init>},
    {"interactive", 'i', "", "Keep STDIN open even if not attached", Set<&O::interactive>},
    {"ip", '\0', "string", "", Unavailable},
    {"ip6", '\0', "string", "", Unavailable},
    {"ipc", '\0', "string", "IPC mode to use", Assign<ParseIpcMode, kConfig, &C::ipc>},
    {"label", 'l', "list", "Set meta data on a container", Set<&O::labels>},
    {"label-file", '\0', "list", "Read in a line delimited file of labels", Set<&O::label_files>},
    {"link", '\0', "list", "", Unavailable},
    {"log-driver", '\0', "string", "Logging driver for the container", Assign<ParseLogDriver, kConfig, &C::log, &LogConfig::driver>},
    {"log-opt", '\0', "list", "Log driver options", SetLogOption},
    {"mac-address", '\0', "string", "", Unavailable},
    {"memory", 'm', "bytes", "Memory limit", SetBytes<kConfig, kResources, &R::memory_bytes>},
    {"memory-reservation", '\0', "bytes", "Memory soft limit", SetBytes<kConfig, kResources, &R::memory_reservation_bytes>},
    {"memory-swap", '\0', "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", Assign<ParseSwap, kConfig, kResources, &R::memory_swap_bytes>},
    {"memory-swappiness", '\0', "int", "Tune container memory swappiness (0 to 100)", Set<kConfig, kResources, &R::memory_swappiness>, "-1"},
    {"mount", '\0', "mount", "Attach a filesystem mount to the container", SetMount},
    {"name", '\0', "string", "Assign a name to the container", Set<kConfig, &C::name>},
    {"net", '\0', "network", "", Assign<ParseNetworkMode, kConfig, &C::network>},
    {"network", '\0', "network", "Connect a container to a network (none|host|container:NAME)", Assign<ParseNetworkMode, kConfig, &C::network>, "none"},
    {"network-alias", '\0', "list", "", Unavailable},
    {"no-healthcheck", '\0', "", "Disable any container-specified HEALTHCHECK", Set<kConfig, kHealth, &H::disabled>},
    {"oom-kill-disable", '\0', "", "Disable OOM Killer", Set<kConfig, kResources, &R::oom_kill_disable>},
    {"oom-score-adj", '\0', "int", "Tune host's OOM preferences (-1000 to 1000)", SetOomScore},
    {"pid", '\0', "string", "PID namespace to use", Assign<ParsePidMode, kConfig, &C::pid>},
    {"pids-limit", '\0', "int", "Tune container pids limit (set -1 for unlimited)", Set<kConfig, kResources, &R::pids_limit>},
    {"platform", '\0', "string", "Set platform if server is multi-platform capable", Set<kConfig, &C::platform>},
    {"privileged", '\0', "", "Give extended privileges to this container", SetPrivileged},
    {"publish", 'p', "list", "", Unavailable},
    {"publish-all", 'P', "", "", Unavailable},
    {"pull", '\0', "string", "Pull image before running (\"always\", \"missing\", \"never\")", Set<&O::pull>, "\"missing\""},
    {"quiet", 'q', "", "Suppress the pull output", Set<&O::quiet>},
    {"read-only", '\0', "", "Mount the container's root filesystem as read only", Set<kConfig, &C::readonly_root>},
    {"restart", '\0', "string", "Restart policy to apply when a container exits", SetRestart, "\"no\""},
    {"rm", '\0', "", "Automatically remove the container and its associated anonymous volumes when it exits", Set<kConfig, &C::auto_remove>},
    {"runtime", '\0', "string", "", Unavailable},
    {"security-opt", '\0', "list", "Security Options", SetSecurity},
    {"shm-size", '\0', "bytes", "Size of /dev/shm", SetBytes<kConfig, &C::shm_size_bytes>},
    {"stop-signal", '\0', "string", "Signal to stop the container", Set<kConfig, &C::stop_signal>},
    {"stop-timeout", '\0', "int", "Timeout (in seconds) to stop a container", SetSeconds<kConfig, &C::stop_timeout>},
    {"storage-opt", '\0', "list", "", Unavailable},
    {"sysctl", '\0', "map", "Sysctl options", Insert<ParseSysctl, kConfig, &C::sysctls>},
    {"tmpfs", '\0', "list", "Mount a tmpfs directory", Append<ParseTmpfsOption, kConfig, &C::tmpfs>},
    {"tty", 't', "", "Allocate a pseudo-TTY", Set<kConfig, &C::tty>},
    {"ulimit", '\0', "ulimit", "Ulimit options", Append<ParseUlimit, kConfig, &C::ulimits>},
    {"user", 'u', "string", "Username or UID (format: <name|uid>[:<group|gid>])", Set<kConfig, &C::user>},
    {"userns", '\0', "string", "User namespace to use", Assign<ParseUserMode, kConfig, &C::user_namespace>},
    {"uts", '\0', "string", "UTS namespace to use", Assign<ParseUtsMode, kConfig, &C::uts>},
    {"volume", 'v', "list", "Bind mount a volume", Append<ParseVolumeOption, kConfig, &C::binds>},
    {"volume-driver", '\0', "string", "", Unavailable},
    {"volumes-from", '\0', "list", "", Unavailable},
    {"workdir", 'w', "string", "Working directory inside the container", Set<kConfig, &C::working_dir>},
};
// clang-format on

constexpr size_t kRunCount = std::size(kRunOnly) + std::size(kCommon);

struct RunTable {
  Flag flags[kRunCount];
};

constexpr RunTable MergeRunTable() {
  RunTable table{};
  std::merge(std::begin(kRunOnly), std::end(kRunOnly), std::begin(kCommon),
             std::end(kCommon), std::begin(table.flags),
             [](const Flag& a, const Flag& b) { return a.name < b.name; });
  return table;
}

constexpr RunTable kRun = MergeRunTable();

}  // namespace

std::span<const Flag> CreateFlags() { return kCommon; }
std::span<const Flag> RunFlags() { return kRun.flags; }

}  // namespace containerkit::cli
