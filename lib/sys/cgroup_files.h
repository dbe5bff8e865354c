// Reading and writing the files of one cgroup directory.
#ifndef CONTAINERKIT_LIB_SYS_CGROUP_FILES_H_
#define CONTAINERKIT_LIB_SYS_CGROUP_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// One directory of a hierarchy, held open, so that a cgroup of the same name
// that somebody makes later is not mistaken for it.
//
// Thread-safe.
class CgroupDir {
 public:
  // Errors: NOT_FOUND; as open(2).
  static absl::StatusOr<CgroupDir> Open(const std::string& path);

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

  // The content of a file.
  // Errors: as open(2) and read(2); NOT_FOUND for a missing file or cgroup.
  absl::StatusOr<std::string> Read(const char* file) const;
  // Replaces a value: one write(2).
  // Errors: as open(2) and write(2), reason kCgroupFailed.
  absl::Status Write(const char* file, absl::string_view value) const;

  // A file with one number; "max", a missing file and nonsense are nullopt.
  std::optional<uint64_t> Number(const char* file) const;

  // Calls `visit` for this directory and all below it, children after their
  // parents; `fd` is borrowed.
  void ForEachGroup(const std::function<void(int fd)>& visit) const;

  // Pids of cgroup.procs here and below, sorted.
  std::vector<pid_t> Processes() const;

  // rmdir of all below and of itself; tries until `deadline` while busy.
  // Errors: FAILED_PRECONDITION / kCgroupFailed when it stays busy.
  absl::Status Remove(absl::Time deadline) const;

 private:
  CgroupDir(UniqueFd fd, std::string path);
  UniqueFd fd_;
  std::string path_;
};

// The number after "KEY " in text of lines "KEY NUMBER"; 0 if there is none.
uint64_t KeyedNumber(absl::string_view text, absl::string_view key);

// Sends SIGKILL to each, but never to this process, nor to 0 or below.
void KillPids(const std::vector<pid_t>& pids);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_CGROUP_FILES_H_
