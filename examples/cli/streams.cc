#include "examples/cli/streams.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "examples/cli/detach_keys.h"
#include "examples/cli/output.h"
#include "examples/cli/signals.h"
#include "examples/cli/status_util.h"
#include "examples/cli/terminal.h"

namespace containerkit::cli {
namespace {

constexpr size_t kChunkBytes = 32 << 10;

// What the threads share. A thread that is stuck in a write to a process that
// does not read may outlive the session by a moment, so it owns this too.
struct Pumps {
  Pumps(Session s, const StreamOptions& o, DetachKeys k, const CancelToken& l)
      : session(std::move(s)), options(o), keys(std::move(k)), leave(l) {}

  Session session;
  StreamOptions options;
  DetachKeys keys;
  CancelToken leave;     // ends Read()
  CancelToken finished;  // ends the threads
};

// Waits for `fd`; false: the session is over.
bool WaitReadable(int fd, const CancelToken& finished) {
  pollfd fds[] = {{.fd = fd, .events = POLLIN},
                  {.fd = finished.fd(), .events = POLLIN}};
  while (poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0;
}

void PumpStdin(Pumps& pumps) {
  char buffer[kChunkBytes];
  while (WaitReadable(STDIN_FILENO, pumps.finished)) {
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) {
      if (pumps.options.close_stdin) pumps.session.CloseStdin().IgnoreError();
      if (pumps.options.only_stdin()) pumps.leave.Cancel();
      return;
    }
    const absl::string_view typed(buffer, static_cast<size_t>(count));
    std::string data;
    bool detach = false;
    if (pumps.options.tty) {
      detach = pumps.keys.Feed(typed, &data);
    }
    const absl::Status status =
        pumps.session.Write(pumps.options.tty ? data : typed);
    if (detach) pumps.leave.Cancel();
    if (detach || !status.ok()) return;
  }
}

void Resize(Pumps& pumps) {
  const TerminalSize size = GetTerminalSize(STDIN_FILENO);
  if (size.rows == 0 && size.columns == 0) return;
  // It may just have ended; Read() tells.
  pumps.session.Resize(size.rows, size.columns).IgnoreError();
}

// A program that has drawn its screen draws it again only for a new size.
void ResizeForRedraw(Pumps& pumps) {
  const TerminalSize size = GetTerminalSize(STDIN_FILENO);
  if (size.rows == 0 || size.columns == 0) return;
  pumps.session
      .Resize(static_cast<uint16_t>(size.rows + 1),
              static_cast<uint16_t>(size.columns + 1))
      .IgnoreError();
  Resize(pumps);
}

void PumpSignals(Pumps& pumps, int signal_fd) {
  while (WaitReadable(signal_fd, pumps.finished)) {
    unsigned char signals[64];
    const ssize_t count = read(signal_fd, signals, sizeof(signals));
    for (ssize_t i = 0; i < count; ++i) {
      if (signals[i] == SIGWINCH && pumps.options.tty) {
        Resize(pumps);
      } else {
        pumps.session.Signal(signals[i]).IgnoreError();
      }
    }
  }
}

// A thread that is waited for only so long.
class Pump final {
 public:
  template <typename Body>
  Pump(std::shared_ptr<Pumps> pumps, Body body)
      : done_(std::make_shared<absl::Notification>()),
        thread_([pumps = std::move(pumps), body, done = done_] {
          body(*pumps);
          done->Notify();
        }) {}
  Pump(Pump&&) = default;
  ~Pump() {
    if (!thread_.joinable()) return;
    if (done_->WaitForNotificationWithTimeout(absl::Milliseconds(500))) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

 private:
  std::shared_ptr<absl::Notification> done_;
  std::thread thread_;
};

void Deliver(const StreamOptions& options, const Output& output) {
  const bool is_error = output.stream == Output::Stream::kStderr;
  if (is_error ? !options.stderr_stream : !options.stdout_stream) return;
  if (is_error) {
    PrintErr(output.data);
  } else {
    Print(output.data);
  }
}

}  // namespace

absl::StatusOr<StreamSetup> StreamSetup::Make(const StreamOptions& options) {
  CLI_RETURN_IF_ERROR(DetachKeys::Parse(options.detach_keys).status());
  if (options.tty && options.stdin_stream && !isatty(STDIN_FILENO)) {
    return absl::InvalidArgumentError("the input device is not a TTY");
  }
  int signal_fd = -1;
  if (options.sig_proxy || options.tty) {
    CLI_ASSIGN_OR_RETURN(signal_fd, OpenSignalPipe());
  }
  return StreamSetup(options, signal_fd);
}

void StreamSetup::CatchSignals() const {
  if (signal_fd_ >= 0) cli::CatchSignals(/*all=*/options_.sig_proxy);
}

absl::StatusOr<std::optional<ExitStatus>> StreamSetup::Run(
    Session session, const CancelToken& leave) {
  CLI_ASSIGN_OR_RETURN(DetachKeys keys,
                       DetachKeys::Parse(options_.detach_keys));
  const auto pumps = std::make_shared<Pumps>(std::move(session), options_,
                                             std::move(keys), leave);
  std::optional<RawMode> raw;
  if (options_.tty && options_.stdin_stream) raw.emplace(STDIN_FILENO);
  if (options_.tty && !options_.sized) ResizeForRedraw(*pumps);

  absl::StatusOr<ExitStatus> exit = absl::UnknownError("not read");
  {
    std::optional<Pump> input;
    std::optional<Pump> signals;
    if (signal_fd_ >= 0) {
      signals.emplace(pumps,
                      [fd = signal_fd_](Pumps& p) { PumpSignals(p, fd); });
    }
    if (options_.stdin_stream) input.emplace(pumps, PumpStdin);
    exit = pumps->session.Read(
        [this](const Output& output) { Deliver(options_, output); },
        pumps->leave);
    pumps->finished.Cancel();
  }
  if (exit.ok()) return *exit;
  if (absl::IsCancelled(exit.status()) && InterruptExitCode() == 0) {
    return std::nullopt;
  }
  return exit.status();
}

}  // namespace containerkit::cli
