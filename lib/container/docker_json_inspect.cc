#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/container/docker_json.h"
#include "lib/container/docker_json_names.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {

namespace {

using Json = nlohmann::json;

// HostConfig as dockerd fills it in, without what depends on the container.
constexpr char kHostDefaults[] = R"({
  "AutoRemove": false, "Binds": null, "BlkioDeviceReadBps": [],
  "BlkioDeviceReadIOps": [], "BlkioDeviceWriteBps": [],
  "BlkioDeviceWriteIOps": [], "BlkioWeight": 0, "BlkioWeightDevice": [],
  "CapAdd": null, "CapDrop": null, "Cgroup": "", "CgroupParent": "",
  "CgroupnsMode": "host", "ConsoleSize": [0, 0], "ContainerIDFile": "",
  "CpuCount": 0, "CpuPercent": 0, "CpuPeriod": 0, "CpuQuota": 0,
  "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpuShares": 0,
  "CpusetCpus": "", "CpusetMems": "", "DeviceCgroupRules": null,
  "DeviceRequests": null, "Devices": [], "Dns": [], "DnsOptions": [],
  "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null,
  "IOMaximumBandwidth": 0, "IOMaximumIOps": 0, "IpcMode": "private",
  "Isolation": "", "Links": null, "LogConfig": {}, "Memory": 0,
  "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": null,
  "NanoCpus": 0, "NetworkMode": "none", "OomKillDisable": null,
  "OomScoreAdj": 0, "PidMode": "", "PidsLimit": null, "PortBindings": {},
  "Privileged": false, "PublishAllPorts": false, "ReadonlyRootfs": false,
  "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
  "Runtime": "containerkit", "SecurityOpt": null, "ShmSize": 67108864,
  "UTSMode": "", "Ulimits": [], "UsernsMode": "", "VolumeDriver": "",
  "VolumesFrom": null,
  "MaskedPaths": ["/proc/asound", "/proc/acpi", "/proc/interrupts",
    "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap"],
  "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
    "/proc/sysrq-trigger"]})";

constexpr char kConfigDefaults[] = R"({
  "AttachStderr": true, "AttachStdin": false, "AttachStdout": true,
  "Cmd": null, "Domainname": "", "Entrypoint": null, "Env": [],
  "Hostname": "", "Image": "", "Labels": {}, "OnBuild": null,
  "OpenStdin": false, "StdinOnce": false, "Tty": false, "User": "",
  "Volumes": null, "WorkingDir": ""})";

constexpr char kEndpoint[] = R"({
  "Aliases": null, "DNSNames": null, "DriverOpts": null, "EndpointID": "",
  "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
  "GwPriority": 0, "IPAMConfig": null, "IPAddress": "", "IPPrefixLen": 0,
  "IPv6Gateway": "", "Links": null, "MacAddress": "", "NetworkID": ""})";

constexpr char kNetworkSettings[] = R"({
  "Bridge": "", "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "",
  "GlobalIPv6PrefixLen": 0, "HairpinMode": false, "IPAddress": "",
  "IPPrefixLen": 0, "IPv6Gateway": "", "LinkLocalIPv6Address": "",
  "LinkLocalIPv6PrefixLen": 0, "MacAddress": "", "Networks": {}, "Ports": {},
  "SandboxID": "", "SandboxKey": "", "SecondaryIPAddresses": null,
  "SecondaryIPv6Addresses": null})";

absl::string_view HealthName(HealthState health) {
  switch (health) {
    case HealthState::kNone:
      return "none";
    case HealthState::kStarting:
      return "starting";
    case HealthState::kHealthy:
      return "healthy";
    case HealthState::kUnhealthy:
      return "unhealthy";
  }
  return "none";
}

absl::string_view StateName(ContainerState state) {
  switch (state) {
    case ContainerState::kCreated:
      return "created";
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kPaused:
      return "paused";
    case ContainerState::kRestarting:
      return "restarting";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kDead:
      return "dead";
  }
  return "dead";
}

Json Health(const ContainerInfo& info, const InspectExtras& extras) {
  Json log = Json::array();
  for (const runtime::HealthLogEntry& probe : extras.health_log) {
    const size_t size =
        std::min<size_t>(probe.output_size, sizeof(probe.output));
    log.push_back({
        {"Start", FormatRfc3339(absl::FromUnixNanos(probe.start_ns))},
        {"End", FormatRfc3339(absl::FromUnixNanos(probe.end_ns))},
        {"ExitCode", probe.exit_code},
        {"Output", std::string(probe.output, size)},
    });
  }
  return {{"Status", std::string(HealthName(info.health))},
          {"FailingStreak", info.health_failing_streak},
          {"Log", std::move(log)}};
}

