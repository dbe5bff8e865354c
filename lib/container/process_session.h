// The streams of a container's first process or of an exec, as the public
// Session offers them.
#ifndef CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_
#define CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "containerkit/container.h"
#include "lib/runtime/attach_stream.h"

namespace containerkit::container {

// Threads as in Session (include/containerkit/container.h).
class ProcessSession {
 public:
  // pid: of the process that the stream belongs to, in the host's namespace.
  ProcessSession(runtime::AttachStream stream, int32_t pid)
      : stream_(std::move(stream)), pid_(pid) {}

  absl::Status Write(absl::string_view data);
  absl::Status CloseStdin() { return stream_.CloseStdin(); }
  absl::StatusOr<ExitStatus> Read(
      const std::function<void(const Output&)>& sink,
      const CancelToken& cancel);
  absl::Status Resize(uint16_t rows, uint16_t columns) {
    return stream_.Resize(rows, columns);
  }
  absl::Status Signal(int signal) { return stream_.Signal(signal); }
  int32_t pid() const { return pid_; }
  int fd() const { return stream_.fd(); }

 private:
  runtime::AttachStream stream_;
  int32_t pid_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_PROCESS_SESSION_H_
