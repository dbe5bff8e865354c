// RotatedLog: reads the lines of a log file that others append to and rotate.
#ifndef CONTAINERKIT_LIB_SYS_ROTATED_LOG_H_
#define CONTAINERKIT_LIB_SYS_ROTATED_LOG_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// A log NAME with its predecessors NAME.1 (newest), NAME.2, ... in one
// directory. Writers append whole lines to NAME; a rotation renames NAME.1 to
// NAME.2, NAME to NAME.1, and makes a new NAME. Nobody writes to a file once
// there is a newer one.
//
// The files are held open, so nothing that was there at Open() is lost by
// rotation; what is rotated away completely between two calls of ReadLines()
// is. A last line without newline waits until it is whole.
//
// One thread at a time. Errors of all methods: as open(2), fstat(2), read(2).
class RotatedLog {
 public:
  // `directory_fd` (O_PATH will do) is borrowed for the object's life. Lines
  // above `max_line_bytes` are left out.
  RotatedLog(int directory_fd, std::string name, size_t max_line_bytes)
      : directory_fd_(directory_fd),
        name_(std::move(name)),
        max_line_bytes_(max_line_bytes) {}

  struct File {
    UniqueFd fd;
    dev_t device = 0;
    ino_t inode = 0;

    bool Is(const File& other) const {
      return device == other.device && inode == other.inode;
    }
  };

  // Opens what there is, to be read from the start; a missing log is an empty
  // one.
  absl::Status Open();

  // What is yet to be read, oldest first. Empty: no file.
  const std::vector<File>& files() const { return files_; }
  // Starts in files()[index] at `offset`; forgets the older ones.
  void Skip(size_t index, int64_t offset);
  // Where the last whole line of files()[index] ends.
  absl::StatusOr<int64_t> EndOfLastLine(size_t index) const;

  // Gives every whole line, without its newline, to `sink` until the newest
  // file ends; calls again go on there. False as soon as `sink` is false.
  absl::StatusOr<bool> ReadLines(
      const std::function<bool(absl::string_view)>& sink);

  // Whether a file name of the directory is one of this log.
  bool Owns(absl::string_view name) const;

 private:
  absl::StatusOr<std::optional<File>> OpenOne(int index) const;
  absl::StatusOr<std::vector<File>> OpenAll() const;
  // Adds the files that are newer than the last one; false if none is.
  absl::StatusOr<bool> AddNewer();
  // As ReadLines(), to the end of the oldest file.
  absl::StatusOr<bool> ReadFile(
      const std::function<bool(absl::string_view)>& sink);
  bool Deliver(size_t got, const std::function<bool(absl::string_view)>& sink);

  int directory_fd_;
  std::string name_;
  size_t max_line_bytes_;
  std::vector<File> files_;
  int64_t offset_ = 0;  // in files_[0], behind what is in buffer_
  std::string buffer_;
  size_t held_ = 0;        // bytes of an unfinished line in buffer_
  bool skipping_ = false;  // inside a line that is too long
};

// pread(2), retried on EINTR; short only at the end.
absl::StatusOr<size_t> ReadAt(int fd, char* buffer, size_t size,
                              int64_t offset);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_ROTATED_LOG_H_
