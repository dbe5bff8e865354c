// What `top` shows: the processes of a container as ps(1) would print them,
// read from /proc.
#ifndef CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_H_
#define CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "containerkit/container.h"

namespace containerkit::container {

// One row for each of `pids` (as the host counts them), by number; those that
// have ended in the meantime are left out. Without `columns` the titles are
// Docker's: UID PID PPID C STIME TTY TIME CMD. Otherwise `columns` are the
// arguments of ps(1): "-ef", "aux", "-o", "pid,comm", "-opid"; or ps -o names
// alone: "pid", "user=WHO".
//
// Trust: names and arguments are the container's; control bytes in them
// become '?'.
// Errors: INVALID_ARGUMENT / kInvalidArgument for an unknown column or
// option. Thread-safe; privileges: none (under hidepid other users' processes
// are not seen).
absl::StatusOr<ProcessTable> ListProcesses(
    std::vector<int32_t> pids, const std::vector<std::string>& columns);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_H_
