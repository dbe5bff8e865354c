// start, attach and exec.
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/option_values.h"
#include "examples/cli/output.h"
#include "examples/cli/status_util.h"
#include "examples/cli/streams.h"
#include "examples/cli/terminal.h"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct StartArguments {
  bool attach = false;
  bool interactive = false;
  bool sig_proxy = true;
  std::string detach_keys;
};

constexpr Flag kStartFlags[] = {
    {"attach", 'a', "", "Attach STDOUT/STDERR and forward signals",
     Set<&StartArguments::attach>},
    {"detach-keys", '\0', "string",
     "Override the key sequence for detaching a container",
     Set<&StartArguments::detach_keys>},
    {"interactive", 'i', "", "Attach container's STDIN",
     Set<&StartArguments::interactive>},
    {"sig-proxy", '\0', "", "", Set<&StartArguments::sig_proxy>},
};

struct AttachArguments {
  bool no_stdin = false;
  bool sig_proxy = true;
  std::string detach_keys;
};

constexpr Flag kAttachFlags[] = {
    {"detach-keys", '\0', "string",
     "Override the key sequence for detaching a container",
     Set<&AttachArguments::detach_keys>},
    {"no-stdin", '\0', "", "Do not attach STDIN",
     Set<&AttachArguments::no_stdin>},
    {"sig-proxy", '\0', "", "Proxy all received signals to the process",
     Set<&AttachArguments::sig_proxy>, "true"},
};

struct ExecArguments {
  ExecConfig config;
  std::string detach_keys;
  std::vector<std::string> env;
  std::vector<std::string> env_files;
};

absl::Status SetExecEnv(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(std::string variable, ParseEnv(value));
  FlagTarget<&ExecArguments::env>(options).push_back(std::move(variable));
  return absl::OkStatus();
}

constexpr auto kExec = &ExecArguments::config;

constexpr Flag kExecFlags[] = {
    {"detach", 'd', "", "Detached mode: run command in the background",
     Set<kExec, &ExecConfig::detach>},
    {"detach-keys", '\0', "string",
     "Override the key sequence for detaching a container",
     Set<&ExecArguments::detach_keys>},
    {"env", 'e', "list", "Set environment variables", SetExecEnv},
    {"env-file", '\0', "list", "Read in a file of environment variables",
     Set<&ExecArguments::env_files>},
    {"interactive", 'i', "", "Keep STDIN open even if not attached",
     Set<kExec, &ExecConfig::stdin_stream>},
    {"privileged", '\0', "", "Give extended privileges to the command",
     Set<kExec, &ExecConfig::privileged>},
    {"tty", 't', "", "Allocate a pseudo-TTY", Set<kExec, &ExecConfig::tty>},
    {"user", 'u', "string",
     "Username or UID (format: \"<name|uid>[:<group|gid>]\")",
     Set<kExec, &ExecConfig::user>},
    {"workdir", 'w', "string", "Working directory inside the container",
     Set<kExec, &ExecConfig::working_dir>},
};

absl::StatusOr<int> StartAttached(const Context& context, const Engine& engine,
                                  const StartArguments& options,
                                  const std::string& name) {
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(name));
  CLI_ASSIGN_OR_RETURN(const ContainerTraits traits, ReadTraits(container));
  StartOptions start;
  start.attach = true;
  start.attach_stdin = options.interactive && traits.open_stdin;
  if (traits.tty) {
    const TerminalSize size = GetTerminalSize(STDIN_FILENO);
    start.rows = size.rows;
    start.columns = size.columns;
  }
  CLI_ASSIGN_OR_RETURN(
      StreamSetup streams,
      StreamSetup::Make(
          {.tty = traits.tty,
           .stdin_stream = start.attach_stdin,
           .close_stdin = traits.stdin_once,
           .sig_proxy = options.sig_proxy && !traits.tty,
           .detach_keys = context.DetachKeys(options.detach_keys, traits.tty),
           .sized = true}));
  streams.CatchSignals();
  CLI_ASSIGN_OR_RETURN(std::optional<Session> session, container.Start(start));
  if (!session.has_value()) return 0;
  CLI_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                       streams.Run(*std::move(session)));
  return exit.has_value() ? exit->code : 0;
}

absl::StatusOr<int> Start(Context& context, StartArguments& options,
                          const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  if (options.attach || options.interactive) {
    if (arguments.size() > 1) {
      return absl::InvalidArgumentError(
          "you cannot start and attach multiple containers at once");
    }
    return StartAttached(context, engine, options, arguments[0]);
  }
  return ForEachName(
      context, arguments,
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(name));
        const absl::Status status = container.Start().status();
        if (!status.ok() && GetReason(status) != Reason::kAlreadyStarted) {
          return status;
        }
        return absl::StrCat(name, "\n");
      });
}

