// StatPath and CopyOut.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/container/archive.h"
#include "lib/container/archive_paths.h"
#include "lib/container/archive_tar_writer.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {

namespace {

using internal::CopyPath;
using store::TarEntry;

constexpr char kOperation[] = "container.copy_out";
constexpr int kMaxDepth = 256;
constexpr size_t kReadBytes = 128 << 10;

absl::StatusOr<struct stat> StatFd(int fd) {
  struct stat st;
  if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0) {
    return SyscallError(errno, kOperation, "fstatat");
  }
  return st;
}

absl::StatusOr<std::string> LinkTarget(int fd) {
  std::string target(PATH_MAX, '\0');
  const ssize_t n = readlinkat(fd, "", target.data(), target.size());
  if (n < 0) return SyscallError(errno, kOperation, "readlinkat");
  target.resize(n);
  return target;
}

// What the path names, and its stat.
struct Found {
  CopyPath path;
  UniqueFd fd;
  struct stat st;
};

absl::StatusOr<Found> Find(const sys::RootDir& root, const std::string& text) {
  Found found;
  found.path = internal::ParseCopyPath(text);
  absl::StatusOr<UniqueFd> fd =
      root.OpenPath(found.path.path, found.path.directory);
  if (!fd.ok()) return internal::PathError(fd.status(), text);
  found.fd = *std::move(fd);
  CK_ASSIGN_OR_RETURN(found.st, StatFd(found.fd.get()));
  if (found.path.directory && !S_ISDIR(found.st.st_mode)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat(text, " is not a directory"),
                     {.reason = Reason::kNotADirectory,
                      .operation = kOperation,
                      .path = text});
  }
  return found;
}

// File systems whose files are views of the kernel: endless, or not files.
bool IsKernelView(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return false;
  switch (fs.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case SECURITYFS_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case BPF_FS_MAGIC:
      return true;
    default:
      return false;
  }
}

// Walks the tree by descriptors, one name at a time, so that no link is ever
// followed.
class TreeWriter {
 public:
  TreeWriter(int fd, const ArchiveIds& ids, const CancelToken& cancel)
      : tar_(fd, cancel), ids_(ids) {}

  absl::Status Add(int fd, const std::string& name, int depth) {
    CK_ASSIGN_OR_RETURN(const struct stat st, StatFd(fd));
    TarEntry entry;
    entry.path = name;
    entry.mode = st.st_mode & 07777;
    entry.uid = ToContainerId(ids_.uid_map, st.st_uid);
    entry.gid = ToContainerId(ids_.gid_map, st.st_gid);
    entry.mtime = st.st_mtim;
    switch (st.st_mode & S_IFMT) {
      case S_IFDIR:
        return AddDirectory(fd, std::move(entry), depth);
      case S_IFREG:
        return AddFile(fd, st, std::move(entry));
      case S_IFLNK: {
        entry.type = TarEntry::Type::kSymlink;
        CK_ASSIGN_OR_RETURN(entry.link_target, LinkTarget(fd));
        break;
      }
      case S_IFCHR:
        entry.type = TarEntry::Type::kCharDevice;
        entry.device = st.st_rdev;
        break;
      case S_IFBLK:
        entry.type = TarEntry::Type::kBlockDevice;
        entry.device = st.st_rdev;
        break;
      case S_IFIFO:
        entry.type = TarEntry::Type::kFifo;
        break;
      default:
        return absl::OkStatus();
    }
    return AddOther(st, std::move(entry));
  }

  absl::Status Finish() { return tar_.Finish(); }

 private:
  absl::Status ReadXattrs(int fd, TarEntry& entry) {
    const auto names = sys::ListXattrsFd(fd);
    if (!names.ok()) return absl::OkStatus();  // a file system without them
    for (const std::string& name : *names) {
      if (!internal::IsPortableXattr(name)) continue;
      CK_ASSIGN_OR_RETURN(std::optional<std::string> value,
                          sys::GetXattrFd(fd, name));
      if (value.has_value()) entry.xattrs.emplace_back(name, *std::move(value));
    }
    return absl::OkStatus();
  }

