// DirectoryWatch: waits until a file in a directory changes.
#ifndef CONTAINERKIT_LIB_SYS_DIRECTORY_WATCH_H_
#define CONTAINERKIT_LIB_SYS_DIRECTORY_WATCH_H_

#include <functional>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// inotify(7) on one directory. Where the user has no inotify instance left
// (Linux gives 128), it waits in steps of 50 ms instead.
//
// Move-only; one thread at a time.
class DirectoryWatch {
 public:
  // `dir_fd` (O_PATH will do) is only used during the call. Whoever watches
  // and then looks at the files misses no change.
  static DirectoryWatch Create(int dir_fd) noexcept;

  // Waits until a file whose name `relevant` accepts was written, made or
  // renamed into the directory, at most `timeout`, or until one of the
  // descriptors is readable or hung up (-1: none). May return early.
  void Wait(absl::Duration timeout, int wake_fd, int other_fd,
            const std::function<bool(absl::string_view)>& relevant);

 private:
  explicit DirectoryWatch(UniqueFd fd) : fd_(std::move(fd)) {}
  // Takes what has happened; true if some of it is relevant.
  bool Drain(const std::function<bool(absl::string_view)>& relevant);

  UniqueFd fd_;  // not ok(): polling
};

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_DIRECTORY_WATCH_H_
