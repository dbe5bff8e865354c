#include "lib/container/process_session.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace containerkit::container {

absl::Status ProcessSession::UnlessEnded(const absl::Status& status,
                                         absl::string_view operation) const {
  if (!ended_.load() && GetReason(status) != Reason::kMonitorLost) {
    return status;
  }
  return FailedPrecondition(Reason::kNotRunning, operation,
                            "the process has ended");
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
  return UnlessEnded(monitor_.Resize(rows, columns, target_),
                     "container.resize");
}

absl::Status ProcessSession::Signal(int signal) {
  return UnlessEnded(monitor_.Signal(signal, target_), "container.signal");
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
