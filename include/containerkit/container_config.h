// ContainerConfig: everything that `docker run` can say about one container,
// typed.
//
//   containerkit::ContainerConfig config;
//   config.image = "debian:12";
//   config.cmd = {{"sh", "-c", "echo hello"}};
//   config.binds.push_back({.source = "/srv/data", .target = "/data"});
//   config.resources.memory_bytes = 64 << 20;
#ifndef CONTAINERKIT_CONTAINER_CONFIG_H_
#define CONTAINERKIT_CONTAINER_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace containerkit {

// Where a namespace of the container comes from.
struct NamespaceChoice {
  enum class Kind {
    kDefault,    // kPrivate; for cgroup: private on v2, the host's on v1
    kPrivate,    // a new one
    kShareable,  // ipc: a new one that others may join
    kHost,       // the host's
    kContainer,  // that of the container `container`; ipc: with its /dev/shm,
                 // and refused (FAILED_PRECONDITION / kNamespaceFailed) unless
                 // that one is kShareable, kHost or itself kContainer
    kNone,       // network: only loopback; ipc: private and no /dev/shm
  };
  Kind kind = Kind::kDefault;
  std::string container;  // name or id, for kContainer

  friend bool operator==(const NamespaceChoice&,
                         const NamespaceChoice&) = default;
};

// --userns: who the container's root is on the host. As root, a new one needs
// Linux 5.19 and a state root on a file system with id-mapped mounts, else the
// start fails with UNIMPLEMENTED / kKernelUnsupported. Bind mounts keep the
// host's owners unless their options say "idmap".
struct UserNamespaceChoice {
  enum class Kind {
    kDefault,  // the host's when privileged, else the caller's id ranges
    kHost,     // no user namespace (refused when rootless)
    // A new one, from the caller's subuid and subgid ranges. As root: as many
    // ids as the image's passwd and group files name, at least 1024, that no
    // other container of the state root has; Create() fails with
    // RESOURCE_EXHAUSTED / kIdMapInvalid when there are none.
    kAuto,
    kMapped,  // a new one with `uid_map` and `gid_map`
  };
  struct Range {
    uint32_t container_id = 0;
    uint32_t host_id = 0;
    uint32_t size = 0;

    friend bool operator==(const Range&, const Range&) = default;
  };
  Kind kind = Kind::kDefault;
  std::vector<Range> uid_map;
  std::vector<Range> gid_map;

  friend bool operator==(const UserNamespaceChoice&,
                         const UserNamespaceChoice&) = default;
};

enum class MountPropagation {
  kRprivate,
  kPrivate,
  kRshared,
  kShared,
  kRslave,
  kSlave,
};

// -v HOST:CONTAINER[:ro], --mount type=bind.
struct BindMountConfig {
  // How mounts below the source behave (bind-recursive).
  enum class Recursive {
    kEnabled,   // bound too; read-only recursively if the kernel can
    kDisabled,  // not bound
    kWritable,  // bound, only the top is made read-only
    kReadonly,  // read-only recursively, or an error
  };
  std::string source;  // absolute path of the host
  std::string target;  // absolute path in the container
  bool readonly = false;
  // A missing source is made as a directory (-v does, --mount does not).
  bool create_source = false;
  MountPropagation propagation = MountPropagation::kRprivate;
  Recursive recursive = Recursive::kEnabled;
  // Further mount options as the runtime spec names them ("nosuid").
  std::vector<std::string> options;

  friend bool operator==(const BindMountConfig&,
                         const BindMountConfig&) = default;
};

// --tmpfs PATH[:OPTIONS], --mount type=tmpfs.
struct TmpfsMountConfig {
  std::string target;
  bool readonly = false;
  std::optional<uint64_t> size_bytes;  // absent: half of the memory
  std::optional<uint32_t> mode;        // absent: 01777
  // Further options ("exec", "uid=1000"); defaults: nosuid, nodev, noexec.
  std::vector<std::string> options;

  friend bool operator==(const TmpfsMountConfig&,
                         const TmpfsMountConfig&) = default;
};

// --device HOST[:CONTAINER[:rwm]]. A directory stands for all its devices.
struct DeviceConfig {
  std::string host_path;
  std::string container_path;  // empty: as host_path
  std::string access = "rwm";

  friend bool operator==(const DeviceConfig&, const DeviceConfig&) = default;
};

// --ulimit NAME=SOFT[:HARD]; -1: unlimited.
struct UlimitConfig {
  std::string name;  // "nofile"
  int64_t soft = 0;
  int64_t hard = 0;