  // True if the file was written under another name already.
  bool IsHardlink(const struct stat& st, TarEntry& entry) {
    if (st.st_nlink < 2) return false;
    const auto [it, first] =
        names_.emplace(std::make_pair(st.st_dev, st.st_ino), entry.path);
    if (first) return false;
    entry.type = TarEntry::Type::kHardlink;
    entry.link_target = it->second;
    return true;
  }

  absl::Status AddOther(const struct stat& st, TarEntry entry) {
    IsHardlink(st, entry);
    return tar_.Add(entry);
  }

  absl::Status AddFile(int fd, const struct stat& st, TarEntry entry) {
    if (IsHardlink(st, entry)) return tar_.Add(entry);
    entry.type = TarEntry::Type::kFile;
    entry.size = st.st_size;
    CK_RETURN_IF_ERROR(ReadXattrs(fd, entry));
    CK_ASSIGN_OR_RETURN(const UniqueFd file, sys::ReopenFd(fd, O_RDONLY),
                        entry.path);
    CK_RETURN_IF_ERROR(tar_.Add(entry));
    buffer_.resize(kReadBytes);
    for (uint64_t left = entry.size; left > 0;) {
      const ssize_t n = read(file.get(), buffer_.data(),
                             std::min<uint64_t>(left, buffer_.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SyscallError(errno, kOperation, "read", entry.path);
      if (n == 0) break;  // shorter than it was
      CK_RETURN_IF_ERROR(tar_.Data(absl::string_view(buffer_.data(), n)));
      left -= n;
    }
    return tar_.EndData();
  }

  absl::Status AddDirectory(int fd, TarEntry entry, int depth) {
    if (depth > kMaxDepth) {
      return MakeError(
          absl::StatusCode::kResourceExhausted,
          absl::StrCat("more than ", kMaxDepth, " directories deep"),
          {.reason = Reason::kLimitExceeded,
           .operation = kOperation,
           .path = entry.path});
    }
    entry.type = TarEntry::Type::kDirectory;
    // The root's own entry is "/", those in it are "/name".
    const std::string name = entry.path;
    if (name.empty()) entry.path = "/";
    CK_RETURN_IF_ERROR(ReadXattrs(fd, entry));
    CK_RETURN_IF_ERROR(tar_.Add(entry));
    if (IsKernelView(fd)) return absl::OkStatus();
    CK_ASSIGN_OR_RETURN(std::vector<std::string> children,
                        sys::ListDirAt(fd, "."), entry.path);
    std::sort(children.begin(), children.end());
    for (const std::string& child : children) {
      UniqueFd node(openat(fd, child.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      const std::string path = absl::StrCat(name, "/", child);
      if (!node.ok()) {
        if (errno == ENOENT) continue;  // gone since it was listed
        return SyscallError(errno, kOperation, "open", path);
      }
      CK_RETURN_IF_ERROR(Add(node.get(), path, depth + 1));
    }
    return absl::OkStatus();
  }

  TarWriter tar_;
  const ArchiveIds& ids_;
  std::map<std::pair<dev_t, ino_t>, std::string> names_;
  std::string buffer_;
};

}  // namespace

absl::StatusOr<PathStat> StatPath(const sys::RootDir& root,
                                  const std::string& path) {
  CK_ASSIGN_OR_RETURN(const Found found, Find(root, path));
  PathStat stat;
  stat.name = found.path.name;
  stat.size_bytes = found.st.st_size;
  stat.mode = found.st.st_mode;
  stat.modified = absl::TimeFromTimespec(found.st.st_mtim);
  if (S_ISLNK(found.st.st_mode)) {
    CK_ASSIGN_OR_RETURN(const std::string target, LinkTarget(found.fd.get()));
    const std::string& own = found.path.path;
    stat.link_target =
        internal::ParseCopyPath(
            absl::StartsWith(target, "/")
                ? target
                : absl::StrCat(own.substr(0, own.rfind('/')), "/", target))
            .path;
  }
  return stat;
}

absl::Status CopyOut(const sys::RootDir& root, const std::string& path, int fd,
                     const ArchiveIds& ids, const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(const Found found, Find(root, path));
  TreeWriter writer(fd, ids, cancel);
  const std::string name = found.path.name == "/" ? "" : found.path.name;
  CK_RETURN_IF_ERROR(writer.Add(found.fd.get(), name, 0));
  return writer.Finish();
}

}  // namespace containerkit::container
