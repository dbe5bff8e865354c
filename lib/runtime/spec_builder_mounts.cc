// Mounts and devices of a container, as Docker sets them up.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/defaults.h"
#include "lib/runtime/mount_options.h"
#include "lib/runtime/spec_builder_internal.h"
#include "lib/sys/cgroup_translate.h"

namespace containerkit::runtime::builder {
namespace {

using Kind = NamespaceChoice::Kind;

// Where mount_setattr(2) can make a whole tree read-only.
constexpr KernelVersion kRecursiveReadonlyKernel = {5, 12};

oci::Mount Make(absl::string_view type, absl::string_view source,
                absl::string_view destination,
                std::vector<std::string> options) {
  oci::Mount mount;
  mount.type = std::string(type);
  mount.source = std::string(source);
  mount.destination = std::string(destination);
  mount.options = std::move(options);
  return mount;
}

oci::Mount HostTree(absl::string_view path) {
  return Make("bind", path, path,
              {"rbind", "nosuid", "noexec", "nodev", "ro", "rro", "rslave"});
}

// One id only: there is no group 5 for terminals.
bool HasTtyGroup(const Building& b) {
  const auto& maps = b.out.spec.linux_config.gid_mappings;
  if (!b.user_namespace || maps.empty()) return true;
  constexpr uint32_t kTtyGroup = 5;
  return std::any_of(maps.begin(), maps.end(), [](const oci::IdMapping& map) {
    return kTtyGroup >= map.container_id &&
           kTtyGroup - map.container_id < map.size;
  });
}

void AddProcAndSys(Building& b) {
  auto& mounts = b.spec().mounts;
  // A user namespace may only mount what belongs to namespaces of its own.
  const bool own_pid = b.config.pid.kind == Kind::kDefault ||
                       b.config.pid.kind == Kind::kPrivate;
  if (b.user_namespace && !own_pid) {
    mounts.push_back(HostTree("/proc"));
  } else {
    mounts.push_back(
        Make("proc", "proc", "/proc", {"nosuid", "noexec", "nodev"}));
  }
  mounts.push_back(Make("tmpfs", "tmpfs", "/dev",
                        {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  std::vector<std::string> pts = {"nosuid", "noexec", "newinstance",
                                  "ptmxmode=0666", "mode=0620"};
  if (HasTtyGroup(b)) pts.push_back("gid=5");
  mounts.push_back(Make("devpts", "devpts", "/dev/pts", std::move(pts)));
  if (b.user_namespace && !b.new_network) {
    mounts.push_back(HostTree("/sys"));
    return;
  }
  std::vector<std::string> sys = {"nosuid", "noexec", "nodev"};
  if (!b.privileged()) sys.push_back("ro");
  mounts.push_back(Make("sysfs", "sysfs", "/sys", std::move(sys)));
}

void AddCgroup(Building& b) {
  const bool unified = b.facts.cgroups.mode == sys::CgroupMode::kUnified;
  if (b.facts.cgroups.mode == sys::CgroupMode::kNone) return;
  // Rootless v1 has no cgroup of its own that could be shown.
  if (b.user_namespace && !unified) return;
  std::vector<std::string> options = {"nosuid", "noexec", "nodev"};
  if (!b.privileged()) options.push_back("ro");
  b.spec().mounts.push_back(
      Make("cgroup", "cgroup", "/sys/fs/cgroup", std::move(options)));
}

void AddIpc(Building& b) {
  auto& mounts = b.spec().mounts;
  if (b.own_ipc || !b.user_namespace) {
    mounts.push_back(
        Make("mqueue", "mqueue", "/dev/mqueue", {"nosuid", "noexec", "nodev"}));
  }
  if (b.config.ipc.kind == Kind::kNone) return;
  if (b.config.ipc.kind == Kind::kHost) {
    mounts.push_back(
        Make("bind", "/dev/shm", "/dev/shm", {"rbind", "rprivate"}));
    return;
  }
  if (b.config.ipc.kind == Kind::kContainer) {
    oci::Mount mount = Make("bind", "/dev/shm", "/dev/shm", {});
    mount.source_namespace = b.inputs.shm_namespace_path;
    mounts.push_back(std::move(mount));
    return;
  }
  const uint64_t size = b.config.shm_size_bytes.value_or(kDefaultShmSizeBytes);
  mounts.push_back(Make(
      "tmpfs", "shm", "/dev/shm",
      {"nosuid", "noexec", "nodev", "mode=1777", absl::StrCat("size=", size)}));
}

std::string Clean(absl::string_view path) {
  std::string out;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part != ".") absl::StrAppend(&out, "/", part);
  }
  return out;
}

// The destination of a mount that somebody asked for.
absl::StatusOr<std::string> Destination(absl::string_view target) {
  if (!absl::StartsWith(target, "/")) {
    return Invalid(
        Reason::kInvalidArgument,
        absl::StrCat("mount target \"", target, "\" is not an absolute path"));
  }
  for (absl::string_view part : absl::StrSplit(target, '/')) {
    if (part == "..") {
      return Invalid(Reason::kInvalidArgument,
                     absl::StrCat("mount target \"", target, "\" has '..'"));
    }
  }
  const std::string clean = Clean(target);
  if (clean.empty()) {
    return Invalid(Reason::kInvalidArgument, "mount target is /");
  }
  if (HasControl(clean)) {
    return Invalid(Reason::kInvalidArgument,
                   "mount target has a control character");
  }
  return clean;
}

absl::string_view PropagationName(MountPropagation propagation) {
  switch (propagation) {
    case MountPropagation::kRprivate:
      return "rprivate";
    case MountPropagation::kPrivate:
      return "private";
    case MountPropagation::kRshared:
      return "rshared";
    case MountPropagation::kShared:
      return "shared";
    case MountPropagation::kRslave:
      return "rslave";
    case MountPropagation::kSlave:
      return "slave";
  }
  return "rprivate";
}

absl::StatusOr<oci::Mount> BindMount(const Building& b,
                                     const BindMountConfig& config) {
  using Recursive = BindMountConfig::Recursive;
  CK_ASSIGN_OR_RETURN(std::string target, Destination(config.target));
  if (!absl::StartsWith(config.source, "/")) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("mount source \"", config.source,
                                "\" is not an absolute path"));
  }
  std::vector<std::string> options = {
      config.recursive == Recursive::kDisabled ? "bind" : "rbind"};
  const bool can_recurse = b.facts.kernel >= kRecursiveReadonlyKernel;
  if (config.recursive == Recursive::kReadonly && !can_recurse) {
    return Unimplemented(Reason::kKernelUnsupported, "spec.mount",
                         "recursive read-only mounts need Linux 5.12");
  }
  if (config.readonly) {
    options.push_back("ro");
    const bool whole = config.recursive == Recursive::kEnabled ||
                       config.recursive == Recursive::kReadonly;
    if (whole && can_recurse) options.push_back("rro");
  }
  options.emplace_back(PropagationName(config.propagation));
  options.insert(options.end(), config.options.begin(), config.options.end());
  return Make("bind", config.source, target, std::move(options));
}

absl::StatusOr<oci::Mount> TmpfsMount(const TmpfsMountConfig& config) {
  CK_ASSIGN_OR_RETURN(std::string target, Destination(config.target));
  std::vector<std::string> options = {"nosuid", "nodev", "noexec"};
  if (config.readonly) options.push_back("ro");
  for (const std::string& option : config.options) {
    if (HasControl(option) || option.find(',') != std::string::npos) {
      return Invalid(Reason::kInvalidArgument,
                     absl::StrCat("tmpfs option for ", target));
    }
    options.push_back(option);
  }
  if (config.size_bytes.has_value()) {
    options.push_back(absl::StrCat("size=", *config.size_bytes));
  }
  if (config.mode.has_value()) {
    options.push_back(absl::StrFormat("mode=%o", *config.mode));
  }
  return Make("tmpfs", "tmpfs", target, std::move(options));
}

bool Covers(const std::vector<oci::Mount>& mounts, absl::string_view target) {
  return std::any_of(
      mounts.begin(), mounts.end(),
      [&](const oci::Mount& mount) { return mount.destination == target; });
}

// Files that the engine made, unless something else is mounted there.
void AddGenerated(const Building& b, std::vector<oci::Mount>& mounts) {
  const std::pair<const std::string*, absl::string_view> files[] = {
      {&b.inputs.resolv_conf_path, "/etc/resolv.conf"},
      {&b.inputs.hostname_path, "/etc/hostname"},
      {&b.inputs.hosts_path, "/etc/hosts"}};
  const bool own_ids =
      b.facts.privileged() && !b.out.spec.linux_config.uid_mappings.empty();
  for (const auto& [source, target] : files) {
    if (source->empty() || Covers(mounts, target)) continue;
    std::vector<std::string> options = {"rbind", "rprivate"};
    // Root inside may write them, as docker's.
    if (own_ids) options.push_back("idmap");
    mounts.push_back(Make("bind", *source, target, std::move(options)));
  }
}

}  // namespace

