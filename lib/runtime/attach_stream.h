// AttachStream: the standard streams of a container or of an exec'd process,
// as one attached client sees them.
#ifndef CONTAINERKIT_LIB_RUNTIME_ATTACH_STREAM_H_
#define CONTAINERKIT_LIB_RUNTIME_ATTACH_STREAM_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime {

// One packet of an attached stream.
struct AttachPacket {
  Stream stream = Stream::kStdout;
  std::string data;  // kStdout, kStderr: bytes as the process wrote them
  Event event{};     // kEvent: kStarted, kFailed, kExited, ...
};

// Owns its socket; closing it detaches and leaves the process running.
// Thread-safe for one reader and one writer at a time.
class AttachStream {
 public:
  AttachStream() = default;
  explicit AttachStream(UniqueFd socket) : socket_(std::move(socket)) {}

  bool ok() const { return socket_.ok(); }
  // For poll(2): readable when Read() will not block.
  int fd() const { return socket_.get(); }

  // The next packet. The last ones of a process are the rest of its output
  // and then the event kExited.
  //
  // Errors: as WaitForFd(); UNAVAILABLE / kMonitorLost at the stream's end.
  absl::StatusOr<AttachPacket> Read(absl::Time deadline,
                                    const CancelToken* cancel = nullptr);

  // Writes to the process's stdin; waits for as long as the process does not
  // read.
  //
  // Errors: as WaitForFd(), with part of `data` written; UNAVAILABLE /
  //   kMonitorLost when the process or the monitor is gone.
  absl::Status Write(absl::string_view data,
                     absl::Time deadline = absl::InfiniteFuture(),
                     const CancelToken* cancel = nullptr);

  // The end of stdin. Ignored for a terminal.
  absl::Status CloseStdin();

 private:
  absl::Status Send(Stream stream, absl::string_view payload,
                    absl::Time deadline, const CancelToken* cancel = nullptr);

  UniqueFd socket_;
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_ATTACH_STREAM_H_
