// The root file system of a process, by its number.
#ifndef CONTAINERKIT_LIB_CONTAINER_PROCESS_ROOT_H_
#define CONTAINERKIT_LIB_CONTAINER_PROCESS_ROOT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {

// What the process that had this number and start time (proc(5), stat) sees at
// `path`, "" for its root. Never another process's that got the number.
//
// `path` is resolved by the process's own tree: give none that a container can
// change.
// Errors: NOT_FOUND / kSystemCall when that process is gone.
absl::StatusOr<sys::RootDir> OpenProcessRoot(pid_t pid, uint64_t start_ticks,
                                             const std::string& path);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_PROCESS_ROOT_H_
