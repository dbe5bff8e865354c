// The OCI runtime spec's config.json (1.x, Linux) as C++: what the planner
// turns into a LaunchPlan. `ck run` and the library build it without JSON;
// ck-oci parses it.
#ifndef CONTAINERKIT_LIB_OCI_RUNTIME_SPEC_H_
#define CONTAINERKIT_LIB_OCI_RUNTIME_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/sys/cgroup_resources.h"

namespace containerkit::oci {

// Largest config.json that ParseRuntimeSpec() reads.
inline constexpr size_t kMaxRuntimeSpecBytes = 16 << 20;
// The version that we write.
inline constexpr absl::string_view kRuntimeSpecVersion = "1.2.0";

struct ConsoleSize {
  uint32_t height = 0;  // rows
  uint32_t width = 0;   // columns

  friend bool operator==(const ConsoleSize&, const ConsoleSize&) = default;
};

// Ids are those seen in the container.
struct ProcessUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;

  friend bool operator==(const ProcessUser&, const ProcessUser&) = default;
};

// Names as the spec writes them: "CAP_CHOWN".
struct CapabilitySets {
  std::vector<std::string> bounding;
  std::vector<std::string> effective;
  std::vector<std::string> inheritable;
  std::vector<std::string> permitted;
  std::vector<std::string> ambient;

  friend bool operator==(const CapabilitySets&,
                         const CapabilitySets&) = default;
};

// type: "RLIMIT_NOFILE". ~0: unlimited.
struct Rlimit {
  std::string type;
  uint64_t hard = 0;
  uint64_t soft = 0;

  friend bool operator==(const Rlimit&, const Rlimit&) = default;
};

// policy: "SCHED_OTHER", ...; flags: "SCHED_FLAG_RESET_ON_FORK", ...
struct Scheduler {
  std::string policy;
  int32_t nice = 0;
  int32_t priority = 0;
  std::vector<std::string> flags;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;

  friend bool operator==(const Scheduler&, const Scheduler&) = default;
};

// io_class: "IOPRIO_CLASS_BE", ...; priority 0..7.
struct IoPriority {
  std::string io_class;
  int32_t priority = 0;

  friend bool operator==(const IoPriority&, const IoPriority&) = default;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  ProcessUser user;
  std::vector<std::string> args;
  std::vector<std::string> env;  // "NAME=value"
  std::string cwd;
  // nullopt: the process keeps no capability at all (as runc does).
  std::optional<CapabilitySets> capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<int32_t> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;

  friend bool operator==(const Process&, const Process&) = default;
};

// path: absolute, or relative to the bundle.
struct Root {
  std::string path;
  bool readonly = false;

  friend bool operator==(const Root&, const Root&) = default;
};

struct IdMapping {
  uint32_t container_id = 0;
  uint32_t host_id = 0;
  uint32_t size = 0;

  friend bool operator==(const IdMapping&, const IdMapping&) = default;
};

struct Mount {
  std::string destination;
  std::string type;    // "bind" or a file system; may be empty for binds
  std::string source;  // may be relative to the bundle for binds
  std::vector<std::string> options;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  // Not in documents: `source` is a tmpfs there, the path of another
  // container's mount namespace.
  std::string source_namespace;

  friend bool operator==(const Mount&, const Mount&) = default;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int64_t> timeout_s;

  friend bool operator==(const Hook&, const Hook&) = default;
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;

  friend bool operator==(const Hooks&, const Hooks&) = default;
};

enum class NamespaceType {
  kPid,
  kNetwork,
  kMount,
  kIpc,
  kUts,
  kUser,
  kCgroup,
  kTime,
};

// "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time".
absl::string_view NamespaceTypeName(NamespaceType type);
// The CLONE_NEW* bit.
uint64_t NamespaceCloneFlag(NamespaceType type);