Json State(const ContainerInfo& info, const InspectExtras& extras) {
  const bool paused = info.state == ContainerState::kPaused;
  const bool restarting = info.state == ContainerState::kRestarting;
  Json state = {
      {"Status", std::string(StateName(info.state))},
      // Docker counts paused and restarting as running.
      {"Running",
       paused || restarting || info.state == ContainerState::kRunning},
      {"Paused", paused},
      {"Restarting", restarting},
      {"OOMKilled", info.exit.oom_killed},
      {"Dead", info.state == ContainerState::kDead},
      {"Pid", info.pid},
      {"ExitCode", info.exit.code},
      {"Error", info.error},
      {"StartedAt", FormatRfc3339(info.started)},
      {"FinishedAt", FormatRfc3339(info.finished)},
  };
  if (info.health != HealthState::kNone) state["Health"] = Health(info, extras);
  return state;
}

// The container's variables, then those of the image that it leaves alone.
std::vector<std::string> MergeEnv(const ContainerConfig& config,
                                  const oci::ImageRunConfig& image) {
  std::vector<std::string> merged;
  std::set<std::string> seen;
  for (const std::string& entry : config.env) {
    seen.insert(entry.substr(0, entry.find('=')));
    if (entry.find('=') != std::string::npos) merged.push_back(entry);
  }
  for (const std::string& entry : image.env) {
    if (seen.count(entry.substr(0, entry.find('='))) == 0) {
      merged.push_back(entry);
    }
  }
  return merged;
}

bool Clears(const std::vector<std::string>& command) {
  return command.empty() || (command.size() == 1 && command[0].empty());
}

void MergeCommand(const ContainerConfig& config,
                  const oci::ImageRunConfig& image, Json& out) {
  const auto put = [&out](const char* name,
                          const std::vector<std::string>& command) {
    out[name] = Clears(command) ? Json() : Json(command);
  };
  put("Entrypoint", config.entrypoint.value_or(
                        image.entrypoint.value_or(std::vector<std::string>{})));
  if (config.cmd.has_value()) {
    put("Cmd", *config.cmd);
  } else if (!config.entrypoint.has_value() && image.cmd.has_value()) {
    put("Cmd", *image.cmd);
  } else {
    out["Cmd"] = nullptr;
  }
}

void MergeHealth(const oci::ImageRunConfig& image, Json& out) {
  if (!image.healthcheck.has_value()) return;
  const oci::ImageHealthcheck& from = *image.healthcheck;
  Json& health = out["Healthcheck"];
  if (!health.contains("Test") && !from.test.empty()) {
    health["Test"] = from.test;
  }
  const auto number = [&health](const char* name, int64_t value) {
    if (!health.contains(name) && value != 0) health[name] = value;
  };
  number("Interval", from.interval_ns);
  number("Timeout", from.timeout_ns);
  number("StartPeriod", from.start_period_ns);
  number("StartInterval", from.start_interval_ns);
  number("Retries", from.retries);
  if (health.is_null()) out.erase("Healthcheck");
}

Json MergedConfig(const ContainerConfig& config, const ContainerInfo& info,
                  const InspectExtras& extras, Json record) {
  const oci::ImageRunConfig& image = extras.image_config;
  Json out = Json::parse(kConfigDefaults);
  record.erase("HostConfig");
  record.erase("Containerkit");
  out.update(record);
  out["Image"] = info.image;
  out["AttachStdin"] = config.open_stdin && config.stdin_once;
  if (config.hostname.empty()) {
    out["Hostname"] =
        extras.hostname.empty() ? info.id.substr(0, 12) : extras.hostname;
  }
  if (config.user.empty()) out["User"] = image.user;
  if (config.working_dir.empty()) out["WorkingDir"] = image.working_dir;
  if (config.stop_signal.empty() && !image.stop_signal.empty()) {
    out["StopSignal"] = image.stop_signal;
  }
  out["Env"] = MergeEnv(config, image);
  out["Labels"] = info.labels;
  MergeCommand(config, image, out);
  MergeHealth(image, out);
  for (const std::string& port : image.exposed_ports) {
    out["ExposedPorts"][port] = Json::object();
  }
  for (const std::string& volume : image.volumes) {
    out["Volumes"][volume] = Json::object();
  }
  if (!image.shell.empty()) out["Shell"] = image.shell;
  if (!image.on_build.empty()) out["OnBuild"] = image.on_build;
  return out;
}

