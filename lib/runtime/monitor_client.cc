#include "lib/runtime/monitor_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/attach_stream.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/runtime/plan.h"
#include "lib/sys/memfd.h"
#include "lib/sys/socket.h"

namespace containerkit::runtime {
namespace {

constexpr absl::string_view kOperation = "monitor.call";
constexpr absl::Duration kPatience = absl::Seconds(10);

Command MakeCommand(CommandType type) {
  Command command{};
  command.magic = kMonitorMagic;
  command.type = type;
  return command;
}

absl::Status Lost() {
  ErrorDetail detail;
  detail.reason = Reason::kMonitorLost;
  detail.operation = std::string(kOperation);
  return MakeError(absl::StatusCode::kUnavailable, "monitor is gone", detail);
}

absl::Status AckStatus(const Ack& ack) {
  if (ack.os_errno == 0) return absl::OkStatus();
  if (ack.os_errno == ESRCH) {
    return FailedPrecondition(Reason::kNotRunning, kOperation,
                              "container is not running");
  }
  if (ack.os_errno == ENOTTY) {
    return FailedPrecondition(Reason::kUnsupportedOption, kOperation,
                              "container has no terminal");
  }
  return SyscallError(ack.os_errno, kOperation, "monitor");
}

// One answer of at least `size` bytes; how many came.
absl::StatusOr<size_t> Receive(int socket, void* data, size_t size) {
  for (;;) {
    CK_RETURN_IF_ERROR(WaitForFd(socket, POLLIN, absl::Now() + kPatience));
    const ssize_t n = recv(socket, data, size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return Lost();
    return static_cast<size_t>(n);
  }
}

}  // namespace

absl::StatusOr<UniqueFd> MonitorClient::Connect() const {
  absl::StatusOr<UniqueFd> socket =
      sys::ConnectInDirectory(directory_.get(), "monitor.sock");
  if (socket.ok()) return socket;
  const auto detail = GetErrorDetail(socket.status());
  const int error = detail.has_value() ? detail->os_errno : 0;
  if (error == ENOENT || error == ECONNREFUSED) {
    return FailedPrecondition(Reason::kNotRunning, kOperation,
                              "container has no monitor");
  }
  return socket;
}

absl::StatusOr<UniqueFd> MonitorClient::Send(
    const Command& command, const std::vector<int>& fds) const {
  CK_ASSIGN_OR_RETURN(UniqueFd socket, Connect());
  const absl::Status sent =
      sys::SendPacket(socket.get(),
                      absl::string_view(reinterpret_cast<const char*>(&command),
                                        sizeof command),
                      fds);
  if (absl::IsUnavailable(sent)) return Lost();
  CK_RETURN_IF_ERROR(sent);
  return socket;
}

absl::Status MonitorClient::Call(const Command& command) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd socket, Send(command, {}));
  Ack ack{};
  CK_ASSIGN_OR_RETURN(const size_t size,
                      Receive(socket.get(), &ack, sizeof ack));
  if (size < sizeof ack || ack.magic != kMonitorMagic) return Lost();
  return AckStatus(ack);
}

absl::StatusOr<EventStream> MonitorClient::Watch(int32_t pid) const {
  Command command = MakeCommand(CommandType::kWatch);
  command.pid = pid;
  CK_ASSIGN_OR_RETURN(UniqueFd socket, Send(command, {}));
  return EventStream(std::move(socket));
}

absl::StatusOr<AttachStream> MonitorClient::Attach(
    uint32_t attach_flags) const {
  Command command = MakeCommand(CommandType::kAttach);
  command.flags = attach_flags;
  CK_ASSIGN_OR_RETURN(UniqueFd socket, Send(command, {}));
  return AttachStream(std::move(socket));
}

absl::StatusOr<AttachStream> MonitorClient::Exec(const ExecSpec& spec) const {
  Command command = MakeCommand(CommandType::kExec);
  command.flags = spec.flags;
  command.rows = spec.rows;
  command.columns = spec.columns;
  command.extra_fds = static_cast<uint32_t>(spec.extra_fds.size());
  if (spec.plan == nullptr ||
      spec.extra_fds.size() > static_cast<size_t>(kMaxRequestFds)) {
    return InvalidArgument(Reason::kInvalidArgument, kOperation,
                           "no plan, or too many descriptors");
  }
  CK_ASSIGN_OR_RETURN(const UniqueFd plan,
                      sys::MakeSealedMemfd("ck-plan", spec.plan->Encode(),
                                           sys::MemfdUse::kData));
  std::vector<int> fds = {plan.get()};
  command.fds = kFdPlan;
  const auto add = [&](RequestFd bit, int fd) {
    if (fd < 0) return;
    command.fds |= bit;
    fds.push_back(fd);
  };
  add(kFdStdin, spec.stdin_fd);
  add(kFdStdout, spec.stdout_fd);
  add(kFdStderr, spec.stderr_fd);
  fds.insert(fds.end(), spec.extra_fds.begin(), spec.extra_fds.end());
  CK_ASSIGN_OR_RETURN(UniqueFd socket, Send(command, fds));
  return AttachStream(std::move(socket));
}

absl::Status MonitorClient::Signal(int signal, int32_t pid) const {
  Command command = MakeCommand(CommandType::kSignal);
  command.pid = pid;
  command.signal = signal;
  return Call(command);
}

absl::Status MonitorClient::Stop(int signal, absl::Duration timeout) const {
  Command command = MakeCommand(CommandType::kStop);
  command.signal = signal;
  command.timeout_ns = timeout == absl::InfiniteDuration()
                           ? -1
                           : absl::ToInt64Nanoseconds(timeout);
  return Call(command);
}

absl::Status MonitorClient::Resize(uint32_t rows, uint32_t columns,
                                   int32_t pid) const {
  Command command = MakeCommand(CommandType::kResize);
  command.pid = pid;
  command.rows = rows;
  command.columns = columns;
  return Call(command);
}

absl::Status MonitorClient::UpdateRestart(RestartPolicy policy,
                                          uint32_t max) const {
  Command command = MakeCommand(CommandType::kUpdate);
  command.restart_policy = policy;
  command.restart_max = max;
  return Call(command);
}

}  // namespace containerkit::runtime
