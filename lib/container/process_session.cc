#include "lib/container/process_session.h"

#include <poll.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace containerkit::container {

namespace {

absl::Status EndedError(absl::string_view operation) {
  return FailedPrecondition(Reason::kNotRunning, operation,
                            "the process has ended");
}

}  // namespace

absl::Status ProcessSession::UnlessEnded(const absl::Status& status,
                                         absl::string_view operation) const {
  if (!ended_.load() && GetReason(status) != Reason::kMonitorLost) {
    return status;
  }
  return EndedError(operation);
}

bool ProcessSession::HasEnded() const {
  pollfd stream = {.fd = stream_.fd(), .events = POLLRDHUP, .revents = 0};
  return ended_.load() || (poll(&stream, 1, 0) > 0 &&
                           (stream.revents & (POLLHUP | POLLRDHUP)) != 0);
}

absl::Status ProcessSession::Write(absl::string_view data,
                                   const CancelToken& cancel) {
  return UnlessEnded(stream_.Write(data, absl::InfiniteFuture(), &cancel),
                     "container.write_stdin");
}

absl::Status ProcessSession::CloseStdin() {
  return UnlessEnded(stream_.CloseStdin(), "container.close_stdin");
}

absl::Status ProcessSession::Resize(uint16_t rows, uint16_t columns) {
  constexpr absl::string_view kResize = "container.resize";
  if (HasEnded()) return EndedError(kResize);
  return UnlessEnded(monitor_.Resize(rows, columns, target_), kResize);
}

absl::Status ProcessSession::Signal(int signal) {
  constexpr absl::string_view kSignal = "container.signal";
  if (HasEnded()) return EndedError(kSignal);
  return UnlessEnded(monitor_.Signal(signal, target_), kSignal);
}

absl::StatusOr<ExitStatus> ProcessSession::Read(
    const std::function<void(const Output&)>& sink, const CancelToken& cancel) {
  while (true) {
    CK_ASSIGN_OR_RETURN(const runtime::AttachPacket packet,
                        stream_.Read(absl::InfiniteFuture(), &cancel));
    switch (packet.stream) {
      case runtime::Stream::kStdout:
      case runtime::Stream::kStderr:
        sink(Output{.stream = packet.stream == runtime::Stream::kStdout
                                  ? Output::Stream::kStdout
                                  : Output::Stream::kStderr,
                    .data = packet.data,
                    .time = absl::Now()});
        break;
      case runtime::Stream::kEvent:
        if (packet.event.type == runtime::EventType::kExited) {
          ended_.store(true);
          return ExitStatus{
              .code = packet.event.exit_code,
              .oom_killed = (packet.event.flags & runtime::kEventOom) != 0};
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace containerkit::container
