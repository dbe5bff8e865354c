#include "lib/store/layer_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.unpack";
constexpr char kWhiteoutPrefix[] = ".wh.";
// AUFS's own bookkeeping, which very old images carry; only the opaque marker
// has a meaning.
constexpr char kAufsPrefix[] = ".wh..wh.";
constexpr char kOpaqueMarker[] = ".wh..wh..opq";
constexpr char kCapability[] = "security.capability";
constexpr size_t kMaxNameBytes = 255;

absl::Status Refuse(Reason reason, absl::string_view path,
                    absl::string_view why) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("layer entry ", path, ": ", why),
      {.reason = reason, .operation = kOperation, .path = std::string(path)});
}

absl::Status TooMuch(absl::string_view path, absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("layer entry ", path, ": ", what),
                   {.reason = Reason::kLimitExceeded,
                    .operation = kOperation,
                    .path = std::string(path)});
}

// Refusals of the kernel that come from what the archive asks for.
absl::Status CallError(int os_errno, absl::string_view call,
                       absl::string_view path) {
  switch (os_errno) {
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EMLINK:
    case EINVAL:
      return MakeError(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("layer entry ", path, ": ", call, ": ",
                                    strerrordesc_np(os_errno)),
                       {.reason = Reason::kArchiveEntryRefused,
                        .os_errno = os_errno,
                        .operation = kOperation,
                        .path = std::string(path)});
    default:
      return SyscallError(os_errno, kOperation, call, path);
  }
}

std::string Join(absl::string_view dir, absl::string_view name) {
  return dir.empty() ? std::string(name) : absl::StrCat(dir, "/", name);
}

absl::string_view ParentOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : path.substr(0, slash);
}

absl::string_view NameOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

bool IsWhiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

mode_t NodeType(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::kCharDevice:
      return S_IFCHR;
    case TarEntry::Type::kBlockDevice:
      return S_IFBLK;
    default:
      return S_IFIFO;
  }
}

mode_t FileType(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::kFile:
    case TarEntry::Type::kHardlink:
      return S_IFREG;
    case TarEntry::Type::kDirectory:
      return S_IFDIR;
    case TarEntry::Type::kSymlink:
      return S_IFLNK;
    default:
      return NodeType(type);
  }
}

// user.* but for overlay's own names, and file capabilities. No SELinux
// labels, ACLs or trusted.* of a foreign system.
bool IsAllowedXattr(absl::string_view name) {
  return name == kCapability || (absl::StartsWith(name, "user.") &&
                                 !absl::StartsWith(name, "user.overlay."));
}

// A directory that the archive uses but does not list (or lists later).
TarEntry UnlistedDir() {
  return {.type = TarEntry::Type::kDirectory,
          .mode = 0755,
          .mtime = {.tv_nsec = UTIME_OMIT}};
}

// Sizes of the kernel's vfs_cap_data, revisions 1 to 3.
bool IsCapabilitySize(size_t size) {
  return size == 12 || size == 20 || size == 24;
}

// Takes off those that SetXattrs() may have set.
absl::Status ClearXattrs(int fd, const std::string& path) {
  std::string names(64 << 10, '\0');
  const ssize_t size = flistxattr(fd, names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return absl::OkStatus();
  if (size < 0) return CallError(errno, "flistxattr", path);
  names.resize(static_cast<size_t>(size));
  const std::vector<std::string> list = absl::StrSplit(names, '\0');
  for (const std::string& name : list) {
    if (!IsAllowedXattr(name)) continue;
    if (fremovexattr(fd, name.c_str()) != 0 && errno != ENODATA) {
      return CallError(errno, "fremovexattr", path);
    }
  }
  return absl::OkStatus();
}

}  // namespace

LayerWriter::LayerWriter(const sys::RootDir* root,
                         const LayerWriterOptions& options)
    : root_(root),
      options_(options),
      is_root_(geteuid() == 0),
      own_uid_(geteuid()),
      own_gid_(getegid()),
      dirs_(root) {}

