// stop, kill, restart, pause, unpause, wait, rm, rename, update and
// `container prune`.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/option_values.h"
#include "examples/cli/output.h"
#include "examples/cli/prune.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

constexpr char kSome[] = "[OPTIONS] CONTAINER [CONTAINER...]";

// Does `act` to every container that is named and prints the names.
template <typename Act>
absl::StatusOr<int> ForEachContainer(const Context& context,
                                     const Arguments& names, Act act) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  return ForEachName(
      context, names,
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(name));
        CLI_RETURN_IF_ERROR(act(container));
        return absl::StrCat(name, "\n");
      });
}

struct StopArguments {
  std::string signal;
  std::optional<absl::Duration> timeout;
};

constexpr Flag kStopFlags[] = {
    {"signal", 's', "string", "Signal to send to the container",
     Set<&StopArguments::signal>},
    {"time", '\0', "int", "", SetSeconds<&StopArguments::timeout>},
    {"timeout", 't', "int", "Seconds to wait before killing the container",
     SetSeconds<&StopArguments::timeout>},
};

absl::StatusOr<StopOptions> ToStopOptions(const StopArguments& options) {
  StopOptions stop;
  stop.timeout = options.timeout;
  if (!options.signal.empty()) {
    CLI_ASSIGN_OR_RETURN(stop.signal, ParseSignal(options.signal));
  }
  return stop;
}

absl::StatusOr<int> Stop(Context& context, StopArguments& options,
                         const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const StopOptions stop, ToStopOptions(options));
  return ForEachContainer(context, arguments, [&](Container& container) {
    const absl::Status status = container.Stop(stop);
    return GetReason(status) == Reason::kAlreadyStopped ? absl::OkStatus()
                                                        : status;
  });
}

absl::StatusOr<int> Restart(Context& context, StopArguments& options,
                            const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const StopOptions stop, ToStopOptions(options));
  return ForEachContainer(context, arguments, [&](Container& container) {
    return container.Restart(stop);
  });
}

struct KillArguments {
  std::string signal = "KILL";
};

constexpr Flag kKillFlags[] = {
    {"signal", 's', "string", "Signal to send to the container",
     Set<&KillArguments::signal>},
};

absl::StatusOr<int> Kill(Context& context, KillArguments& options,
                         const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const int signal, ParseSignal(options.signal));
  return ForEachContainer(context, arguments, [&](Container& container) {
    return container.Kill(signal);
  });
}

struct NoOptions {};

absl::StatusOr<int> Pause(Context& context, NoOptions&,
                          const Arguments& arguments) {
  return ForEachContainer(context, arguments, [](Container& container) {
    return container.Pause();
  });
}

absl::StatusOr<int> Unpause(Context& context, NoOptions&,
                            const Arguments& arguments) {
  return ForEachContainer(context, arguments, [](Container& container) {
    return container.Unpause();
  });
}

absl::StatusOr<int> Wait(Context& context, NoOptions&,
                         const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  return ForEachName(
      context, arguments,
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(name));
        CLI_ASSIGN_OR_RETURN(const ExitStatus exit, container.Wait());
        return absl::StrCat(exit.code, "\n");
      });
}

struct ContainerRemoveArguments {
  bool force = false;
  bool volumes = false;
};

constexpr Flag kRemoveFlags[] = {
    {"force", 'f', "",
     "Force the removal of a running container (uses "
     "SIGKILL)",
     Set<&ContainerRemoveArguments::force>},
    {"volumes", 'v', "",
     "Remove anonymous volumes associated with the container",
     Set<&ContainerRemoveArguments::volumes>},
};

absl::StatusOr<int> Remove(Context& context, ContainerRemoveArguments& options,
                           const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  return ForEachName(
      context, arguments,
      [&](const std::string& name) -> absl::StatusOr<std::string> {
        absl::StatusOr<Container> container = engine.GetContainer(name);
        const absl::Status status =
            container.ok() ? container->Remove({.force = options.force,
                                                .volumes = options.volumes})
                           : container.status();
        if (options.force && GetReason(status) == Reason::kContainerNotFound) {
          // With -f, docker says it and does not fail.
          context.PrintError(status);
          return std::string();
        }
        CLI_RETURN_IF_ERROR(status);
        return absl::StrCat(name, "\n");
      });
}

absl::StatusOr<int> Rename(Context& context, NoOptions&,
                           const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(arguments[0]));
  CLI_RETURN_IF_ERROR(container.Rename(arguments[1]));
  return 0;
}

using R = ResourceConfig;
constexpr auto kResources = &ContainerUpdate::resources;

template <auto Parse, auto... Path>
absl::Status Assign(void* options, absl::string_view value) {
  CLI_ASSIGN_OR_RETURN(FlagTarget<Path...>(options), Parse(value));
  return absl::OkStatus();
}

