// Starting the spawner process without the host program noticing.
#ifndef CONTAINERKIT_LIB_RUNTIME_SPAWNER_H_
#define CONTAINERKIT_LIB_RUNTIME_SPAWNER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"

namespace containerkit::runtime {

// A running spawner. Closing the socket ends it.
struct SpawnerProcess {
  UniqueFd socket;  // SOCK_SEQPACKET; LaunchRequests go here
  UniqueFd pidfd;
};

// Starts `image` (a sealed memfd with the helper) as spawner: own session,
// cwd "/", /dev/null on 0 to 2, nothing else but its socket, empty
// environment, default signal actions.
//
// It is started by a short-lived intermediate that shares this process's
// memory (nothing is copied, however large the host is) and has no exit
// signal: the host gets no SIGCHLD and has no child afterwards. Works with
// SIGCHLD ignored and with descriptors 0 to 2 closed.
//
// Errors: RESOURCE_EXHAUSTED without processes or descriptors; SYSCALL errors
//   of execveat(2). Blocks until the helper runs (well below 1 ms).
// Thread-safe. Privileges: none.
absl::StatusOr<SpawnerProcess> StartSpawner(int image);

// Closes the socket and waits until the process is gone.
void StopSpawner(SpawnerProcess& spawner);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SPAWNER_H_