absl::Status LayerWriter::Add(const TarEntry& entry, TarReader& tar) {
  ++stats_.entry_count;
  CK_RETURN_IF_ERROR(Count(entry.path));
  if (remembered_bytes_ > options_.max_remembered_bytes) {
    return TooMuch(entry.path, "too many owners to remember");
  }
  CK_RETURN_IF_ERROR(EnterRoot());
  CK_ASSIGN_OR_RETURN(const std::string path, CleanPath(entry.path));
  if (path.empty()) {
    if (entry.type != TarEntry::Type::kDirectory) {
      return Refuse(Reason::kUnsafePath, entry.path,
                    "the root can only be a directory");
    }
    CK_RETURN_IF_ERROR(dirs_.ReturnTo(""));
    return SetDirMeta(entry, /*is_new=*/false);
  }
  if (absl::StrContains(absl::StrCat("/", path), "/.wh.")) {
    return AddMarker(path);
  }
  CK_ASSIGN_OR_RETURN(const Place place, PlaceOf(path));
  switch (entry.type) {
    case TarEntry::Type::kDirectory:
      return AddDirectory(place, entry);
    case TarEntry::Type::kFile:
      return AddFile(place, entry, tar);
    case TarEntry::Type::kSymlink:
      return AddSymlink(place, entry);
    case TarEntry::Type::kHardlink:
      return AddHardlink(place, entry);
    case TarEntry::Type::kCharDevice:
    case TarEntry::Type::kBlockDevice:
    case TarEntry::Type::kFifo:
      return AddNode(place, entry);
  }
  return InternalError(kOperation, "unknown entry type");
}

absl::Status LayerWriter::Count(absl::string_view path) {
  return ++count_ > options_.max_entries ? TooMuch(path, "too many entries")
                                         : absl::OkStatus();
}

// "a//b/./c/" -> "a/b/c"; "" is the root. ".." is taken away together with
// what is before it, as Go's path.Clean does for docker and containerd.
absl::StatusOr<std::string> LayerWriter::CleanPath(
    absl::string_view raw) const {
  if (raw.empty()) {
    return Refuse(Reason::kUnsafePath, raw, "the name is empty");
  }
  if (raw.size() > options_.max_path_bytes) {
    return TooMuch(raw.substr(0, 80), "the name is too long");
  }
  if (raw.find('\0') != absl::string_view::npos) {
    return Refuse(Reason::kUnsafePath, raw, "the name has a NUL byte");
  }
  std::vector<absl::string_view> parts;
  for (const absl::string_view part :
       absl::StrSplit(raw, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part.size() > kMaxNameBytes) {
      return Refuse(Reason::kArchiveEntryRefused, raw.substr(0, 80),
                    "a component has more than 255 bytes");
    }
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else if (raw[0] != '/') {
      return Refuse(Reason::kUnsafePath, raw, "the name leads out of the root");
    }
  }
  if (static_cast<int>(parts.size()) > options_.max_depth) {
    return TooMuch(raw.substr(0, 80), "directories are nested too deep");
  }
  return absl::StrJoin(parts, "/");
}

absl::StatusOr<LayerWriter::Place> LayerWriter::PlaceOf(
    const std::string& path) {
  CK_RETURN_IF_ERROR(EnterDir(std::string(ParentOf(path))));
  CK_ASSIGN_OR_RETURN(const int dir_fd, dirs_.fd());
  return Place{.dir_fd = dir_fd,
               .name = std::string(NameOf(path)),
               .path = Join(dirs_.path(), NameOf(path))};
}

