#include "lib/store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::store {
namespace {

constexpr char kOpen[] = "store.open";
constexpr char kVersionFile[] = "version";
constexpr char kMagic[] = "containerkit-store ";
constexpr char kInitLock[] = "init.lock";
constexpr char kReserve[] = "reserve";
constexpr off_t kReserveBytes = 1 << 20;

constexpr const char* kDirs[] = {"blobs",  "blobs/sha256",  "blobs/sha512",
                                 "layers", "layers/sha256", "layers/sha512",
                                 "ingest", "tmp",           "trash",
                                 "leases", "containers"};

// What every container needs to mount something on, below the image's layers:
// making it in each container's own layer takes longer than a layer more.
constexpr char kBase[] = "base";
constexpr const char* kBaseDirs[] = {"dev", "etc", "proc", "sys"};
constexpr const char* kBaseEtcFiles[] = {"hostname", "hosts", "resolv.conf"};
constexpr char kBaseMadeLast[] = "base/etc/resolv.conf";

absl::Status MakeBase(int root_fd) {
  CK_RETURN_IF_ERROR(sys::MakeDirAt(root_fd, kBase, 0755).status());
  CK_ASSIGN_OR_RETURN(const UniqueFd base,
                      sys::OpenAt(root_fd, kBase, O_RDONLY | O_DIRECTORY));
  for (const char* name : kBaseDirs) {
    CK_RETURN_IF_ERROR(sys::MakeDirAt(base.get(), name, 0755).status());
  }
  CK_ASSIGN_OR_RETURN(const UniqueFd etc,
                      sys::OpenAt(base.get(), "etc", O_RDONLY | O_DIRECTORY));
  for (const char* name : kBaseEtcFiles) {
    CK_ASSIGN_OR_RETURN(
        const UniqueFd file,
        sys::OpenAt(etc.get(), name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
    // Whatever the umask.
    if (fchmod(file.get(), 0644) != 0) {
      return SyscallError(errno, kOpen, "fchmod", name);
    }
  }
  return absl::OkStatus();
}

absl::Status MakeDirs(int root_fd) {
  for (const char* dir : kDirs) {
    CK_RETURN_IF_ERROR(sys::MakeDirAt(root_fd, dir, 0700).status());
  }
  return MakeBase(root_fd);
}

// Makes `path` and what is missing above it.
absl::Status MakeRoot(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return SyscallError(errno, kOpen, "mkdir", parent);
    }
  }
  return sys::MakeDirAt(AT_FDCWD, path, 0700).status();
}

// Says that the directories in `dir_fd` have nothing to do with each other, as
// chattr +T does, so ext4 puts each into a place of its own on the disk. A
// layer that was just removed otherwise slows the next one down: ext4 walks
// past every lately freed inode of the place for each new file (measured: 0.3
// ms a file). Where the file system knows no such flag nothing happens.
void SpreadDirs(int dir_fd) {
  unsigned int flags = 0;
  if (ioctl(dir_fd, FS_IOC_GETFLAGS, &flags) != 0) return;
  if ((flags & FS_TOPDIR_FL) != 0) return;
  flags |= FS_TOPDIR_FL;
  ioctl(dir_fd, FS_IOC_SETFLAGS, &flags);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layout>> Layout::Open(
    const std::string& root, bool create, absl::Duration lock_timeout) {
  if (!absl::StartsWith(root, "/")) {
    return InvalidArgument(Reason::kInvalidArgument, kOpen,
                           absl::StrCat("state root is not absolute: ", root));
  }
  auto layout = std::unique_ptr<Layout>(new Layout);
  layout->root_ = root;
  while (layout->root_.size() > 1 && layout->root_.back() == '/') {
    layout->root_.pop_back();
  }
  layout->pid_ = getpid();
  CK_ASSIGN_OR_RETURN(
      const std::string boot_id,
      sys::ReadFileAt(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128));
  layout->boot_id_ = std::string(absl::StripTrailingAsciiWhitespace(boot_id));
  absl::StatusOr<UniqueFd> fd =
      sys::OpenAt(AT_FDCWD, layout->root_, O_RDONLY | O_DIRECTORY);
  if (create && absl::IsNotFound(fd.status())) {
    CK_RETURN_IF_ERROR(MakeRoot(layout->root_)) << "make state root";
    fd = sys::OpenAt(AT_FDCWD, layout->root_, O_RDONLY | O_DIRECTORY);
  }
  if (absl::IsPermissionDenied(fd.status())) {
    return SyscallError(EACCES, kOpen, "open", layout->root_,
                        Reason::kPrivilegeMissing);
  }
  CK_ASSIGN_OR_RETURN(layout->root_fd_, std::move(fd), "open state root");

  struct stat info;
  if (fstat(layout->root_fd_.get(), &info) != 0) {
    return SyscallError(errno, kOpen, "fstat", root);
  }
  if (info.st_uid != geteuid()) {
    return MakeError(
        absl::StatusCode::kPermissionDenied,
        absl::StrCat("state root ", root, " belongs to user ", info.st_uid,
                     ", not to ", geteuid()),
        {.reason = Reason::kPrivilegeMissing,
         .operation = kOpen,
         .path = root,
         .hint = "choose another state root, or run as its owner"});
  }
  bool initialized = false;
  CK_RETURN_IF_ERROR(layout->CheckVersion(&initialized));
  if (!initialized) {
    if (!create) {
      return NotFound(Reason::kStoreVersion, kOpen,
                      absl::StrCat("no store in ", root));
    }
    CK_RETURN_IF_ERROR(layout->Initialize(lock_timeout)) << "make store";
  }
  CK_RETURN_IF_ERROR(layout->OpenDirs(create)) << "open store";
  layout->FillReserve();
  return layout;
}

absl::Status Layout::CheckVersion(bool* initialized) const {
  const absl::StatusOr<std::string> text =
      sys::ReadFileAt(root_fd_.get(), kVersionFile, 64);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  CK_RETURN_IF_ERROR(text.status()) << "read store version";
  absl::string_view number = *text;
  int version = 0;
  if (!absl::ConsumePrefix(&number, kMagic) ||
      !absl::SimpleAtoi(number, &version) || version < 1) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat(root_, "/version is not a store's"),
        {.reason = Reason::kStoreCorrupt, .operation = kOpen, .path = root_});
  }
  if (version > kLayoutVersion) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("store has layout ", version, ", this program knows ",
                     kLayoutVersion),
        {.reason = Reason::kStoreVersion,
         .operation = kOpen,
         .path = root_,
         .hint = "use a newer containerkit, or another state root"});
  }
  *initialized = true;
  return absl::OkStatus();
}

