#include "lib/container/process_session.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace containerkit::container {

absl::Status ProcessSession::Write(absl::string_view data) {
  absl::Status status = stream_.Write(data);
  if (GetReason(status) != Reason::kMonitorLost) return status;
  return FailedPrecondition(Reason::kNotRunning, "container.write_stdin",
                            "the process has ended");
}

absl::StatusOr<ExitStatus> ProcessSession::Read(
    const std::function<void(const Output&)>& sink, const CancelToken& cancel) {
  while (true) {
    CK_ASSIGN_OR_RETURN(const runtime::AttachPacket packet,
                        stream_.Read(absl::InfiniteFuture(), cancel.fd()));
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
