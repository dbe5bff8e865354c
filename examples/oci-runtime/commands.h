// The commands of ck-oci, one function each.
#ifndef CONTAINERKIT_EXAMPLES_OCI_RUNTIME_COMMANDS_H_
#define CONTAINERKIT_EXAMPLES_OCI_RUNTIME_COMMANDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/oci_runtime.h"
#include "examples/oci-runtime/arguments.h"

namespace ck_oci {

// What every command gets.
struct Context {
  containerkit::OciRuntime* runtime = nullptr;
  bool no_cgroup = false;
  std::vector<std::string> arguments;  // after the command's name
};

struct Command {
  const char* name;
  const char* usage;    // "[OPTIONS] CONTAINER"
  const char* summary;  // one line
  // The exit status of ck-oci.
  absl::StatusOr<int> (*run)(const Command& command, const Context& context);
};

absl::StatusOr<int> CreateCommand(const Command&, const Context&);
absl::StatusOr<int> RunCommand(const Command&, const Context&);
absl::StatusOr<int> StartCommand(const Command&, const Context&);
absl::StatusOr<int> KillCommand(const Command&, const Context&);
absl::StatusOr<int> DeleteCommand(const Command&, const Context&);
absl::StatusOr<int> PauseCommand(const Command&, const Context&);
absl::StatusOr<int> ResumeCommand(const Command&, const Context&);
absl::StatusOr<int> ExecCommand(const Command&, const Context&);
absl::StatusOr<int> StateCommand(const Command&, const Context&);
absl::StatusOr<int> ListCommand(const Command&, const Context&);
absl::StatusOr<int> PsCommand(const Command&, const Context&);
absl::StatusOr<int> EventsCommand(const Command&, const Context&);
absl::StatusOr<int> UpdateCommand(const Command&, const Context&);
absl::StatusOr<int> SpecCommand(const Command&, const Context&);
absl::StatusOr<int> FeaturesCommand(const Command&, const Context&);

// The arguments of a command line, checked for their number; -1: no upper
// bound. nullopt: --help was asked for, and given.
//
// Errors: INVALID_ARGUMENT, with a message for the user.
absl::StatusOr<std::optional<std::vector<std::string>>> ParseCommandLine(
    const Command& command, const Context& context, Arguments arguments,
    int min_arguments, int max_arguments,
    FlagOrder order = FlagOrder::kAnywhere);

// Writes to stdout. Errors: as write(2).
absl::Status Print(absl::string_view text);

// Blocks the signals that a foreground process is to get, for good, and
// answers a signalfd(2) of them; -1 if that cannot be.
int BlockForwardedSignals();

}  // namespace ck_oci

#endif  // CONTAINERKIT_EXAMPLES_OCI_RUNTIME_COMMANDS_H_
