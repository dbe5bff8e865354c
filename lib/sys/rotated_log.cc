#include "lib/sys/rotated_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::sys {

namespace {

constexpr char kOperation[] = "log.read";
constexpr size_t kBlockBytes = 256 << 10;
constexpr int kMaxFiles = 256;
constexpr int kMaxAttempts = 100;

}  // namespace

absl::StatusOr<size_t> ReadAt(int fd, char* buffer, size_t size,
                              int64_t offset) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = pread(fd, buffer + done, size - done,
                            offset + static_cast<int64_t>(done));
    if (n == 0) break;
    if (n < 0 && errno != EINTR) {
      return SyscallError(errno, kOperation, "pread");
    }
    if (n > 0) done += n;
  }
  return done;
}

absl::StatusOr<std::optional<RotatedLog::File>> RotatedLog::OpenOne(
    int index) const {
  const std::string name = index == 0 ? name_ : absl::StrCat(name_, ".", index);
  File file;
  file.fd = UniqueFd(openat(directory_fd_, name.c_str(),
                            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.fd.ok()) {
    if (errno == ENOENT) return std::optional<File>();
    return SyscallError(errno, kOperation, "open", name);
  }
  struct stat st;
  if (fstat(file.fd.get(), &st) != 0) {
    return SyscallError(errno, kOperation, "fstat", name);
  }
  file.device = st.st_dev;
  file.inode = st.st_ino;
  return std::optional<File>(std::move(file));
}

absl::StatusOr<std::vector<RotatedLog::File>> RotatedLog::OpenAll() const {
  std::vector<File> files;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    files.clear();
    bool rotated = false;
    for (int i = 0; i < kMaxFiles && !rotated; ++i) {
      CK_ASSIGN_OR_RETURN(std::optional<File> file, OpenOne(i));
      if (!file.has_value()) {
        // Between the two renames of a rotation there is no NAME.
        if (i == 0) continue;
        break;
      }
      // A file met twice has moved to the next name meanwhile.
      rotated = !files.empty() && file->Is(files.back());
      files.push_back(*std::move(file));
    }
    std::reverse(files.begin(), files.end());
    if (!rotated) break;
  }
  return files;
}

absl::Status RotatedLog::Open() {
  CK_ASSIGN_OR_RETURN(files_, OpenAll());
  Skip(0, 0);
  return absl::OkStatus();
}

void RotatedLog::Skip(size_t index, int64_t offset) {
  files_.erase(files_.begin(), files_.begin() + std::min(index, files_.size()));
  offset_ = offset;
  held_ = 0;
  skipping_ = false;
}

absl::StatusOr<int64_t> RotatedLog::EndOfLastLine(size_t index) const {
  const int fd = files_[index].fd.get();
  struct stat st;
  if (fstat(fd, &st) != 0) {
    return SyscallError(errno, kOperation, "fstat", name_);
  }
  std::string block(kBlockBytes, '\0');
  for (int64_t end = st.st_size; end > 0;) {
    const int64_t begin = std::max<int64_t>(0, end - kBlockBytes);
    CK_ASSIGN_OR_RETURN(const size_t got,
                        ReadAt(fd, block.data(), end - begin, begin));
    const size_t newline = absl::string_view(block.data(), got).rfind('\n');
    if (newline != absl::string_view::npos) return begin + newline + 1;
    end = begin;
  }
  return 0;
}

bool RotatedLog::Owns(absl::string_view name) const {
  return absl::StartsWith(name, name_) &&
         (name.size() == name_.size() || name[name_.size()] == '.');
}

absl::StatusOr<bool> RotatedLog::AddNewer() {
  struct stat st;
  if (fstatat(directory_fd_, name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return SyscallError(errno, kOperation, "fstat", name_);
  }
  if (!files_.empty() && st.st_dev == files_.back().device &&
      st.st_ino == files_.back().inode) {
    return false;
  }
  CK_ASSIGN_OR_RETURN(std::vector<File> all, OpenAll());
  // Ours is not among them: rotated away, so all of them are newer.
  size_t next = 0;
  for (size_t i = 0; i < all.size() && !files_.empty(); ++i) {
    if (all[i].Is(files_.back())) next = i + 1;
  }
  if (next == all.size()) return false;
  for (; next < all.size(); ++next) files_.push_back(std::move(all[next]));
  return true;
}

absl::StatusOr<bool> RotatedLog::ReadLines(
    const std::function<bool(absl::string_view)>& sink) {
  for (;;) {
    if (files_.size() <= 1) {
      // Asked before the last look at our file: once there is a newer one,
      // nobody writes to ours.
      CK_RETURN_IF_ERROR(AddNewer().status());
      if (files_.empty()) return true;
    }
    CK_ASSIGN_OR_RETURN(const bool more, ReadFile(sink));
    if (!more) return false;
    if (files_.size() == 1) return true;
    Skip(1, 0);
  }
}

absl::StatusOr<bool> RotatedLog::ReadFile(
    const std::function<bool(absl::string_view)>& sink) {
  const int fd = files_[0].fd.get();
  struct stat st;
  if (fstat(fd, &st) == 0 && st.st_size < offset_) Skip(0, 0);  // truncated
  if (buffer_.empty()) buffer_.resize(kBlockBytes);
  for (;;) {
    CK_ASSIGN_OR_RETURN(
        const size_t got,
        ReadAt(fd, buffer_.data() + held_, buffer_.size() - held_, offset_));
    if (got == 0) return true;
    offset_ += static_cast<int64_t>(got);
    if (!Deliver(got, sink)) return false;
  }
}

// Delivers the whole lines that the `got` new bytes end, keeps the rest.
bool RotatedLog::Deliver(size_t got,
                         const std::function<bool(absl::string_view)>& sink) {
  const char* line = buffer_.data();
  const char* fresh = line + held_;
  const char* const end = fresh + got;
  while (fresh != end) {
    const auto* newline =
        static_cast<const char*>(memchr(fresh, '\n', end - fresh));
    if (newline == nullptr) break;
    if (!skipping_ && !sink(absl::string_view(line, newline - line))) {
      return false;
    }
    skipping_ = false;
    line = fresh = newline + 1;
  }
  held_ = end - line;
  if (skipping_ || held_ > max_line_bytes_) {
    skipping_ = true;
    held_ = 0;
    return true;
  }
  memmove(buffer_.data(), line, held_);
  if (held_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  return true;
}

}  // namespace containerkit::sys
