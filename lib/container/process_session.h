// The streams of a container's first process or of an exec, as the public
// Session offers them.
#ifndef CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_
#define CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "containerkit/container.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/attach_stream.h"
#include "lib/runtime/monitor_client.h"

namespace containerkit::container {

// What whoever made a session wants to hear of it; each may be empty. Called on
// the thread that the session is used or destroyed by, without a lock.
struct SessionObserver {
  std::function<void(uint16_t rows, uint16_t columns)> resized;
  // Once, if the process ends before the session goes.
  std::function<void(int exit_code)> ended;
  // The session goes and the process goes on. Of an exec'd process: its events
  // from now on.
  std::function<void(runtime::EventStream events)> left;
};

// Threads as in Session (include/containerkit/container.h).
class ProcessSession {
 public:
  enum class Of { kContainer, kExec };

  // pid: of the process that the stream belongs to, in the host's namespace.
  // monitor: for what must not wait behind unread input.
  ProcessSession(Of of, runtime::AttachStream stream,
                 runtime::MonitorClient monitor, int32_t pid,
                 SessionObserver observer);
  ~ProcessSession();
  ProcessSession(const ProcessSession&) = delete;
  ProcessSession& operator=(const ProcessSession&) = delete;

  absl::Status Write(absl::string_view data, const CancelToken& cancel);
  absl::Status CloseStdin();
  absl::StatusOr<ExitStatus> Read(
      const std::function<void(const Output&)>& sink,
      const CancelToken& cancel);
  absl::Status Resize(uint16_t rows, uint16_t columns);
  absl::Status Signal(int signal);
  int32_t pid() const { return pid_; }
  int fd() const { return stream_.fd(); }

 private:
  // What a command was answered; kNotRunning once the process has ended,
  // whether Read() has told so or the stream has closed.
  absl::Status UnlessEnded(const absl::Status& status,
                           absl::string_view operation) const;
  // Whether the stream has closed: in the container's directory another
  // monitor may be at work by now.
  bool HasEnded() const;
  // Tells that the process goes on without this session; false if it has ended.
  bool Leave();
  // Tells of an end that nobody has read.
  void TakeEnd();

  const pid_t owner_;
  const SessionObserver observer_;
  runtime::AttachStream stream_;
  runtime::MonitorClient monitor_;
  int32_t pid_;
  int32_t target_;  // as MonitorClient names it
  std::atomic<bool> ended_{false};
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_
