#include "lib/sys/cgroup_layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

constexpr size_t kMaxProcFileBytes = 16 << 20;

// Octal escapes of mountinfo: \040 is a space.
std::string DecodeOctal(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] >= '0' &&
        text[i + 1] <= '3' && text[i + 2] >= '0' && text[i + 2] <= '7' &&
        text[i + 3] >= '0' && text[i + 3] <= '7') {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 +
                                      (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// The controllers among a v1 mount's super block options.
std::vector<std::string> V1Controllers(absl::string_view options) {
  constexpr std::array<absl::string_view, 9> kOther = {
      "rw",       "ro",     "xattr",    "clone_children", "noprefix",
      "relatime", "nosuid", "seclabel", "cpuset_v2_mode"};
  std::vector<std::string> out;
  for (absl::string_view option : absl::StrSplit(options, ',')) {
    if (option.empty() || absl::StartsWith(option, "release_agent=") ||
        std::find(kOther.begin(), kOther.end(), option) != kOther.end()) {
      continue;
    }
    out.emplace_back(option);
  }
  return out;
}

// `path` of the hierarchy as seen below a mount of its part `root`.
std::string BelowRoot(absl::string_view path, absl::string_view root) {
  if (root == "/" || root.empty()) {
    return absl::StartsWith(path, "/..") ? "/" : std::string(path);
  }
  if (path == root) return "/";
  if (absl::StartsWith(path, absl::StrCat(root, "/"))) {
    return std::string(path.substr(root.size()));
  }
  return "/";
}

// Controllers ("" for v2) -> this process's cgroup.
std::map<std::string, std::string> OwnPaths(absl::string_view proc_cgroup) {
  std::map<std::string, std::string> out;
  for (absl::string_view line :
       absl::StrSplit(proc_cgroup, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || !absl::StartsWith(parts[2], "/")) continue;
    if (parts[1].empty()) {
      out[""] = std::string(parts[2]);
      continue;
    }
    for (absl::string_view controller : absl::StrSplit(parts[1], ',')) {
      out[std::string(controller)] = std::string(parts[2]);
    }
  }
  return out;
}

// One line of mountinfo; false if it is no cgroup mount.
bool ParseMountLine(absl::string_view line, CgroupHierarchy& hierarchy) {
  const size_t dash = line.find(" - ");
  if (dash == absl::string_view::npos) return false;
  const std::vector<absl::string_view> head =
      absl::StrSplit(line.substr(0, dash), ' ');
  const std::vector<absl::string_view> tail =
      absl::StrSplit(line.substr(dash + 3), ' ');
  if (head.size() < 6 || tail.size() < 3) return false;
  hierarchy.v2 = tail[0] == "cgroup2";
  if (!hierarchy.v2 && tail[0] != "cgroup") return false;
  hierarchy.root = DecodeOctal(head[3]);
  hierarchy.mount_point = DecodeOctal(head[4]);
  if (!absl::StartsWith(hierarchy.mount_point, "/")) return false;
  if (!hierarchy.v2) hierarchy.controllers = V1Controllers(tail[2]);
  return hierarchy.v2 || !hierarchy.controllers.empty();
}

bool HasControllers(const CgroupHierarchy& hierarchy) {
  return std::any_of(
      hierarchy.controllers.begin(), hierarchy.controllers.end(),
      [](const std::string& name) { return !absl::StartsWith(name, "name="); });
}

CgroupMode ModeOf(const std::vector<CgroupHierarchy>& hierarchies) {
  bool v1 = false;
  bool v2 = false;
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    (hierarchy.v2 ? v2 : v1) |= hierarchy.v2 || HasControllers(hierarchy);
  }
  if (v1) return v2 ? CgroupMode::kHybrid : CgroupMode::kLegacy;
  return v2 ? CgroupMode::kUnified : CgroupMode::kNone;
}

absl::Status CheckPath(absl::string_view path) {
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") {
      return InvalidArgument(Reason::kInvalidArgument, "cgroup.path",
                             absl::StrCat("cgroup path has '..': ", path));
    }
  }
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20) {
      return InvalidArgument(Reason::kInvalidArgument, "cgroup.path",
                             "cgroup path has a control character");
    }
  }
  return absl::OkStatus();
}

