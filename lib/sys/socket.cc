#include "lib/sys/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {
namespace {

constexpr size_t kMaxFds = 40;

}  // namespace

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    return SyscallError(errno, "socket.pair", "socketpair");
  }
  return std::make_pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

absl::Status SendPacket(int socket, absl::string_view data,
                        std::span<const int> fds) {
  constexpr absl::string_view kOperation = "socket.send";
  if (fds.size() > kMaxFds) {
    return SyscallError(E2BIG, kOperation, "sendmsg", "",
                        Reason::kInvalidArgument);
  }
  iovec iov{const_cast<char*>(data.data()), data.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t n;
  do {
    n = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return absl::OkStatus();
  absl::Status status = SyscallError(errno, kOperation, "sendmsg");
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
    ErrorDetail detail;
    detail.reason = Reason::kSystemCall;
    detail.os_errno = errno;
    detail.operation = std::string(kOperation);
    return MakeError(absl::StatusCode::kUnavailable, status.message(), detail);
  }
  return status;
}

absl::StatusOr<UniqueFd> ConnectInDirectory(int directory,
                                            absl::string_view name) {
  constexpr absl::string_view kOperation = "socket.connect";
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return SyscallError(errno, kOperation, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrCat("/proc/self/fd/", directory, "/", name);
  if (path.size() >= sizeof address.sun_path) {
    return SyscallError(ENAMETOOLONG, kOperation, "connect", path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  int result;
  do {
    result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof address);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return SyscallError(errno, kOperation, "connect", name);
  return fd;
}

}  // namespace containerkit::sys
