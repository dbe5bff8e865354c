// ContainerConfig + the image's config -> a runtime spec, with Docker's
// defaults and merge rules. Pure: whoever calls has read the image's files.
#ifndef CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_H_
#define CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/image_config.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/container_config.h"
#include "lib/runtime/host_devices.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/signals.h"

namespace containerkit::runtime {

// What the builder cannot know from the two configs.
struct SpecInputs {
  std::string id;         // 64 hex digits
  std::string root_path;  // where the root file system will be attached
  // Text of the image's files; nullopt: there is no such file, or
  // NeedsUserFiles() says no.
  std::optional<std::string> passwd;
  std::optional<std::string> group;
  // Host files that are bound over /etc/hostname, /etc/hosts and
  // /etc/resolv.conf; empty: not bound.
  std::string hostname_path;
  std::string hosts_path;
  std::string resolv_conf_path;
  // Namespaces to join, for NamespaceChoice::kContainer: "/proc/PID/ns/net".
  std::string network_namespace_path;
  std::string pid_namespace_path;
  std::string ipc_namespace_path;
  std::string uts_namespace_path;
  std::string cgroup_namespace_path;
  std::string user_namespace_path;
  // The ids that UserNamespaceChoice::kAuto gives a container of root's; empty:
  // there are none.
  DefaultIdMaps auto_ids;
  // ipc kContainer: the mount namespace whose /dev/shm becomes ours.
  std::string shm_namespace_path;
  // What $HOSTNAME says if the config names none, and with a uts namespace of
  // its own the system's name; empty: the first twelve digits of the id.
  std::string hostname;
  // The nodes behind --device (ResolveDevices() in host_devices.h); for a
  // privileged container all of the host's (AllHostDevices()).
  std::vector<HostDevice> devices;
  // Numbers of the disks that `resources` names by path
  // (ResolveBlockDevices()).
  std::vector<BlockDevice> block_devices;
  std::string cgroups_path;  // as oci::LinuxConfig::cgroups_path
};

struct BuiltSpec {
  oci::RuntimeSpec spec;
  // Kept apart from the spec: what the monitor and the engine need.
  int stop_signal = 15;
  bool init = false;
  // What was asked for and cannot be had here, one sentence each.
  std::vector<std::string> warnings;
};

// True if building needs SpecInputs::passwd and group: always, but for a
// numeric user and group with a HOME given.
bool NeedsUserFiles(const ContainerConfig& config,
                    const oci::ImageRunConfig& image);

// Whether a machine of `cpus` has what is asked for. BuildSpec() does not look:
// a container outlives processors that are taken away.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument.
absl::Status CheckCpus(const ResourceConfig& resources, int cpus);

// Builds the spec. Seccomp's default profile stays a reference
// (oci::Seccomp::builtin_profile), so nothing of it is copied per container.
//
// Trust: `image` and the user files come from strangers; control characters
// in what reaches generated files, and users that do not exist, are refused.
// Errors: INVALID_ARGUMENT with kCommandMissing, kInvalidArgument,
//         kCapabilityUnknown, kSysctlRefused, kRlimitRefused, kDeviceInvalid,
//         kSeccompInvalid, kIdMapInvalid, kUnsupportedOption;
//         NOT_FOUND with kUserNotFound, kGroupNotFound.
absl::StatusOr<BuiltSpec> BuildSpec(const ContainerConfig& config,
                                    const oci::ImageRunConfig& image,
                                    const HostFacts& facts,
                                    const SpecInputs& inputs);

// The part of the spec that says what the container's files are, for
// PlanView(): user namespace, root and the bind mounts that were asked for or
// that `inputs` has files for.
//
// Errors: as BuildSpec() for these.
absl::StatusOr<oci::RuntimeSpec> BuildViewSpec(const ContainerConfig& config,
                                               const HostFacts& facts,
                                               const SpecInputs& inputs);

// Looks up what `config` says by the paths of device nodes: fills
// inputs->devices and inputs->block_devices. The one part of building a spec
// that looks at the host.
// Errors: as ResolveDevices() and ResolveBlockDevices() of host_devices.h.
absl::Status ResolveDevices(const ContainerConfig& config, SpecInputs* inputs);

// Docker's merge of entrypoint and command.
// Errors: INVALID_ARGUMENT / kCommandMissing when nothing is left.
absl::StatusOr<std::vector<std::string>> MergeCommand(
    const ContainerConfig& config, const oci::ImageRunConfig& image);

// What `exec` in a container says.
struct ExecConfig {
  std::vector<std::string> args;
  std::vector<std::string> env;  // over the container's
  std::string user;              // empty: the container's
  std::string working_dir;       // empty: the container's
  bool tty = false;
  bool privileged = false;
};

// The process of an exec, from the container's own process.
//
// Trust: `passwd` and `group` as in SpecInputs.
// Errors: as BuildSpec().
absl::StatusOr<oci::Process> BuildExecProcess(
    const ExecConfig& exec, const oci::Process& container,
    const std::optional<std::string>& passwd,
    const std::optional<std::string>& group);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SPEC_BUILDER_H_
