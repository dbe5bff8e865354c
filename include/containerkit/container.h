// Containers: processes in a box of their own, and the streams to them.
#ifndef CONTAINERKIT_CONTAINER_H_
#define CONTAINERKIT_CONTAINER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "containerkit/container_config.h"

namespace containerkit {

namespace engine {
class EngineCore;
class SessionImpl;
}  // namespace engine

enum class ContainerState {
  kCreated,
  kRunning,
  kPaused,
  kRestarting,
  kExited,
  kDead,  // its monitor was killed; the exit status is unknown
};

// "created", "running", ... as Docker spells them.
absl::string_view ContainerStateName(ContainerState state) noexcept;

enum class HealthState { kNone, kStarting, kHealthy, kUnhealthy };

struct ExitStatus {
  int code = 0;  // 0..255; 128 + N when signal N ended it
  bool oom_killed = false;
};

struct ContainerInfo {
  std::string id;    // 64 hex digits
  std::string name;  // without Docker's leading slash
  std::string image_id;
  std::string image;  // as it was asked for
  ContainerState state = ContainerState::kCreated;
  HealthState health = HealthState::kNone;
  int health_failing_streak = 0;
  int32_t pid = 0;  // in the host's pid namespace; 0: not running
  ExitStatus exit;
  std::string error;  // why it could not start
  absl::Time created = absl::UnixEpoch();
  absl::Time started = absl::InfinitePast();
  absl::Time finished = absl::InfinitePast();
  uint32_t restart_count = 0;
  std::vector<std::string> command;  // entrypoint and arguments
  std::map<std::string, std::string> labels;
  std::string log_path;
  std::vector<std::string> warnings;
};

// A chunk of output.
struct Output {
  enum class Stream { kStdout = 1, kStderr = 2 };
  Stream stream = Stream::kStdout;
  absl::string_view data;  // valid during the call
  absl::Time time;         // Logs only
};

// The streams of a running process: of a container's first one (Attach, or
// Start with streams) or of an exec.
//
// Destroying it detaches; the process goes on. One thread may read while
// others write, resize or signal; two concurrent Reads are not allowed.
class Session final {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Feeds stdin. Blocks while the process does not read, until `cancel`; part
  // of `data` may have gone then.
  // Errors: FAILED_PRECONDITION / kNotRunning; kUnsupportedOption when stdin
  // was not asked for; CANCELLED.
  absl::Status Write(absl::string_view data, const CancelToken& cancel = {});
  // End of stdin.
  absl::Status CloseStdin();

  // Waits for output and gives it to `sink`, until the process ended and all
  // output was delivered; returns the exit status. `cancel` ends it with
  // CANCELLED; it may then be called again.
  absl::StatusOr<ExitStatus> Read(
      const std::function<void(const Output&)>& sink,
      const CancelToken& cancel = {});

  // Neither waits for input that the process has not read.
  // Errors: FAILED_PRECONDITION / kNotRunning; of Resize kUnsupportedOption
  // without a terminal.
  absl::Status Resize(uint16_t rows, uint16_t columns);
  absl::Status Signal(int signal);

  // The process in the host's pid namespace.
  int32_t pid() const;

  // Readable when Read() would deliver something; borrowed.
  int fd() const;

 private:
  friend class Container;
  explicit Session(std::unique_ptr<engine::SessionImpl> impl);
  std::unique_ptr<engine::SessionImpl> impl_;
};

struct StartOptions {
  // Attach from the first byte on; the session is in `Container::Start`'s
  // result.
  bool attach = false;
  bool attach_stdin = false;
  // Descriptors given to the container as its own stdin, stdout and stderr,
  // borrowed for the call; -1: none. Excludes `attach` and a terminal; what
  // goes there is not logged.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Size of the terminal, if it has one.
  uint16_t rows = 0;
  uint16_t columns = 0;
  CancelToken cancel;
};

struct StopOptions {
  // Grace before SIGKILL. Unset: the container's StopTimeout, else 10 s.
  // Infinite: never killed.
  std::optional<absl::Duration> timeout;
  int signal = 0;  // 0: the container's StopSignal, else SIGTERM
  // Ends the wait, not what was asked for: a container that got its signal
  // still ends, at the latest after `timeout`; Restart() does not start it.
  CancelToken cancel;
};

enum class WaitCondition { kNotRunning, kNextExit, kRemoved };

struct WaitOptions {
  WaitCondition condition = WaitCondition::kNotRunning;
  absl::Duration timeout = absl::InfiniteDuration();
  CancelToken cancel;
};

struct RemoveOptions {
  bool force = false;    // kill it first
  bool volumes = false;  // its anonymous volumes too
};

struct AttachOptions {
  bool stdin_stream = false;
  bool stdout_stream = true;
  bool stderr_stream = true;
};

struct ExecConfig {
  std::vector<std::string> command;
  std::vector<std::string> env;  // added to the container's
  std::string user;              // empty: the container's
  std::string working_dir;       // empty: the container's
  bool tty = false;
  bool stdin_stream = false;
  bool privileged = false;
  bool detach = false;  // no streams: output is discarded
  uint16_t rows = 0;
  uint16_t columns = 0;
  // As in StartOptions.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  CancelToken cancel;
};

struct LogOptions {
  bool stdout_stream = true;
  bool stderr_stream = true;
  bool follow = false;
  // Last N lines; negative: all.
  int64_t tail = -1;
  absl::Time since = absl::InfinitePast();
  absl::Time until = absl::InfiniteFuture();
  CancelToken cancel;
};

struct ContainerStats {
  absl::Time time;
  uint64_t cpu_total_ns = 0;
  uint64_t cpu_user_ns = 0;
  uint64_t cpu_system_ns = 0;
  uint64_t host_cpu_ns = 0;  // all CPUs, busy and idle
  uint32_t online_cpus = 0;
  uint64_t memory_usage_bytes = 0;  // without inactive file cache
  uint64_t memory_limit_bytes = 0;
  uint64_t memory_cache_bytes = 0;
  uint64_t pids_current = 0;
  uint64_t pids_limit = 0;  // 0: unlimited
  uint64_t block_read_bytes = 0;
  uint64_t block_write_bytes = 0;
};

struct ProcessTable {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;
};

struct CopyInOptions {
  // A file does not replace a directory, nor a directory a file.
  bool no_overwrite_dir_non_dir = false;
  // As `docker cp -a`: all belongs to the container's user, if one was
  // configured; else owners are the archive's.
  bool copy_uid_gid = false;
  CancelToken cancel;
};

struct PathStat {
  std::string name;
  uint64_t size_bytes = 0;
  uint32_t mode = 0;  // st_mode
  absl::Time modified;
  std::string link_target;
};

// A handle to one container. Copying shares it; the last handle to go does
// not remove it, nor stop it.
//
// States and what leads from one to the next:
//   created --Start--> running --exit--> exited --Start--> running
//   running --Pause--> paused --Unpause--> running
//   running --exit, restart policy--> restarting --> running
//   any --Remove--> gone (running and paused only with force)
//
// Thread-safe. Calls on a removed container answer NOT_FOUND /
// kContainerNotFound.
class Container final {
 public:
  const std::string& id() const;

