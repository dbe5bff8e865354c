#include "lib/runtime/attach_stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/runtime/attach_events.h"

namespace containerkit::runtime {
namespace {

constexpr absl::string_view kOperation = "monitor.attach";
// Less than the protocol's maximum: it must fit into a socket's buffer.
constexpr size_t kMostAtOnce = 32 * 1024;

// Worth another try. A peer that closed with unread input of ours resets the
// connection, which is told once; what it sent before is still there.
bool IsPassing(int error) {
  return error == EAGAIN || error == EINTR || error == ECONNRESET;
}

absl::Status Lost() {
  ErrorDetail detail;
  detail.reason = Reason::kMonitorLost;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kUnavailable, "stream has ended", detail);
}

}  // namespace

absl::StatusOr<AttachPacket> AttachStream::Read(absl::Time deadline,
                                                const CancelToken* cancel) {
  for (;;) {
    CK_RETURN_IF_ERROR(WaitForFd(socket_.get(), POLLIN, deadline, cancel));
    StreamHeader header;
    const ssize_t size =
        recv(socket_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (size < 0 && IsPassing(errno)) continue;
    if (size <= 0) return Lost();
    std::string data(static_cast<size_t>(size), '\0');
    const ssize_t n =
        recv(socket_.get(), data.data(), data.size(), MSG_DONTWAIT);
    if (n < 0 && IsPassing(errno)) continue;
    if (n < static_cast<ssize_t>(sizeof header)) return Lost();
    std::memcpy(&header, data.data(), sizeof header);
    AttachPacket packet;
    packet.stream = header.stream;
    if (header.stream == Stream::kEvent) {
      if (static_cast<size_t>(n) < sizeof header + sizeof packet.event) {
        continue;
      }
      std::memcpy(&packet.event, data.data() + sizeof header,
                  sizeof packet.event);
    } else {
      data.erase(0, sizeof header);
      packet.data = std::move(data);
    }
    return packet;
  }
}

absl::Status AttachStream::Send(Stream stream, absl::string_view payload,
                                absl::Time deadline,
                                const CancelToken* cancel) {
  StreamHeader header{};
  header.stream = stream;
  header.size = static_cast<uint32_t>(payload.size());
  iovec iov[2] = {{&header, sizeof header},
                  {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = 2;
  for (;;) {
    const ssize_t n =
        sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Lost();
    CK_RETURN_IF_ERROR(WaitForFd(socket_.get(), POLLOUT, deadline, cancel));
  }
}

absl::Status AttachStream::Write(absl::string_view data, absl::Time deadline,
                                 const CancelToken* cancel) {
  while (!data.empty()) {
    const absl::string_view piece = data.substr(0, kMostAtOnce);
    CK_RETURN_IF_ERROR(Send(Stream::kStdin, piece, deadline, cancel));
    data.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::Status AttachStream::CloseStdin() {
  return Send(Stream::kStdin, "", absl::InfiniteFuture());
}

}  // namespace containerkit::runtime
