// The flags of `ck run` and `ck create`, and what they make: a
// ContainerConfig.
#ifndef CONTAINERKIT_EXAMPLES_CLI_CONTAINER_OPTIONS_H_
#define CONTAINERKIT_EXAMPLES_CLI_CONTAINER_OPTIONS_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"
#include "examples/cli/flags.h"
#include "examples/cli/option_values.h"

namespace containerkit::cli {

struct ContainerOptions {
  ContainerConfig config = {.platform = DefaultPlatform()};

  // Flags that are not yet, or not only, part of the config.
  bool interactive = false;
  bool detach = false;
  bool dry_run = false;
  bool sig_proxy = true;
  bool quiet = false;
  std::string detach_keys;
  std::string cidfile;
  std::string pull = "missing";
  std::vector<std::string> attach;  // lower case
  std::optional<std::string> entrypoint;
  std::vector<std::string> env;
  std::vector<std::string> env_files;
  std::vector<std::string> labels;
  std::vector<std::string> label_files;
  std::optional<std::string> health_command;
  bool has_health_flag = false;
  bool has_restart = false;

  bool attaches(absl::string_view stream) const;
  // -a stdin alone: what is attached ends with ck's own stdin.
  bool only_stdin() const {
    return !detach && !attaches("stdout") && !attaches("stderr");
  }
};

// The tables. `run` has all that `create` has and some more.
std::span<const Flag> CreateFlags();
std::span<const Flag> RunFlags();

// Fills in `options.config` from the rest of the options and the arguments
// IMAGE [COMMAND] [ARG...]. Reads the files that flags name.
//
// Errors: INVALID_ARGUMENT, NOT_FOUND with docker's words.
absl::Status FinishContainerOptions(const std::vector<std::string>& arguments,
                                    ContainerOptions& options);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_CONTAINER_OPTIONS_H_