  friend bool operator==(const UlimitConfig&, const UlimitConfig&) = default;
};

struct SeccompChoice {
  enum class Kind {
    kDefault,     // Docker's profile; unconfined when privileged
    kBuiltin,     // Docker's profile, also when privileged
    kUnconfined,  // no filter
    kCustom,      // `profile`
  };
  Kind kind = Kind::kDefault;
  // JSON, in Docker's profile format or the runtime spec's.
  std::string profile;

  friend bool operator==(const SeccompChoice&, const SeccompChoice&) = default;
};

// --security-opt, --cap-add, --cap-drop, --privileged.
struct SecurityConfig {
  bool privileged = false;
  // "CAP_NET_ADMIN", "net_admin" or "ALL".
  std::vector<std::string> cap_add;
  std::vector<std::string> cap_drop;
  SeccompChoice seccomp;
  bool no_new_privileges = false;
  // Empty: none (the library loads no profile); "unconfined" or a name.
  std::string apparmor_profile;
  // "label=" options: "user:...", "role:...", "type:...", "level:...",
  // "disable". Used where SELinux is on.
  std::vector<std::string> selinux_labels;
  // systempaths=unconfined: nothing masked, nothing made read-only.
  bool systempaths_unconfined = false;
  // Replaces the built-in lists when present.
  std::optional<std::vector<std::string>> masked_paths;
  std::optional<std::vector<std::string>> readonly_paths;

  friend bool operator==(const SecurityConfig&,
                         const SecurityConfig&) = default;
};

// Limits. Absent: no limit of our own.
struct ResourceConfig {
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> memory_reservation_bytes;
  // Memory and swap together; -1: unlimited swap. Absent with memory_bytes:
  // twice memory_bytes, as docker does.
  std::optional<int64_t> memory_swap_bytes;
  std::optional<int64_t> memory_swappiness;  // 0..100, -1: absent
  bool oom_kill_disable = false;
  // --cpus, in billionths of a processor; excludes quota and period.
  std::optional<int64_t> nano_cpus;
  std::optional<int64_t> cpu_quota_us;
  std::optional<uint64_t> cpu_period_us;
  std::optional<uint64_t> cpu_shares;
  std::optional<int64_t> cpu_realtime_runtime_us;
  std::optional<uint64_t> cpu_realtime_period_us;
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::optional<int64_t> pids_limit;  // 0, -1: unlimited
  std::optional<uint16_t> blkio_weight;
  // By path of the host's block device.
  std::vector<std::pair<std::string, uint16_t>> blkio_weight_devices;
  std::vector<std::pair<std::string, uint64_t>> device_read_bps;
  std::vector<std::pair<std::string, uint64_t>> device_write_bps;
  std::vector<std::pair<std::string, uint64_t>> device_read_iops;
  std::vector<std::pair<std::string, uint64_t>> device_write_iops;
  // --device-cgroup-rule: "c 13:* rwm".
  std::vector<std::string> device_rules;
  // cgroup v2 files, e.g. {"memory.high", "1G"}.
  std::map<std::string, std::string> unified;

  friend bool operator==(const ResourceConfig&,
                         const ResourceConfig&) = default;
};

// --health-*. Zero values: the image's, else Docker's defaults (30 s, 30 s,
// 0 s, 5 s, 3).
struct HealthConfig {
  bool disabled = false;  // --no-healthcheck
  // {"CMD", args...} or {"CMD-SHELL", line}; empty: the image's.
  std::vector<std::string> test;
  absl::Duration interval = absl::ZeroDuration();
  absl::Duration timeout = absl::ZeroDuration();
  absl::Duration start_period = absl::ZeroDuration();
  absl::Duration start_interval = absl::ZeroDuration();
  int64_t retries = 0;

  friend bool operator==(const HealthConfig&, const HealthConfig&) = default;
};

struct RestartConfig {
  enum class Policy { kNo, kOnFailure, kAlways, kUnlessStopped };
  Policy policy = Policy::kNo;
  uint32_t max_retries = 0;  // kOnFailure; 0: no limit

  friend bool operator==(const RestartConfig&, const RestartConfig&) = default;
};

struct LogConfig {
  enum class Driver { kJsonFile, kNone };
  Driver driver = Driver::kJsonFile;
  uint64_t max_size_bytes = 20 << 20;  // of one file; 0: no rotation
  uint32_t max_files = 5;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

// --dns, --dns-search, --dns-option, --add-host.
struct NameConfig {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  std::vector<std::string> options;
  // {"name", "address"}, in order; address may be "host-gateway".
  std::vector<std::pair<std::string, std::string>> extra_hosts;

