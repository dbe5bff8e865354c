// Terminals of ck-oci: the console socket, and the relay between the caller's
// terminal and the container's.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_TERMINAL_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_TERMINAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace containerkit::container {

// Connects to the unix socket at `path`, of any length.
//
// Errors: as connect(2), with kConsoleSocketFailed.
absl::StatusOr<UniqueFd> ConnectConsoleSocket(const std::string& path);

// A pair of connected sockets that stands for a console socket of our own.
struct ConsolePair {
  UniqueFd ours;
  UniqueFd theirs;
};
absl::StatusOr<ConsolePair> MakeConsolePair();

// Receives the pty's master from `socket`.
//
// Errors: as recvmsg(2); UNAVAILABLE / kConsoleSocketFailed when none came.
absl::StatusOr<UniqueFd> ReceiveTerminal(int socket);

struct TerminalSize {
  uint16_t rows = 0;
  uint16_t columns = 0;
};
// Of the terminal at `fd`; nullopt if it is none.
std::optional<TerminalSize> ReadTerminalSize(int fd);
void WriteTerminalSize(int fd, TerminalSize size);

// A foreground process, as RelayProcess() sees it. Descriptors are borrowed;
// -1: absent.
struct ForegroundProcess {
  int master = -1;     // its pty, relayed to descriptors 0 and 1
  int events_fd = -1;  // readable when on_event should look
  int signal_fd = -1;  // signalfd(2)
  // Reads one event. True: the process has ended.
  std::function<absl::StatusOr<bool>()> on_event;
  // Sends a signal to it.
  std::function<void(int signal)> on_signal;
};

// Waits until the process has ended, meanwhile carrying terminal bytes,
// window sizes and signals. The caller's terminal is in raw mode for that
// time. All output that the pty holds is written before it returns.
//
// Errors: on_event's; as poll(2).
absl::Status RelayProcess(const ForegroundProcess& process);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_TERMINAL_H_
