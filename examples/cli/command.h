// A command of `ck`: one line in a table, and the frame around its body.
#ifndef CONTAINERKIT_EXAMPLES_CLI_COMMAND_H_
#define CONTAINERKIT_EXAMPLES_CLI_COMMAND_H_

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/cli/context.h"
#include "examples/cli/flags.h"

namespace containerkit::cli {

// docker's exit codes for what goes wrong outside of a container.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 125;  // also: the engine failed under `run`
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

inline constexpr int kNoLimit = -1;

struct Command {
  absl::string_view name;        // `ck NAME`; empty: only in its group
  absl::string_view group;       // `ck GROUP GROUP_NAME`; empty: none
  absl::string_view group_name;  // empty: as `name`
  absl::string_view aliases;     // further group names, comma-separated
  absl::string_view usage;       // behind the name
  absl::string_view summary;
  absl::string_view description;  // a longer text for --help; may be empty
  int min_arguments;
  int max_arguments;  // kNoLimit: any number
  // Whether flags may stand behind arguments.
  bool interspersed;
  std::span<const Flag> flags;
  // `words`: what stands behind the command's name.
  int (*main)(const Command& command, Context& context,
              std::span<const char* const> words);
};

// "run" or "container prune".
std::string CommandPath(const Command& command);

// The text of --help.
std::string CommandHelp(const Command& command);

// Parses the words and checks their number. Prints help or what is wrong, in
// which case `exit_code` is set and the result is empty.
struct Invocation {
  std::vector<std::string> arguments;
  int exit_code = -1;  // -1: run the body
};
Invocation ParseInvocation(const Command& command,
                           std::span<const char* const> words, void* options);

// Prints what went wrong and gives the exit code: `exit_code`, or that of the
// interrupt which ended the work.
int ReportError(const Context& context, const absl::Status& status,
                int exit_code);

// ReportError for what a body returns.
int Report(const Context& context, const absl::StatusOr<int>& result);

// A Command::main for a body with its own structure of options. The body
// returns the exit code, or an error to print (exit code 1).
template <typename Options, absl::StatusOr<int> (*Body)(
                                Context& context, Options& options,
                                const std::vector<std::string>& arguments)>
int CommandMain(const Command& command, Context& context,
                std::span<const char* const> words) {
  Options options;
  const Invocation invocation = ParseInvocation(command, words, &options);
  if (invocation.exit_code >= 0) return invocation.exit_code;
  return Report(context, Body(context, options, invocation.arguments));
}

// Runs `act` on every name, several at a time, and prints in their order what
// it returns (or the error), as docker does for commands that take several
// containers or images. `act` runs on any thread. Exit code 1 when one failed.
int ForEachName(
    const Context& context, const std::vector<std::string>& names,
    const std::function<absl::StatusOr<std::string>(const std::string& name)>&
        act);

// Asks on the terminal; true for a word that starts with y.
bool Confirm(absl::string_view question);

// The answers of ContainerInfo and `docker inspect` that attaching needs.
struct ContainerTraits {
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;
};
absl::StatusOr<ContainerTraits> ReadTraits(Container& container);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_COMMAND_H_
