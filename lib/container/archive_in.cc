// CopyIn.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/container/archive.h"
#include "lib/container/archive_paths.h"
#include "lib/store/decompressor.h"
#include "lib/store/tar_reader.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {

namespace {

using store::TarEntry;

constexpr char kOperation[] = "container.copy_in";
constexpr size_t kReadBytes = 128 << 10;
constexpr mode_t kNewDirectoryMode = 0755;

absl::Status Refuse(absl::string_view message, const std::string& path) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("archive entry ", path, ": ", message),
                   {.reason = Reason::kArchiveEntryRefused,
                    .operation = kOperation,
                    .path = path});
}

// The descriptor's bytes, decompressed.
class FdSource : public store::ByteSource {
 public:
  FdSource(int fd, const CancelToken& cancel)
      : fd_(fd), cancel_(cancel), raw_(kReadBytes, '\0') {}

  absl::StatusOr<absl::string_view> Next() override {
    if (decompressor_ == nullptr) {
      CK_RETURN_IF_ERROR(Start());
    }
    for (;;) {
      CK_ASSIGN_OR_RETURN(const size_t size,
                          decompressor_->Run(rest_, out_.data(), out_.size()));
      if (size > 0) return absl::string_view(out_.data(), size);
      if (!rest_.empty()) continue;
      if (end_) {
        CK_RETURN_IF_ERROR(decompressor_->Finish());
        return absl::string_view();
      }
      CK_RETURN_IF_ERROR(Fill(0));
    }
  }

  // Reads what is behind the archive's end, so that a writer on the other
  // side is not cut off.
  absl::Status Drain() {
    while (!end_) {
      CK_RETURN_IF_ERROR(Fill(0));
    }
    return absl::OkStatus();
  }

 private:
  // The first bytes tell the compression.
  absl::Status Start() {
    while (rest_.size() < 4 && !end_) {
      CK_RETURN_IF_ERROR(Fill(rest_.size()));
    }
    CK_ASSIGN_OR_RETURN(decompressor_, store::Decompressor::Create(
                                           store::DetectCompression(rest_)));
    out_.resize(kReadBytes);
    return absl::OkStatus();
  }

  // Reads once, behind the first `keep` bytes.
  absl::Status Fill(size_t keep) {
    for (;;) {
      CK_RETURN_IF_ERROR(WaitReadable(cancel_, fd_, kOperation));
      const ssize_t n = read(fd_, raw_.data() + keep, raw_.size() - keep);
      if (n >= 0) {
        end_ = n == 0;
        rest_ = absl::string_view(raw_.data(), keep + n);
        return absl::OkStatus();
      }
      if (errno != EAGAIN && errno != EINTR) {
        return SyscallError(errno, kOperation, "read");
      }
    }
  }

  const int fd_;
  const CancelToken cancel_;
  std::string raw_;
  absl::string_view rest_;  // of raw_
  bool end_ = false;
  std::unique_ptr<store::Decompressor> decompressor_;
  std::string out_;
};

class Unpacker {
 public:
  Unpacker(const sys::RootDir& root, std::string directory,
           const CopyInOptions& options)
      : root_(root),
        directory_(std::move(directory)),
        options_(options),
        privileged_(geteuid() == 0) {}

  absl::Status Add(const TarEntry& entry, store::TarReader& reader) {
    const auto name = internal::CleanEntryName(entry.path);
    if (!name.has_value())
      return Refuse("leads out of the archive", entry.path);
    // The directory itself stays as it is, as docker does.
    if (name->empty()) return absl::OkStatus();
    CK_ASSIGN_OR_RETURN(const sys::RootDir::Parent place, MakePlace(*name));
    CK_ASSIGN_OR_RETURN(const bool merge, ClearPlace(place, entry));
    switch (entry.type) {
      case TarEntry::Type::kDirectory:
        return AddDirectory(place, entry, merge, *name);
      case TarEntry::Type::kFile:
        return AddFile(place, entry, reader);
      case TarEntry::Type::kHardlink:
        return AddHardlink(place, entry);
      case TarEntry::Type::kSymlink:
        if (symlinkat(entry.link_target.c_str(), place.fd.get(),
                      place.name.c_str()) != 0) {
          return SyscallError(errno, kOperation, "symlinkat", entry.path);
        }
        return SetMetadata(place, entry);
      case TarEntry::Type::kCharDevice:
      case TarEntry::Type::kBlockDevice:
      case TarEntry::Type::kFifo:
        return AddNode(place, entry);
    }
    return absl::OkStatus();
  }

