// The container's cgroup: directories, limits, device rules, membership.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/default_devices.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner_internal.h"
#include "lib/sys/cgroup_layout.h"
#include "lib/sys/cgroup_translate.h"
#include "lib/sys/device_filter.h"

namespace containerkit::runtime::planner {
namespace {

using sys::CgroupDirectory;
using sys::CgroupMode;
using sys::CgroupWrite;

bool Unified(const Planning& p) {
  return p.facts.cgroups.mode == CgroupMode::kUnified;
}

uint64_t Optional(const Planning& p) {
  return FlagIf(p.options.cgroup.optional, kWriteOptional);
}

// The controllers of v1 that every container is in: what `stats`, `pause`,
// `update`, the device rules and the end need. Of others (hugetlb, rdma,
// net_cls ...) only those that are to limit something; each directory costs
// some 100 us of a start. Beside v1, v2 has none that anybody asks for.
bool IsUseful(const CgroupDirectory& directory,
              const std::vector<CgroupWrite>& writes) {
  static constexpr absl::string_view kAlways[] = {
      "blkio",   "cpu",     "cpuacct", "cpuset",
      "devices", "freezer", "memory",  "pids"};
  if (directory.v2) return false;
  return std::any_of(directory.controllers.begin(), directory.controllers.end(),
                     [&writes](const std::string& name) {
                       const auto limits = [&name](const CgroupWrite& write) {
                         return write.controller == name;
                       };
                       return absl::c_linear_search(kAlways, name) ||
                              absl::c_any_of(writes, limits);
                     });
}

const CgroupDirectory* DirectoryOf(const Planning& p,
                                   absl::string_view controller) {
  for (const CgroupDirectory& directory : p.out.cgroup) {
    if (directory.v2 && !Unified(p)) continue;
    if (std::find(directory.controllers.begin(), directory.controllers.end(),
                  controller) != directory.controllers.end()) {
      return &directory;
    }
  }
  return nullptr;
}

std::string PathOf(const Planning& p) {
  const std::string& path = p.spec.linux_config.cgroups_path;
  return path.empty() ? p.options.cgroup.default_path : path;
}

// v2: a controller is there only if every ancestor hands it down.
void EnableControllers(Planning& p, const CgroupDirectory& directory) {
  const std::string value = absl::StrJoin(
      directory.controllers, " ", [](std::string* out, const std::string& c) {
        absl::StrAppend(out, "+", c);
      });
  if (value.empty()) return;
  // What is above our own cgroup is not ours to change.
  const sys::CgroupHierarchy& v2 = *p.facts.cgroups.V2();
  std::string top = v2.mount_point;
  if (v2.own_path != "/") {
    const std::string own = v2.mount_point + v2.own_path;
    if (absl::StartsWith(directory.path, own + "/")) top = own;
  }
  size_t slash = top.size();
  while (slash != std::string::npos && slash < directory.path.size()) {
    const std::string level = directory.path.substr(0, slash);
    if (level.size() > top.size()) {
      p.plan().Add(Op::kMakeCgroup, {level});
    }
    // One line asks for all of them, and fails as a whole: then the ones that
    // are needed must be on already, or their limits' files are missing.
    p.plan().Add(Op::kWriteHost,
                 {absl::StrCat(level, "/cgroup.subtree_control"), value,
                  uint64_t{kWriteOptional}});
    slash = directory.path.find('/', slash + 1);
  }
}

absl::Status PlanLimits(Planning& p, const std::vector<CgroupWrite>& writes) {
  for (const CgroupWrite& write : writes) {
    const CgroupDirectory* directory = DirectoryOf(p, write.controller);
    if (directory == nullptr) {
      if (!write.optional) {
        p.out.warnings.push_back(absl::StrCat("no cgroup controller ",
                                              write.controller, ": ",
                                              write.file, " is not set"));
      }
      continue;
    }
    p.plan().Add(Op::kWriteHost,
                 {absl::StrCat(directory->path, "/", write.file), write.value,
                  write.optional ? uint64_t{kWriteOptional} : Optional(p)});
  }
  if (!Unified(p) && !p.spec.linux_config.resources.unified.empty()) {
    return Unimplemented(Reason::kUnsupportedOption, "planner.cgroup",
                         "linux.resources.unified needs cgroup v2");
  }
  return absl::OkStatus();
}

void PlanDeviceRules(Planning& p) {
  // Neither v1's file nor BPF can be had without privileges on the host.
  if (!p.facts.privileged() || p.facts.in_user_namespace) return;
  const std::vector<sys::CgroupDeviceRule> rules =
      EffectiveDeviceRules(p.spec.linux_config.resources.devices);
  if (sys::AllowsAllDevices(rules)) return;
  if (Unified(p)) {
    p.plan().Add(Op::kDeviceProgram,
                 {p.out.cgroup.back().path, sys::DeviceFilterProgram(rules),
                  Optional(p)});
    return;
  }
  const CgroupDirectory* directory = DirectoryOf(p, "devices");
  if (directory == nullptr) {
    p.out.warnings.push_back(
        "no cgroup controller devices: access to devices is not limited");
    return;
  }
  for (const CgroupWrite& write : sys::CgroupV1DeviceWrites(rules)) {
    p.plan().Add(Op::kWriteHost,
                 {absl::StrCat(directory->path, "/", write.file), write.value,
                  Optional(p)});
  }
}

void FindOomPath(Planning& p) {
  const CgroupDirectory* directory = DirectoryOf(p, "memory");
  if (directory == nullptr) return;
  p.out.oom_path =
      absl::StrCat(directory->path,
                   directory->v2 ? "/memory.events" : "/memory.oom_control");
}

}  // namespace

// A child that is in another user namespace, or in namespaces of others, has
// no way to the files; in v2 it is born inside.
bool CgroupCanBeLater(const Planning& p) {
  return !Unified(p) && !p.user_namespace && (p.own & ~p.fresh) == 0;
}

absl::Status PlanCgroupSetup(Planning& p) {
  if (p.options.cgroup.disabled) return absl::OkStatus();
  const std::string path = PathOf(p);
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<CgroupDirectory>> directories =
      sys::CgroupDirectories(p.facts.cgroups, path);
  if (!directories.ok()) {
    if (p.options.cgroup.optional) return absl::OkStatus();
    return directories.status();
  }
  const oci::Resources& resources = p.spec.linux_config.resources;
  CK_ASSIGN_OR_RETURN(const std::vector<CgroupWrite> writes,
                      Unified(p) ? sys::CgroupV2Writes(resources)
                                 : sys::CgroupV1Writes(resources),
                      "linux.resources");
  for (CgroupDirectory& directory : *directories) {
    if (directory.path == directory.mount_point) {
      return Invalid(Reason::kSpecInvalid,
                     absl::StrCat("linux.cgroupsPath \"", path,
                                  "\" is the root of the hierarchy"));
    }
    if (!Unified(p) && !IsUseful(directory, writes)) continue;
    if (p.options.cgroup.optional && !directory.writable) continue;
    p.out.cgroup.push_back(std::move(directory));
  }
  for (const CgroupDirectory& directory : p.out.cgroup) {
    if (directory.v2 && Unified(p)) EnableControllers(p, directory);
    p.plan().Add(Op::kMakeCgroup, {directory.path});
  }
  CK_RETURN_IF_ERROR(PlanLimits(p, writes));
  PlanDeviceRules(p);
  FindOomPath(p);
  return absl::OkStatus();
}

std::string CloneCgroupPath(const Planning& p) {
  // An optional one may be missing, which the clone would not forgive.
  if (!Unified(p) || p.out.cgroup.empty() || p.options.cgroup.optional) {
    return "";
  }
  return p.out.cgroup.back().path;
}

void PlanCgroupAttach(Planning& p) {
  if (!CloneCgroupPath(p).empty()) return;
  for (const CgroupDirectory& directory : p.out.cgroup) {
    p.plan().Add(Op::kAttachCgroup,
                 {absl::StrCat(directory.path, "/cgroup.procs"), Optional(p)});
  }
}

}  // namespace containerkit::runtime::planner
