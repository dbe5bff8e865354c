// Ties ck's own stdin, stdout, stderr, terminal and signals to a process in a
// container.
#ifndef CONTAINERKIT_EXAMPLES_CLI_STREAMS_H_
#define CONTAINERKIT_EXAMPLES_CLI_STREAMS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "containerkit/cancel.h"
#include "containerkit/container.h"

namespace containerkit::cli {

struct StreamOptions {
  bool tty = false;
  bool stdin_stream = false;
  bool stdout_stream = true;
  bool stderr_stream = true;
  // End of ck's stdin is end of the process's.
  bool close_stdin = true;
  bool sig_proxy = true;
  std::string detach_keys;  // empty: ctrl-p,ctrl-q
  // The terminal's size is already right: Start had it.
  bool sized = false;

  // Whether there is only input: then its end is the session's.
  bool only_stdin() const { return !stdout_stream && !stderr_stream; }
};

// All of a session that can fail is done before there is a container.
class StreamSetup final {
 public:
  // Errors: INVALID_ARGUMENT for bad keys, "the input device is not a TTY".
  static absl::StatusOr<StreamSetup> Make(const StreamOptions& options);

  // From here on the signals of ck are those of the session. To be called
  // before the process is started, so that none is lost.
  void CatchSignals() const;

  // Moves data and signals until the process ends; nullopt: the detach keys
  // were typed, or there was only input and it ended. Cancelling `leave`, an
  // interrupt's token, ends it with CANCELLED.
  absl::StatusOr<std::optional<ExitStatus>> Run(Session session,
                                                const CancelToken& leave = {});

 private:
  StreamSetup(const StreamOptions& options, int signal_fd)
      : options_(options), signal_fd_(signal_fd) {}

  StreamOptions options_;
  int signal_fd_;  // -1: no signal is caught
};

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_STREAMS_H_