absl::StatusOr<LayerWriter::Found> LayerWriter::Resolve(
    const std::string& path) const {
  UniqueFd fd = dirs_.Open(path);
  if (fd.ok()) return Found{std::move(fd), path};
  if (errno != ELOOP) return CallError(errno, "openat2", path);
  // A symlink that the archive made: the kernel follows it inside the root,
  // and tells the real path, by which metadata is kept.
  absl::StatusOr<UniqueFd> followed =
      root_->OpenRaw(path, O_PATH | O_DIRECTORY);
  if (!followed.ok()) {
    return Refuse(Reason::kArchiveEntryRefused, path,
                  "a directory on the way is a symlink to nowhere");
  }
  const auto read_path = [](int of) {
    char buffer[8192];
    const ssize_t n = readlink(absl::StrCat("/proc/self/fd/", of).c_str(),
                               buffer, sizeof(buffer));
    return std::string(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  };
  const std::string root = read_path(root_->fd());
  const std::string full = read_path(followed->get());
  absl::string_view inside = full;
  if (root.empty() || !absl::ConsumePrefix(&inside, root)) {
    return Refuse(Reason::kUnsafePath, path, "the name leads out of the root");
  }
  absl::ConsumePrefix(&inside, "/");
  return Found{*std::move(followed), std::string(inside)};
}

absl::Status LayerWriter::EnterRoot() {
  if (!dirs_.empty()) return absl::OkStatus();
  UniqueFd fd = dirs_.Open("");
  if (!fd.ok()) return CallError(errno, "openat2", "");
  CK_RETURN_IF_ERROR(dirs_.Enter("", std::move(fd)));
  return SetDirMeta(UnlistedDir(), /*is_new=*/true);
}

// Makes what is missing.
absl::Status LayerWriter::EnterDir(const std::string& path) {
  if (dirs_.Has(path)) return dirs_.ReturnTo(path);
  absl::StatusOr<Found> found = Resolve(path);
  if (found.ok()) return dirs_.Enter(found->path, std::move(found->fd));
  const auto detail = GetErrorDetail(found.status());
  if (detail.has_value() &&
      (detail->os_errno == ENOENT || detail->os_errno == ENOTDIR)) {
    return EnterMissingDir(path);
  }
  return found.status();
}

// Whether `path` is a directory.
absl::StatusOr<bool> LayerWriter::EnterIfDir(const std::string& path) {
  UniqueFd fd = dirs_.Open(path);
  if (fd.ok()) {
    CK_RETURN_IF_ERROR(dirs_.Enter(path, std::move(fd)));
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
  return CallError(errno, "openat2", path);
}

absl::Status LayerWriter::EnterMissingDir(const std::string& path) {
  CK_RETURN_IF_ERROR(Count(path));
  CK_ASSIGN_OR_RETURN(const Place place, PlaceOf(path));
  struct stat info;
  if (fstatat(place.dir_fd, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) ==
          0 &&
      !IsWhiteout(info)) {
    return CallError(ENOTDIR, "mkdirat", path);
  }
  return EnterNewDir(place);
}

absl::Status LayerWriter::EnterNewDir(const Place& place) {
  const char* name = place.name.c_str();
  // A whiteout and then a directory: the lower one goes, a new one takes its
  // place.
  bool was_whiteout = false;
  CK_RETURN_IF_ERROR(MakeNew(
      place, "mkdirat", [&] { return mkdirat(place.dir_fd, name, 0700); },
      &was_whiteout));
  UniqueFd fd(openat(place.dir_fd, name,
                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.ok()) return CallError(errno, "openat", place.path);
  CK_RETURN_IF_ERROR(dirs_.Enter(place.path, std::move(fd)));
  CK_RETURN_IF_ERROR(SetDirMeta(UnlistedDir(), /*is_new=*/true));
  return was_whiteout ? SetOpaque() : absl::OkStatus();
}

// Names of the whiteout convention: ".wh.NAME", ".wh..wh..opq", the rest of
// ".wh..wh.*".
absl::Status LayerWriter::AddMarker(const std::string& path) {
  for (const absl::string_view part : absl::StrSplit(ParentOf(path), '/')) {
    if (absl::StartsWith(part, kAufsPrefix)) return absl::OkStatus();
    if (absl::StartsWith(part, kWhiteoutPrefix)) {
      return Refuse(Reason::kArchiveEntryRefused, path,
                    "a directory has a whiteout's name");
    }
  }
  const absl::string_view name = NameOf(path);
  if (name == kOpaqueMarker) {
    CK_RETURN_IF_ERROR(EnterDir(std::string(ParentOf(path))));
    if (dirs_.path().empty()) ++stats_.opaque_roots;
    return SetOpaque();
  }
  if (absl::StartsWith(name, kAufsPrefix)) return absl::OkStatus();
  const absl::string_view hidden = absl::StripPrefix(name, kWhiteoutPrefix);
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Refuse(Reason::kUnsafePath, path, "the whiteout hides no name");
  }
  CK_ASSIGN_OR_RETURN(const Place place, PlaceOf(Join(ParentOf(path), hidden)));
  if (mknodat(place.dir_fd, place.name.c_str(), S_IFCHR | 0600,
              makedev(0, 0)) == 0) {
    return absl::OkStatus();
  }
  if (errno != EEXIST) return CallError(errno, "mknodat", path);
  // The layer has something of that name itself, which a whiteout does not
  // concern (OCI image spec, layer.md), and which hides what is below; of a
  // directory it has to be said.
  CK_ASSIGN_OR_RETURN(const bool is_dir, EnterIfDir(place.path));
  return is_dir ? SetOpaque() : absl::OkStatus();
}

template <typename Make>
absl::Status LayerWriter::MakeNew(const Place& place, absl::string_view call,
                                  const Make& make, bool* was_whiteout) {
  if (make() >= 0) return absl::OkStatus();
  if (errno != EEXIST) return CallError(errno, call, place.path);
  CK_ASSIGN_OR_RETURN(const bool whiteout, ClearWay(place));
  if (was_whiteout != nullptr) *was_whiteout = whiteout;
  if (make() >= 0) return absl::OkStatus();
  return CallError(errno, call, place.path);
}

// Whether there was a whiteout. A directory that goes is not on the chain,
// which ends above it.
absl::StatusOr<bool> LayerWriter::ClearWay(const Place& place) {
  struct stat info;
  if (fstatat(place.dir_fd, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) !=
      0) {
    return CallError(errno, "fstatat", place.path);
  }
  owned_.erase(place.path);
  if (S_ISDIR(info.st_mode)) {
    // From before "path0" to after "path/": '0' is the byte after '/'.
    owned_.erase(owned_.upper_bound(absl::StrCat(place.path, "0")),
                 owned_.lower_bound(absl::StrCat(place.path, "/")));
    CK_RETURN_IF_ERROR(sys::RemoveTreeAt(place.dir_fd, place.name));
    return false;
  }
  if (unlinkat(place.dir_fd, place.name.c_str(), 0) != 0) {
    return CallError(errno, "unlinkat", place.path);
  }
  return IsWhiteout(info);
}

absl::Status LayerWriter::AddDirectory(const Place& place,
                                       const TarEntry& entry) {
  CK_ASSIGN_OR_RETURN(const bool is_known, EnterIfDir(place.path));
  if (!is_known) {
    CK_RETURN_IF_ERROR(EnterNewDir(place));
  }
  return SetDirMeta(entry, /*is_new=*/!is_known);
}

// Of the last directory of the chain. What an earlier entry said goes.
absl::Status LayerWriter::SetDirMeta(const TarEntry& entry, bool is_new) {
  const std::string& path = dirs_.path();
  CK_ASSIGN_OR_RETURN(const int dir_fd, dirs_.fd());
  owned_.erase(path);
  CK_RETURN_IF_ERROR(SetOwner(dir_fd, "", is_new, path, entry));
  CK_RETURN_IF_ERROR(SetDirXattrs(entry, is_new));
  mode_t mode = entry.mode;
  if (!is_root_ && (mode & S_IXUSR) == 0) {
    // Later entries have to get through.
    Owned(path).mode = S_IFDIR | mode;
    mode |= S_IXUSR;
  }
  dirs_.SetMeta(mode, entry.mtime);
  return absl::OkStatus();
}

absl::Status LayerWriter::SetDirXattrs(const TarEntry& entry, bool is_new) {
  if (is_new && entry.xattrs.empty()) return absl::OkStatus();
  const std::string& path = dirs_.path();
  CK_ASSIGN_OR_RETURN(const int dir_fd, dirs_.fd());
  const UniqueFd fd(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return CallError(errno, "openat", path);
  if (!is_new) {
    CK_RETURN_IF_ERROR(ClearXattrs(fd.get(), path));
  }
  return SetXattrs(fd.get(), path, entry);
}

absl::Status LayerWriter::SetOpaque() {
  CK_ASSIGN_OR_RETURN(const int dir_fd, dirs_.fd());
  CK_RETURN_IF_ERROR(sys::SetXattrFd(
      dir_fd,
      options_.user_xattrs ? "user.overlay.opaque" : "trusted.overlay.opaque",
      "y"))
      << "layer entry " << dirs_.path();
  return absl::OkStatus();
}

absl::Status LayerWriter::AddFile(const Place& place, const TarEntry& entry,
                                  TarReader& tar) {
  UniqueFd fd;
  CK_RETURN_IF_ERROR(MakeNew(place, "openat", [&] {
    fd.Reset(openat(place.dir_fd, place.name.c_str(),
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600));
    return fd.get();
  }));
  CK_RETURN_IF_ERROR(CopyContent(fd.get(), entry, tar));
  stats_.file_bytes += entry.size;
  CK_RETURN_IF_ERROR(SetOwner(fd.get(), "", true, place.path, entry));
  CK_RETURN_IF_ERROR(SetXattrs(fd.get(), place.path, entry));
  // After chown(2), which clears set-id bits.
  if (fchmod(fd.get(), entry.mode) != 0) {
    return CallError(errno, "fchmod", place.path);
  }
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (futimens(fd.get(), times) != 0) {
    return CallError(errno, "futimens", place.path);
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::CopyContent(int fd, const TarEntry& entry,
                                      TarReader& tar) {
  uint64_t end = 0;
  for (;;) {
    absl::string_view bytes;
    uint64_t offset = 0;
    CK_ASSIGN_OR_RETURN(const bool more, tar.ReadData(bytes, offset));
    if (!more) break;
    if (offset < end || offset > entry.size ||
        bytes.size() > entry.size - offset) {
      return Refuse(Reason::kArchiveEntryRefused, entry.path,
                    "its content does not fit its size");
    }
    end = offset + bytes.size();
    while (!bytes.empty()) {
      const ssize_t n =
          pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SyscallError(errno, kOperation, "pwrite", entry.path);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
  }
  if (end < entry.size && ftruncate(fd, static_cast<off_t>(entry.size)) != 0) {
    return CallError(errno, "ftruncate", entry.path);
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::AddSymlink(const Place& place,
                                     const TarEntry& entry) {
  if (entry.link_target.empty()) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "the symlink has no target");
  }
  const int dir_fd = place.dir_fd;
  const char* name = place.name.c_str();
  CK_RETURN_IF_ERROR(MakeNew(place, "symlinkat", [&] {
    return symlinkat(entry.link_target.c_str(), dir_fd, name);
  }));
  CK_RETURN_IF_ERROR(SetOwner(dir_fd, place.name, true, place.path, entry));
  stats_.dropped_xattrs += entry.xattrs.size();
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
    return CallError(errno, "utimensat", place.path);
  }
  return absl::OkStatus();
}

// Owner, mode and times are those of the first name; what the entry says is
// not looked at, so a link cannot change another file's metadata.
absl::Status LayerWriter::AddHardlink(const Place& place,
                                      const TarEntry& entry) {
  CK_ASSIGN_OR_RETURN(const std::string target, CleanPath(entry.link_target));
  const absl::string_view missing = "its hardlink target is not in this layer";
  if (target.empty()) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "hardlink to a directory");
  }
  const absl::StatusOr<Found> dir = Resolve(std::string(ParentOf(target)));
  if (absl::IsNotFound(dir.status())) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path, missing);
  }
  CK_RETURN_IF_ERROR(dir.status());
  const std::string name(NameOf(target));
  struct stat from, to;
  if (fstatat(dir->fd.get(), name.c_str(), &from, AT_SYMLINK_NOFOLLOW) != 0) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path, missing);
  }
  if (S_ISDIR(from.st_mode) || IsWhiteout(from)) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "hardlink to a directory or whiteout");
  }
  if (fstatat(place.dir_fd, place.name.c_str(), &to, AT_SYMLINK_NOFOLLOW) ==
          0 &&
      to.st_ino == from.st_ino) {
    return absl::OkStatus();
  }
  CK_RETURN_IF_ERROR(MakeNew(place, "linkat", [&] {
    return linkat(dir->fd.get(), name.c_str(), place.dir_fd, place.name.c_str(),
                  0);
  }));
  return absl::OkStatus();
}

