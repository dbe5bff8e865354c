#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/json.h"
#include "lib/container/docker_json.h"
#include "lib/container/docker_json_names.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {

namespace {

using Json = nlohmann::json;
using internal::NameOf;

// The three objects under construction.
struct Writer {
  Json config = Json::object();
  Json host = Json::object();
  Json own = Json::object();
  // Fields whose value is a zero that was asked for (Docker's 0: not set).
  std::vector<std::string> zeros;

  template <typename T>
  void Number(const char* name, const std::optional<T>& value) {
    if (!value.has_value()) return;
    host[name] = *value;
    if (*value == 0) zeros.push_back(name);
  }
};

std::string Str(absl::string_view text) { return std::string(text); }

void Put(Json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}
void Put(Json& object, const char* name, bool value) {
  if (value) object[name] = true;
}
template <typename T>
void Put(Json& object, const char* name, const std::vector<T>& value) {
  if (!value.empty()) object[name] = value;
}
void Put(Json& object, const char* name,
         const std::map<std::string, std::string>& value) {
  if (!value.empty()) object[name] = value;
}

void WriteHealth(const HealthConfig& health, Json& config) {
  if (health == HealthConfig()) return;
  Json out = Json::object();
  if (health.disabled) {
    out["Test"] = Json::array({"NONE"});
  } else if (!health.test.empty()) {
    out["Test"] = health.test;
  }
  const auto duration = [&out](const char* name, absl::Duration value) {
    if (value != absl::ZeroDuration()) {
      out[name] = absl::ToInt64Nanoseconds(value);
    }
  };
  duration("Interval", health.interval);
  duration("Timeout", health.timeout);
  duration("StartPeriod", health.start_period);
  duration("StartInterval", health.start_interval);
  if (health.retries != 0) out["Retries"] = health.retries;
  config["Healthcheck"] = std::move(out);
}

void WriteStopTimeout(absl::Duration timeout, Writer& w) {
  if (timeout == absl::InfiniteDuration()) {
    w.config["StopTimeout"] = -1;
    return;
  }
  const int64_t seconds = absl::ToInt64Seconds(
      absl::Ceil(std::max(timeout, absl::ZeroDuration()), absl::Seconds(1)));
  w.config["StopTimeout"] = seconds;
  if (absl::Seconds(seconds) != timeout) {
    w.own["StopTimeoutNs"] = absl::ToInt64Nanoseconds(timeout);
  }
}

void WriteProcess(const ContainerConfig& c, Writer& w) {
  Put(w.config, "Image", c.image);
  Put(w.own, "Name", c.name);
  Put(w.own, "Platform", c.platform);
  if (c.entrypoint.has_value()) w.config["Entrypoint"] = *c.entrypoint;
  if (c.cmd.has_value()) w.config["Cmd"] = *c.cmd;
  Put(w.config, "Env", c.env);
  Put(w.config, "User", c.user);
  Put(w.host, "GroupAdd", c.group_add);
  Put(w.config, "WorkingDir", c.working_dir);
  Put(w.config, "Tty", c.tty);
  Put(w.config, "OpenStdin", c.open_stdin);
  Put(w.config, "StdinOnce", c.stdin_once);
  if (c.console_rows != 0 || c.console_columns != 0) {
    w.host["ConsoleSize"] = Json::array({c.console_rows, c.console_columns});
  }
  Put(w.host, "Init", c.init);
  Put(w.config, "StopSignal", c.stop_signal);
  if (c.stop_timeout.has_value()) WriteStopTimeout(*c.stop_timeout, w);
  w.Number("OomScoreAdj", c.oom_score_adj);
  for (const UlimitConfig& limit : c.ulimits) {
    w.host["Ulimits"].push_back(
        {{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  }
  WriteHealth(c.health, w.config);
}

void WriteNames(const ContainerConfig& c, Writer& w) {
  Put(w.config, "Hostname", c.hostname);
  Put(w.config, "Domainname", c.domainname);
  Put(w.config, "Labels", c.labels);
  Put(w.host, "Annotations", c.annotations);
  for (const std::string& port : c.exposed_ports) {
    w.config["ExposedPorts"][port] = Json::object();
  }
  // A JSON object has no order and no repetition.
  if (std::adjacent_find(c.exposed_ports.begin(), c.exposed_ports.end(),
                         std::greater_equal<>()) != c.exposed_ports.end()) {
    w.own["ExposedPorts"] = c.exposed_ports;
  }
  Put(w.host, "Dns", c.names.servers);
  Put(w.host, "DnsSearch", c.names.search);
  Put(w.host, "DnsOptions", c.names.options);
  for (const auto& [name, address] : c.names.extra_hosts) {
    w.host["ExtraHosts"].push_back(absl::StrCat(name, ":", address));
  }
}

// Whether "-v" syntax can say it.
bool FitsBindString(const BindMountConfig& bind) {
  return bind.create_source &&
         bind.recursive == BindMountConfig::Recursive::kEnabled &&
         !absl::StrContains(bind.source, ':') &&
         !absl::StrContains(bind.target, ':') &&
         absl::StartsWith(bind.source, "/") && !bind.target.empty() &&
         std::all_of(bind.options.begin(), bind.options.end(),
                     internal::IsBindFlag);
}

std::string BindString(const BindMountConfig& bind) {
  std::vector<std::string> words = bind.options;
  if (bind.readonly) words.push_back("ro");
  if (bind.propagation != MountPropagation::kRprivate) {
    words.push_back(Str(NameOf(internal::kPropagationNames, bind.propagation)));
  }
  std::string text = absl::StrCat(bind.source, ":", bind.target);
  if (!words.empty()) absl::StrAppend(&text, ":", absl::StrJoin(words, ","));
  return text;
}

Json BindMount(const BindMountConfig& bind) {
  using Recursive = BindMountConfig::Recursive;
  Json out = {
      {"Type", "bind"}, {"Source", bind.source}, {"Target", bind.target}};
  Put(out, "ReadOnly", bind.readonly);
  Json options = {{"Propagation", Str(NameOf(internal::kPropagationNames,  //
                                             bind.propagation))}};
  Put(options, "CreateMountpoint", bind.create_source);
  Put(options, "NonRecursive", bind.recursive == Recursive::kDisabled);
  Put(options, "ReadOnlyNonRecursive", bind.recursive == Recursive::kWritable);
  Put(options, "ReadOnlyForceRecursive",
      bind.recursive == Recursive::kReadonly);
  out["BindOptions"] = std::move(options);
  if (!bind.options.empty()) out["Containerkit"] = {{"Options", bind.options}};
  return out;
}

// Binds are read before Mounts, so once one is among Mounts the rest is too.
void WriteBinds(const std::vector<BindMountConfig>& binds, Json& host) {
  bool strings = true;
  for (const BindMountConfig& bind : binds) {
    strings = strings && FitsBindString(bind);
    if (strings) {
      host["Binds"].push_back(BindString(bind));
    } else {
      host["Mounts"].push_back(BindMount(bind));
    }
  }
}

bool FitsTmpfsString(const TmpfsMountConfig& tmpfs) {
  return std::all_of(tmpfs.options.begin(), tmpfs.options.end(),
                     [](const std::string& word) {
                       return !word.empty() && !absl::StrContains(word, ',');
                     });
}

std::string TmpfsString(const TmpfsMountConfig& tmpfs) {
  std::vector<std::string> words = tmpfs.options;
  if (tmpfs.readonly) words.push_back("ro");
  if (tmpfs.size_bytes.has_value()) {
    words.push_back(absl::StrCat("size=", *tmpfs.size_bytes));
  }
  if (tmpfs.mode.has_value()) {
    words.push_back(absl::StrFormat("mode=%o", *tmpfs.mode));
  }
  return absl::StrJoin(words, ",");
}

Json TmpfsMount(const TmpfsMountConfig& tmpfs) {
  Json out = {{"Type", "tmpfs"}, {"Target", tmpfs.target}};
  Put(out, "ReadOnly", tmpfs.readonly);
  Json options = Json::object();
  Json words = Json::array();
  for (const std::string& word : tmpfs.options) {
    const std::vector<std::string> parts =
        absl::StrSplit(word, absl::MaxSplits('=', 1));
    words.push_back(parts);
  }
  // Zero is "not set" in Docker's own members.
  if (tmpfs.size_bytes.value_or(0) != 0) {
    options["SizeBytes"] = *tmpfs.size_bytes;
  } else if (tmpfs.size_bytes.has_value()) {
    words.push_back(Json::array({"size", "0"}));
  }
  if (tmpfs.mode.value_or(0) != 0) {
    options["Mode"] = *tmpfs.mode;
  } else if (tmpfs.mode.has_value()) {
    words.push_back(Json::array({"mode", "0"}));
  }
  if (!words.empty()) options["Options"] = std::move(words);
  out["TmpfsOptions"] = std::move(options);
  return out;
}

void WriteTmpfs(const std::vector<TmpfsMountConfig>& tmpfs, Json& host) {
  // The map has no order and no repetition.
  bool strings = true;
  for (size_t i = 0; i < tmpfs.size(); ++i) {
    strings = strings && FitsTmpfsString(tmpfs[i]) &&
              (i == 0 || tmpfs[i - 1].target < tmpfs[i].target);
  }
  for (const TmpfsMountConfig& one : tmpfs) {
    if (strings) {
      host["Tmpfs"][one.target] = TmpfsString(one);
    } else {
      host["Mounts"].push_back(TmpfsMount(one));
    }
  }
}

void WriteFileSystems(const ContainerConfig& c, Writer& w) {
  Put(w.host, "ReadonlyRootfs", c.readonly_root);
  WriteBinds(c.binds, w.host);
  WriteTmpfs(c.tmpfs, w.host);
  for (const DeviceConfig& device : c.devices) {
    w.host["Devices"].push_back({{"PathOnHost", device.host_path},
                                 {"PathInContainer", device.container_path},
                                 {"CgroupPermissions", device.access}});
  }
  w.Number("ShmSize", c.shm_size_bytes);
}

Json IdMap(const std::vector<UserNamespaceChoice::Range>& ranges) {
  Json out = Json::array();
  for (const UserNamespaceChoice::Range& range : ranges) {
    out.push_back({{"ContainerID", range.container_id},
                   {"HostID", range.host_id},
                   {"Size", range.size}});
  }
  return out;
}

void WriteNamespaces(const ContainerConfig& c, Writer& w) {
  const auto put = [&w](const char* name, const NamespaceChoice& choice) {
    std::string word = Str(NameOf(internal::kNamespaceNames, choice.kind));
    if (choice.kind == NamespaceChoice::Kind::kContainer) {
      word += choice.container;
    }
    Put(w.host, name, word);
  };
  put("NetworkMode", c.network);
  if (c.network.kind == NamespaceChoice::Kind::kDefault) {
    w.host["NetworkMode"] = "default";
  }
  put("PidMode", c.pid);
  put("IpcMode", c.ipc);
  put("UTSMode", c.uts);
  put("CgroupnsMode", c.cgroup);
  Put(w.host, "UsernsMode",
      Str(NameOf(internal::kUserNamespaceNames, c.user_namespace.kind)));
  if (!c.user_namespace.uid_map.empty()) {
    w.own["UidMap"] = IdMap(c.user_namespace.uid_map);
  }
  if (!c.user_namespace.gid_map.empty()) {
    w.own["GidMap"] = IdMap(c.user_namespace.gid_map);
  }
  Put(w.host, "Sysctls", c.sysctls);
}

void WriteSecurity(const SecurityConfig& s, Writer& w) {
  Put(w.host, "Privileged", s.privileged);
  Put(w.host, "CapAdd", s.cap_add);
  Put(w.host, "CapDrop", s.cap_drop);
  std::vector<std::string> words;
  switch (s.seccomp.kind) {
    case SeccompChoice::Kind::kDefault:
      break;
    case SeccompChoice::Kind::kBuiltin:
      words.push_back("seccomp=builtin");
      break;
    case SeccompChoice::Kind::kUnconfined:
      words.push_back("seccomp=unconfined");
      break;
    case SeccompChoice::Kind::kCustom:
      words.push_back(absl::StrCat("seccomp=", s.seccomp.profile));
      break;
  }
  if (s.no_new_privileges) words.push_back("no-new-privileges");
  if (!s.apparmor_profile.empty()) {
    words.push_back(absl::StrCat("apparmor=", s.apparmor_profile));
  }
  for (const std::string& label : s.selinux_labels) {
    words.push_back(absl::StrCat("label=", label));
  }
  if (s.systempaths_unconfined) words.push_back("systempaths=unconfined");
  Put(w.host, "SecurityOpt", words);
  if (s.masked_paths.has_value()) w.host["MaskedPaths"] = *s.masked_paths;
  if (s.readonly_paths.has_value()) {
    w.host["ReadonlyPaths"] = *s.readonly_paths;
  }
}

template <typename T>
void WriteDeviceLimits(const char* name, const char* member,
                       const std::vector<std::pair<std::string, T>>& limits,
                       Json& host) {
  for (const auto& [path, value] : limits) {
    host[name].push_back({{"Path", path}, {member, value}});
  }
}

void WriteResources(const ResourceConfig& r, Writer& w) {
  w.Number("Memory", r.memory_bytes);
  w.Number("MemoryReservation", r.memory_reservation_bytes);
  w.Number("MemorySwap", r.memory_swap_bytes);
  if (r.memory_swappiness.has_value()) {
    w.host["MemorySwappiness"] = *r.memory_swappiness;
  }
  Put(w.host, "OomKillDisable", r.oom_kill_disable);
  w.Number("NanoCpus", r.nano_cpus);
  w.Number("CpuQuota", r.cpu_quota_us);
  w.Number("CpuPeriod", r.cpu_period_us);
  w.Number("CpuShares", r.cpu_shares);
  w.Number("CpuRealtimeRuntime", r.cpu_realtime_runtime_us);
  w.Number("CpuRealtimePeriod", r.cpu_realtime_period_us);
  Put(w.host, "CpusetCpus", r.cpuset_cpus);
  Put(w.host, "CpusetMems", r.cpuset_mems);
  if (r.pids_limit.has_value()) w.host["PidsLimit"] = *r.pids_limit;
  w.Number("BlkioWeight", r.blkio_weight);
  WriteDeviceLimits("BlkioWeightDevice", "Weight", r.blkio_weight_devices,
                    w.host);
  WriteDeviceLimits("BlkioDeviceReadBps", "Rate", r.device_read_bps, w.host);
  WriteDeviceLimits("BlkioDeviceWriteBps", "Rate", r.device_write_bps, w.host);
  WriteDeviceLimits("BlkioDeviceReadIOps", "Rate", r.device_read_iops, w.host);
  WriteDeviceLimits("BlkioDeviceWriteIOps", "Rate", r.device_write_iops,
                    w.host);
  Put(w.host, "DeviceCgroupRules", r.device_rules);
  Put(w.own, "Unified", r.unified);
}

void WriteLife(const ContainerConfig& c, Writer& w) {
  if (c.restart != RestartConfig()) {
    w.host["RestartPolicy"] = {
        {"Name", Str(NameOf(internal::kRestartNames, c.restart.policy))},
        {"MaximumRetryCount", c.restart.max_retries}};
  }
  if (c.log != LogConfig()) {
    w.host["LogConfig"] = {
        {"Type", Str(NameOf(internal::kLogDriverNames, c.log.driver))},
        {"Config",
         {{"max-size", absl::StrCat(c.log.max_size_bytes)},
          {"max-file", absl::StrCat(c.log.max_files)}}}};
  }
  Put(w.host, "AutoRemove", c.auto_remove);
  Put(w.host, "CgroupParent", c.cgroup_parent);
}

}  // namespace

Json ConfigToJsonValue(const ContainerConfig& config) {
  Writer w;
  WriteProcess(config, w);
  WriteNames(config, w);
  WriteFileSystems(config, w);
  WriteNamespaces(config, w);
  WriteSecurity(config.security, w);
  WriteResources(config.resources, w);
  WriteLife(config, w);
  Put(w.own, "Zero", w.zeros);
  Json out = std::move(w.config);
  out["HostConfig"] = std::move(w.host);
  if (!w.own.empty()) out["Containerkit"] = std::move(w.own);
  return out;
}

std::string ConfigToJson(const ContainerConfig& config) {
  return DumpJson(ConfigToJsonValue(config));
}

}  // namespace containerkit::container
