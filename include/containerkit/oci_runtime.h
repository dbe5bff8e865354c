// Runs OCI bundles (runtime-spec 1.2) the way containerd, CRI-O, Podman and
// dockerd expect of an OCI runtime. No image store is involved: the caller
// brings a root file system and a config.json.
#ifndef CONTAINERKIT_OCI_RUNTIME_H_
#define CONTAINERKIT_OCI_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/container.h"

namespace containerkit {

struct OciRuntimeOptions {
  // Where the state of containers is kept, one directory each.
  std::string root = "/run/ck-oci";
  // Environment ("NAME=value") of hooks that name none of their own.
  std::vector<std::string> hook_environment;
  // Told of trouble that fails no call (a poststop hook, say), in one line.
  // Called on the calling thread; may be empty.
  std::function<void(const std::string& warning)> warn;
};

struct OciCreateOptions {
  std::string bundle;                  // directory with config.json
  std::string config = "config.json";  // absolute, or counts from the bundle
  std::string console_socket;  // unix socket that receives the pty's master
  std::string pid_file;        // written after creation; empty: none
  int preserve_fds = 0;        // descriptors 3.. that the program inherits
  // Socket activation (sd_listen_fds(3)): the first listen_fds descriptors are
  // preserved, too, and announced by LISTEN_FDS and LISTEN_PID.
  int listen_fds = 0;
  bool no_pivot = false;
  bool no_new_keyring = false;
  bool no_cgroup = false;  // the container stays in the caller's cgroup
  // Run without detach: a signalfd(2), borrowed. Its signals are sent to the
  // container's first process; SIGWINCH sets the terminal's size instead.
  int signal_fd = -1;
};

struct OciExecOptions {
  // Process from a JSON file (runtime-spec "process"); excludes the others.
  std::string process_file;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  std::string user;                       // uid[:gid]
  std::vector<std::string> capabilities;  // added
  std::vector<uint32_t> additional_gids;
  std::string apparmor;
  std::string selinux_label;
  // Below the container's cgroup; empty: the container's own.
  std::string cgroup;
  bool no_new_privs = false;
  bool ignore_paused = false;  // run in a paused container, once it resumes
  bool tty = false;
  bool detach = false;
  std::string console_socket;
  std::string pid_file;
  int preserve_fds = 0;
  int signal_fd = -1;  // as OciCreateOptions::signal_fd
};

struct OciContainerState {
  std::string oci_version;
  std::string id;
  std::string status;  // "creating", "created", "running", "paused", "stopped"
  int32_t pid = 0;     // 0 when stopped
  std::string bundle;
  std::string rootfs;
  absl::Time created;
  std::string owner;
  // runc's `state` document.
  std::string json;
};

// Thread-safe. Each call is complete in itself: several processes may work on
// one root at once, a container's lock keeps them apart. Poststart and
// poststop hooks are children of the calling process, waited for by pid.
class OciRuntime final {
 public:
  static absl::StatusOr<OciRuntime> Open(const OciRuntimeOptions& options);

  // Makes the container; its program waits for Start. Its first process
  // becomes a child of the nearest subreaper above the calling process.
  //
  // Errors: ALREADY_EXISTS / kNameInUse; INVALID_ARGUMENT / kSpecInvalid,
  // kInvalidName; those of Container::Start.
  absl::Status Create(const std::string& id, const OciCreateOptions& options);
  absl::Status Start(const std::string& id);

  // Create and Start in one. Without `detach` waits for the end and answers
  // the exit status; with a terminal and no console socket the caller's
  // descriptors 0 to 2 are relayed. The container is deleted afterwards
  // unless `keep`.
  absl::StatusOr<int> Run(const std::string& id,
                          const OciCreateOptions& options, bool detach,
                          bool keep);

  absl::StatusOr<OciContainerState> State(const std::string& id);
  absl::StatusOr<std::vector<OciContainerState>> List();
  absl::Status Kill(const std::string& id, int signal, bool all);
  absl::Status Delete(const std::string& id, bool force);
  // Exit status of the process; 0 with detach.
  absl::StatusOr<int> Exec(const std::string& id,
                           const OciExecOptions& options);
  absl::StatusOr<std::vector<int32_t>> Processes(const std::string& id);
  absl::Status Pause(const std::string& id);
  absl::Status Resume(const std::string& id);
  // `resources_json`: runtime-spec's linux.resources.
  absl::Status Update(const std::string& id, const std::string& resources_json);
  // runc's `events --stats` document.
  absl::StatusOr<std::string> StatsJson(const std::string& id);

  // runtime-spec's features document, and an example config.json.
  static std::string FeaturesJson();
  static std::string ExampleSpecJson(bool rootless);

 private:
  struct Impl;
  explicit OciRuntime(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_OCI_RUNTIME_H_
