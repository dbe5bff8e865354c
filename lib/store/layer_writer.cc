#include "lib/store/layer_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/mutation.h"
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
constexpr size_t kMaxCachedDirs = 256;
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

int OpenBeneath(int root_fd, const std::string& path, uint64_t flags,
                uint64_t resolve) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  int fd;
  do {
    fd = static_cast<int>(syscall(SYS_openat2, root_fd,
                                  path.empty() ? "." : path.c_str(), &how,
                                  sizeof(how)));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return fd;
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

std::string LayerWriter::Place::Path() const { return Join(dir->path, name); }

LayerWriter::LayerWriter(const sys::RootDir* root,
                         const LayerWriterOptions& options)
    : root_(root),
      options_(options),
      is_root_(geteuid() == 0),
      own_uid_(geteuid()),
      own_gid_(getegid()) {
  dirs_[""] = {};
}

absl::Status LayerWriter::Add(const TarEntry& entry, TarReader& tar) {
  if (++stats_.entry_count > options_.max_entries ||
      dirs_.size() > options_.max_directories) {
    return TooMuch(entry.path, "too many entries");
  }
  if (RememberedBytes() > options_.max_remembered_bytes) {
    return TooMuch(entry.path, "too many directories and owners to remember");
  }
  CK_ASSIGN_OR_RETURN(const std::string path, CleanPath(entry.path));
  if (path.empty()) {
    if (entry.type != TarEntry::Type::kDirectory) {
      return Refuse(Reason::kUnsafePath, entry.path,
                    "the root can only be a directory");
    }
    return AddDirectory({}, entry);
  }
  if (absl::StrContains(absl::StrCat("/", path), "/.wh.")) {
    return AddMarker(path);
  }
  CK_ASSIGN_OR_RETURN(const Place place, PlaceOf(path, /*create=*/true));
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

absl::StatusOr<LayerWriter::Place> LayerWriter::PlaceOf(const std::string& path,
                                                        bool create) {
  CK_ASSIGN_OR_RETURN(DirPtr dir, OpenDir(std::string(ParentOf(path)), create));
  return Place{std::move(dir), std::string(NameOf(path))};
}

// The directory `path`, from the cache or the kernel. Cached ones stay valid
// because only this object changes the tree, and ClearWay() empties the cache
// when it removes a directory or a symlink.
absl::StatusOr<LayerWriter::DirPtr> LayerWriter::OpenDir(
    const std::string& path, bool create) {
  if (last_dir_ != nullptr && path == last_parent_) return last_dir_;
  const auto it = dir_cache_.find(path);
  if (it != dir_cache_.end()) {
    last_parent_ = path;
    last_dir_ = it->second;
    return last_dir_;
  }
  CK_ASSIGN_OR_RETURN(DirPtr dir, ResolveDir(path, create));
  if (dir_cache_.size() >= kMaxCachedDirs) dir_cache_.clear();
  dir_cache_[path] = dir;
  last_parent_ = path;
  last_dir_ = dir;
  return dir;
}

absl::StatusOr<LayerWriter::DirPtr> LayerWriter::ResolveDir(
    const std::string& path, bool create) {
  constexpr uint64_t kFlags = O_PATH | O_DIRECTORY;
  constexpr uint64_t kResolve =
      Mutated("T03") ? 0 : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  UniqueFd fd(OpenBeneath(root_->fd(), path, kFlags, kResolve));
  if (fd.ok()) return std::make_shared<const Dir>(Dir{std::move(fd), path});
  if (errno == ELOOP) {
    // A symlink that the archive made: the kernel follows it inside the root,
    // and tells the real path, by which metadata is kept.
    fd.Reset(OpenBeneath(root_->fd(), path, kFlags, RESOLVE_IN_ROOT));
    if (!fd.ok()) {
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
    const std::string full = read_path(fd.get());
    absl::string_view inside = full;
    if (root.empty() || !absl::ConsumePrefix(&inside, root)) {
      return Refuse(Reason::kUnsafePath, path,
                    "the name leads out of the root");
    }
    absl::ConsumePrefix(&inside, "/");
    return std::make_shared<const Dir>(Dir{std::move(fd), std::string(inside)});
  }
  if (create && (errno == ENOENT || errno == ENOTDIR)) {
    return MakeMissingDir(path);
  }
  return CallError(errno, "openat2", path);
}

// Makes a directory that the archive uses but does not list (or lists later).
absl::StatusOr<LayerWriter::DirPtr> LayerWriter::MakeMissingDir(
    const std::string& path) {
  CK_ASSIGN_OR_RETURN(const Place place, PlaceOf(path, /*create=*/true));
  bool opaque = false;
  if (mkdirat(place.dir->fd.get(), place.name.c_str(), 0700) != 0) {
    struct stat info;
    if (errno != EEXIST || fstatat(place.dir->fd.get(), place.name.c_str(),
                                   &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return CallError(errno, "mkdirat", path);
    }
    if (!IsWhiteout(info)) return CallError(ENOTDIR, "mkdirat", path);
    // A whiteout and then something below: the lower directory goes, a new
    // one takes its place.
    CK_RETURN_IF_ERROR(ClearWay(place, &opaque));
    if (mkdirat(place.dir->fd.get(), place.name.c_str(), 0700) != 0) {
      return CallError(errno, "mkdirat", path);
    }
  }
  const std::string real = place.Path();
  RememberDir(real, {.opaque = opaque});
  UniqueFd fd(openat(place.dir->fd.get(), place.name.c_str(),
                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.ok()) return CallError(errno, "openat", path);
  return std::make_shared<const Dir>(Dir{std::move(fd), real});
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
    CK_ASSIGN_OR_RETURN(const DirPtr dir,
                        OpenDir(std::string(ParentOf(path)), /*create=*/true));
    if (dir->path.empty()) ++stats_.opaque_roots;
    dirs_[dir->path].opaque = true;
    return absl::OkStatus();
  }
  if (absl::StartsWith(name, kAufsPrefix)) return absl::OkStatus();
  const absl::string_view hidden = absl::StripPrefix(name, kWhiteoutPrefix);
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Refuse(Reason::kUnsafePath, path, "the whiteout hides no name");
  }
  CK_ASSIGN_OR_RETURN(const Place place,
                      PlaceOf(Join(ParentOf(path), hidden), /*create=*/true));
  if (mknodat(place.dir->fd.get(), place.name.c_str(), S_IFCHR | 0600,
              makedev(0, 0)) == 0) {
    return absl::OkStatus();
  }
  if (errno != EEXIST) return CallError(errno, "mknodat", path);
  // The layer has something of that name itself, which a whiteout does not
  // concern (OCI image spec, layer.md), and which hides what is below; of a
  // directory it has to be said.
  const auto it = dirs_.find(place.Path());
  if (it != dirs_.end()) it->second.opaque = true;
  return absl::OkStatus();
}

template <typename Make>
absl::Status LayerWriter::MakeNew(const Place& place, absl::string_view call,
                                  const Make& make) {
  if (make() >= 0) return absl::OkStatus();
  if (errno != EEXIST) return CallError(errno, call, place.Path());
  bool was_whiteout = false;
  CK_RETURN_IF_ERROR(ClearWay(place, &was_whiteout));
  if (make() >= 0) return absl::OkStatus();
  return CallError(errno, call, place.Path());
}

absl::Status LayerWriter::ClearWay(const Place& place, bool* was_whiteout) {
  const int dir_fd = place.dir->fd.get();
  struct stat info;
  if (fstatat(dir_fd, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return CallError(errno, "fstatat", place.Path());
  }
  *was_whiteout = IsWhiteout(info);
  const std::string path = place.Path();
  owned_.erase(path);
  if (S_ISDIR(info.st_mode)) {
    ForgetBelow(path);
    return sys::RemoveTreeAt(dir_fd, place.name);
  }
  if (S_ISLNK(info.st_mode)) {
    dir_cache_.clear();
    last_dir_.reset();
  }
  if (unlinkat(dir_fd, place.name.c_str(), 0) != 0) {
    return CallError(errno, "unlinkat", path);
  }
  return absl::OkStatus();
}

// Drops what is remembered of a directory that is about to be removed.
void LayerWriter::ForgetBelow(const std::string& path) {
  dir_cache_.clear();
  last_dir_.reset();
  const std::string below = absl::StrCat(path, "/");
  // '0' is the byte after '/'.
  const std::string after = absl::StrCat(path, "0");
  dirs_.erase(path);
  dirs_.erase(dirs_.lower_bound(below), dirs_.lower_bound(after));
  owned_.erase(owned_.lower_bound(below), owned_.lower_bound(after));
}

absl::Status LayerWriter::AddDirectory(const Place& place,
                                       const TarEntry& entry) {
  DirMeta meta = {.mode = entry.mode,
                  .uid = entry.uid,
                  .gid = entry.gid,
                  .has_mtime = true,
                  .mtime = entry.mtime};
  if (place.dir == nullptr) {  // The root.
    meta.opaque = dirs_[""].opaque;
    dirs_[""] = meta;
    return SetDirXattrs("", entry, /*is_new=*/false);
  }
  const int dir_fd = place.dir->fd.get();
  const std::string path = place.Path();
  bool is_new = true;
  if (mkdirat(dir_fd, place.name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return CallError(errno, "mkdirat", path);
    const auto known = dirs_.find(path);
    if (known != dirs_.end()) {
      meta.opaque = known->second.opaque;
      is_new = false;
    } else {
      CK_RETURN_IF_ERROR(ClearWay(place, &meta.opaque));
      if (mkdirat(dir_fd, place.name.c_str(), 0700) != 0) {
        return CallError(errno, "mkdirat", path);
      }
    }
  }
  RememberDir(path, meta);
  return SetDirXattrs(path, entry, is_new);
}

// At once, as they may be many. Those of an earlier entry go.
absl::Status LayerWriter::SetDirXattrs(const std::string& path,
                                       const TarEntry& entry, bool is_new) {
  if (is_new && entry.xattrs.empty()) return absl::OkStatus();
  const UniqueFd fd(OpenBeneath(root_->fd(), path, O_RDONLY | O_DIRECTORY,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!fd.ok()) return CallError(errno, "openat2", path);
  if (!is_new) {
    owned_.erase(path);
    CK_RETURN_IF_ERROR(ClearXattrs(fd.get(), path));
  }
  return SetXattrs(fd.get(), path, entry.xattrs);
}

void LayerWriter::RememberDir(const std::string& path, const DirMeta& meta) {
  const auto [it, is_new] = dirs_.try_emplace(path);
  if (is_new) remembered_bytes_ += path.size();
  if (WaitsForSink(meta) && !WaitsForSink(it->second)) {
    // What Finish() adds, when it is too late to refuse.
    remembered_bytes_ += 3 * path.size() + 400;
  }
  it->second = meta;
}

bool LayerWriter::WaitsForSink(const DirMeta& meta) const {
  return !is_root_ && options_.ownership_sink != nullptr &&
         NeedsChown(meta.uid, meta.gid);
}

uint64_t LayerWriter::RememberedBytes() const {
  constexpr uint64_t kEntryBytes = 200;
  return (dirs_.size() + owned_.size()) * kEntryBytes + remembered_bytes_;
}

absl::Status LayerWriter::AddFile(const Place& place, const TarEntry& entry,
                                  TarReader& tar) {
  UniqueFd fd;
  CK_RETURN_IF_ERROR(MakeNew(place, "openat", [&] {
    fd.Reset(openat(place.dir->fd.get(), place.name.c_str(),
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600));
    return fd.get();
  }));
  CK_RETURN_IF_ERROR(CopyContent(fd.get(), entry, tar));
  stats_.file_bytes += entry.size;
  const bool plain =
      entry.uid == own_uid_ && entry.gid == own_gid_ && entry.xattrs.empty();
  if (!plain) {
    const std::string path = place.Path();
    CK_RETURN_IF_ERROR(SetOwner(fd.get(), "", true, path, entry));
    CK_RETURN_IF_ERROR(SetXattrs(fd.get(), path, entry.xattrs));
    // For its capability alone it is remembered with the mode of now.
    const auto owned = owned_.find(path);
    if (owned != owned_.end()) owned->second.mode = S_IFREG | entry.mode;
  }
  // After chown(2), which clears set-id bits.
  if (fchmod(fd.get(), entry.mode) != 0) {
    return CallError(errno, "fchmod", place.Path());
  }
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (futimens(fd.get(), times) != 0) {
    return CallError(errno, "futimens", place.Path());
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
  const int dir_fd = place.dir->fd.get();
  const char* name = place.name.c_str();
  CK_RETURN_IF_ERROR(MakeNew(place, "symlinkat", [&] {
    return symlinkat(entry.link_target.c_str(), dir_fd, name);
  }));
  CK_RETURN_IF_ERROR(SetOwner(dir_fd, place.name, true, place.Path(), entry));
  stats_.dropped_xattrs += entry.xattrs.size();
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
    return CallError(errno, "utimensat", place.Path());
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
  absl::StatusOr<Place> source = PlaceOf(target, /*create=*/false);
  if (absl::IsNotFound(source.status())) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path, missing);
  }
  CK_RETURN_IF_ERROR(source.status());
  struct stat from, to;
  if (fstatat(source->dir->fd.get(), source->name.c_str(), &from,
              AT_SYMLINK_NOFOLLOW) != 0) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path, missing);
  }
  if (S_ISDIR(from.st_mode) || IsWhiteout(from)) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "hardlink to a directory or whiteout");
  }
  if (fstatat(place.dir->fd.get(), place.name.c_str(), &to,
              AT_SYMLINK_NOFOLLOW) == 0 &&
      to.st_ino == from.st_ino) {
    return absl::OkStatus();
  }
  CK_RETURN_IF_ERROR(MakeNew(place, "linkat", [&] {
    return linkat(source->dir->fd.get(), source->name.c_str(),
                  place.dir->fd.get(), place.name.c_str(), 0);
  }));
  return absl::OkStatus();
}

absl::Status LayerWriter::AddNode(const Place& place, const TarEntry& entry) {
  const mode_t type = NodeType(entry.type);
  if (type == S_IFCHR && entry.device == makedev(0, 0)) {
    return Refuse(Reason::kArchiveEntryRefused, entry.path,
                  "device 0:0 is overlay's whiteout");
  }
  const int dir_fd = place.dir->fd.get();
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
  const std::string path = place.Path();
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

bool LayerWriter::NeedsChown(uint32_t uid, uint32_t gid) const {
  return is_root_ ? uid != own_uid_ || gid != own_gid_ : uid != 0 || gid != 0;
}

OwnedEntry& LayerWriter::Owned(const std::string& path) {
  const auto [it, is_new] = owned_.try_emplace(path);
  if (is_new) {
    it->second.path = path;
    remembered_bytes_ += 2 * path.size();
  }
  return it->second;
}

// Sets the owner of `dir_fd`/`name` (`dir_fd` itself for an empty name).
// `is_new`: it belongs to this process now, so an equal owner needs no call.
absl::Status LayerWriter::SetOwner(int dir_fd, const std::string& name,
                                   bool is_new, const std::string& path,
                                   const TarEntry& entry) {
  if (is_new && !NeedsChown(entry.uid, entry.gid)) return absl::OkStatus();
  if (is_root_) {
    if (fchownat(dir_fd, name.c_str(), entry.uid, entry.gid,
                 AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0)) !=
        0) {
      return SyscallError(errno, kOperation, "fchownat", path);
    }
    return absl::OkStatus();
  }
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

absl::Status LayerWriter::SetXattrs(
    int fd, const std::string& path,
    const std::vector<std::pair<std::string, std::string>>& xattrs) {
  size_t total = 0;
  for (const auto& [name, value] : xattrs) {
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
      struct stat info;
      if (fstat(fd, &info) != 0) return CallError(errno, "fstat", path);
      OwnedEntry& owned = Owned(path);
      owned.mode = owned.mode != 0 ? owned.mode : info.st_mode;
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

absl::Status LayerWriter::FinishDir(const std::string& path,
                                    const DirMeta& meta) {
  const UniqueFd fd(OpenBeneath(root_->fd(), path, O_RDONLY | O_DIRECTORY,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!fd.ok()) return CallError(errno, "openat2", path);
  if (meta.opaque) {
    const char* name =
        options_.user_xattrs ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (fsetxattr(fd.get(), name, "y", 1, 0) != 0) {
      return SyscallError(errno, kOperation, "fsetxattr", path);
    }
  }
  const TarEntry entry = {.type = TarEntry::Type::kDirectory,
                          .mode = meta.mode,
                          .uid = meta.uid,
                          .gid = meta.gid};
  CK_RETURN_IF_ERROR(SetOwner(fd.get(), "", true, path, entry));
  // For its capability it had been remembered with the mode of that time.
  const auto owned = owned_.find(path);
  if (owned != owned_.end()) owned->second.mode = S_IFDIR | meta.mode;
  if (fchmod(fd.get(), meta.mode) != 0) return CallError(errno, "fchmod", path);
  if (meta.has_mtime) {
    const timespec times[2] = {meta.mtime, meta.mtime};
    if (futimens(fd.get(), times) != 0) {
      return CallError(errno, "futimens", path);
    }
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::Finish() {
  last_dir_.reset();
  dir_cache_.clear();
  // Backwards: children before parents, whose new mode may bar the way.
  for (auto it = dirs_.rbegin(); it != dirs_.rend(); ++it) {
    CK_RETURN_IF_ERROR(FinishDir(it->first, it->second));
  }
  if (owned_.empty()) return absl::OkStatus();
  std::vector<OwnedEntry> entries;
  entries.reserve(owned_.size());
  // Not both at once.
  while (!owned_.empty()) {
    const auto last = std::prev(owned_.end());
    entries.push_back(std::move(last->second));
    owned_.erase(last);
  }
  CK_ASSIGN_OR_RETURN(const uint64_t dropped,
                      options_.ownership_sink->Apply(*root_, entries),
                      "set owners of layer");
  stats_.dropped_owners += dropped;
  return absl::OkStatus();
}

}  // namespace containerkit::store
