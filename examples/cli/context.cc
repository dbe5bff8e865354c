#include "examples/cli/context.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "examples/cli/detach_keys.h"
#include "examples/cli/error_text.h"
#include "examples/cli/option_values.h"
#include "examples/cli/output.h"

namespace containerkit::cli {
namespace {

LogLevel LevelFromName(absl::string_view name, bool debug) {
  if (debug || name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "error" || name == "fatal") return LogLevel::kError;
  return LogLevel::kWarning;
}

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARNING";
    case LogLevel::kError:
      return "ERROR";
  }
  return "INFO";
}

// Docker's config.json; `otherwise`: where it is without --config.
std::string ConfigFile(const GlobalOptions& globals, std::string otherwise) {
  return globals.config.empty() ? otherwise
                                : absl::StrCat(globals.config, "/config.json");
}

}  // namespace

absl::StatusOr<Engine> Context::OpenEngine() const {
  Engine::Options options = Engine::Options::FromEnvironment();
  if (!globals_.root.empty()) options.root = globals_.root;
  options.docker_config =
      ConfigFile(globals_, std::move(options.docker_config));
  if (!globals_.certs_dir.empty()) options.certs_dir = globals_.certs_dir;
  options.insecure_registries.insert(options.insecure_registries.end(),
                                     globals_.insecure_registries.begin(),
                                     globals_.insecure_registries.end());
  options.registry_mirrors.insert(options.registry_mirrors.end(),
                                  globals_.registry_mirrors.begin(),
                                  globals_.registry_mirrors.end());
  const LogLevel least = LevelFromName(globals_.log_level, globals_.debug);
  options.log_sink = [least](LogLevel level, absl::string_view message) {
    if (level < least) return;
    PrintErr(absl::StrCat(LevelName(level), ": ", Printable(message), "\n"));
  };
  return Engine::Open(options);
}

std::string Context::DetachKeys(const std::string& flag, bool tty) const {
  if (!flag.empty() || !tty) return flag;
  const absl::StatusOr<std::string> text = ReadTextFile(
      ConfigFile(globals_, Engine::Options::FromEnvironment().docker_config));
  return text.ok() ? ConfiguredDetachKeys(*text) : "";
}

void Context::PrintError(const absl::Status& status) const {
  PrintErr(ErrorText(status, globals_.debug));
}

}  // namespace containerkit::cli
