// The container's file system tree: root, mounts, devices.
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/default_devices.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/mount_options.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner_internal.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime::planner {
namespace {

using oci::NamespaceType;

// The spec asks for absolute destinations; older bundles have others.
std::string Target(absl::string_view destination) {
  return absl::StartsWith(destination, "/") ? std::string(destination)
                                            : absl::StrCat("/", destination);
}

std::string Clean(absl::string_view path) {
  std::string out;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part != ".") absl::StrAppend(&out, "/", part);
  }
  return out.empty() ? "/" : out;
}

std::string HostPath(const Planning& p, absl::string_view path) {
  return absl::StartsWith(path, "/")
             ? std::string(path)
             : absl::StrCat(p.options.bundle, "/", path);
}

// Sets attributes of what was just mounted that one call could not set.
void PlanTreeAttributes(Planning& p, const std::string& target,
                        const MountOptions& options) {
  if (options.tree_set == 0 && options.tree_clear == 0) return;
  p.plan().Add(Op::kSetMountAttr, {target, options.tree_set, options.tree_clear,
                                   uint64_t{0}, uint64_t{kMountRecursiveAttr}});
}

void PlanPropagation(Planning& p, const std::string& target,
                     const MountOptions& options, size_t first) {
  for (size_t i = first; i < options.propagation.size(); ++i) {
    p.plan().Add(Op::kSetMountAttr, {target, uint64_t{0}, uint64_t{0},
                                     options.propagation[i], uint64_t{0}});
  }
}

bool IsIdMapped(const oci::Mount& mount, const MountOptions& options) {
  return options.id_mapped || !mount.uid_mappings.empty() ||
         !mount.gid_mappings.empty();
}

// The maps of an id-mapped mount: its own, else those of the container.
absl::StatusOr<PlannedIdMap> MountIdMap(const Planning& p,
                                        const oci::Mount& mount) {
  if (!p.facts.privileged()) {
    return Unimplemented(
        Reason::kUnsupportedOption, "planner.mount",
        absl::StrCat("id-mapped mount on ", mount.destination, " as non-root"));
  }
  const bool own = !mount.uid_mappings.empty() || !mount.gid_mappings.empty();
  const oci::LinuxConfig& container = p.spec.linux_config;
  if (!own && !p.Fresh(NamespaceType::kUser)) {
    return Invalid(Reason::kIdMapInvalid,
                   absl::StrCat("id-mapped mount on ", mount.destination,
                                " without id mappings"));
  }
  CK_ASSIGN_OR_RETURN(
      PlannedIdMap map,
      PlanIdMap(own ? mount.uid_mappings : container.uid_mappings,
                own ? mount.gid_mappings : container.gid_mappings, p.facts));
  return map;
}

bool IsShared(const MountOptions& options) {
  return std::any_of(options.propagation.begin(), options.propagation.end(),
                     [](uint64_t flag) { return (flag & MS_SHARED) != 0; });
}

absl::Status PlanBind(Planning& p, const oci::Mount& mount,
                      const MountOptions& options) {
  const std::string target = Target(mount.destination);
  uint64_t flags = 0;
  if (options.recursive) flags |= kMountRecursive;
  if (options.no_follow_source) flags |= kMountNoFollow;
  // In the child's namespace all mounts are slaves of the host's.
  if (IsShared(options)) flags |= kMountHostPeer;
  // What a mount from outside a user namespace has cannot be taken away in
  // it: asking for "rw" then means "as it is".
  if (p.user_namespace) flags |= kMountReadonlyFallback;
  // The monitor clones sources for a user namespace outside of it, where they
  // may be shared with the host.
  const uint64_t none = p.user_namespace ? MS_SLAVE | MS_REC : 0;
  const uint64_t first =
      options.propagation.empty() ? none : options.propagation[0];
  // One call is enough where the mount gets what its tree gets.
  const bool tree = (options.attr_set & ~options.tree_set) == 0 &&
                    (options.attr_clear & ~options.tree_clear) == 0;
  std::vector<Field> fields = {
      HostPath(p, mount.source),
      target,
      tree ? options.tree_set : options.attr_set,
      tree ? options.tree_clear : options.attr_clear,
      first,
      flags | FlagIf(tree, kMountRecursiveAttr) |
          FlagIf(options.id_mapped_tree, kMountRecursiveMap)};
  const bool mapped = IsIdMapped(mount, options);
  if (mapped) {
    CK_ASSIGN_OR_RETURN(const PlannedIdMap map, MountIdMap(p, mount));
    fields.push_back(map.uid_map);
    fields.push_back(map.gid_map);
  }
  p.plan().Add(mapped ? Op::kBindMapped : Op::kBind, std::move(fields));
  PlanPropagation(p, target, options, 1);
  if (!tree) PlanTreeAttributes(p, target, options);
  return absl::OkStatus();
}

