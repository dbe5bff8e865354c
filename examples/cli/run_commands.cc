// run and create.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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
#include "examples/cli/container_options.h"
#include "examples/cli/image_name.h"
#include "examples/cli/output.h"
#include "examples/cli/pull.h"
#include "examples/cli/signals.h"
#include "examples/cli/status_util.h"
#include "examples/cli/streams.h"
#include "examples/cli/terminal.h"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

// What is wrong with the command line, as against what the engine refuses.
int UsageError(const Context& context, const absl::Status& status,
               absl::string_view command) {
  context.PrintError(status);
  PrintErr(
      absl::StrCat("\nRun 'ck ", command, " --help' for more information\n"));
  return kExitUsage;
}

// --cidfile: made before the container, so that a file that is there already
// stops the command, and taken away again if the container is not made.
class CidFile final {
 public:
  CidFile() = default;
  CidFile(const CidFile&) = delete;
  CidFile& operator=(const CidFile&) = delete;
  ~CidFile() {
    if (fd_ < 0) return;
    close(fd_);
    if (!written_) unlink(path_.c_str());
  }

  absl::Status Open(const std::string& path) {
    if (path.empty()) return absl::OkStatus();
    path_ = path;
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd_ >= 0) return absl::OkStatus();
    if (errno == EEXIST) {
      return absl::AlreadyExistsError(
          absl::StrCat("container ID file found, make sure the other "
                       "container isn't running or delete ",
                       path));
    }
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat("failed to create the container ID file: open ", path));
  }

  absl::Status Write(absl::string_view id) {
    if (fd_ < 0) return absl::OkStatus();
    written_ = true;
    return WriteAll(fd_, id);
  }

 private:
  std::string path_;
  int fd_ = -1;
  bool written_ = false;
};

absl::Status Pull(const Engine& engine, const ContainerOptions& options,
                  const CancelToken& cancel) {
  PullRequest request;
  request.reference = options.config.image;
  request.platform = options.config.platform;
  request.quiet = options.quiet;
  request.fd = STDERR_FILENO;
  request.cancel = cancel;
  return PullWithProgress(engine, request).status();
}

bool IsMissingImage(const absl::Status& status) {
  const Reason reason = GetReason(status);
  return reason == Reason::kImageNotFound ||
         reason == Reason::kPlatformNotFound;
}

// Makes the container and pulls its image if the flags want that. The image is
// looked for only by Create itself: no extra work when it is there.
absl::StatusOr<Container> CreateContainer(const Engine& engine,
                                          const ContainerOptions& options,
                                          const CancelToken& interrupt) {
  CidFile cidfile;
  CLI_RETURN_IF_ERROR(cidfile.Open(options.cidfile));
  const auto pull = [&] { return Pull(engine, options, interrupt); };
  if (options.pull == "always") CLI_RETURN_IF_ERROR(pull());
  absl::StatusOr<Container> container = engine.Create(options.config);
  if (!container.ok() && options.pull == "missing" &&
      IsMissingImage(container.status())) {
    if (!options.quiet) {
      PrintErr(absl::StrCat("Unable to find image '",
                            Printable(WithTag(options.config.image)),
                            "' locally\n"));
    }
    CLI_RETURN_IF_ERROR(pull());
    container = engine.Create(options.config);
  }
  if (!container.ok()) return container.status();
  CLI_RETURN_IF_ERROR(cidfile.Write(container->id()));
  return container;
}

// --dry-run. An image that is not there is not pulled either.
absl::StatusOr<int> PrintPlan(const Context& context,
                              const ContainerOptions& options) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const std::string plan, engine.DryRun(options.config));
  Print(plan);
  return 0;
}

int StartFailure(const Context& context, const absl::Status& status,
                 const ContainerOptions& options, Container& container) {
  const int exit_code =
      ReportError(context, status, FailureExitCode(status, kExitUsage));
  // Nobody was told of a container whose start was interrupted.
  const bool unknown = absl::IsCancelled(status);
  if (unknown || options.config.auto_remove) {
    // Gone already if the engine saw to it.
    container.Remove({.force = true}).IgnoreError();
  }
  if (unknown && !options.cidfile.empty()) unlink(options.cidfile.c_str());
  return exit_code;
}

