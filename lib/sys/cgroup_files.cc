#include "lib/sys/cgroup_files.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

constexpr size_t kMaxFileBytes = 16 << 20;
constexpr int kDeepest = 32;
constexpr char kOperation[] = "cgroup.access";

absl::Status Failed(int os_errno, absl::string_view call,
                    const std::string& path) {
  return SyscallError(os_errno, kOperation, call, path, Reason::kCgroupFailed);
}

std::vector<std::string> Subdirectories(int fd) {
  absl::StatusOr<std::vector<std::string>> names = ListDirAt(fd, ".");
  if (!names.ok()) return {};
  // Everything else in a cgroup directory has a dot in its name, or is a file
  // that opens as no directory.
  return *std::move(names);
}

UniqueFd OpenDirAt(int fd, const std::string& name) {
  return UniqueFd(openat(fd, name.c_str(),
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void Walk(int fd, int depth, const std::function<void(int)>& visit) {
  visit(fd);
  if (depth == kDeepest) return;
  for (const std::string& name : Subdirectories(fd)) {
    const UniqueFd child = OpenDirAt(fd, name);
    if (child.ok()) Walk(child.get(), depth + 1, visit);
  }
}

void RemoveBelow(int fd, int depth) {
  if (depth == kDeepest) return;
  for (const std::string& name : Subdirectories(fd)) {
    const UniqueFd child = OpenDirAt(fd, name);
    if (!child.ok()) continue;
    RemoveBelow(child.get(), depth + 1);
    unlinkat(fd, name.c_str(), AT_REMOVEDIR);
  }
}

void AddPids(int fd, std::vector<pid_t>& pids) {
  const absl::StatusOr<std::string> text =
      ReadFileAt(fd, "cgroup.procs", kMaxFileBytes);
  if (!text.ok()) return;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    pid_t pid = 0;
    // 0 stands for a process outside our pid namespace.
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
  }
}

}  // namespace

CgroupDir::CgroupDir(UniqueFd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)) {}

absl::StatusOr<CgroupDir> CgroupDir::Open(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return Failed(errno, "open", path);
  return CgroupDir(std::move(fd), path);
}

absl::StatusOr<std::string> CgroupDir::Read(const char* file) const {
  return ReadFileAt(fd_.get(), file, kMaxFileBytes);
}

absl::Status CgroupDir::Write(const char* file, absl::string_view value) const {
  const std::string path = absl::StrCat(path_, "/", file);
  const UniqueFd fd(openat(fd_.get(), file, O_WRONLY | O_CLOEXEC));
  if (!fd.ok()) return Failed(errno, "open", path);
  ssize_t written;
  do {
    written = write(fd.get(), value.data(), value.size());
  } while (written < 0 && errno == EINTR);
  return written < 0 ? Failed(errno, "write", path) : absl::OkStatus();
}

std::optional<uint64_t> CgroupDir::Number(const char* file) const {
  const absl::StatusOr<std::string> text = Read(file);
  uint64_t value = 0;
  if (!text.ok() ||
      !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &value)) {
    return std::nullopt;
  }
  return value;
}

void CgroupDir::ForEachGroup(const std::function<void(int fd)>& visit) const {
  Walk(fd_.get(), 0, visit);
}

std::vector<pid_t> CgroupDir::Processes() const {
  std::vector<pid_t> pids;
  ForEachGroup([&](int fd) { AddPids(fd, pids); });
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

absl::Status CgroupDir::Remove(absl::Time deadline) const {
  absl::Duration pause = absl::Microseconds(100);
  for (;;) {
    if (rmdir(path_.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    const int rmdir_errno = errno;
    if (rmdir_errno != EBUSY && rmdir_errno != ENOTEMPTY) {
      return Failed(rmdir_errno, "rmdir", path_);
    }
    RemoveBelow(fd_.get(), 0);
    if (absl::Now() > deadline) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("cgroup ", path_, " is still in use"),
                       {.reason = Reason::kCgroupFailed,
                        .os_errno = rmdir_errno,
                        .operation = "cgroup.remove",
                        .path = path_});
    }
    // Nothing tells when the last reference is gone.
    absl::SleepFor(pause);
    pause = std::min(pause * 2, absl::Milliseconds(20));
  }
}

uint64_t KeyedNumber(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, key) || !absl::ConsumePrefix(&line, " ")) {
      continue;
    }
    uint64_t value = 0;
    return absl::SimpleAtoi(line, &value) ? value : 0;
  }
  return 0;
}

void KillPids(const std::vector<pid_t>& pids) {
  const pid_t self = getpid();
  for (const pid_t pid : pids) {
    if (pid > 0 && pid != self) kill(pid, SIGKILL);
  }
}

}  // namespace containerkit::sys
