// What containerkit::OciRuntime forwards to.
//
// A container's life: Create makes its directory (oci_directory.h), runs the
// launch plan up to AwaitStart and lets the process go: it becomes a child of
// the nearest subreaper, and nothing of ours stays behind. From then on its
// status is read off the kernel:
//
//   state.json, no process started yet        creating
//   process alive, exec.fifo there            created
//   process alive, exec.fifo gone             running, paused if frozen
//   process ended                             stopped
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_RUNTIME_IMPL_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_RUNTIME_IMPL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/oci_runtime.h"
#include "lib/container/oci_directory.h"
#include "lib/container/oci_launch.h"
#include "lib/container/oci_process.h"
#include "lib/container/oci_record.h"
#include "lib/oci/runtime_spec.h"
#include "lib/sys/cgroup.h"

namespace containerkit::container {

enum class OciStatus { kCreating, kCreated, kRunning, kPaused, kStopped };
absl::string_view OciStatusName(OciStatus status);

// An open container and what the kernel says of it.
struct OciContainer {
  OciDirectory directory;
  OciRecord record;
  OciStatus status = OciStatus::kStopped;
  std::optional<ProcessHandle> process;  // while it lives
};

// The container's cgroup.
// Errors: FAILED_PRECONDITION / kCgroupFailed when it has none.
absl::StatusOr<std::unique_ptr<sys::Cgroup>> NeedCgroup(
    const OciContainer& container);

// See containerkit::OciRuntime for the contract of each call.
class OciRuntimeImpl {
 public:
  explicit OciRuntimeImpl(OciRuntimeOptions options);

  absl::Status Create(const std::string& id, const OciCreateOptions& options);
  absl::Status Start(const std::string& id);
  absl::StatusOr<int> Run(const std::string& id,
                          const OciCreateOptions& options, bool detach,
                          bool keep);
  absl::StatusOr<OciContainerState> State(const std::string& id);
  absl::StatusOr<std::vector<OciContainerState>> List();
  absl::Status Kill(const std::string& id, int signal, bool all);
  absl::Status Delete(const std::string& id, bool force);
  absl::StatusOr<int> Exec(const std::string& id,
                           const OciExecOptions& options);
  absl::StatusOr<std::vector<int32_t>> Processes(const std::string& id);
  absl::Status Pause(const std::string& id);
  absl::Status Resume(const std::string& id);
  absl::Status Update(const std::string& id, const std::string& resources_json);
  absl::StatusOr<std::string> StatsJson(const std::string& id);

 private:
  absl::StatusOr<OciContainer> Load(const std::string& id, bool lock);
  OciContainerState StateOf(const OciContainer& container) const;
  // Reads the saved config, with hook environments filled in.
  absl::StatusOr<oci::RuntimeSpec> LoadSpec(const OciContainer& container);
  // Makes a container and holds its lock. Leaves nothing when it fails.
  absl::StatusOr<OciContainer> Make(const std::string& id,
                                    const OciCreateOptions& options,
                                    bool await_start, bool detached,
                                    OciLaunched* launched);
  // The part of Make() that leaves a record with a pid once it has to be
  // undone by Destroy().
  absl::Status Launch(OciBundle& bundle, const OciCreateOptions& options,
                      bool await_start, bool detached, OciContainer& container,
                      OciLaunched* launched);
  // Kills and waits for all processes, removes cgroup and directory, runs the
  // poststop hooks.
  absl::Status Destroy(OciContainer& container);
  absl::Status SignalAll(sys::Cgroup& cgroup, int signal);
  // Waits for the end of a process that was not detached; its exit status.
  absl::StatusOr<int> WaitForeground(OciLaunched& launched, int signal_fd);
  absl::Status RunPoststart(const OciRecord& record, const oci::Hooks& hooks);
  // A failure is only warned of.
  void RunPoststop(const OciRecord& record, const oci::Hooks& hooks);
  void Warn(const absl::Status& status) const;
  void Warn(const std::vector<std::string>& warnings) const;

  const OciRuntimeOptions options_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_RUNTIME_IMPL_H_