absl::StatusOr<std::vector<oci::Mount>> AskedMounts(const Building& b) {
  std::vector<oci::Mount> asked;
  const auto add = [&](oci::Mount mount) -> absl::Status {
    if (Covers(asked, mount.destination)) {
      return Invalid(Reason::kInvalidArgument,
                     absl::StrCat("two mounts on ", mount.destination));
    }
    asked.push_back(std::move(mount));
    return absl::OkStatus();
  };
  for (const BindMountConfig& config : b.config.binds) {
    CK_ASSIGN_OR_RETURN(oci::Mount mount, BindMount(b, config));
    CK_RETURN_IF_ERROR(add(std::move(mount)));
  }
  for (const TmpfsMountConfig& config : b.config.tmpfs) {
    CK_ASSIGN_OR_RETURN(oci::Mount mount, TmpfsMount(config));
    CK_RETURN_IF_ERROR(add(std::move(mount)));
  }
  AddGenerated(b, asked);
  // Outer ones first, or they would hide inner ones.
  std::stable_sort(
      asked.begin(), asked.end(), [](const oci::Mount& x, const oci::Mount& y) {
        return std::count(x.destination.begin(), x.destination.end(), '/') <
               std::count(y.destination.begin(), y.destination.end(), '/');
      });
  return asked;
}

