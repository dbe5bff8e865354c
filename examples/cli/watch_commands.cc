// logs, top and stats.
#include <unistd.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "containerkit/engine.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/list_format.h"
#include "examples/cli/output.h"
#include "examples/cli/ps_columns.h"
#include "examples/cli/stats_rows.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct LogArguments {
  bool details = false;
  bool follow = false;
  bool timestamps = false;
  std::string since;
  std::string until;
  std::string tail = "all";
};

constexpr Flag kLogFlags[] = {
    {"details", '\0', "", "Show extra details provided to logs",
     Set<&LogArguments::details>},
    {"follow", 'f', "", "Follow log output", Set<&LogArguments::follow>},
    {"since", '\0', "string",
     "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative "
     "(e.g. \"42m\" for 42 minutes)",
     Set<&LogArguments::since>},
    {"tail", 'n', "string", "Number of lines to show from the end of the logs",
     Set<&LogArguments::tail>, "\"all\""},
    {"timestamps", 't', "", "Show timestamps", Set<&LogArguments::timestamps>},
    {"until", '\0', "string",
     "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative "
     "(e.g. \"42m\" for 42 minutes)",
     Set<&LogArguments::until>},
};

absl::StatusOr<LogOptions> ToLogOptions(const LogArguments& options) {
  LogOptions log;
  log.follow = options.follow;
  const absl::Time now = absl::Now();
  if (!options.since.empty()) {
    CLI_ASSIGN_OR_RETURN(log.since, ParseDockerTime(options.since, now));
  }
  if (!options.until.empty()) {
    CLI_ASSIGN_OR_RETURN(log.until, ParseDockerTime(options.until, now));
  }
  if (options.tail != "all" && !absl::SimpleAtoi(options.tail, &log.tail)) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid tail value: ", options.tail));
  }
  return log;
}

absl::StatusOr<int> Logs(Context& context, LogArguments& options,
                         const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const LogOptions log, ToLogOptions(options));
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(arguments[0]));
  // Whether the next entry of a stream begins a line.
  bool at_start[] = {true, true};
  CLI_RETURN_IF_ERROR(container.Logs(log, [&](const Output& output) {
    const bool is_error = output.stream == Output::Stream::kStderr;
    bool& start = at_start[is_error];
    std::string stamp;
    if (options.timestamps && start) {
      stamp = absl::StrCat(LogTimestamp(output.time), " ");
    }
    // docker puts the attributes of the log options `labels` and `env` and a
    // blank here; without such options, which we do not have, the blank alone.
    if (options.details && start) stamp += ' ';
    start = absl::EndsWith(output.data, "\n");
    return WriteAll(
               is_error ? STDERR_FILENO : STDOUT_FILENO,
               stamp.empty() ? output.data : absl::StrCat(stamp, output.data))
        .ok();
  }));
  return 0;
}

struct NoOptions {};

absl::StatusOr<int> Top(Context& context, NoOptions&,
                        const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(
      const std::vector<std::string> columns,
      PsColumns(Arguments(arguments.begin() + 1, arguments.end())));
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(arguments[0]));
  CLI_ASSIGN_OR_RETURN(const ProcessTable table, container.Top(columns));
  std::string text = absl::StrCat(absl::StrJoin(table.titles, "\t"), "\n");
  for (const std::vector<std::string>& row : table.rows) {
    std::string line = absl::StrJoin(row, "\t");
    absl::StrAppend(&text, absl::StrReplaceAll(Printable(line), {{"\n", " "}}),
                    "\n");
  }
  // docker's top has wider columns than its other tables.
  constexpr size_t kMinWidth = 20;
  Print(AlignTabs(text, kMinWidth));
  return 0;
}

struct StatsArguments {
  bool all = false;
  bool no_stream = false;
  bool no_trunc = false;
  std::string format;
};

constexpr Flag kStatsFlags[] = {
    {"all", 'a', "", "Show all containers (default shows just running)",
     Set<&StatsArguments::all>},
    {"format", '\0', "string", kFormatHelp, Set<&StatsArguments::format>},
    {"no-stream", '\0', "",
     "Disable streaming stats and only pull the first result",
     Set<&StatsArguments::no_stream>},
    {"no-trunc", '\0', "", "Do not truncate output",
     Set<&StatsArguments::no_trunc>},
};