absl::Status LayerWriter::AddNode(const Place& place, const TarEntry& entry) {
  const mode_t type = NodeType(entry.type);
  if (type == S_IFCHR && entry.device == makedev(0, 0)) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "device 0:0 is overlay's whiteout");
  }
  const int dir_fd = place.dir_fd;
  const char* name = place.name.c_str();
  bool denied = false;
  CK_RETURN_IF_ERROR(MakeNew(place, "mknodat", [&] {
    const int result = mknodat(dir_fd, name, type | 0600, entry.device);
    denied = result != 0 && errno == EPERM && type != S_IFIFO;
    return denied ? 0 : result;
  }));
  if (denied) {
    // A user namespace cannot have devices; a container's /dev is made by the
    // runtime.
    ++stats_.dropped_devices;
    return absl::OkStatus();
  }
  const std::string path = place.path;
  CK_RETURN_IF_ERROR(SetOwner(dir_fd, place.name, true, path, entry));
  // It is no symlink: this object just made it. chmod does not open it.
  if (fchmodat(dir_fd, name, entry.mode, 0) != 0) {
    return CallError(errno, "fchmodat", path);
  }
  stats_.dropped_xattrs += entry.xattrs.size();
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
    return CallError(errno, "utimensat", path);
  }
  return absl::OkStatus();
}

