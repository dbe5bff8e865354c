#include "lib/container/process_session.h"

#include <poll.h>
#include <unistd.h>

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace containerkit::container {

namespace {

absl::Status EndedError(absl::string_view operation) {
  return FailedPrecondition(Reason::kNotRunning, operation,
                            "the process has ended");
}

constexpr absl::Duration kMonitorPatience = absl::Seconds(10);

}  // namespace

ProcessSession::ProcessSession(Of of, runtime::AttachStream stream,
                               runtime::MonitorClient monitor, int32_t pid,
                               SessionObserver observer)
    : owner_(getpid()),
      observer_(std::move(observer)),
      stream_(std::move(stream)),
      monitor_(std::move(monitor)),
      pid_(pid),
      target_(of == Of::kExec ? pid : 0) {}

ProcessSession::~ProcessSession() {
  // A forked child's copy has a socket that the parent reads from.
  if (ended_.load() || getpid() != owner_) return;
  if (HasEnded() || !Leave()) TakeEnd();
}

bool ProcessSession::Leave() {
  if (observer_.left == nullptr) return true;
  runtime::EventStream events;
  if (target_ != 0) {
    absl::StatusOr<runtime::EventStream> watched = monitor_.Watch(target_);
    // The first event says that no other one will be missed.
    if (!watched.ok() || !watched->Next(absl::Now() + kMonitorPatience).ok()) {
      return false;
    }
    events = *std::move(watched);
  }
  observer_.left(std::move(events));
  return true;
}

void ProcessSession::TakeEnd() {
  if (observer_.ended == nullptr) return;
  absl::StatusOr<runtime::AttachPacket> packet;
  do {
    packet = stream_.Read(absl::InfinitePast());
    if (!packet.ok()) return;
  } while (packet->stream != runtime::Stream::kEvent ||
           packet->event.type != runtime::EventType::kExited);
  observer_.ended(packet->event.exit_code);
}

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
  CK_RETURN_IF_ERROR(
      UnlessEnded(monitor_.Resize(rows, columns, target_), kResize));
  if (observer_.resized != nullptr) observer_.resized(rows, columns);
  return absl::OkStatus();
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
          if (observer_.ended != nullptr) {
            observer_.ended(packet.event.exit_code);
          }
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
