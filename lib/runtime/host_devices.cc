#include "lib/runtime/host_devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/container_config.h"
#include "lib/sys/file_util.h"

namespace containerkit::runtime {
namespace {

constexpr int kDeepest = 8;
constexpr size_t kMostDevices = 4096;

// Directories of /dev that a container gets for itself, or must not share.
constexpr absl::string_view kPrivateNames[] = {"pts",    "shm",  "fd",
                                               "mqueue", ".lxc", "console"};

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kDeviceInvalid, "device.resolve", message);
}

bool IsNode(const struct stat& stat) {
  return S_ISCHR(stat.st_mode) || S_ISBLK(stat.st_mode);
}

HostDevice FromStat(const struct stat& stat, std::string host_path,
                    std::string container_path, absl::string_view access) {
  HostDevice out;
  out.host_path = std::move(host_path);
  out.access = std::string(access);
  out.device.type = S_ISBLK(stat.st_mode) ? 'b' : 'c';
  out.device.path = std::move(container_path);
  out.device.major = major(stat.st_rdev);
  out.device.minor = minor(stat.st_rdev);
  out.device.file_mode = stat.st_mode & 07777;
  out.device.uid = stat.st_uid;
  out.device.gid = stat.st_gid;
  return out;
}

// All nodes below a directory; links are not followed.
absl::Status AddTree(const std::string& host_dir,
                     const std::string& container_dir, absl::string_view access,
                     int depth, std::vector<HostDevice>& out) {
  if (depth > kDeepest) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(std::vector<std::string> names,
                      sys::ListDirAt(AT_FDCWD, host_dir));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const bool own =
        std::find(std::begin(kPrivateNames), std::end(kPrivateNames), name) !=
        std::end(kPrivateNames);
    if (own && host_dir == "/dev") continue;
    const std::string path = absl::StrCat(host_dir, "/", name);
    const std::string inside = absl::StrCat(container_dir, "/", name);
    struct stat stat;
    if (lstat(path.c_str(), &stat) != 0) continue;  // gone meanwhile
    if (S_ISDIR(stat.st_mode)) {
      CK_RETURN_IF_ERROR(AddTree(path, inside, access, depth + 1, out));
    } else if (IsNode(stat)) {
      if (out.size() == kMostDevices) return Invalid("too many devices");
      out.push_back(FromStat(stat, path, inside, access));
    }
  }
  return absl::OkStatus();
}

absl::Status NotThere(int os_errno, absl::string_view path) {
  return SyscallError(os_errno, "device.resolve", "stat", path,
                      Reason::kDeviceInvalid);
}

bool GoodAccess(absl::string_view access) {
  return !access.empty() &&
         access.find_first_not_of("rwm") == absl::string_view::npos;
}

}  // namespace

absl::StatusOr<std::vector<HostDevice>> ResolveDevices(
    const std::vector<DeviceConfig>& devices) {
  std::vector<HostDevice> out;
  for (const DeviceConfig& config : devices) {
    const std::string& inside = config.container_path.empty()
                                    ? config.host_path
                                    : config.container_path;
    if (config.host_path.empty() || config.host_path[0] != '/' ||
        inside[0] != '/') {
      return Invalid(
          absl::StrCat("device ", config.host_path, " is no absolute path"));
    }
    if (!GoodAccess(config.access)) {
      return Invalid(absl::StrCat("access \"", config.access, "\" of device ",
                                  config.host_path));
    }
    struct stat stat;
    if (::stat(config.host_path.c_str(), &stat) != 0) {
      return NotThere(errno, config.host_path);
    }
    if (S_ISDIR(stat.st_mode)) {
      CK_RETURN_IF_ERROR(
          AddTree(config.host_path, inside, config.access, 0, out));
    } else if (IsNode(stat)) {
      out.push_back(FromStat(stat, config.host_path, inside, config.access));
    } else {
      return Invalid(absl::StrCat(config.host_path, " is not a device"));
    }
  }
  return out;
}

absl::StatusOr<std::vector<HostDevice>> AllHostDevices() {
  std::vector<HostDevice> out;
  CK_RETURN_IF_ERROR(AddTree("/dev", "/dev", "rwm", 0, out));
  return out;
}

absl::StatusOr<std::vector<BlockDevice>> ResolveBlockDevices(
    const ResourceConfig& resources) {
  std::set<std::string> paths;
  for (const auto& [path, weight] : resources.blkio_weight_devices) {
    paths.insert(path);
  }
  for (const auto* list :
       {&resources.device_read_bps, &resources.device_write_bps,
        &resources.device_read_iops, &resources.device_write_iops}) {
    for (const auto& [path, rate] : *list) paths.insert(path);
  }
  std::vector<BlockDevice> out;
  for (const std::string& path : paths) {
    struct stat stat;
    if (::stat(path.c_str(), &stat) != 0) return NotThere(errno, path);
    if (!S_ISBLK(stat.st_mode)) {
      return Invalid(absl::StrCat(path, " is not a block device"));
    }
    out.push_back({path, major(stat.st_rdev), minor(stat.st_rdev)});
  }
  return out;
}

}  // namespace containerkit::runtime
