#include "lib/container/oci_adjust.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/runtime/users.h"
#include "lib/sys/file_util.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {
namespace {

std::optional<std::string> ReadPasswd(const std::string& root) {
  const absl::StatusOr<sys::RootDir> directory = sys::RootDir::Open(root);
  if (!directory.ok()) return std::nullopt;
  const absl::StatusOr<UniqueFd> file =
      directory->OpenFile("/etc/passwd", O_RDONLY);
  if (!file.ok()) return std::nullopt;
  absl::StatusOr<std::string> text =
      sys::ReadFd(file->get(), runtime::kMaxUserFileBytes);
  if (!text.ok()) return std::nullopt;
  return *std::move(text);
}

}  // namespace

void AddHome(const std::string& root, oci::Process& process) {
  const bool has_home = std::any_of(
      process.env.begin(), process.env.end(), [](const std::string& variable) {
        return absl::StartsWith(variable, "HOME=");
      });
  if (has_home) return;
  const absl::StatusOr<runtime::ResolvedUser> user = runtime::ResolveUser(
      absl::StrCat(process.user.uid), ReadPasswd(root), std::nullopt);
  process.env.push_back(
      absl::StrCat("HOME=", user.ok() ? user->home : std::string("/")));
}

void ClampScheduler(const sys::CgroupLayout& layout,
                    const oci::Resources& resources, oci::Process& process,
                    std::vector<std::string>& warnings) {
  if (!process.scheduler.has_value() ||
      resources.cpu.realtime_runtime_us.has_value()) {
    return;
  }
  const std::string& policy = process.scheduler->policy;
  if (policy != "SCHED_FIFO" && policy != "SCHED_RR") return;
  const sys::CgroupHierarchy* cpu = layout.V1("cpu");
  if (cpu == nullptr ||
      access(absl::StrCat(cpu->mount_point, "/cpu.rt_runtime_us").c_str(),
             F_OK) != 0) {
    return;
  }
  warnings.push_back(
      absl::StrCat("the cgroup has no real-time budget (linux.resources.cpu."
                   "realtimeRuntime): ",
                   policy, " is not set"));
  process.scheduler.reset();
}

bool MayMakeCgroup(const sys::CgroupLayout& layout, const std::string& path) {
  const auto directories = sys::CgroupDirectories(layout, path);
  if (!directories.ok()) return false;
  for (const sys::CgroupDirectory& directory : *directories) {
    // The nearest directory that is there.
    std::string there = directory.path;
    while (there.size() > directory.mount_point.size() &&
           access(there.c_str(), F_OK) != 0) {
      there.resize(there.find_last_of('/'));
    }
    if (access(there.c_str(), W_OK) != 0) return false;
  }
  return true;
}

}  // namespace containerkit::container