// clang-format off
constexpr Flag kUpdateFlags[] = {
    {"blkio-weight", '\0', "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable", Set<kResources, &R::blkio_weight>, "0"},
    {"cpu-period", '\0', "int", "Limit CPU CFS (Completely Fair Scheduler) period", Set<kResources, &R::cpu_period_us>},
    {"cpu-quota", '\0', "int", "Limit CPU CFS (Completely Fair Scheduler) quota", Set<kResources, &R::cpu_quota_us>},
    {"cpu-rt-period", '\0', "int", "Limit the CPU real-time period in microseconds", Set<kResources, &R::cpu_realtime_period_us>},
    {"cpu-rt-runtime", '\0', "int", "Limit the CPU real-time runtime in microseconds", Set<kResources, &R::cpu_realtime_runtime_us>},
    {"cpu-shares", 'c', "int", "CPU shares (relative weight)", Set<kResources, &R::cpu_shares>},
    {"cpus", '\0', "decimal", "Number of CPUs", Assign<ParseCpus, kResources, &R::nano_cpus>},
    {"cpuset-cpus", '\0', "string", "CPUs in which to allow execution (0-3, 0,1)", Set<kResources, &R::cpuset_cpus>},
    {"cpuset-mems", '\0', "string", "MEMs in which to allow execution (0-3, 0,1)", Set<kResources, &R::cpuset_mems>},
    {"memory", 'm', "bytes", "Memory limit", SetBytes<kResources, &R::memory_bytes>},
    {"memory-reservation", '\0', "bytes", "Memory soft limit", SetBytes<kResources, &R::memory_reservation_bytes>},
    {"memory-swap", '\0', "bytes", "Swap limit equal to memory plus swap: -1 to enable unlimited swap", Assign<ParseSwap, kResources, &R::memory_swap_bytes>},
    {"pids-limit", '\0', "int", "Tune container pids limit (set -1 for unlimited)", Set<kResources, &R::pids_limit>},
    {"restart", '\0', "string", "Restart policy to apply when a container exits", Assign<ParseRestart, &ContainerUpdate::restart>},
};
// clang-format on

absl::StatusOr<int> Update(Context& context, ContainerUpdate& update,
                           const Arguments& arguments) {
  if (update.resources == ResourceConfig{} && !update.restart.has_value()) {
    return absl::InvalidArgumentError(
        "you must provide one or more flags when using this command");
  }
  return ForEachContainer(context, arguments, [&](Container& container) {
    return container.Update(update);
  });
}

struct ContainerPruneArguments {
  bool force = false;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kPruneFlags[] = {
    {"filter", '\0', "filter",
     "Provide filter values (e.g. \"until=<timestamp>\")",
     SetFilter<&ContainerPruneArguments::filters>},
    {"force", 'f', "", "Do not prompt for confirmation",
     Set<&ContainerPruneArguments::force>},
};

absl::StatusOr<int> Prune(Context& context, ContainerPruneArguments& options,
                          const Arguments&) {
  if (!options.force &&
      !Confirm("WARNING! This will remove all stopped containers.\nAre you "
               "sure you want to continue?")) {
    return absl::CancelledError("container prune has been cancelled");
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const PruneReport report,
                       PruneContainers(engine, options.filters, false));
  Print(PruneText(report));
  return 0;
}

}  // namespace

std::vector<Command> LifeCommands() {
  return {
      {"stop", "container", "", "", kSome,
       "Stop one or more running containers", "", 1, kNoLimit, true, kStopFlags,
       CommandMain<StopArguments, Stop>},
      {"kill", "container", "", "", kSome,
       "Kill one or more running containers", "", 1, kNoLimit, true, kKillFlags,
       CommandMain<KillArguments, Kill>},
      {"restart", "container", "", "", kSome, "Restart one or more containers",
       "", 1, kNoLimit, true, kStopFlags, CommandMain<StopArguments, Restart>},
      {"pause",
       "container",
       "",
       "",
       "CONTAINER [CONTAINER...]",
       "Pause all processes within one or more containers",
       "",
       1,
       kNoLimit,
       true,
       {},
       CommandMain<NoOptions, Pause>},
      {"unpause",
       "container",
       "",
       "",
       "CONTAINER [CONTAINER...]",
       "Unpause all processes within one or more containers",
       "",
       1,
       kNoLimit,
       true,
       {},
       CommandMain<NoOptions, Unpause>},
      {"wait",
       "container",
       "",
       "",
       "CONTAINER [CONTAINER...]",
       "Block until one or more containers stop, then print their exit codes",
       "",
       1,
       kNoLimit,
       true,
       {},
       CommandMain<NoOptions, Wait>},
      {"rm", "container", "", "remove", kSome, "Remove one or more containers",
       "", 1, kNoLimit, true, kRemoveFlags,
       CommandMain<ContainerRemoveArguments, Remove>},
      {"rename",
       "container",
       "",
       "",
       "CONTAINER NEW_NAME",
       "Rename a container",
       "",
       2,
       2,
       true,
       {},
       CommandMain<NoOptions, Rename>},
      {"update", "container", "", "", kSome,
       "Update configuration of one or more containers", "", 1, kNoLimit, true,
       kUpdateFlags, CommandMain<ContainerUpdate, Update>},
      {"", "container", "prune", "", "[OPTIONS]",
       "Remove all stopped containers", "", 0, 0, true, kPruneFlags,
       CommandMain<ContainerPruneArguments, Prune>},
  };
}

}  // namespace containerkit::cli
