#include "lib/store/dir_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.unpack";
// Deeper ones are opened anew when it is their turn.
constexpr size_t kMaxDescriptors = 64;

bool IsAbove(absl::string_view dir, absl::string_view path) {
  return dir.empty() ||
         (absl::StartsWith(path, dir) &&
          (path.size() == dir.size() || path[dir.size()] == '/'));
}

UniqueFd OpenBeneath(int dir_fd, const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  if (!Mutated("T03")) how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  int fd;
  do {
    fd =
        static_cast<int>(syscall(SYS_openat2, dir_fd, path, &how, sizeof(how)));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return UniqueFd(fd);
}

}  // namespace

absl::StatusOr<int> DirChain::fd() {
  Dir& last = dirs_.back();
  if (!last.fd.ok()) {
    last.fd = Open(last.path);
    if (!last.fd.ok()) {
      return SyscallError(errno, kOperation, "openat2", last.path);
    }
  }
  return last.fd.get();
}

void DirChain::SetMeta(mode_t mode, timespec mtime) {
  dirs_.back().mode = mode;
  dirs_.back().mtime = mtime;
}

// The root is above all.
size_t DirChain::DeepestAbove(absl::string_view path) const {
  size_t i = dirs_.size() - 1;
  while (!IsAbove(dirs_[i].path, path)) --i;
  return i;
}

bool DirChain::Has(absl::string_view path) const {
  return !dirs_.empty() && dirs_[DeepestAbove(path)].path == path;
}

UniqueFd DirChain::Open(const std::string& path) const {
  int base_fd = root_->fd();
  size_t done = 0;
  if (!dirs_.empty()) {
    size_t i = DeepestAbove(path);
    while (!dirs_[i].fd.ok()) --i;
    base_fd = dirs_[i].fd.get();
    done = dirs_[i].path.size();
  }
  const char* rest = path.c_str() + done;
  if (*rest == '/') ++rest;
  return OpenBeneath(base_fd, *rest == '\0' ? "." : rest);
}

absl::Status DirChain::Enter(const std::string& path, UniqueFd dir) {
  if (!dirs_.empty()) {
    CK_RETURN_IF_ERROR(ReturnTo(path));
    if (dirs_.back().path == path) return absl::OkStatus();
  }
  struct stat info;
  if (fstat(dir.get(), &info) != 0) {
    return SyscallError(errno, kOperation, "fstat", path);
  }
  const mode_t mode = info.st_mode & 07777;
  mode_t mode_now = mode;
  // A set-group-id directory would give its group to what is made in it.
  if ((mode & (S_ISGID | S_IRWXU)) != S_IRWXU) {
    mode_now = S_IRWXU;
    CK_RETURN_IF_ERROR(sys::ChmodFd(dir.get(), mode_now))
        << "enter layer's directory " << path;
  }
  if (dirs_.size() > kMaxDescriptors) dirs_.back().fd.Reset();
  dirs_.push_back({.path = path,
                   .fd = std::move(dir),
                   .mode_now = mode_now,
                   .mode = mode,
                   .mtime = info.st_mtim});
  return absl::OkStatus();
}

absl::Status DirChain::ReturnTo(absl::string_view path) {
  while (!IsAbove(dirs_.back().path, path)) CK_RETURN_IF_ERROR(Leave());
  return absl::OkStatus();
}

absl::Status DirChain::LeaveAll() {
  while (!dirs_.empty()) CK_RETURN_IF_ERROR(Leave());
  return absl::OkStatus();
}

absl::Status DirChain::Leave() {
  CK_ASSIGN_OR_RETURN(const int dir_fd, fd());
  const Dir& dir = dirs_.back();
  if (dir.mode != dir.mode_now) {
    CK_RETURN_IF_ERROR(sys::ChmodFd(dir_fd, dir.mode))
        << "leave layer's directory " << dir.path;
  }
  CK_RETURN_IF_ERROR(sys::SetTimesFd(dir_fd, dir.mtime, dir.mtime))
      << "leave layer's directory " << dir.path;
  dirs_.pop_back();
  return absl::OkStatus();
}

}  // namespace containerkit::store
