#include "lib/container/oci_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::container {
namespace {

constexpr char kState[] = "state.json";
constexpr char kConfig[] = "config.json";
constexpr char kFifo[] = "exec.fifo";
constexpr absl::Duration kLockTimeout = absl::Seconds(10);

absl::Status NoContainer(const std::string& id) {
  return WithObject(
      NotFound(Reason::kContainerNotFound, "oci.open",
               absl::StrCat("container \"", id, "\" does not exist")),
      "container", id);
}

absl::Status InUse(const std::string& id) {
  return MakeError(absl::StatusCode::kAlreadyExists,
                   absl::StrCat("container with id exists: ", id),
                   {.reason = Reason::kNameInUse,
                    .operation = "oci.create",
                    .object_kind = "container",
                    .object_id = id});
}

// mkdir -p, for us alone.
absl::Status MakeRoot(const std::string& root) {
  if (mkdir(root.c_str(), 0700) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  const size_t slash = root.find_last_of('/');
  if (errno == ENOENT && slash != std::string::npos && slash > 0) {
    CK_RETURN_IF_ERROR(MakeRoot(root.substr(0, slash)));
    if (mkdir(root.c_str(), 0700) == 0 || errno == EEXIST) {
      return absl::OkStatus();
    }
  }
  return SyscallError(errno, "oci.create", "mkdir", root);
}

absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path) {
  return sys::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// Whether `path` is still the directory behind `fd`: it may have been deleted
// while we waited for its lock.
bool StillThere(const std::string& path, int fd) {
  struct stat ours, theirs;
  return fstat(fd, &ours) == 0 && lstat(path.c_str(), &theirs) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

}  // namespace

absl::Status CheckOciId(absl::string_view id) {
  const bool good = !id.empty() && id.size() <= 255 && id != "." &&
                    id != ".." &&
                    std::all_of(id.begin(), id.end(), [](unsigned char c) {
                      return absl::ascii_isalnum(c) || c == '_' || c == '+' ||
                             c == '.' || c == '-';
                    });
  if (good) return absl::OkStatus();
  return InvalidArgument(Reason::kInvalidName, "oci.id",
                         absl::StrCat("invalid container id \"", id, "\""));
}

OciDirectory::OciDirectory(std::string root, std::string id, UniqueFd fd)
    : root_(std::move(root)),
      id_(std::move(id)),
      path_(absl::StrCat(root_, "/", id_)),
      fd_(std::move(fd)) {}

absl::StatusOr<OciDirectory> OciDirectory::Create(const std::string& root,
                                                  const std::string& id) {
  CK_RETURN_IF_ERROR(CheckOciId(id));
  const std::string path = absl::StrCat(root, "/", id);
  // 0711: the container's process, whatever user it has become by then, opens
  // the fifo by a descriptor of this directory. Root keeps others out.
  bool made = mkdir(path.c_str(), 0711) == 0;
  if (!made && errno == ENOENT) {
    CK_RETURN_IF_ERROR(MakeRoot(root));
    made = mkdir(path.c_str(), 0711) == 0;
  }
  if (!made && errno != EEXIST) {
    return SyscallError(errno, "oci.create", "mkdir", path);
  }
  absl::StatusOr<UniqueFd> fd = OpenDirectory(path);
  if (!fd.ok()) return absl::IsNotFound(fd.status()) ? InUse(id) : fd.status();
  OciDirectory directory(root, id, *std::move(fd));
  CK_ASSIGN_OR_RETURN(const bool locked,
                      sys::TryLockFd(directory.fd(), sys::LockMode::kExclusive),
                      "lock ", path);
  if (!locked || !StillThere(path, directory.fd())) return InUse(id);
  if (faccessat(directory.fd(), kState, F_OK, 0) == 0) return InUse(id);
  if (!made) directory.RemoveFifo();
  return directory;
}

absl::StatusOr<OciDirectory> OciDirectory::Open(const std::string& root,
                                                const std::string& id,
                                                bool lock) {
  CK_RETURN_IF_ERROR(CheckOciId(id));
  const std::string path = absl::StrCat(root, "/", id);
  absl::StatusOr<UniqueFd> fd = OpenDirectory(path);
  if (!fd.ok()) {
    return absl::IsNotFound(fd.status()) ? NoContainer(id) : fd.status();
  }
  OciDirectory directory(root, id, *std::move(fd));
  if (lock) {
    CK_RETURN_IF_ERROR(sys::LockFd(directory.fd(), sys::LockMode::kExclusive,
                                   kLockTimeout, path));
    if (!StillThere(path, directory.fd())) return NoContainer(id);
  }
  return directory;
}

absl::StatusOr<std::vector<std::string>> OciDirectory::List(
    const std::string& root) {
  absl::StatusOr<std::vector<std::string>> names =
      sys::ListDirAt(AT_FDCWD, root);
  if (!names.ok()) {
    if (absl::IsNotFound(names.status())) return std::vector<std::string>();
    return names.status();
  }
  names->erase(std::remove_if(names->begin(), names->end(),
                              [&root](const std::string& name) {
                                const std::string state =
                                    absl::StrCat(root, "/", name, "/", kState);
                                return !CheckOciId(name).ok() ||
                                       access(state.c_str(), F_OK) != 0;
                              }),
               names->end());
  std::sort(names->begin(), names->end());
  return names;
}

absl::StatusOr<OciRecord> OciDirectory::ReadRecord() const {
  absl::StatusOr<std::string> text =
      sys::ReadFileAt(fd(), kState, kMaxOciRecordBytes);
  if (!text.ok()) {
    return absl::IsNotFound(text.status()) ? NoContainer(id_) : text.status();
  }
  CK_ASSIGN_OR_RETURN(OciRecord record, DecodeOciRecord(*text), path_, "/",
                      kState);
  return record;
}

absl::Status OciDirectory::WriteRecord(const OciRecord& record) const {
  // The root is a tmpfs that does not survive a boot, nor do containers.
  return sys::AtomicWriteFileAt(fd(), kState, EncodeOciRecord(record),
                                {.durable = false});
}

absl::StatusOr<std::string> OciDirectory::ReadConfig() const {
  return sys::ReadFileAt(fd(), kConfig, oci::kMaxRuntimeSpecBytes);
}

absl::Status OciDirectory::WriteConfig(absl::string_view json) const {
  CK_ASSIGN_OR_RETURN(
      const UniqueFd file,
      sys::OpenAt(fd(), kConfig, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return sys::WriteAll(file.get(), json);
}

absl::StatusOr<std::string> OciDirectory::MakeFifo() const {
  const std::string path = absl::StrCat(path_, "/", kFifo);
  // Exact modes: the caller's umask must not decide who can open it.
  if (mkfifoat(fd(), kFifo, 0600) != 0 || fchmod(fd(), 0711) != 0 ||
      fchmodat(fd(), kFifo, 0622, 0) != 0) {
    return SyscallError(errno, "oci.create", "mkfifo", path);
  }
  return path;
}

absl::StatusOr<std::optional<UniqueFd>> OciDirectory::OpenFifo() const {
  absl::StatusOr<UniqueFd> fifo =
      sys::OpenAt(fd(), kFifo, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (fifo.ok()) return std::optional<UniqueFd>(*std::move(fifo));
  if (absl::IsNotFound(fifo.status())) return std::optional<UniqueFd>();
  return fifo.status();
}

bool OciDirectory::HasFifo() const {
  return faccessat(fd(), kFifo, F_OK, 0) == 0;
}

void OciDirectory::RemoveFifo() const { unlinkat(fd(), kFifo, 0); }

absl::Status OciDirectory::Remove() {
  // state.json goes first: without it the container is gone for everybody.
  for (const char* name : {kState, kConfig, kFifo}) unlinkat(fd(), name, 0);
  if (rmdir(path_.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const UniqueFd root, OpenDirectory(root_));
  return sys::RemoveTreeAt(root.get(), id_);
}

}  // namespace containerkit::container
