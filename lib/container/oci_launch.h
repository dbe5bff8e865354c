// From a bundle to a process: ck-oci's side of planner and launcher.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_LAUNCH_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_LAUNCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "containerkit/oci_runtime.h"
#include "lib/base/unique_fd.h"
#include "lib/container/oci_directory.h"
#include "lib/container/oci_record.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/launcher.h"
#include "lib/runtime/plan.h"

namespace containerkit::container {

// A bundle as it was read.
struct OciBundle {
  std::string path;    // absolute
  std::string rootfs;  // absolute
  std::string config;  // the text of config.json
  oci::RuntimeSpec spec;
};

// Reads options.bundle. Hooks without an environment get `hook_environment`.
//
// Trust: the config is as hostile as its bundle; see oci::ParseRuntimeSpec().
// Errors: NOT_FOUND when there is no config; INVALID_ARGUMENT / kSpecInvalid,
//         kInvalidJson, also when it names no process.
absl::StatusOr<OciBundle> ReadOciBundle(
    const OciCreateOptions& options,
    const std::vector<std::string>& hook_environment);

// Our descriptors that are meant for a process.
struct PreservedFds {
  std::vector<int> fds;  // they become its 3, 4, ...
  UniqueFd filler;       // stands in for closed numbers in between
};

// Those from 3 to 2 + count that were inherited, so have no O_CLOEXEC (ours
// have). Closed numbers between them are filled with /dev/null, so that the
// later ones keep theirs.
absl::StatusOr<PreservedFds> CollectPreservedFds(int count);

// How a process gets its standard streams and who waits for it.
struct OciProcessMode {
  // Nobody waits: it becomes a child of the nearest subreaper.
  bool detached = false;
  bool terminal = false;
  std::string console_socket;
  // Borrowed; the first preserve_fds of them are the process's.
  std::vector<int> extra_fds;
  uint32_t preserve_fds = 0;
  uint32_t rows = 0, columns = 0;
  bool pid_private = false;
  bool exec = false;  // it joins a container
  std::string oom_path;
};

// A process that runs or waits for its start.
struct OciLaunched {
  runtime::Launched launched;
  UniqueFd master;  // its pty's, if the caller relays it
  // What was asked for and is left out, one sentence each.
  std::vector<std::string> warnings;
};

// Executes a plan.
//
// Errors: INVALID_ARGUMENT / kConsoleSocketFailed when terminal, console
//         socket and detached do not go together; those of
//         runtime::Launcher::Start().
absl::StatusOr<OciLaunched> LaunchOciProcess(const runtime::LaunchPlan& plan,
                                             const OciProcessMode& mode);

// Plans and launches the container of `bundle`, whose process is adjusted
// (oci_adjust.h). Fills in the record: pid, start time, cgroup. With
// `await_start` the program waits at exec.fifo.
//
// Errors: those of runtime::PlanLaunch() and LaunchOciProcess(); nothing of
//         the container is left then but its directory.
absl::StatusOr<OciLaunched> LaunchOciContainer(OciBundle& bundle,
                                               const OciCreateOptions& options,
                                               const OciDirectory& directory,
                                               bool await_start, bool detached,
                                               OciRecord& record);

// A terminal that is relayed to the caller's is as large as that from the
// start, unless the process has a size of its own.
void UseCallersTerminalSize(const std::string& console_socket,
                            oci::Process& process);

// Writes a pid file: whole or not at all, no line feed.
absl::Status WritePidFile(const std::string& path, int32_t pid);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_LAUNCH_H_