absl::StatusOr<int> RunAttached(const Context& context,
                                const ContainerOptions& options,
                                const CancelToken& interrupt,
                                StreamSetup& streams, Container& container) {
  const TerminalSize size =
      options.config.tty ? GetTerminalSize(STDIN_FILENO) : TerminalSize{};
  StartOptions start;
  start.attach_stdin = options.config.open_stdin && options.attaches("stdin");
  start.attach = start.attach_stdin || !options.only_stdin();
  start.rows = size.rows;
  start.columns = size.columns;
  start.cancel = interrupt;
  streams.CatchSignals();
  absl::StatusOr<std::optional<Session>> session = container.Start(start);
  if (!session.ok()) {
    return StartFailure(context, session.status(), options, container);
  }
  // It came too late to keep the start from succeeding.
  if (InterruptExitCode() != 0) {
    return StartFailure(context, absl::CancelledError("interrupted"), options,
                        container);
  }
  if (options.only_stdin()) Print(absl::StrCat(container.id(), "\n"));
  if (!session->has_value()) return 0;
  CLI_ASSIGN_OR_RETURN(const std::optional<ExitStatus> exit,
                       streams.Run(**std::move(session), interrupt));
  if (!exit.has_value() || options.only_stdin()) return 0;
  if (options.config.auto_remove) {
    // NOT_FOUND: it is gone already.
    const auto removed = container.Wait(
        {.condition = WaitCondition::kRemoved, .cancel = interrupt});
    if (!removed.ok() && !absl::IsNotFound(removed.status())) {
      context.PrintError(removed.status());
    }
  }
  return exit->code;
}

absl::StatusOr<int> Run(Context& context, ContainerOptions& options,
                        const Arguments& arguments) {
  if (absl::Status status = FinishContainerOptions(arguments, options);
      !status.ok()) {
    return UsageError(context, status, "run");
  }
  if (options.dry_run) {
    const absl::StatusOr<int> printed = PrintPlan(context, options);
    if (printed.ok()) return *printed;
    context.PrintError(printed.status());
    return kExitUsage;
  }
  std::optional<StreamSetup> streams;
  if (!options.detach) {
    absl::StatusOr<StreamSetup> setup =
        StreamSetup::Make({.tty = options.config.tty,
                           .stdin_stream = options.attaches("stdin"),
                           .stdout_stream = options.attaches("stdout"),
                           .stderr_stream = options.attaches("stderr"),
                           .sig_proxy = options.sig_proxy,
                           .detach_keys = context.DetachKeys(
                               options.detach_keys, options.config.tty),
                           .sized = true});
    if (!setup.ok()) return setup.status();
    streams.emplace(*std::move(setup));
  }
  const absl::StatusOr<Engine> engine = context.OpenEngine();
  const CancelToken& interrupt = CatchInterrupts();
  absl::StatusOr<Container> container =
      engine.ok() ? CreateContainer(*engine, options, interrupt)
                  : absl::StatusOr<Container>(engine.status());
  if (!container.ok()) {
    return ReportError(context, container.status(), kExitUsage);
  }
  if (streams.has_value()) {
    return RunAttached(context, options, interrupt, *streams, *container);
  }
  const auto started = container->Start({.cancel = interrupt});
  if (!started.ok()) {
    return StartFailure(context, started.status(), options, *container);
  }
  Print(absl::StrCat(container->id(), "\n"));
  return 0;
}

absl::StatusOr<int> Create(Context& context, ContainerOptions& options,
                           const Arguments& arguments) {
  if (absl::Status status = FinishContainerOptions(arguments, options);
      !status.ok()) {
    return UsageError(context, status, "create");
  }
  if (options.dry_run) return PrintPlan(context, options);
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const Container container,
                       CreateContainer(engine, options, CatchInterrupts()));
  Print(absl::StrCat(container.id(), "\n"));
  return 0;
}

}  // namespace

int FailureExitCode(const absl::Status& status, int otherwise) {
  switch (GetReason(status)) {
    case Reason::kCommandNotFound:
      return kExitNotFound;
    case Reason::kCommandNotExecutable:
      return kExitNotExecutable;
    default:
      return otherwise;
  }
}

std::vector<Command> RunCommands() {
  return {
      {"run", "container", "", "", "[OPTIONS] IMAGE [COMMAND] [ARG...]",
       "Create and run a new container from an image", "", 1, kNoLimit, false,
       RunFlags(), CommandMain<ContainerOptions, Run>},
      {"create", "container", "", "", "[OPTIONS] IMAGE [COMMAND] [ARG...]",
       "Create a new container", "", 1, kNoLimit, false, CreateFlags(),
       CommandMain<ContainerOptions, Create>},
  };
}

}  // namespace containerkit::cli