OwnedEntry& LayerWriter::Owned(const std::string& path) {
  const auto [it, is_new] = owned_.try_emplace(path);
  if (is_new) remembered_bytes_ += 200 + path.size();
  return it->second;
}

// Sets the owner of `dir_fd`/`name` (`dir_fd` itself for an empty name).
// `is_new`: it belongs to this process now, so an equal owner needs no call.
absl::Status LayerWriter::SetOwner(int dir_fd, const std::string& name,
                                   bool is_new, const std::string& path,
                                   const TarEntry& entry) {
  if (is_root_) {
    const bool is_own = entry.uid == own_uid_ && entry.gid == own_gid_;
    if (is_new && is_own) return absl::OkStatus();
    if (fchownat(dir_fd, name.c_str(), entry.uid, entry.gid,
                 AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0)) !=
        0) {
      return SyscallError(errno, kOperation, "fchownat", path);
    }
    return absl::OkStatus();
  }
  if (entry.uid == 0 && entry.gid == 0) return absl::OkStatus();
  if (options_.ownership_sink == nullptr) {
    ++stats_.dropped_owners;
    return absl::OkStatus();
  }
  OwnedEntry& owned = Owned(path);
  owned.uid = entry.uid;
  owned.gid = entry.gid;
  owned.mode = FileType(entry.type) | entry.mode;
  return absl::OkStatus();
}