void PlanRemount(Planning& p, const oci::Mount& mount,
                 const MountOptions& options) {
  const std::string target = Target(mount.destination);
  p.plan().Add(Op::kSetMountAttr,
               {target, options.attr_set, options.attr_clear, uint64_t{0},
                FlagIf(p.user_namespace, kMountReadonlyFallback)});
  PlanPropagation(p, target, options, 0);
  PlanTreeAttributes(p, target, options);
}

// Options that the file system itself gets.
std::vector<std::string> DataOf(const Planning& p, const oci::Mount& mount,
                                const MountOptions& options) {
  std::vector<std::string> data = options.data;
  const std::string& label = p.spec.linux_config.mount_label;
  const bool labelled =
      mount.type == "tmpfs" || mount.type == "devpts" || mount.type == "mqueue";
  if (p.facts.selinux && !label.empty() && labelled) {
    data.push_back(absl::StrCat("context=", label));
  }
  return data;
}

void PlanFileSystem(Planning& p, const oci::Mount& mount,
                    const MountOptions& options) {
  const std::string target = Target(mount.destination);
  uint64_t attr = options.attr_set;
  // These must be filled before they become read-only.
  const bool late = options.copy_up || Clean(target) == "/dev";
  if (late) attr &= ~uint64_t{MOUNT_ATTR_RDONLY};
  const uint64_t first =
      options.propagation.empty() ? 0 : options.propagation[0];
  // What the image holds is copied on the container's account.
  if (options.copy_up && p.cgroup_later) PlanSync(p);
  p.plan().Add(Op::kMount,
               {mount.type, mount.source.empty() ? mount.type : mount.source,
                DataOf(p, mount, options), target, attr, first,
                FlagIf(options.copy_up, kMountCopyUp)});
  PlanPropagation(p, target, options, 1);
  if (options.copy_up && attr != options.attr_set && Clean(target) != "/dev") {
    p.plan().Add(Op::kSetMountAttr, {target, uint64_t{MOUNT_ATTR_RDONLY},
                                     uint64_t{0}, uint64_t{0}, uint64_t{0}});
  }
  PlanTreeAttributes(p, target, options);
}

// The directory of a hierarchy that a container without an own cgroup
// namespace sees: its own cgroup, or ours when it has none.
std::string VisibleDirectory(const Planning& p,
                             const sys::CgroupHierarchy& hierarchy) {
  for (const sys::CgroupDirectory& directory : p.out.cgroup) {
    if (directory.v2 == hierarchy.v2 &&
        directory.mount_point == hierarchy.mount_point) {
      return directory.path;
    }
  }
  return hierarchy.own_path == "/"
             ? hierarchy.mount_point
             : absl::StrCat(hierarchy.mount_point, hierarchy.own_path);
}

void PlanCgroupV2Mount(Planning& p, const std::string& target, uint64_t attr) {
  if (p.Own(NamespaceType::kCgroup)) {
    p.plan().Add(Op::kMount, {"cgroup2", "cgroup", std::vector<std::string>{},
                              target, attr, uint64_t{0}, uint64_t{0}});
    return;
  }
  p.plan().Add(Op::kBind, {VisibleDirectory(p, *p.facts.cgroups.V2()), target,
                           attr, uint64_t{0}, uint64_t{MS_SLAVE | MS_REC},
                           uint64_t{kMountRecursive}});
}