  // Starts it; returns when its program was executed.
  //
  // Errors: FAILED_PRECONDITION / kAlreadyStarted; NOT_FOUND /
  // kCommandNotFound (Docker's 127); PERMISSION_DENIED /
  // kCommandNotExecutable (126); kUserNotFound, kMountSourceMissing,
  // kWorkingDirFailed, kCgroupFailed, ...: the detail names the step.
  // Blocks until exec, some milliseconds. Privileges: root, or user
  // namespaces.
  absl::StatusOr<std::optional<Session>> Start(
      const StartOptions& options = {});

  // Sends the stop signal, waits, then kills. OK when it was not running
  // only in the sense of Docker's 304: FAILED_PRECONDITION / kAlreadyStopped.
  absl::Status Stop(const StopOptions& options = {});
  // Stops it if it runs, and starts it. Until it has stopped others may act on
  // it: a Kill() ends the wait, a Remove() the restart (kContainerNotFound);
  // where somebody else starts it first, that is the outcome.
  absl::Status Restart(const StopOptions& options = {});
  // Errors: FAILED_PRECONDITION / kNotRunning.
  absl::Status Kill(int signal);
  // Errors: kNotRunning, kContainerPaused; kNotPaused.
  absl::Status Pause();
  absl::Status Unpause();

  // How it ended. Of one that removed itself, the engine that started it knows
  // that afterwards too.
  //
  // Errors: DEADLINE_EXCEEDED / kTimeout; CANCELLED; NOT_FOUND /
  // kContainerNotFound.
  absl::StatusOr<ExitStatus> Wait(const WaitOptions& options = {});

  // Errors: FAILED_PRECONDITION / kContainerRunning without force.
  absl::Status Remove(const RemoveOptions& options = {});
  // Errors: ALREADY_EXISTS / kNameInUse; INVALID_ARGUMENT / kInvalidName.
  absl::Status Rename(const std::string& name);

  absl::StatusOr<ContainerInfo> Inspect();
  // The answer of Docker's GET /containers/{id}/json.
  absl::StatusOr<std::string> InspectJson(bool size = false);

  // Errors: FAILED_PRECONDITION / kNotRunning.
  absl::StatusOr<Session> Attach(const AttachOptions& options = {});

  // Runs one more process inside. Errors: kNotRunning, kContainerPaused and
  // those of Start.
  absl::StatusOr<Session> Exec(const ExecConfig& config);

  // Gives the log to `sink`, line by line (lines longer than 16 KiB in
  // parts); with follow until the container ends. A false answer ends it.
  // Errors: FAILED_PRECONDITION / kLogUnavailable for log driver "none".
  absl::Status Logs(const LogOptions& options,
                    const std::function<bool(const Output&)>& sink);

  // One reading. Errors: kNotRunning.
  absl::StatusOr<ContainerStats> Stats();

  // ps(1) columns of its processes: "UID PID PPID C STIME TTY TIME CMD" or
  // those named in `columns` (ps -o names).
  absl::StatusOr<ProcessTable> Top(
      const std::vector<std::string>& columns = {});

  // Writes what is at `path` as a tar to `fd` (borrowed): Docker's
  // GET /containers/{id}/archive. Works whether it runs or not.
  // Errors: NOT_FOUND / kPathNotFound; CANCELLED.
  absl::Status CopyOut(const std::string& path, int fd,
                       const CancelToken& cancel = {});
  // Unpacks a tar (plain, gzip or zstd) from `fd` into the directory `path`.
  // Errors: NOT_FOUND / kPathNotFound; INVALID_ARGUMENT / kNotADirectory;
  // PERMISSION_DENIED / kUnsupportedOption where `path` may not be written: a
  // read-only root or bind mount.
  // CANCELLED; what was unpacked until then stays.
  absl::Status CopyIn(const std::string& path, int fd,
                      const CopyInOptions& options = {});
  absl::StatusOr<PathStat> StatPath(const std::string& path);

  // Changes limits and the restart policy of a live container.
  absl::Status Update(const ContainerUpdate& update);

 private:
  friend class Engine;
  friend class Scope;
  Container(std::shared_ptr<engine::EngineCore> core, std::string id);
  std::shared_ptr<engine::EngineCore> core_;
  std::string id_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_CONTAINER_H_