// `path` with single slashes, one in front, none at the end ("" for "/").
std::string Normalized(absl::string_view path) {
  std::string out;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part != ".") absl::StrAppend(&out, "/", part);
  }
  return out;
}

}  // namespace

bool CgroupHierarchy::Has(absl::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) !=
         controllers.end();
}

const CgroupHierarchy* CgroupLayout::V1(absl::string_view controller) const {
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (!hierarchy.v2 && hierarchy.Has(controller)) return &hierarchy;
  }
  return nullptr;
}

const CgroupHierarchy* CgroupLayout::V2() const {
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.v2) return &hierarchy;
  }
  return nullptr;
}

CgroupLayout ParseCgroupLayout(absl::string_view mountinfo,
                               absl::string_view proc_cgroup,
                               absl::string_view v2_controllers) {
  const std::map<std::string, std::string> own = OwnPaths(proc_cgroup);
  CgroupLayout layout;
  std::vector<CgroupHierarchy> unified;
  for (absl::string_view line :
       absl::StrSplit(mountinfo, '\n', absl::SkipEmpty())) {
    CgroupHierarchy hierarchy;
    if (!ParseMountLine(line, hierarchy)) continue;
    const auto it = own.find(hierarchy.v2 ? "" : hierarchy.controllers[0]);
    if (it != own.end()) {
      hierarchy.own_path = BelowRoot(it->second, hierarchy.root);
    }
    auto& list = hierarchy.v2 ? unified : layout.hierarchies;
    // A hierarchy that is mounted twice counts once.
    const bool known = std::any_of(
        list.begin(), list.end(), [&](const CgroupHierarchy& other) {
          return other.controllers == hierarchy.controllers;
        });
    if (known) continue;
    list.push_back(std::move(hierarchy));
  }
  if (!unified.empty()) {
    unified[0].controllers = absl::StrSplit(
        absl::StripAsciiWhitespace(v2_controllers), ' ', absl::SkipEmpty());
    layout.hierarchies.push_back(std::move(unified[0]));
  }
  layout.mode = ModeOf(layout.hierarchies);
  return layout;
}

absl::StatusOr<CgroupLayout> ProbeCgroupLayout() {
  CK_ASSIGN_OR_RETURN(
      const std::string mountinfo,
      ReadFileAt(AT_FDCWD, "/proc/self/mountinfo", kMaxProcFileBytes));
  CK_ASSIGN_OR_RETURN(
      const std::string proc_cgroup,
      ReadFileAt(AT_FDCWD, "/proc/self/cgroup", kMaxProcFileBytes));
  CgroupLayout layout = ParseCgroupLayout(mountinfo, proc_cgroup, "");
  if (const CgroupHierarchy* v2 = layout.V2()) {
    // Missing on a v2 mount that hides its root's files: no controllers.
    absl::StatusOr<std::string> controllers = ReadFileAt(
        AT_FDCWD, absl::StrCat(v2->mount_point, "/cgroup.controllers"),
        kMaxProcFileBytes);
    if (controllers.ok()) {
      layout = ParseCgroupLayout(mountinfo, proc_cgroup, *controllers);
    }
  }
  for (CgroupHierarchy& hierarchy : layout.hierarchies) {
    const std::string own = hierarchy.mount_point + hierarchy.own_path;
    hierarchy.own_writable = access(own.c_str(), W_OK) == 0;
  }
  return layout;
}

absl::StatusOr<std::vector<CgroupDirectory>> CgroupDirectories(
    const CgroupLayout& layout, absl::string_view path) {
  CK_RETURN_IF_ERROR(CheckPath(path));
  if (layout.hierarchies.empty()) {
    return FailedPrecondition(Reason::kCgroupFailed, "cgroup.path",
                              "no cgroup hierarchy is mounted");
  }
  const bool absolute = absl::StartsWith(path, "/");
  std::vector<CgroupDirectory> out;
  for (const CgroupHierarchy& hierarchy : layout.hierarchies) {
    CgroupDirectory directory;
    directory.controllers = hierarchy.controllers;
    directory.mount_point = hierarchy.mount_point;
    directory.v2 = hierarchy.v2;
    directory.writable = absolute || hierarchy.own_writable;
    directory.path = absl::StrCat(
        hierarchy.mount_point, Normalized(absolute ? "" : hierarchy.own_path),
        Normalized(path));
    out.push_back(std::move(directory));
  }
  return out;
}

}  // namespace containerkit::sys
