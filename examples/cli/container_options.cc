#include "examples/cli/container_options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/cli/option_values.h"
#include "examples/cli/status_util.h"

namespace containerkit::cli {
namespace {

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

// Files first, then flags: later ones win.
absl::Status FinishEnvironment(ContainerOptions& options) {
  std::vector<std::string>& env = options.config.env;
  for (const std::string& path : options.env_files) {
    CLI_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
    CLI_ASSIGN_OR_RETURN(const std::vector<std::string> lines,
                         ParseEnvFile(text));
    env.insert(env.end(), lines.begin(), lines.end());
  }
  env.insert(env.end(), options.env.begin(), options.env.end());
  return absl::OkStatus();
}

absl::Status FinishLabels(ContainerOptions& options) {
  std::vector<std::string> lines;
  for (const std::string& path : options.label_files) {
    CLI_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
    CLI_ASSIGN_OR_RETURN(const std::vector<std::string> some,
                         ParseLabelFile(text));
    lines.insert(lines.end(), some.begin(), some.end());
  }
  lines.insert(lines.end(), options.labels.begin(), options.labels.end());
  for (const std::string& line : lines) {
    CLI_ASSIGN_OR_RETURN(auto label, ParseLabel(line));
    options.config.labels.insert_or_assign(std::move(label.first),
                                           std::move(label.second));
  }
  return absl::OkStatus();
}

absl::Status FinishHealth(ContainerOptions& options) {
  HealthConfig& health = options.config.health;
  if (health.disabled && options.has_health_flag) {
    return Bad("--no-healthcheck conflicts with --health-* options");
  }
  for (const auto& [name, value] :
       {std::pair{"interval", health.interval},
        std::pair{"timeout", health.timeout},
        std::pair{"start-period", health.start_period},
        std::pair{"start-interval", health.start_interval}}) {
    if (value < absl::ZeroDuration()) {
      return Bad(absl::StrCat("--health-", name, " cannot be negative"));
    }
  }
  if (health.retries < 0) return Bad("--health-retries cannot be negative");
  if (options.health_command.has_value() && !options.health_command->empty()) {
    health.test = {"CMD-SHELL", *options.health_command};
  }
  return absl::OkStatus();
}

absl::Status CheckConflicts(const ContainerOptions& options) {
  if (options.config.auto_remove && options.has_restart) {
    return Bad("conflicting options: cannot specify both --restart and --rm");
  }
  if (options.detach && !options.attach.empty()) {
    return Bad(
        "conflicting options: cannot specify both --attach and "
        "--detach");
  }
  if (options.pull != "always" && options.pull != "missing" &&
      options.pull != "never") {
    return Bad(absl::StrCat("invalid pull option: '", options.pull,
                            "': must be one of \"always\", \"missing\" or "
                            "\"never\""));
  }
  return absl::OkStatus();
}

}  // namespace

bool ContainerOptions::attaches(absl::string_view stream) const {
  if (detach) return false;
  // -i attaches stdin whatever -a says.
  if (stream == "stdin" && interactive) return true;
  if (attach.empty()) return stream != "stdin";
  return std::count(attach.begin(), attach.end(), stream) > 0;
}

absl::Status FinishContainerOptions(const std::vector<std::string>& arguments,
                                    ContainerOptions& options) {
  ContainerConfig& config = options.config;
  CLI_RETURN_IF_ERROR(CheckConflicts(options));
  CLI_RETURN_IF_ERROR(FinishEnvironment(options));
  CLI_RETURN_IF_ERROR(FinishLabels(options));
  CLI_RETURN_IF_ERROR(FinishHealth(options));
  config.image = arguments[0];
  if (config.image.empty()) return Bad("invalid reference format");
  if (arguments.size() > 1) {
    config.cmd.emplace(arguments.begin() + 1, arguments.end());
  }
  if (options.entrypoint.has_value()) {
    config.entrypoint.emplace({*options.entrypoint});
  }
  config.open_stdin = options.interactive;
  config.stdin_once = options.interactive && options.attaches("stdin");
  return absl::OkStatus();
}

}  // namespace containerkit::cli
