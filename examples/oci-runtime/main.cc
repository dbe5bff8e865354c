// ck-oci: an OCI runtime with runc's command line, on containerkit's public
// API. containerd, Podman and dockerd can use it in runc's place.
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "containerkit/oci_runtime.h"
#include "containerkit/version.h"
#include "examples/oci-runtime/arguments.h"
#include "examples/oci-runtime/commands.h"
#include "examples/oci-runtime/log.h"

namespace ck_oci {
namespace {

constexpr Command kCommands[] = {
    {"create", "[OPTIONS] CONTAINER",
     "Makes a container; its program waits for start.", CreateCommand},
    {"run", "[OPTIONS] CONTAINER", "Makes a container and starts it.",
     RunCommand},
    {"start", "CONTAINER", "Lets a created container's program run.",
     StartCommand},
    {"state", "CONTAINER", "Prints the state as JSON.", StateCommand},
    {"kill", "[OPTIONS] CONTAINER [SIGNAL]",
     "Sends a signal, TERM if none is named.", KillCommand},
    {"delete", "[OPTIONS] CONTAINER", "Deletes a container.", DeleteCommand},
    {"exec", "[OPTIONS] CONTAINER COMMAND [ARGUMENT...]",
     "Runs a process in a container.", ExecCommand},
    {"list", "[OPTIONS]", "Lists containers.", ListCommand},
    {"ps", "[OPTIONS] CONTAINER [PS OPTION...]",
     "Lists the processes of a container.", PsCommand},
    {"pause", "CONTAINER", "Freezes all processes.", PauseCommand},
    {"resume", "CONTAINER", "Lets frozen processes go on.", ResumeCommand},
    {"update", "[OPTIONS] CONTAINER", "Changes limits.", UpdateCommand},
    {"events", "[OPTIONS] CONTAINER", "Prints statistics.", EventsCommand},
    {"features", "", "Prints what this runtime can do.", FeaturesCommand},
    {"spec", "[OPTIONS]", "Writes an example config.json.", SpecCommand},
};

struct GlobalFlags {
  std::string root;
  std::string log;
  std::string log_format = "text";
  std::string cgroup_manager = "cgroupfs";
  std::string rootless;
  std::string criu;
  bool debug = false;
  bool systemd_cgroup = false;
  bool version = false;
  bool help = false;

  void Declare(Arguments& arguments) {
    arguments.String("root", &root, "directory of the containers' state");
    arguments.String("log", &log, "file for messages");
    arguments.String("log-format", &log_format, "text or json");
    arguments.Bool("debug", &debug, "more messages");
    arguments.String("cgroup-manager", &cgroup_manager, "cgroupfs or disabled");
    arguments.Bool("systemd-cgroup", &systemd_cgroup,
                   "refused where systemd runs; else cgroupfs is used");
    arguments.Bool("version,v", &version, "show the version");
    arguments.Bool("help,h", &help, "show this");
    // Accepted for runc's sake: rootless is found out, criu is not used.
    arguments.String("rootless", &rootless);
    arguments.String("criu", &criu);
  }
};

std::string Help(const Arguments& arguments) {
  std::string text =
      "Usage: ck-oci [OPTIONS] COMMAND [ARGUMENT...]\n\n"
      "Runs OCI bundles (runtime-spec 1.2).\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string name = command.name;
    name.resize(10, ' ');
    absl::StrAppend(&text, "   ", name, "  ", command.summary, "\n");
  }
  return absl::StrCat(text, "\nOptions:\n", arguments.Help());
}

std::string DefaultRoot() {
  const char* runtime_dir = getenv("XDG_RUNTIME_DIR");
  if (geteuid() != 0 && runtime_dir != nullptr && *runtime_dir != '\0') {
    return absl::StrCat(runtime_dir, "/ck-oci");
  }
  return containerkit::OciRuntimeOptions().root;
}

absl::Status CheckCgroupManager(const GlobalFlags& flags) {
  const bool systemd =
      flags.systemd_cgroup || flags.cgroup_manager == "systemd";
  if (systemd && access("/run/systemd/system", F_OK) == 0) {
    return absl::UnimplementedError(
        "cgroups managed by systemd: use the cgroupfs manager");
  }
  if (flags.cgroup_manager != "cgroupfs" && flags.cgroup_manager != "systemd" &&
      flags.cgroup_manager != "disabled") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown cgroup manager \"", flags.cgroup_manager, "\""));
  }
  return absl::OkStatus();
}

std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    environment.push_back(*entry);
  }
  return environment;
}

absl::StatusOr<int> Dispatch(const GlobalFlags& flags, const Log& log,
                             std::vector<std::string> words) {
  const std::string name = words.front();
  words.erase(words.begin());
  for (const Command& command : kCommands) {
    if (name != command.name) continue;
    if (absl::Status status = CheckCgroupManager(flags); !status.ok()) {
      return status;
    }
    containerkit::OciRuntimeOptions options;
    options.root = flags.root.empty() ? DefaultRoot() : flags.root;
    options.hook_environment = Environment();
    options.warn = [&log](const std::string& text) { log.Warning(text); };
    absl::StatusOr<containerkit::OciRuntime> runtime =
        containerkit::OciRuntime::Open(options);
    if (!runtime.ok()) return runtime.status();
    log.Debug(absl::StrCat("command ", name, ", root ", options.root));
    return command.run(command,
                       {.runtime = &*runtime,
                        .no_cgroup = flags.cgroup_manager == "disabled",
                        .arguments = std::move(words)});
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no such command: ", name, " (see ck-oci --help)"));
}

int Main(int argc, char** argv) {
  GlobalFlags flags;
  Arguments arguments;
  flags.Declare(arguments);
  Log log;
  const absl::StatusOr<std::vector<std::string>> words = arguments.Parse(
      std::vector<std::string>(argv + 1, argv + argc), FlagOrder::kBeforeFirst);
  if (!words.ok()) {
    log.Error(words.status().message());
    return 1;
  }
  if (flags.version) {
    return Print(absl::StrCat("ck-oci version ", containerkit::kVersionMajor,
                              ".", containerkit::kVersionMinor, ".",
                              containerkit::kVersionPatch, "\nspec: 1.2.0\n"))
                   .ok()
               ? 0
               : 1;
  }
  const bool bare = words->empty();
  if (flags.help || bare || words->front() == "help") {
    return Print(Help(arguments)).ok() ? 0 : 1;
  }
  if (absl::Status status =
          Log::Open(flags.log, flags.log_format, flags.debug, &log);
      !status.ok()) {
    log.Error(status.message());
    return 1;
  }
  const absl::StatusOr<int> result = Dispatch(flags, log, *words);
  if (result.ok()) return *result;
  log.Error(result.status().message());
  return 1;
}

}  // namespace
}  // namespace ck_oci

int main(int argc, char** argv) { return ck_oci::Main(argc, argv); }