  // Directories last: what was put into them has changed their times, and
  // their modes may forbid it.
  absl::Status Finish() {
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
      const auto fd = root_.OpenPath(PathOf(it->name));
      // Whoever has replaced it since knows why.
      if (!fd.ok()) continue;
      struct stat st;
      if (fstatat(fd->get(), "", &st, AT_EMPTY_PATH) != 0 ||
          st.st_ino != it->inode || st.st_dev != it->device) {
        continue;
      }
      CK_RETURN_IF_ERROR(sys::ChmodFd(fd->get(), it->mode)) << it->name;
      CK_RETURN_IF_ERROR(sys::SetTimesFd(fd->get(), it->mtime, it->mtime))
          << it->name;
    }
    return absl::OkStatus();
  }

 private:
  struct Directory {
    std::string name;
    dev_t device;
    ino_t inode;
    mode_t mode;
    timespec mtime;
  };

  std::string PathOf(const std::string& name) const {
    return absl::StrCat(directory_, "/", name);
  }

  std::pair<uint32_t, uint32_t> OwnerOf(const TarEntry& entry) const {
    const bool fixed = options_.copy_uid_gid && options_.owner.has_value();
    const uint32_t uid = fixed ? options_.owner->first : entry.uid;
    const uint32_t gid = fixed ? options_.owner->second : entry.gid;
    return {ToHostId(options_.ids.uid_map, uid),
            ToHostId(options_.ids.gid_map, gid)};
  }

  // The directory that the entry goes into; what is missing of it is made.
  absl::StatusOr<sys::RootDir::Parent> MakePlace(const std::string& name) {
    const std::string path = PathOf(name);
    const size_t slash = name.rfind('/');
    if (slash != std::string::npos) {
      sys::MkdirOptions options;
      options.mode = kNewDirectoryMode;
      if (privileged_) {
        options.uid = ToHostId(options_.ids.uid_map, 0);
        options.gid = ToHostId(options_.ids.gid_map, 0);
      }
      CK_RETURN_IF_ERROR(
          root_.MkdirAll(PathOf(name.substr(0, slash)), options).status());
    }
    return root_.OpenParent(path);
  }

  // Removes what is in the entry's place; true if it is a directory and the
  // entry one too, which are merged.
  absl::StatusOr<bool> ClearPlace(const sys::RootDir::Parent& place,
                                  const TarEntry& entry) {
    struct stat st;
    if (fstatat(place.fd.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) !=
        0) {
      if (errno == ENOENT) return false;
      return SyscallError(errno, kOperation, "fstatat", entry.path);
    }
    const bool is_directory = S_ISDIR(st.st_mode);
    const bool to_directory = entry.type == TarEntry::Type::kDirectory;
    if (is_directory && to_directory) return true;
    if (options_.no_overwrite_dir_non_dir && is_directory != to_directory) {
      return MakeError(
          absl::StatusCode::kInvalidArgument,
          absl::StrCat("cannot overwrite ",
                       is_directory ? "directory" : "non-directory", " \"",
                       entry.path, "\" with ",
                       to_directory ? "directory" : "non-directory"),
          {.reason = Reason::kInvalidArgument,
           .operation = kOperation,
           .path = entry.path});
    }
    CK_RETURN_IF_ERROR(sys::RemoveTreeAt(place.fd.get(), place.name))
        << "replace " << entry.path;
    return false;
  }

  absl::Status AddDirectory(const sys::RootDir::Parent& place,
                            const TarEntry& entry, bool merge,
                            const std::string& name) {
    // Ours alone until Finish() gives it its mode.
    if (!merge && mkdirat(place.fd.get(), place.name.c_str(), 0700) != 0 &&
        errno != EEXIST) {
      return SyscallError(errno, kOperation, "mkdirat", entry.path);
    }
    UniqueFd fd(openat(place.fd.get(), place.name.c_str(),
                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st;
    if (!fd.ok() || fstatat(fd.get(), "", &st, AT_EMPTY_PATH) != 0) {
      return SyscallError(errno, kOperation, "open", entry.path);
    }
    CK_RETURN_IF_ERROR(SetOwner(fd.get(), entry));
    CK_RETURN_IF_ERROR(SetXattrs(fd.get(), entry));
    directories_.push_back(
        {name, st.st_dev, st.st_ino, entry.mode, entry.mtime});
    return absl::OkStatus();
  }

  absl::Status AddFile(const sys::RootDir::Parent& place, const TarEntry& entry,
                       store::TarReader& reader) {
    const UniqueFd fd(openat(
        place.fd.get(), place.name.c_str(),
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
        0600));
    if (!fd.ok()) return SyscallError(errno, kOperation, "open", entry.path);
    for (;;) {
      absl::string_view bytes;
      uint64_t offset = 0;
      CK_ASSIGN_OR_RETURN(const bool more, reader.ReadData(bytes, offset));
      if (!more) break;
      CK_RETURN_IF_ERROR(WriteAt(fd.get(), bytes, offset, entry.path));
    }
    // Holes at the end.
    if (ftruncate(fd.get(), static_cast<off_t>(entry.size)) != 0) {
      return SyscallError(errno, kOperation, "ftruncate", entry.path);
    }
    return SetMetadataFd(fd.get(), entry);
  }

  static absl::Status WriteAt(int fd, absl::string_view bytes, uint64_t offset,
                              const std::string& path) {
    while (!bytes.empty()) {
      const ssize_t n =
          pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SyscallError(errno, kOperation, "pwrite", path);
      bytes.remove_prefix(n);
      offset += n;
    }
    return absl::OkStatus();
  }

  absl::Status AddHardlink(const sys::RootDir::Parent& place,
                           const TarEntry& entry) {
    const auto target = internal::CleanEntryName(entry.link_target);
    if (!target.has_value() || target->empty()) {
      return Refuse("hard link leads out of the archive", entry.path);
    }
    absl::StatusOr<sys::RootDir::Parent> from =
        root_.OpenParent(PathOf(*target));
    if (!from.ok()) return internal::PathError(from.status(), *target);
    if (linkat(from->fd.get(), from->name.c_str(), place.fd.get(),
               place.name.c_str(), 0) != 0) {
      return SyscallError(errno, kOperation, "linkat", entry.path);
    }
    return absl::OkStatus();
  }

  absl::Status AddNode(const sys::RootDir::Parent& place,
                       const TarEntry& entry) {
    mode_t type = S_IFIFO;
    if (entry.type == TarEntry::Type::kCharDevice) type = S_IFCHR;
    if (entry.type == TarEntry::Type::kBlockDevice) type = S_IFBLK;
    if (mknodat(place.fd.get(), place.name.c_str(), type | 0600,
                entry.device) != 0) {
      if (errno == EPERM && !privileged_) return absl::OkStatus();
      return SyscallError(errno, kOperation, "mknodat", entry.path);
    }
    return SetMetadata(place, entry);
  }

  absl::Status SetMetadata(const sys::RootDir::Parent& place,
                           const TarEntry& entry) {
    const UniqueFd fd(openat(place.fd.get(), place.name.c_str(),
                             O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.ok()) return SyscallError(errno, kOperation, "open", entry.path);
    return SetMetadataFd(fd.get(), entry);
  }

  absl::Status SetMetadataFd(int fd, const TarEntry& entry) {
    CK_RETURN_IF_ERROR(SetOwner(fd, entry));
    if (entry.type != TarEntry::Type::kSymlink) {
      CK_RETURN_IF_ERROR(SetXattrs(fd, entry));
      CK_RETURN_IF_ERROR(sys::ChmodFd(fd, entry.mode)) << entry.path;
    }
    CK_RETURN_IF_ERROR(sys::SetTimesFd(fd, entry.mtime, entry.mtime))
        << entry.path;
    return absl::OkStatus();
  }

  absl::Status SetOwner(int fd, const TarEntry& entry) {
    const auto [uid, gid] = OwnerOf(entry);
    const absl::Status status = sys::ChownFd(fd, uid, gid);
    return privileged_ ? Prefix(status, entry.path) : absl::OkStatus();
  }

  absl::Status SetXattrs(int fd, const TarEntry& entry) {
    for (const auto& [name, value] : entry.xattrs) {
      if (!internal::IsPortableXattr(name)) continue;
      const absl::Status status = sys::SetXattrFd(fd, name, value);
      const int error =
          status.ok() ? 0
                      : GetErrorDetail(status).value_or(ErrorDetail()).os_errno;
      // Not every file system has them.
      if (error != 0 && error != EOPNOTSUPP &&
          (privileged_ || error != EPERM)) {
        return Prefix(status, entry.path);
      }
    }
    return absl::OkStatus();
  }

  const sys::RootDir& root_;
  const std::string directory_;  // inside the root
  const CopyInOptions& options_;
  const bool privileged_;
  std::vector<Directory> directories_;
};

// As docker: said before anything is read. Mounts below it are the kernel's
// business.
absl::Status CheckWritable(const sys::RootDir& root,
                           const std::string& directory) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd,
                      root.OpenPath(directory, /*follow=*/true));
  struct statvfs info;
  if (fstatvfs(fd.get(), &info) != 0) {
    return SyscallError(errno, kOperation, "fstatvfs", directory);
  }
  if ((info.f_flag & ST_RDONLY) == 0) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kPermissionDenied,
      absl::StrCat(directory, " is on a read-only mount of the container"),
      {.reason = Reason::kUnsupportedOption,
       .os_errno = EROFS,
       .operation = kOperation,
       .path = directory});
}

}  // namespace

absl::Status CopyIn(const sys::RootDir& root, const std::string& path, int fd,
                    const CopyInOptions& options) {
  const std::string directory = internal::ParseCopyPath(path).path;
  absl::StatusOr<struct stat> st = root.Stat(directory, /*follow=*/true);
  if (!st.ok()) return internal::PathError(st.status(), path);
  if (!S_ISDIR(st->st_mode)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat(path, " is not a directory"),
                     {.reason = Reason::kNotADirectory,
                      .operation = kOperation,
                      .path = path});
  }
  CK_RETURN_IF_ERROR(CheckWritable(root, directory));
  FdSource source(fd, options.cancel);
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<store::TarReader> reader,
                      store::TarReader::Open(&source));
  Unpacker unpacker(root, directory, options);
  TarEntry entry;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, reader->Next(entry));
    if (!more) break;
    CK_RETURN_IF_ERROR(unpacker.Add(entry, *reader));
  }
  CK_RETURN_IF_ERROR(unpacker.Finish());
  return source.Drain();
}

}  // namespace containerkit::container