// One hierarchy of v1 below `target`; comounted controllers get links.
void PlanCgroupV1Hierarchy(Planning& p, const std::string& target,
                           const sys::CgroupHierarchy& hierarchy,
                           uint64_t attr) {
  const size_t slash = hierarchy.mount_point.rfind('/');
  const std::string name = hierarchy.mount_point.substr(slash + 1);
  const std::string place = absl::StrCat(target, "/", name);
  if (p.Own(NamespaceType::kCgroup)) {
    std::vector<std::string> options = hierarchy.controllers;
    if (absl::StartsWith(options[0], "name=")) options.push_back("none");
    p.plan().Add(Op::kMount, {"cgroup", "cgroup", std::move(options), place,
                              attr, uint64_t{0}, uint64_t{0}});
  } else {
    p.plan().Add(Op::kBind, {VisibleDirectory(p, hierarchy), place, attr,
                             uint64_t{0}, uint64_t{MS_SLAVE}, uint64_t{0}});
  }
  if (hierarchy.controllers.size() < 2) return;
  for (const std::string& controller : hierarchy.controllers) {
    if (controller == name || absl::StartsWith(controller, "name=")) continue;
    p.plan().Add(Op::kSymlink, {name, absl::StrCat(target, "/", controller)});
  }
}

// A container with a cgroup sees what it is in, never the host's part of other
// hierarchies. Without one, those that limit nothing are not shown.
bool IsShown(const Planning& p, const sys::CgroupHierarchy& hierarchy) {
  if (hierarchy.v2) return false;
  if (!p.out.cgroup.empty()) {
    return std::any_of(p.out.cgroup.begin(), p.out.cgroup.end(),
                       [&](const sys::CgroupDirectory& directory) {
                         return directory.mount_point == hierarchy.mount_point;
                       });
  }
  return std::none_of(
      hierarchy.controllers.begin(), hierarchy.controllers.end(),
      [](const std::string& c) { return absl::StartsWith(c, "name="); });
}

absl::Status PlanCgroupMount(Planning& p, const oci::Mount& mount,
                             const MountOptions& options) {
  const std::string target = Target(mount.destination);
  const sys::CgroupLayout& layout = p.facts.cgroups;
  PlanSync(p);
  if (layout.mode == sys::CgroupMode::kNone) {
    p.out.warnings.push_back("no cgroup hierarchy to mount");
    return absl::OkStatus();
  }
  if (layout.mode == sys::CgroupMode::kUnified) {
    PlanCgroupV2Mount(p, target, options.attr_set);
    return absl::OkStatus();
  }
  if (mount.type == "cgroup2") {
    if (layout.V2() == nullptr) {
      return Unimplemented(Reason::kKernelUnsupported, "planner.mount",
                           "no cgroup v2 hierarchy is mounted");
    }
    PlanCgroupV2Mount(p, target, options.attr_set);
    return absl::OkStatus();
  }
  const uint64_t attr = options.attr_set;
  p.plan().Add(Op::kMount,
               {"tmpfs", "tmpfs", std::vector<std::string>{"mode=755"}, target,
                attr & ~uint64_t{MOUNT_ATTR_RDONLY}, uint64_t{0},
                uint64_t{kMountCovered}});
  for (const sys::CgroupHierarchy& hierarchy : layout.hierarchies) {
    if (IsShown(p, hierarchy)) {
      PlanCgroupV1Hierarchy(p, target, hierarchy, attr);
    }
  }
  if ((attr & MOUNT_ATTR_RDONLY) != 0) {
    p.plan().Add(Op::kSetMountAttr, {target, uint64_t{MOUNT_ATTR_RDONLY},
                                     uint64_t{0}, uint64_t{0}, uint64_t{0}});
  }
  return absl::OkStatus();
}