// path empty: a new namespace, otherwise one that is joined.
struct Namespace {
  NamespaceType type = NamespaceType::kPid;
  std::string path;

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct TimeOffset {
  int64_t secs = 0;
  uint32_t nanosecs = 0;

  friend bool operator==(const TimeOffset&, const TimeOffset&) = default;
};

struct Device {
  char type = 'c';  // 'c', 'u' (as c), 'b', 'p'
  std::string path;
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint32_t> file_mode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;

  friend bool operator==(const Device&, const Device&) = default;
};

// op: "SCMP_CMP_EQ", ...
struct SeccompArg {
  uint32_t index = 0;
  uint64_t value = 0;
  uint64_t value_two = 0;
  std::string op;

  friend bool operator==(const SeccompArg&, const SeccompArg&) = default;
};

// action: "SCMP_ACT_ALLOW", ... All args must match.
struct SeccompRule {
  std::vector<std::string> names;
  std::string action;
  std::optional<uint32_t> errno_ret;
  std::vector<SeccompArg> args;

  friend bool operator==(const SeccompRule&, const SeccompRule&) = default;
};

struct Seccomp {
  // Docker's default profile for the process's capabilities, not spelled out;
  // all other members are empty then. Only spec builders set it: the spec has
  // no such member, and serialization leaves the profile out.
  bool builtin_profile = false;
  std::string default_action;
  std::optional<uint32_t> default_errno_ret;
  std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64", ...
  std::vector<std::string> flags;          // "SECCOMP_FILTER_FLAG_LOG", ...
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompRule> syscalls;

  friend bool operator==(const Seccomp&, const Seccomp&) = default;
};

struct Personality {
  std::string domain;  // "LINUX", "LINUX32"
  std::vector<std::string> flags;

  friend bool operator==(const Personality&, const Personality&) = default;
};

// Parsed so that a spec survives a round trip; the planner refuses it.
struct IntelRdt {
  std::string clos_id;
  std::string l3_cache_schema;
  std::string mem_bw_schema;
  bool enable_cmt = false;
  bool enable_mbm = false;

  friend bool operator==(const IntelRdt&, const IntelRdt&) = default;
};

using Resources = sys::CgroupResources;

struct LinuxConfig {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::map<std::string, TimeOffset> time_offsets;  // "monotonic", "boottime"
  std::vector<Device> devices;
  std::string cgroups_path;
  Resources resources;
  std::map<std::string, std::string> sysctl;
  std::optional<Seccomp> seccomp;
  // "shared", "slave", "private", "unbindable", with or without "r"; empty.
  std::string rootfs_propagation;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;
  std::optional<Personality> personality;
  std::optional<IntelRdt> intel_rdt;

  friend bool operator==(const LinuxConfig&, const LinuxConfig&) = default;
};

struct RuntimeSpec {
  std::string oci_version;
  // nullopt: the spec says nothing to run (legal until `start`).
  std::optional<Process> process;
  Root root;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  LinuxConfig linux_config;

  friend bool operator==(const RuntimeSpec&, const RuntimeSpec&) = default;
};

// Reads a config.json. Unknown members are ignored, as the spec asks; wrong
// types, unknown enumerators and missing required members are errors that
// name their JSON path. Any ociVersion 1.x is read.
//
// Trust: `json` comes from whoever made the bundle; capped in size and depth.
// Errors: INVALID_ARGUMENT / kInvalidJson, kLimitExceeded, kSpecInvalid.
absl::StatusOr<RuntimeSpec> ParseRuntimeSpec(absl::string_view json);

// Reads a process.json (`exec --process`).
// Errors: as ParseRuntimeSpec().
absl::StatusOr<Process> ParseProcess(absl::string_view json);

// Reads the `linux.resources` object alone (`update --resources`).
// Errors: as ParseRuntimeSpec().
absl::StatusOr<Resources> ParseResources(absl::string_view json);

// Reads a `linux.seccomp` object alone.
// Errors: as ParseRuntimeSpec().
absl::StatusOr<Seccomp> ParseSeccomp(absl::string_view json);

// The spec as JSON, two spaces of indent, sorted keys, members that are not
// set left out.
std::string SerializeRuntimeSpec(const RuntimeSpec& spec);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_RUNTIME_SPEC_H_