  friend bool operator==(const NameConfig&, const NameConfig&) = default;
};

// Changes to a live container; absent members stay as they are.
struct ContainerUpdate {
  ResourceConfig resources;
  std::optional<RestartConfig> restart;
};

// Grants that weaken the box, each a type of its own so that a reader finds
// every one of them by name: config.Allow(HostPidNamespace{}).
struct Privileged {};  // docker's --privileged: all devices and capabilities
struct HostPidNamespace {};
struct HostIpcNamespace {};
struct HostUtsNamespace {};
struct HostNetwork {};
struct UnconfinedSeccomp {};
struct UnmaskedSystemPaths {};
struct AllCapabilities {};

struct ContainerConfig {
  ContainerConfig& Allow(Privileged) {
    security.privileged = true;
    return *this;
  }
  ContainerConfig& Allow(HostPidNamespace) {
    pid.kind = NamespaceChoice::Kind::kHost;
    return *this;
  }
  ContainerConfig& Allow(HostIpcNamespace) {
    ipc.kind = NamespaceChoice::Kind::kHost;
    return *this;
  }
  ContainerConfig& Allow(HostUtsNamespace) {
    uts.kind = NamespaceChoice::Kind::kHost;
    return *this;
  }
  ContainerConfig& Allow(HostNetwork) {
    network.kind = NamespaceChoice::Kind::kHost;
    return *this;
  }
  ContainerConfig& Allow(UnconfinedSeccomp) {
    security.seccomp.kind = SeccompChoice::Kind::kUnconfined;
    return *this;
  }
  ContainerConfig& Allow(UnmaskedSystemPaths) {
    security.systempaths_unconfined = true;
    return *this;
  }
  ContainerConfig& Allow(AllCapabilities) {
    security.cap_add.push_back("ALL");
    return *this;
  }

  // --- what it is ---
  // Reference or id of an image that is in the store (Images::Pull).
  std::string image;
  // [a-zA-Z0-9][a-zA-Z0-9_.-]*; empty: an adjective and a surname.
  std::string name;
  // Refused unless the image is of this platform; empty: any.
  std::string platform;

  // --- what runs ---
  // nullopt: the image's. An empty list, or one empty string, clears it. A
  // given entrypoint also clears the image's cmd.
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  // "NAME=value" sets, "NAME" removes. Later ones win, over the image's too.
  std::vector<std::string> env;
  // "user", "uid", "user:group", "uid:gid"; empty: the image's, else root.
  std::string user;
  std::vector<std::string> group_add;  // names or numbers
  // Absolute; empty: the image's, else "/".
  std::string working_dir;
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;
  uint32_t console_rows = 0;  // 0: the pty's default
  uint32_t console_columns = 0;
  bool init = false;
  std::string stop_signal;  // "SIGTERM", "15"; empty: the image's
  std::optional<absl::Duration> stop_timeout;  // absent: 10 s; infinite: wait
  std::optional<int32_t> oom_score_adj;
  std::vector<UlimitConfig> ulimits;

  // --- names ---
  std::string hostname;  // empty: the first 12 digits of the id
  std::string domainname;
  std::map<std::string, std::string> labels;  // over the image's
  std::map<std::string, std::string> annotations;
  std::vector<std::string> exposed_ports;  // "80/tcp"; recorded only
  NameConfig names;

  // --- file systems ---
  bool readonly_root = false;
  std::vector<BindMountConfig> binds;
  std::vector<TmpfsMountConfig> tmpfs;
  std::vector<DeviceConfig> devices;
  std::optional<uint64_t> shm_size_bytes;  // absent: 64 MiB

  // --- namespaces ---
  // network: kNone, kHost or kContainer.
  NamespaceChoice network = {NamespaceChoice::Kind::kNone, ""};
  NamespaceChoice pid;
  NamespaceChoice ipc;
  NamespaceChoice uts;
  NamespaceChoice cgroup;
  UserNamespaceChoice user_namespace;
  std::map<std::string, std::string> sysctls;

  // --- limits and grants ---
  SecurityConfig security;
  ResourceConfig resources;
  std::string cgroup_parent;  // absolute path in the hierarchy; empty: ours

  // --- life ---
  HealthConfig health;
  RestartConfig restart;
  LogConfig log;
  bool auto_remove = false;

  friend bool operator==(const ContainerConfig&,
                         const ContainerConfig&) = default;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_CONTAINER_CONFIG_H_