absl::Status Layout::Initialize(absl::Duration lock_timeout) {
  CK_ASSIGN_OR_RETURN(
      const sys::LockFile lock,
      sys::LockFile::Acquire(root_fd_.get(), kInitLock,
                             sys::LockMode::kExclusive, lock_timeout));
  bool initialized = false;
  CK_RETURN_IF_ERROR(CheckVersion(&initialized));
  if (initialized) return absl::OkStatus();
  if (fchmod(root_fd_.get(), 0700) != 0) {
    return SyscallError(errno, kOpen, "fchmod", root_);
  }
  CK_RETURN_IF_ERROR(MakeDirs(root_fd_.get()));
  // The version last: it says that the rest is there.
  return sys::AtomicWriteFileAt(root_fd_.get(), kVersionFile,
                                absl::StrCat(kMagic, kLayoutVersion, "\n"));
}

absl::Status Layout::OpenDirs(bool create) {
  const std::pair<const char*, UniqueFd*> dirs[] = {
      {"blobs/sha256", &blobs_fd_[0]},
      {"blobs/sha512", &blobs_fd_[1]},
      {"layers/sha256", &layers_fd_[0]},
      {"layers/sha512", &layers_fd_[1]},
      {"ingest", &ingest_fd_},
      {"tmp", &temp_fd_},
      {"trash", &trash_fd_},
      {"leases", &leases_fd_},
      {"containers", &containers_fd_}};
  for (const auto& [name, fd] : dirs) {
    absl::StatusOr<UniqueFd> opened =
        sys::OpenAt(root_fd_.get(), name, O_RDONLY | O_DIRECTORY);
    if (create && absl::IsNotFound(opened.status())) {
      // Somebody removed a directory by hand: an empty one is a good start
      // for CheckStore().
      CK_RETURN_IF_ERROR(MakeDirs(root_fd_.get()));
      opened = sys::OpenAt(root_fd_.get(), name, O_RDONLY | O_DIRECTORY);
    }
    CK_ASSIGN_OR_RETURN(*fd, std::move(opened));
  }
  SpreadDirs(temp_fd_.get());
  if (create && faccessat(root_fd_.get(), kBaseMadeLast, F_OK,
                          AT_SYMLINK_NOFOLLOW) != 0) {
    return MakeBase(root_fd_.get());
  }
  return absl::OkStatus();
}

absl::Status Layout::CheckProcess() const {
  if (getpid() == pid_) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      "store was opened by the parent process",
      {.reason = Reason::kForked,
       .operation = "store.use",
       .path = root_,
       .hint = "open the store again in the child; best right after fork()"});
}

void Layout::FillReserve() const noexcept {
  struct stat info;
  if (fstatat(root_fd_.get(), kReserve, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      info.st_size == kReserveBytes) {
    return;
  }
  const UniqueFd fd(openat(root_fd_.get(), kReserve,
                           O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok()) return;
  // All or nothing: half a reserve would look like one.
  if (fallocate(fd.get(), 0, 0, kReserveBytes) != 0 &&
      ftruncate(fd.get(), 0) != 0) {
    unlinkat(root_fd_.get(), kReserve, 0);
  }
}

void Layout::ReleaseReserve() const noexcept {
  unlinkat(root_fd_.get(), kReserve, 0);
}

std::string Layout::LayerPath(const Digest& diff_id) {
  return absl::StrCat("layers/", diff_id.algorithm_name(), "/", diff_id.hex());
}

absl::StatusOr<bool> Layout::MoveToTrash(int dir_fd,
                                         const std::string& name) const {
  const std::string target = sys::RandomHex(16);
  if (renameat(dir_fd, name.c_str(), trash_fd_.get(), target.c_str()) == 0) {
    return true;
  }
  if (errno == ENOENT) return false;
  return SyscallError(errno, "store.remove", "rename", name);
}

absl::Status Layout::RemoveTrash(const std::string& name) const {
  const auto remove = [&] { return sys::RemoveTreeAt(trash_fd_.get(), name); };
  const absl::Status status = remove();
  if (status.ok() || run_as_owner_ == nullptr) return status;
  return run_as_owner_(remove);
}

absl::StatusOr<bool> Layout::EmptyTrash(absl::Duration budget,
                                        const CancelToken& cancel) const {
  const absl::Time deadline = absl::Now() + budget;
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(trash_fd_.get(), "."));
  for (const std::string& name : names) {
    if (absl::Now() > deadline) return false;
    CK_RETURN_IF_ERROR(CheckCancelled(cancel, "store.empty_trash"));
    CK_RETURN_IF_ERROR(RemoveTrash(name)) << "empty trash";
  }
  return true;
}

}  // namespace containerkit::store
