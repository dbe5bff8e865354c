// UniqueFd: sole owner of a file descriptor.
#ifndef CONTAINERKIT_LIB_BASE_UNIQUE_FD_H_
#define CONTAINERKIT_LIB_BASE_UNIQUE_FD_H_

#include <errno.h>
#include <unistd.h>

#include <utility>

namespace containerkit {

// Owns a descriptor and closes it once; errno survives the close. An `int`
// parameter borrows, a UniqueFd by value takes. Every descriptor that the
// library makes is O_CLOEXEC. close is never retried: Linux frees the number
// even when it reports EINTR (close(2)).
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old < 0) return;
    const int saved = errno;
    close(old);
    errno = saved;
  }

 private:
  int fd_ = -1;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_UNIQUE_FD_H_