// The readings of the containers that are shown, by id.
using Readings = std::map<std::string, ContainerStats>;

absl::StatusOr<std::vector<ContainerInfo>> ShownContainers(
    const Engine& engine, const StatsArguments& options,
    const Arguments& names) {
  if (names.empty()) return engine.ListContainers({.all = options.all});
  std::vector<ContainerInfo> containers;
  for (const std::string& name : names) {
    CLI_ASSIGN_OR_RETURN(Container container, engine.GetContainer(name));
    CLI_ASSIGN_OR_RETURN(containers.emplace_back(), container.Inspect());
  }
  return containers;
}

uint64_t MachineMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

Readings ReadStats(const Engine& engine,
                   const std::vector<ContainerInfo>& containers) {
  Readings readings;
  for (const ContainerInfo& info : containers) {
    absl::StatusOr<Container> container = engine.GetContainer(info.id);
    if (!container.ok()) continue;
    // One that does not run has nothing to read.
    absl::StatusOr<ContainerStats> stats = container->Stats();
    if (!stats.ok()) continue;
    // Without a limit of its own, the machine's memory is the limit.
    const uint64_t machine = MachineMemoryBytes();
    if (stats->memory_limit_bytes == 0 || stats->memory_limit_bytes > machine) {
      stats->memory_limit_bytes = machine;
    }
    readings[info.id] = *stats;
  }
  return readings;
}

absl::StatusOr<std::string> StatsText(
    const std::vector<ContainerInfo>& containers, const Readings& before,
    const Readings& after, const StatsArguments& options) {
  const auto find = [](const Readings& readings, const std::string& id) {
    const auto found = readings.find(id);
    return found == readings.end() ? nullptr : &found->second;
  };
  std::vector<nlohmann::json> rows;
  for (const ContainerInfo& info : containers) {
    rows.push_back(StatsRow(info, find(before, info.id), find(after, info.id),
                            !options.no_trunc));
  }
  return FormatList(StatsListSpec(), options.format, rows);
}

// Draws over what is on the screen.
std::string ScreenText(absl::string_view text) {
  return absl::StrCat("\x1b[H", absl::StrReplaceAll(text, {{"\n", "\x1b[K\n"}}),
                      "\x1b[J");
}

absl::StatusOr<int> Stats(Context& context, StatsArguments& options,
                          const Arguments& arguments) {
  constexpr absl::Duration kOneShot = absl::Milliseconds(250);
  constexpr absl::Duration kPeriod = absl::Seconds(1);
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  Readings before;
  bool first = true;
  while (true) {
    CLI_ASSIGN_OR_RETURN(const std::vector<ContainerInfo> containers,
                         ShownContainers(engine, options, arguments));
    if (first) before = ReadStats(engine, containers);
    absl::SleepFor(first ? kOneShot : kPeriod);
    const Readings after = ReadStats(engine, containers);
    CLI_ASSIGN_OR_RETURN(const std::string text,
                         StatsText(containers, before, after, options));
    if (options.no_stream) {
      Print(text);
      return 0;
    }
    if (first) Print("\x1b[2J");
    Print(ScreenText(text));
    before = after;
    first = false;
  }
}

}  // namespace

std::vector<Command> WatchCommands() {
  return {
      {"logs", "container", "", "", "[OPTIONS] CONTAINER",
       "Fetch the logs of a container", "", 1, 1, true, kLogFlags,
       CommandMain<LogArguments, Logs>},
      {"top",
       "container",
       "",
       "",
       "CONTAINER [ps OPTIONS]",
       "Display the running processes of a container",
       "",
       1,
       kNoLimit,
       false,
       {},
       CommandMain<NoOptions, Top>},
      {"stats", "container", "", "", "[OPTIONS] [CONTAINER...]",
       "Display a live stream of container(s) resource usage statistics", "", 0,
       kNoLimit, true, kStatsFlags, CommandMain<StatsArguments, Stats>},
  };
}

}  // namespace containerkit::cli
