#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/container/docker_json.h"
#include "lib/container/docker_json_names.h"

namespace containerkit::container {

namespace {

constexpr char kOperation[] = "container.parse_config";

// Records a value of the right type that makes no sense.
void Bad(const JsonNode& node, absl::string_view message) {
  node.Fail(InvalidArgument(Reason::kInvalidArgument, kOperation, message));
}

void Unsupported(const JsonNode& node, absl::string_view message) {
  node.Fail(Unimplemented(Reason::kUnsupportedOption, kOperation, message));
}

template <typename T, size_t N>
std::optional<T> Lookup(const internal::NameTable<T, N>& table,
                        absl::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

// An integer of the type T.
template <typename T>
T Integer(const JsonNode& node, T absent = 0) {
  if constexpr (std::numeric_limits<T>::is_signed) {
    const int64_t value = node.Int64(absent);
    if (value >= std::numeric_limits<T>::min() &&
        value <= std::numeric_limits<T>::max()) {
      return static_cast<T>(value);
    }
  } else {
    const uint64_t value = node.Uint64(absent);
    if (value <= std::numeric_limits<T>::max()) return static_cast<T>(value);
  }
  Bad(node, "number out of range");
  return absent;
}

// Where the members are, and which zeros were meant.
struct Reader {
  JsonNode config;
  JsonNode host;
  JsonNode own;
  std::set<std::string> zeros;

  template <typename T>
  void Number(const char* name, std::optional<T>* out) const {
    const JsonNode node = host.Get(name);
    if (!node.present()) return;
    const T value = Integer<T>(node);
    if (value != 0 || zeros.count(name) != 0) *out = value;
  }
};

// Docker's StrSlice: one string is a list of one.
std::optional<std::vector<std::string>> StringOrList(const JsonNode& node) {
  if (node.is_string()) return std::vector<std::string>{node.String()};
  return node.OptionalStrings();
}

absl::Duration Nanoseconds(const JsonNode& node) {
  return absl::Nanoseconds(node.Int64());
}

void ReadHealth(const JsonNode& node, HealthConfig* health) {
  if (!node.present()) return;
  const JsonNode test = node.Get("Test");
  health->test = test.Strings();
  if (!health->test.empty()) {
    const std::string& kind = health->test[0];
    if (kind == "NONE") {
      health->disabled = true;
      health->test.clear();
    } else if (kind.empty()) {
      health->test.clear();
    } else if (kind != "CMD" && kind != "CMD-SHELL") {
      Bad(test, absl::StrCat("unknown type of health check ", kind));
    }
  }
  health->interval = Nanoseconds(node.Get("Interval"));
  health->timeout = Nanoseconds(node.Get("Timeout"));
  health->start_period = Nanoseconds(node.Get("StartPeriod"));
  health->start_interval = Nanoseconds(node.Get("StartInterval"));
  health->retries = node.Get("Retries").Int64();
}

void ReadStopTimeout(const Reader& r, ContainerConfig* c) {
  const JsonNode node = r.config.Get("StopTimeout");
  if (node.present()) {
    const int64_t seconds = node.Int64();
    c->stop_timeout =
        seconds < 0 ? absl::InfiniteDuration() : absl::Seconds(seconds);
  }
  const JsonNode exact = r.own.Get("StopTimeoutNs");
  if (exact.present()) c->stop_timeout = Nanoseconds(exact);
}

void ReadProcess(const Reader& r, ContainerConfig* c) {
  c->image = r.config.Get("Image").String();
  c->name = r.own.Get("Name").String();
  c->platform = r.own.Get("Platform").String();
  c->entrypoint = StringOrList(r.config.Get("Entrypoint"));
  c->cmd = StringOrList(r.config.Get("Cmd"));
  c->env = r.config.Get("Env").Strings();
  c->user = r.config.Get("User").String();
  c->group_add = r.host.Get("GroupAdd").Strings();
  c->working_dir = r.config.Get("WorkingDir").String();
  c->tty = r.config.Get("Tty").Bool();
  c->open_stdin = r.config.Get("OpenStdin").Bool();
  c->stdin_once = r.config.Get("StdinOnce").Bool();
  const JsonNode console = r.host.Get("ConsoleSize");
  const std::vector<JsonNode> size = console.Elements();
  if (size.size() == 2) {
    c->console_rows = Integer<uint32_t>(size[0]);
    c->console_columns = Integer<uint32_t>(size[1]);
  } else if (!size.empty()) {
    Bad(console, "want [rows, columns]");
  }
  c->init = r.host.Get("Init").Bool();
  c->stop_signal = r.config.Get("StopSignal").String();
  ReadStopTimeout(r, c);
  r.Number("OomScoreAdj", &c->oom_score_adj);
  for (const JsonNode& node : r.host.Get("Ulimits").Elements()) {
    UlimitConfig limit;
    limit.name = node.Get("Name").RequiredString();
    limit.soft = node.Get("Soft").Int64();
    limit.hard = node.Get("Hard").Int64();
    c->ulimits.push_back(std::move(limit));
  }
  ReadHealth(r.config.Get("Healthcheck"), &c->health);
}

void ReadPorts(const Reader& r, ContainerConfig* c) {
  std::set<std::string> ports = r.config.Get("ExposedPorts").Keys();
  // What is published is exposed; with network none or host there is nothing
  // more to do about it.
  for (const auto& [port, bindings] : r.host.Get("PortBindings").Members()) {
    ports.emplace(port);
    for (const JsonNode& binding : bindings.Elements()) {
      binding.Get("HostIp").String();
      binding.Get("HostPort").String();
    }
  }
  r.host.Get("PublishAllPorts").Bool();
  c->exposed_ports.assign(ports.begin(), ports.end());
  const JsonNode ordered = r.own.Get("ExposedPorts");
  if (ordered.present()) c->exposed_ports = ordered.Strings();
}

void ReadNames(const Reader& r, ContainerConfig* c) {
  c->hostname = r.config.Get("Hostname").String();
  c->domainname = r.config.Get("Domainname").String();
  c->labels = r.config.Get("Labels").StringMap();
  c->annotations = r.host.Get("Annotations").StringMap();
  ReadPorts(r, c);
  c->names.servers = r.host.Get("Dns").Strings();
  c->names.search = r.host.Get("DnsSearch").Strings();
  c->names.options = r.host.Get("DnsOptions").Strings();
  for (const JsonNode& node : r.host.Get("ExtraHosts").Elements()) {
    const std::string text = node.String();
    // "name:address", newer clients also "name=address"; IPv6 has colons.
    const size_t cut = text.find_first_of(":=");
    if (cut == std::string::npos || cut == 0) {
      Bad(node, absl::StrCat("want name:address, got \"", text, "\""));
      continue;
    }
    c->names.extra_hosts.emplace_back(text.substr(0, cut),
                                      text.substr(cut + 1));
  }
}

// One word of a Binds string's third part.
bool ApplyBindWord(const std::string& word, BindMountConfig* bind) {
  // SELinux labels and Docker Desktop's caching change nothing here.
  static constexpr absl::string_view kIgnored[] = {
      "",          "rw",         "z",       "Z",      "U",     "cached",
      "delegated", "consistent", "default", "nocopy", "rbind", "bind",
  };
  if (const auto propagation = Lookup(internal::kPropagationNames, word)) {
    bind->propagation = *propagation;
    return true;
  }
  if (word == "ro") {
    bind->readonly = true;
    return true;
  }
  if (internal::IsBindFlag(word)) {
    bind->options.push_back(word);
    return true;
  }
  for (const absl::string_view ignored : kIgnored) {
    if (word == ignored) return true;
  }
  return false;
}

void ReadBindString(const JsonNode& node, ContainerConfig* c) {
  const std::string text = node.String();
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() > 3 || text.empty()) {
    Bad(node, absl::StrCat("want source:target[:options], got \"", text, "\""));
    return;
  }
  if (parts.size() == 1 || !absl::StartsWith(parts[0], "/")) {
    Unsupported(node, absl::StrCat("named and anonymous volumes are not "
                                   "available: \"",
                                   text, "\""));
    return;
  }
  BindMountConfig bind;
  bind.source = parts[0];
  bind.target = parts[1];
  bind.create_source = true;
  if (bind.target.empty()) Bad(node, "target is empty");
  if (parts.size() == 3) {
    for (const std::string& word :
         std::vector<std::string>(absl::StrSplit(parts[2], ','))) {
      if (!ApplyBindWord(word, &bind)) {
        Bad(node, absl::StrCat("unknown mount option \"", word, "\""));
      }
    }
  }
  c->binds.push_back(std::move(bind));
}

// "65536k", "1g", "20m", "7", "1.5gb" (docker's RAMInBytes).
bool ParseSize(absl::string_view text, uint64_t* bytes) {
  std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  absl::string_view rest = lower;
  absl::ConsumeSuffix(&rest, "b");
  absl::ConsumeSuffix(&rest, "i");
  static constexpr absl::string_view kUnits = "kmgtp";
  double factor = 1;
  if (!rest.empty()) {
    const size_t unit = kUnits.find(rest.back());
    if (unit != absl::string_view::npos) {
      for (size_t i = 0; i <= unit; ++i) factor *= 1024;
      rest.remove_suffix(1);
    }
  }
  rest = absl::StripAsciiWhitespace(rest);
  uint64_t whole = 0;
  if (factor == 1 && absl::SimpleAtoi(rest, &whole)) {
    *bytes = whole;
    return true;
  }
  double number = 0;
  if (rest.find_first_not_of("0123456789.") != absl::string_view::npos ||
      !absl::SimpleAtod(rest, &number) || !(number * factor < 9e18)) {
    return false;
  }
  *bytes = static_cast<uint64_t>(number * factor);
  return true;
}

bool ParseOctal(absl::string_view text, uint32_t* mode) {
  if (text.empty() || text.size() > 6) return false;
  *mode = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return false;
    *mode = *mode * 8 + (digit - '0');
  }
  return true;
}

// One tmpfs option; false if its value is no good.
bool ApplyTmpfsWord(const std::string& word, TmpfsMountConfig* tmpfs) {
  if (word.empty() || word == "rw") return true;
  if (word == "ro") {
    tmpfs->readonly = true;
    return true;
  }
  absl::string_view value = word;
  // "size=50%" is the kernel's to understand.
  if (absl::StartsWith(value, "size=") && !absl::EndsWith(value, "%")) {
    uint64_t bytes = 0;
    if (!ParseSize(value.substr(5), &bytes)) return false;
    tmpfs->size_bytes = bytes;
    return true;
  }
  if (absl::ConsumePrefix(&value, "mode=")) {
    uint32_t mode = 0;
    if (!ParseOctal(value, &mode)) return false;
    tmpfs->mode = mode;
    return true;
  }
  tmpfs->options.push_back(word);
  return true;
}

void ReadTmpfsString(absl::string_view target, const JsonNode& node,
                     ContainerConfig* c) {
  TmpfsMountConfig tmpfs;
  tmpfs.target = std::string(target);
  for (const std::string& word :
       std::vector<std::string>(absl::StrSplit(node.String(), ','))) {
    if (!ApplyTmpfsWord(word, &tmpfs)) {
      Bad(node, absl::StrCat("bad tmpfs option \"", word, "\""));
    }
  }
  c->tmpfs.push_back(std::move(tmpfs));
}

void ReadTmpfsMount(const JsonNode& node, ContainerConfig* c) {
  TmpfsMountConfig tmpfs;
  tmpfs.target = node.Get("Target").RequiredString();
  tmpfs.readonly = node.Get("ReadOnly").Bool();
  const JsonNode options = node.Get("TmpfsOptions");
  const uint64_t size = options.Get("SizeBytes").Uint64();
  if (size != 0) tmpfs.size_bytes = size;
  const uint32_t mode = Integer<uint32_t>(options.Get("Mode"));
  if (mode != 0) tmpfs.mode = mode;
  for (const JsonNode& option : options.Get("Options").Elements()) {
    const std::vector<std::string> pair = option.Strings();
    if (pair.empty() || pair.size() > 2) {
      Bad(option, "want [name] or [name, value]");
      continue;
    }
    const std::string word =
        pair.size() == 1 ? pair[0] : absl::StrCat(pair[0], "=", pair[1]);
    if (!ApplyTmpfsWord(word, &tmpfs)) {
      Bad(option, absl::StrCat("bad tmpfs option \"", word, "\""));
    }
  }
  c->tmpfs.push_back(std::move(tmpfs));
}

void ReadBindMount(const JsonNode& node, ContainerConfig* c) {
  using Recursive = BindMountConfig::Recursive;
  BindMountConfig bind;
  bind.source = node.Get("Source").RequiredString();
  bind.target = node.Get("Target").RequiredString();
  bind.readonly = node.Get("ReadOnly").Bool();
  const JsonNode options = node.Get("BindOptions");
  const JsonNode propagation = options.Get("Propagation");
  const std::string word = propagation.String();
  if (!word.empty()) {
    const auto known = Lookup(internal::kPropagationNames, word);
    if (!known.has_value()) {
      Bad(propagation, absl::StrCat("unknown propagation \"", word, "\""));
    }
    bind.propagation = known.value_or(MountPropagation::kRprivate);
  }
  bind.create_source = options.Get("CreateMountpoint").Bool();
  int modes = 0;
  const auto mode = [&](const char* name, Recursive recursive) {
    if (!options.Get(name).Bool()) return;
    bind.recursive = recursive;
    ++modes;
  };
  mode("NonRecursive", Recursive::kDisabled);
  mode("ReadOnlyNonRecursive", Recursive::kWritable);
  mode("ReadOnlyForceRecursive", Recursive::kReadonly);
  if (modes > 1) Bad(options, "more than one kind of recursion");
  bind.options = node.Get("Containerkit").Get("Options").Strings();
  c->binds.push_back(std::move(bind));
}

void ReadVolumes(const Reader& r, const ContainerConfig& c) {
  // compose 1.x and docker-py also list the targets of bind mounts here.
  const JsonNode volumes = r.config.Get("Volumes");
  for (const auto& [target, node] : volumes.Members()) {
    bool bound = false;
    for (const BindMountConfig& bind : c.binds) bound |= bind.target == target;
    for (const TmpfsMountConfig& t : c.tmpfs) bound |= t.target == target;
    if (!bound) {
      Unsupported(volumes, absl::StrCat("anonymous volumes are not available: ",
                                        target));
    }
  }
}

void ReadFileSystems(const Reader& r, ContainerConfig* c) {
  c->readonly_root = r.host.Get("ReadonlyRootfs").Bool();
  for (const JsonNode& node : r.host.Get("Binds").Elements()) {
    ReadBindString(node, c);
  }
  for (const auto& [target, node] : r.host.Get("Tmpfs").Members()) {
    ReadTmpfsString(target, node, c);
  }
  for (const JsonNode& node : r.host.Get("Mounts").Elements()) {
    const std::string type = node.Get("Type").RequiredString();
    if (type == "bind") {
      ReadBindMount(node, c);
    } else if (type == "tmpfs") {
      ReadTmpfsMount(node, c);
    } else if (type == "volume" || type == "image" || type == "npipe" ||
               type == "cluster") {
      Unsupported(node.Get("Type"),
                  absl::StrCat("mounts of type ", type, " are not available"));
    } else {
      Bad(node.Get("Type"), absl::StrCat("unknown type of mount ", type));
    }
  }
  ReadVolumes(r, *c);
  for (const JsonNode& node : r.host.Get("Devices").Elements()) {
    DeviceConfig device;
    device.host_path = node.Get("PathOnHost").RequiredString();
    device.container_path = node.Get("PathInContainer").String();
    const std::string access = node.Get("CgroupPermissions").String();
    if (!access.empty()) device.access = access;
    c->devices.push_back(std::move(device));
  }
  r.Number("ShmSize", &c->shm_size_bytes);
}

NamespaceChoice ReadNamespace(const JsonNode& node) {
  NamespaceChoice choice;
  std::string text = node.String();
  absl::string_view container = text;
  if (absl::ConsumePrefix(&container, "container:")) {
    choice.kind = NamespaceChoice::Kind::kContainer;
    choice.container = std::string(container);
    if (container.empty()) Bad(node, "want container:<name>");
    return choice;
  }
  const auto kind = Lookup(internal::kNamespaceNames, text);
  if (!kind.has_value()) {
    Bad(node, absl::StrCat("unknown mode \"", text, "\""));
  }
  choice.kind = kind.value_or(NamespaceChoice::Kind::kDefault);
  return choice;
}

void ReadNetwork(const Reader& r, ContainerConfig* c) {
  if (r.config.Get("NetworkDisabled").Bool()) return;
  const JsonNode node = r.host.Get("NetworkMode");
  if (!node.present()) return;
  const std::string mode = node.String();
  if (mode == "default") {
    c->network = {};
  } else if (mode.empty() || Lookup(internal::kNamespaceNames, mode) ||
             absl::StartsWith(mode, "container:")) {
    c->network = ReadNamespace(node);
  } else {
    Unsupported(node, absl::StrCat("network \"", mode,
                                   "\" is not available; use none, host or "
                                   "container:<name>"));
  }
}

std::vector<UserNamespaceChoice::Range> ReadIdMap(const JsonNode& node) {
  std::vector<UserNamespaceChoice::Range> ranges;
  for (const JsonNode& element : node.Elements()) {
    UserNamespaceChoice::Range range;
    range.container_id = Integer<uint32_t>(element.Get("ContainerID"));
    range.host_id = Integer<uint32_t>(element.Get("HostID"));
    range.size = Integer<uint32_t>(element.Get("Size"));
    ranges.push_back(range);
  }
  return ranges;
}

void ReadNamespaces(const Reader& r, ContainerConfig* c) {
  ReadNetwork(r, c);
  c->pid = ReadNamespace(r.host.Get("PidMode"));
  c->ipc = ReadNamespace(r.host.Get("IpcMode"));
  c->uts = ReadNamespace(r.host.Get("UTSMode"));
  c->cgroup = ReadNamespace(r.host.Get("CgroupnsMode"));
  const JsonNode user = r.host.Get("UsernsMode");
  const auto kind = Lookup(internal::kUserNamespaceNames, user.String());
  if (!kind.has_value()) {
    Bad(user, absl::StrCat("unknown mode \"", user.String(), "\""));
  }
  c->user_namespace.kind = kind.value_or(UserNamespaceChoice::Kind::kDefault);
  c->user_namespace.uid_map = ReadIdMap(r.own.Get("UidMap"));
  c->user_namespace.gid_map = ReadIdMap(r.own.Get("GidMap"));
  c->sysctls = r.host.Get("Sysctls").StringMap();
}

void ReadSeccomp(const std::string& value, SeccompChoice* seccomp) {
  using Kind = SeccompChoice::Kind;
  if (value == "unconfined") {
    seccomp->kind = Kind::kUnconfined;
  } else if (value == "builtin") {
    seccomp->kind = Kind::kBuiltin;
  } else {
    seccomp->kind = Kind::kCustom;
    seccomp->profile = value;
  }
}

void ReadSecurityWord(const JsonNode& node, SecurityConfig* s) {
  const std::string text = node.String();
  // "key=value"; "key:value" is older.
  size_t cut = text.find('=');
  if (cut == std::string::npos) cut = text.find(':');
  const std::string key = text.substr(0, cut);
  const std::string value =
      cut == std::string::npos ? "" : text.substr(cut + 1);
  const bool has_value = cut != std::string::npos;
  if (key == "seccomp" && has_value) {
    ReadSeccomp(value, &s->seccomp);
  } else if (text.substr(0, 8) == "seccomp:") {
    ReadSeccomp(text.substr(8), &s->seccomp);
  } else if (text == "no-new-privileges" ||
             (key == "no-new-privileges" && value == "true")) {
    s->no_new_privileges = true;
  } else if (key == "no-new-privileges" && value == "false") {
    s->no_new_privileges = false;
  } else if (key == "apparmor" && has_value) {
    s->apparmor_profile = value;
  } else if (key == "label" && has_value) {
    s->selinux_labels.push_back(value);
  } else if (text == "systempaths=unconfined" || text == "unmask=ALL") {
    s->systempaths_unconfined = true;
  } else {
    Bad(node, absl::StrCat("unknown security option \"", text, "\""));
  }
}

void ReadSecurity(const Reader& r, SecurityConfig* s) {
  s->privileged = r.host.Get("Privileged").Bool();
  s->cap_add = r.host.Get("CapAdd").Strings();
  s->cap_drop = r.host.Get("CapDrop").Strings();
  for (const JsonNode& node : r.host.Get("SecurityOpt").Elements()) {
    ReadSecurityWord(node, s);
  }
  s->masked_paths = r.host.Get("MaskedPaths").OptionalStrings();
  s->readonly_paths = r.host.Get("ReadonlyPaths").OptionalStrings();
}

template <typename T>
std::vector<std::pair<std::string, T>> ReadDeviceLimits(const JsonNode& node,
                                                        const char* member) {
  std::vector<std::pair<std::string, T>> limits;
  for (const JsonNode& element : node.Elements()) {
    limits.emplace_back(element.Get("Path").RequiredString(),
                        Integer<T>(element.Get(member)));
  }
  return limits;
}

void ReadResources(const Reader& r, ResourceConfig* out) {
  r.Number("Memory", &out->memory_bytes);
  r.Number("MemoryReservation", &out->memory_reservation_bytes);
  r.Number("MemorySwap", &out->memory_swap_bytes);
  const JsonNode swappiness = r.host.Get("MemorySwappiness");
  if (swappiness.present() && swappiness.Int64() != -1) {
    out->memory_swappiness = swappiness.Int64();
  }
  out->oom_kill_disable = r.host.Get("OomKillDisable").Bool();
  r.Number("NanoCpus", &out->nano_cpus);
  r.Number("CpuQuota", &out->cpu_quota_us);
  r.Number("CpuPeriod", &out->cpu_period_us);
  r.Number("CpuShares", &out->cpu_shares);
  r.Number("CpuRealtimeRuntime", &out->cpu_realtime_runtime_us);
  r.Number("CpuRealtimePeriod", &out->cpu_realtime_period_us);
  out->cpuset_cpus = r.host.Get("CpusetCpus").String();
  out->cpuset_mems = r.host.Get("CpusetMems").String();
  const JsonNode pids = r.host.Get("PidsLimit");
  if (pids.present()) out->pids_limit = pids.Int64();
  r.Number("BlkioWeight", &out->blkio_weight);
  out->blkio_weight_devices =
      ReadDeviceLimits<uint16_t>(r.host.Get("BlkioWeightDevice"), "Weight");
  const auto rates = [&r](const char* name) {
    return ReadDeviceLimits<uint64_t>(r.host.Get(name), "Rate");
  };
  out->device_read_bps = rates("BlkioDeviceReadBps");
  out->device_write_bps = rates("BlkioDeviceWriteBps");
  out->device_read_iops = rates("BlkioDeviceReadIOps");
  out->device_write_iops = rates("BlkioDeviceWriteIOps");
  out->device_rules = r.host.Get("DeviceCgroupRules").Strings();
  out->unified = r.own.Get("Unified").StringMap();
}

void ReadRestart(const JsonNode& node, RestartConfig* restart) {
  const JsonNode name = node.Get("Name");
  const std::string word = name.String();
  if (!word.empty()) {
    const auto policy = Lookup(internal::kRestartNames, word);
    if (!policy.has_value()) {
      Bad(name, absl::StrCat("unknown restart policy \"", word, "\""));
    }
    restart->policy = policy.value_or(RestartConfig::Policy::kNo);
  }
  restart->max_retries = Integer<uint32_t>(node.Get("MaximumRetryCount"));
}

void ReadLog(const JsonNode& node, LogConfig* log) {
  const JsonNode type = node.Get("Type");
  const std::string word = type.String();
  if (!word.empty()) {
    const auto driver = Lookup(internal::kLogDriverNames, word);
    if (!driver.has_value()) {
      Unsupported(type, absl::StrCat("log driver \"", word,
                                     "\" is not available; use json-file or "
                                     "none"));
    }
    log->driver = driver.value_or(LogConfig::Driver::kJsonFile);
  }
  for (const auto& [name, option] : node.Get("Config").Members()) {
    const std::string value = option.String();
    if (name == "max-size") {
      if (value == "-1") {
        log->max_size_bytes = 0;
      } else if (!ParseSize(value, &log->max_size_bytes)) {
        Bad(option, absl::StrCat("bad size \"", value, "\""));
      }
    } else if (name == "max-file") {
      if (!absl::SimpleAtoi(value, &log->max_files)) {
        Bad(option, absl::StrCat("bad number \"", value, "\""));
      }
    }
  }
}

void ReadUnsupported(const Reader& r) {
  // Ignoring these would give a container that is not what was asked for.
  for (const char* name : {"VolumesFrom", "Links", "DeviceRequests"}) {
    const JsonNode node = r.host.Get(name);
    if (!node.Elements().empty()) {
      Unsupported(node, absl::StrCat(name, " is not available"));
    }
  }
  const JsonNode storage = r.host.Get("StorageOpt");
  if (!storage.Members().empty()) {
    Unsupported(storage, "storage options are not available");
  }
}

}  // namespace

absl::StatusOr<ContainerConfig> ConfigFromJson(absl::string_view json) {
  CK_ASSIGN_OR_RETURN(JsonDocument document,
                      JsonDocument::Parse(json, kOperation));
  const JsonNode root = document.root();
  Reader r{root, root.Get("HostConfig"), root.Get("Containerkit"), {}};
  if (!root.is_object()) root.Fail("want an object");
  for (std::string& name : r.own.Get("Zero").Strings()) {
    r.zeros.insert(std::move(name));
  }
  ContainerConfig config;
  ReadProcess(r, &config);
  ReadNames(r, &config);
  ReadFileSystems(r, &config);
  ReadNamespaces(r, &config);
  ReadSecurity(r, &config.security);
  ReadResources(r, &config.resources);
  ReadRestart(r.host.Get("RestartPolicy"), &config.restart);
  ReadLog(r.host.Get("LogConfig"), &config.log);
  config.auto_remove = r.host.Get("AutoRemove").Bool();
  config.cgroup_parent = r.host.Get("CgroupParent").String();
  ReadUnsupported(r);
  CK_RETURN_IF_ERROR(document.status());
  return config;
}

}  // namespace containerkit::container