absl::Status BuildMounts(Building& b) {
  AddProcAndSys(b);
  AddIpc(b);
  // The later, the less a child waits for its cgroups.
  AddCgroup(b);
  CK_ASSIGN_OR_RETURN(std::vector<oci::Mount> asked, AskedMounts(b));
  // Whoever asks for a mount on /dev/shm gets that one only.
  auto& mounts = b.spec().mounts;
  std::erase_if(mounts, [&](const oci::Mount& mount) {
    return Covers(asked, mount.destination);
  });
  mounts.insert(mounts.end(), std::make_move_iterator(asked.begin()),
                std::make_move_iterator(asked.end()));
  return absl::OkStatus();
}

absl::Status BuildDevices(Building& b) {
  auto& rules = b.linux_config().resources.devices;
  if (b.privileged()) {
    rules.push_back({true, 'a', std::nullopt, std::nullopt, "rwm"});
  }
  for (const HostDevice& device : b.inputs.devices) {
    CK_RETURN_IF_ERROR(Destination(device.device.path).status()) << "device";
    if (!b.privileged()) {
      rules.push_back({true, device.device.type, device.device.major,
                       device.device.minor, device.access});
    }
    if (b.user_namespace) {
      // Nodes cannot be made there.
      b.spec().mounts.push_back(Make("bind", device.host_path,
                                     device.device.path, {"bind", "rprivate"}));
    } else {
      b.linux_config().devices.push_back(device.device);
    }
  }
  for (const std::string& text : b.config.resources.device_rules) {
    CK_ASSIGN_OR_RETURN(sys::CgroupDeviceRule rule, sys::ParseDeviceRule(text));
    rules.push_back(std::move(rule));
  }
  return absl::OkStatus();
}

}  // namespace containerkit::runtime::builder