Json HostConfig(const ContainerConfig& config, const InspectExtras& extras,
                const Json& record) {
  Json out = Json::parse(kHostDefaults);
  if (extras.cgroup_v2) {
    out["CgroupnsMode"] = "private";
  } else {
    out["OomKillDisable"] = false;
  }
  if (config.security.systempaths_unconfined || config.security.privileged) {
    const Json none = config.security.privileged ? Json() : Json::array();
    out["MaskedPaths"] = none;
    out["ReadonlyPaths"] = none;
  }
  const std::optional<int64_t>& memory = config.resources.memory_bytes;
  if (memory.value_or(0) > 0) out["MemorySwap"] = 2 * *memory;
  Json log = {{"Type", std::string(internal::NameOf(internal::kLogDriverNames,
                                                    config.log.driver))},
              {"Config", Json::object()}};
  if (config.log.driver == LogConfig::Driver::kJsonFile) {
    log["Config"] = {
        {"max-size", config.log.max_size_bytes == 0
                         ? "-1"
                         : absl::StrCat(config.log.max_size_bytes)},
        {"max-file", absl::StrCat(config.log.max_files)}};
  }
  out.update(record["HostConfig"]);
  out["LogConfig"] = std::move(log);
  return out;
}

// What is mounted by the config, as the MountPoint list of the API.
Json MountPoints(const ContainerConfig& config, const Json& host) {
  Json out = Json::array();
  for (const BindMountConfig& bind : config.binds) {
    const bool readonly = bind.readonly;
    out.push_back(
        {{"Type", "bind"},
         {"Source", bind.source},
         {"Destination", bind.target},
         {"Mode", readonly ? "ro" : ""},
         {"RW", !readonly},
         {"Propagation", std::string(internal::NameOf(
                             internal::kPropagationNames, bind.propagation))}});
  }
  // As docker: --mount type=tmpfs is listed, --tmpfs is not.
  if (!host.contains("Mounts")) return out;
  for (const Json& mount : host["Mounts"]) {
    if (mount["Type"] != "tmpfs") continue;
    out.push_back({{"Type", "tmpfs"},
                   {"Source", ""},
                   {"Destination", mount["Target"]},
                   {"Mode", ""},
                   {"RW", !mount.value("ReadOnly", false)},
                   {"Propagation", ""}});
  }
  return out;
}

Json NetworkSettings(const ContainerConfig& config, const ContainerInfo& info) {
  Json out = Json::parse(kNetworkSettings);
  if (info.pid != 0) {
    out["SandboxKey"] = absl::StrCat("/proc/", info.pid, "/ns/net");
  }
  if (config.network.kind == NamespaceChoice::Kind::kNone) {
    out["Networks"]["none"] = Json::parse(kEndpoint);
  } else if (config.network.kind == NamespaceChoice::Kind::kHost) {
    out["Networks"]["host"] = Json::parse(kEndpoint);
  }
  return out;
}

}  // namespace

std::string InspectJson(const ContainerConfig& config,
                        const ContainerInfo& info,
                        const InspectExtras& extras) {
  const Json record = ConfigToJsonValue(config);
  const std::vector<std::string>& command = info.command;
  Json out = {
      {"Id", info.id},
      {"Created", FormatRfc3339(info.created)},
      {"Path", command.empty() ? "" : command[0]},
      {"Args", Json::array()},
      {"State", State(info, extras)},
      {"Image", info.image_id},
      {"ResolvConfPath", absl::StrCat(extras.directory, "/resolv.conf")},
      {"HostnamePath", absl::StrCat(extras.directory, "/hostname")},
      {"HostsPath", absl::StrCat(extras.directory, "/hosts")},
      {"LogPath", info.log_path},
      {"Name", absl::StrCat("/", info.name)},
      {"RestartCount", info.restart_count},
      {"Driver", extras.storage_driver},
      {"Platform", "linux"},
      {"MountLabel", ""},
      {"ProcessLabel", ""},
      {"AppArmorProfile", config.security.apparmor_profile},
      {"ExecIDs", extras.exec_ids.empty() ? Json() : Json(extras.exec_ids)},
      {"HostConfig", HostConfig(config, extras, record)},
      {"GraphDriver",
       {{"Name", extras.storage_driver},
        {"Data", extras.graph.empty() ? Json() : Json(extras.graph)}}},
      {"Mounts", MountPoints(config, record["HostConfig"])},
      {"Config", MergedConfig(config, info, extras, record)},
      {"NetworkSettings", NetworkSettings(config, info)},
  };
  for (size_t i = 1; i < command.size(); ++i) out["Args"].push_back(command[i]);
  if (extras.size_rw_bytes.has_value()) out["SizeRw"] = *extras.size_rw_bytes;
  if (extras.size_root_fs_bytes.has_value()) {
    out["SizeRootFs"] = *extras.size_root_fs_bytes;
  }
  Json own = record.value("Containerkit", Json::object());
  if (!info.warnings.empty()) own["Warnings"] = info.warnings;
  if (!own.empty()) out["Containerkit"] = std::move(own);
  return DumpJson(out);
}

}  // namespace containerkit::container