absl::Status LayerWriter::SetXattrs(int fd, const std::string& path,
                                    const TarEntry& entry) {
  size_t total = 0;
  for (const auto& [name, value] : entry.xattrs) {
    total += name.size() + value.size();
    if (total > options_.max_xattr_bytes) {
      return TooMuch(path, "extended attributes are too large");
    }
    if (!IsAllowedXattr(name)) {
      ++stats_.dropped_xattrs;
      continue;
    }
    if (name == kCapability && !is_root_ &&
        options_.ownership_sink != nullptr) {
      if (!IsCapabilitySize(value.size())) {
        return Refuse(Reason::kArchiveEntryRefused, path,
                      "its security.capability has a wrong size");
      }
      OwnedEntry& owned = Owned(path);
      owned.mode = FileType(entry.type) | entry.mode;
      owned.capability = value;
      remembered_bytes_ += value.size();
      continue;
    }
    if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) {
      continue;
    }
    if (errno == EPERM || errno == ENOTSUP || errno == EACCES) {
      ++stats_.dropped_xattrs;
      continue;
    }
    return CallError(errno, "fsetxattr", path);
  }
  return absl::OkStatus();
}

// Of directories that had to stay passable.
absl::Status LayerWriter::SetWaitingModes() {
  for (const auto& [path, owned] : owned_) {
    const UniqueFd fd = dirs_.Open(path);
    if (!fd.ok()) return CallError(errno, "openat2", path);
    CK_RETURN_IF_ERROR(sys::ChmodFd(fd.get(), owned.mode & 07777))
        << "layer entry " << path;
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::Finish() {
  CK_RETURN_IF_ERROR(EnterRoot());
  CK_RETURN_IF_ERROR(dirs_.LeaveAll());
  if (options_.ownership_sink == nullptr) return SetWaitingModes();
  if (owned_.empty()) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const uint64_t dropped,
                      options_.ownership_sink->Apply(*root_, owned_),
                      "set owners of layer");
  stats_.dropped_owners += dropped;
  return absl::OkStatus();
}

}  // namespace containerkit::store