absl::Status PlanMount(Planning& p, const oci::Mount& mount) {
  if (mount.destination.empty()) {
    return Invalid(Reason::kSpecInvalid, "mount without a destination");
  }
  if (!mount.source_namespace.empty()) {
    p.plan().Add(Op::kBindFrom, {mount.source_namespace, mount.source,
                                 Target(mount.destination)});
    return absl::OkStatus();
  }
  const MountOptions options = ParseMountOptions(mount.options);
  if (options.remount) {
    PlanRemount(p, mount, options);
    return absl::OkStatus();
  }
  if (options.bind || mount.type == "bind") {
    if (mount.source.empty()) {
      return Invalid(Reason::kSpecInvalid,
                     absl::StrCat("bind mount on ", mount.destination,
                                  " without a source"));
    }
    return PlanBind(p, mount, options);
  }
  if (IsIdMapped(mount, options)) {
    return Unimplemented(Reason::kUnsupportedOption, "planner.mount",
                         absl::StrCat("id-mapped mount on ", mount.destination,
                                      ", which is no bind mount"));
  }
  if (mount.type == "cgroup" || mount.type == "cgroup2") {
    return PlanCgroupMount(p, mount, options);
  }
  if (mount.type.empty()) {
    return Invalid(
        Reason::kSpecInvalid,
        absl::StrCat("mount on ", mount.destination, " without a type"));
  }
  PlanFileSystem(p, mount, options);
  return absl::OkStatus();
}

// A user namespace made by root has ids that no layer knows: its overlay shows
// them. Without root the engine unpacked the layers with the ids that the
// namespace has.
absl::Status PlanOverlay(Planning& p, const RootSource& root) {
  std::vector<Field> fields = {root.lowers,  root.upper,       root.work,
                               root.options, root.mount_point, uint64_t{0}};
  if (!p.facts.privileged() || !p.Fresh(NamespaceType::kUser)) {
    p.plan().Add(Op::kRootOverlay, std::move(fields));
    return absl::OkStatus();
  }
  constexpr KernelVersion kMappedLayers = {5, 19};
  if (p.facts.kernel < kMappedLayers) {
    return Unimplemented(Reason::kKernelUnsupported, "planner.root",
                         "layers with an id map need Linux 5.19");
  }
  CK_ASSIGN_OR_RETURN(const PlannedIdMap map,
                      PlanIdMap(p.spec.linux_config.uid_mappings,
                                p.spec.linux_config.gid_mappings, p.facts));
  fields.push_back(map.uid_map);
  fields.push_back(map.gid_map);
  p.plan().Add(Op::kRootOverlayMapped, std::move(fields));
  return absl::OkStatus();
}

// The last mount on `target`; nullptr if there is none.
const oci::Mount* MountOn(const Planning& p, absl::string_view target) {
  for (auto it = p.spec.mounts.rbegin(); it != p.spec.mounts.rend(); ++it) {
    if (Clean(it->destination) == target) return &*it;
  }
  return nullptr;
}

bool IsBind(const oci::Mount& mount) {
  const MountOptions options = ParseMountOptions(mount.options);
  return options.bind || mount.type == "bind";
}

absl::Status PlanDevice(Planning& p, const oci::Device& device) {
  uint64_t type = 0;
  switch (device.type) {
    case 'c':
    case 'u':
      type = S_IFCHR;
      break;
    case 'b':
      type = S_IFBLK;
      break;
    case 'p':
      type = S_IFIFO;
      break;
    default:
      return Invalid(Reason::kDeviceInvalid,
                     absl::StrCat("type of device ", device.path));
  }
  if (!absl::StartsWith(device.path, "/")) {
    return Invalid(
        Reason::kDeviceInvalid,
        absl::StrCat("path of device ", device.path, " is not absolute"));
  }
  const bool fifo = device.type == 'p';
  if (!fifo && (device.major < 0 || device.major > UINT32_MAX ||
                device.minor < 0 || device.minor > UINT32_MAX)) {
    return Invalid(Reason::kDeviceInvalid,
                   absl::StrCat("number of device ", device.path));
  }
  const bool bind = p.user_namespace && !fifo;
  p.plan().Add(Op::kDevice,
               {Clean(device.path), type, static_cast<uint64_t>(device.major),
                static_cast<uint64_t>(device.minor),
                uint64_t{device.file_mode.value_or(0666) & 07777u},
                uint64_t{device.uid.value_or(0)},
                uint64_t{device.gid.value_or(0)}, uint64_t{bind}});
  return absl::OkStatus();
}

}  // namespace

