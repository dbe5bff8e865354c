// Packets with descriptors over unix SOCK_SEQPACKET sockets.
#ifndef CONTAINERKIT_LIB_SYS_SOCKET_H_
#define CONTAINERKIT_LIB_SYS_SOCKET_H_

#include <stddef.h>

#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

// Two connected SOCK_SEQPACKET sockets.
// Errors: RESOURCE_EXHAUSTED without descriptors.
absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakeSocketPair();

// Sends one packet, never a SIGPIPE. fds (at most 40) are borrowed.
//
// Errors: as errno says; EPIPE and ECONNRESET as UNAVAILABLE / kSystemCall
//   when the other end is closed. Waits while the socket is full, unless it
//   is non-blocking (UNAVAILABLE, EAGAIN).
absl::Status SendPacket(int socket, absl::string_view data,
                        std::span<const int> fds = {});

// Connects to the unix socket `name` in a directory, however long the
// directory's own path is.
//
// Errors: NOT_FOUND, UNAVAILABLE (ECONNREFUSED: nobody listens), ...
absl::StatusOr<UniqueFd> ConnectInDirectory(int directory,
                                            absl::string_view name);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_SOCKET_H_
