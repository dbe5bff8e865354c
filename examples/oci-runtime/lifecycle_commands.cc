// create, run, start, kill, delete, pause, resume.
#include <stdlib.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "examples/oci-runtime/commands.h"
#include "examples/oci-runtime/signals.h"

namespace ck_oci {
namespace {

using containerkit::OciCreateOptions;

// The flags that create and run have in common.
struct CreateFlags {
  OciCreateOptions options{.bundle = "."};
  bool no_subreaper = false;

  CreateFlags() {
    const char* listen_fds = getenv("LISTEN_FDS");
    if (listen_fds != nullptr &&
        !absl::SimpleAtoi(listen_fds, &options.listen_fds)) {
      options.listen_fds = 0;
    }
  }

  void Declare(Arguments& arguments) {
    arguments.String("bundle,b", &options.bundle,
                     "directory with the config; default: the working one");
    arguments.String("config,f", &options.config,
                     "the config's name; default: config.json");
    arguments.String("console-socket", &options.console_socket,
                     "unix socket that receives the terminal");
    arguments.String("pid-file", &options.pid_file,
                     "where to write the first process's id");
    arguments.Count("preserve-fds", &options.preserve_fds,
                    "how many descriptors from 3 on the process keeps");
    arguments.Bool("no-pivot", &options.no_pivot,
                   "no pivot_root: the root is on a ramdisk");
    arguments.Bool("no-new-keyring", &options.no_new_keyring,
                   "keep the caller's session keyring");
    // No process of ours outlives a command, so there is nothing to choose.
    arguments.Bool("no-subreaper", &no_subreaper);
  }
};

// A command whose only argument is a container.
absl::StatusOr<int> ForContainer(
    const Command& command, const Context& context,
    absl::Status (containerkit::OciRuntime::*call)(const std::string&)) {
  const auto others = ParseCommandLine(command, context, {}, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const absl::Status status = (context.runtime->*call)((*others)->front());
  if (!status.ok()) return status;
  return 0;
}

}  // namespace

absl::StatusOr<int> CreateCommand(const Command& command,
                                  const Context& context) {
  CreateFlags flags;
  Arguments arguments;
  flags.Declare(arguments);
  const auto others = ParseCommandLine(command, context, arguments, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  flags.options.no_cgroup = context.no_cgroup;
  const absl::Status status =
      context.runtime->Create((*others)->front(), flags.options);
  if (!status.ok()) return status;
  return 0;
}

absl::StatusOr<int> RunCommand(const Command& command, const Context& context) {
  CreateFlags flags;
  bool detach = false;
  bool keep = false;
  Arguments arguments;
  flags.Declare(arguments);
  arguments.Bool("detach,d", &detach, "do not wait for its end");
  arguments.Bool("keep", &keep, "do not delete the container afterwards");
  const auto others = ParseCommandLine(command, context, arguments, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  flags.options.no_cgroup = context.no_cgroup;
  if (!detach) flags.options.signal_fd = BlockForwardedSignals();
  return context.runtime->Run((*others)->front(), flags.options, detach, keep);
}

absl::StatusOr<int> StartCommand(const Command& command,
                                 const Context& context) {
  return ForContainer(command, context, &containerkit::OciRuntime::Start);
}

absl::StatusOr<int> PauseCommand(const Command& command,
                                 const Context& context) {
  return ForContainer(command, context, &containerkit::OciRuntime::Pause);
}

absl::StatusOr<int> ResumeCommand(const Command& command,
                                  const Context& context) {
  return ForContainer(command, context, &containerkit::OciRuntime::Resume);
}

absl::StatusOr<int> KillCommand(const Command& command,
                                const Context& context) {
  bool all = false;
  Arguments arguments;
  arguments.Bool("all,a", &all, "to all processes of the container");
  const auto others = ParseCommandLine(command, context, arguments, 1, 2);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const std::string name = (*others)->size() > 1 ? (*others)->back() : "TERM";
  const std::optional<int> signal = ParseSignal(name);
  if (!signal.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown signal \"", name, "\""));
  }
  const absl::Status status =
      context.runtime->Kill((*others)->front(), *signal, all);
  if (!status.ok()) return status;
  return 0;
}

absl::StatusOr<int> DeleteCommand(const Command& command,
                                  const Context& context) {
  bool force = false;
  Arguments arguments;
  arguments.Bool("force,f", &force, "kill it first if it runs");
  const auto others = ParseCommandLine(command, context, arguments, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const absl::Status status =
      context.runtime->Delete((*others)->front(), force);
  if (!status.ok()) return status;
  return 0;
}

}  // namespace ck_oci