void PlanSync(Planning& p) {
  if (p.synced) return;
  p.synced = true;
  // A child that was born into its cgroup has nothing to wait for.
  bool waits = false;
  for (const Step& step : p.plan().steps()) {
    if (step.op == Op::kClone) {
      waits = false;
    } else if (OpActor(step.op) == 'M') {
      waits = true;
    }
  }
  if (waits) p.plan().Add(Op::kSync);
  if (p.cgroup_later) PlanCgroupAttach(p);
  // Unshared only now: the namespace's root is where the process is.
  if (p.Fresh(NamespaceType::kCgroup)) {
    p.plan().Add(Op::kUnshare,
                 {oci::NamespaceCloneFlag(NamespaceType::kCgroup)});
  }
}

absl::Status PlanRootFs(Planning& p) {
  const std::string& name = p.spec.linux_config.rootfs_propagation;
  const uint64_t wanted = PropagationFlag(name);
  if (!name.empty() && wanted == 0) {
    return Invalid(Reason::kSpecInvalid,
                   absl::StrCat("linux.rootfsPropagation \"", name, "\""));
  }
  // Slave: mounts of the host show up in bind mounts, never the reverse.
  constexpr uint64_t kSlave = MS_SLAVE | MS_REC;
  p.plan().Add(Op::kPropagation, {uint64_t{MS_SLAVE}, uint64_t{1}});
  const RootSource& root = p.options.root;
  if (root.lowers.empty()) {
    p.plan().Add(Op::kRootBind, {HostPath(p, p.spec.root.path), uint64_t{1},
                                 uint64_t{0}, kSlave});
    return absl::OkStatus();
  }
  CK_RETURN_IF_ERROR(PlanOverlay(p, root));
  if (p.user_namespace) {
    // A single layer is a clone that the monitor made outside.
    p.plan().Add(Op::kSetMountAttr,
                 {"/", uint64_t{0}, uint64_t{0}, kSlave, uint64_t{0}});
  }
  return absl::OkStatus();
}

absl::Status PlanMounts(Planning& p) {
  for (size_t i = 0; i < p.spec.mounts.size(); ++i) {
    CK_RETURN_IF_ERROR(PlanMount(p, p.spec.mounts[i])) << "mounts[" << i << "]";
  }
  return absl::OkStatus();
}

absl::Status PlanDevices(Planning& p) {
  // Somebody else's /dev is left as it is.
  const oci::Mount* dev = MountOn(p, "/dev");
  if (dev != nullptr && IsBind(*dev)) return absl::OkStatus();
  for (const oci::Device& device : DefaultDevices()) {
    CK_RETURN_IF_ERROR(PlanDevice(p, device));
  }
  for (const oci::Device& device : p.spec.linux_config.devices) {
    // The default ones are there; a pty comes from the container's devpts.
    const std::string path = Clean(device.path);
    const auto& defaults = DefaultDevices();
    const bool known =
        path == "/dev/ptmx" || path == "/dev/console" ||
        std::any_of(defaults.begin(), defaults.end(),
                    [&](const oci::Device& d) { return d.path == path; });
    if (known) continue;
    CK_RETURN_IF_ERROR(PlanDevice(p, device)) << "linux.devices";
  }
  constexpr std::pair<const char*, const char*> kLinks[] = {
      {"pts/ptmx", "/dev/ptmx"},          {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},  {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"}, {"/proc/kcore", "/dev/core"}};
  for (const auto& [content, path] : kLinks) {
    p.plan().Add(Op::kSymlink, {std::string(content), std::string(path)});
  }
  return absl::OkStatus();
}

void PlanMountsFinish(Planning& p) {
  const oci::Mount* dev = MountOn(p, "/dev");
  if (dev != nullptr && !IsBind(*dev) &&
      (ParseMountOptions(dev->options).attr_set & MOUNT_ATTR_RDONLY) != 0) {
    p.plan().Add(Op::kSetMountAttr, {"/dev", uint64_t{MOUNT_ATTR_RDONLY},
                                     uint64_t{0}, uint64_t{0}, uint64_t{0}});
  }
  const uint64_t wanted =
      PropagationFlag(p.spec.linux_config.rootfs_propagation);
  if (wanted != 0) {
    p.plan().Add(Op::kSetMountAttr,
                 {"/", uint64_t{0}, uint64_t{0}, wanted, uint64_t{0}});
  }
}

}  // namespace containerkit::runtime::planner