absl::StatusOr<int> Attach(Context& context, AttachArguments& options,
                           const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(arguments[0]));
  CLI_ASSIGN_OR_RETURN(const ContainerInfo info, container.Inspect());
  if (info.state == ContainerState::kPaused) {
    return absl::FailedPreconditionError(
        "cannot attach to a paused container, unpause it first");
  }
  if (info.state == ContainerState::kRestarting) {
    return absl::FailedPreconditionError(
        "cannot attach to a restarting container, wait until it is running");
  }
  if (info.state != ContainerState::kRunning) {
    return absl::FailedPreconditionError(
        "cannot attach to a stopped container, start it first");
  }
  CLI_ASSIGN_OR_RETURN(const ContainerTraits traits, ReadTraits(container));
  const bool with_stdin = !options.no_stdin && traits.open_stdin;
  CLI_ASSIGN_OR_RETURN(
      StreamSetup streams,
      StreamSetup::Make({.tty = traits.tty,
                         .stdin_stream = with_stdin,
                         .close_stdin = traits.stdin_once,
                         .sig_proxy = options.sig_proxy && !traits.tty,
                         .detach_keys = context.DetachKeys(options.detach_keys,
                                                           traits.tty)}));
  streams.CatchSignals();
  CLI_ASSIGN_OR_RETURN(Session session,
                       container.Attach({.stdin_stream = with_stdin}));
  CLI_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                       streams.Run(std::move(session)));
  return exit.has_value() ? exit->code : 0;
}

absl::Status FinishExec(const Arguments& arguments, ExecArguments& options) {
  ExecConfig& config = options.config;
  for (const std::string& path : options.env_files) {
    CLI_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
    CLI_ASSIGN_OR_RETURN(const std::vector<std::string> lines,
                         ParseEnvFile(text));
    config.env.insert(config.env.end(), lines.begin(), lines.end());
  }
  config.env.insert(config.env.end(), options.env.begin(), options.env.end());
  config.command.assign(arguments.begin() + 1, arguments.end());
  if (config.detach) config.stdin_stream = false;
  if (config.tty) {
    const TerminalSize size = GetTerminalSize(STDIN_FILENO);
    config.rows = size.rows;
    config.columns = size.columns;
  }
  return absl::OkStatus();
}

// docker's exit code of an exec that could not start: 126, unless there was
// nothing to start it in.
int ExecFailureCode(const absl::Status& status) {
  switch (GetReason(status)) {
    case Reason::kContainerNotFound:
    case Reason::kContainerPaused:
    case Reason::kNotRunning:
      return kExitFailure;
    default:
      return kExitNotExecutable;
  }
}

absl::StatusOr<int> Exec(Context& context, ExecArguments& options,
                         const Arguments& arguments) {
  CLI_RETURN_IF_ERROR(FinishExec(arguments, options));
  const ExecConfig& config = options.config;
  std::optional<StreamSetup> streams;
  if (!config.detach) {
    CLI_ASSIGN_OR_RETURN(
        streams, StreamSetup::Make({.tty = config.tty,
                                    .stdin_stream = config.stdin_stream,
                                    .sig_proxy = false,
                                    .detach_keys = context.DetachKeys(
                                        options.detach_keys, config.tty),
                                    .sized = true}));
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(arguments[0]));
  if (streams.has_value()) streams->CatchSignals();
  absl::StatusOr<Session> session = container.Exec(config);
  if (!session.ok()) {
    context.PrintError(session.status());
    return FailureExitCode(session.status(), ExecFailureCode(session.status()));
  }
  if (!streams.has_value()) return 0;
  CLI_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                       streams->Run(*std::move(session)));
  return exit.has_value() ? exit->code : 0;
}

}  // namespace

std::vector<Command> AttachCommands() {
  return {
      {"start", "container", "", "", "[OPTIONS] CONTAINER [CONTAINER...]",
       "Start one or more stopped containers", "", 1, kNoLimit, true,
       kStartFlags, CommandMain<StartArguments, Start>},
      {"attach", "container", "", "", "[OPTIONS] CONTAINER",
       "Attach local standard input, output, and error streams to a running "
       "container",
       "", 1, 1, true, kAttachFlags, CommandMain<AttachArguments, Attach>},
      {"exec", "container", "", "", "[OPTIONS] CONTAINER COMMAND [ARG...]",
       "Execute a command in a running container", "", 2, kNoLimit, false,
       kExecFlags, CommandMain<ExecArguments, Exec>},
  };
}

}  // namespace containerkit::cli
