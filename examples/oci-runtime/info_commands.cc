// state, list, events, spec, features.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/oci-runtime/commands.h"

namespace ck_oci {
namespace {

using containerkit::OciContainerState;
using containerkit::OciRuntime;

absl::StatusOr<int> Printed(const std::string& text) {
  const absl::Status status = Print(text);
  if (!status.ok()) return status;
  return 0;
}

// Columns as wide as their widest cell, two or more spaces between.
std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max({widths[i], row[i].size(), size_t{10}});
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      std::string cell = row[i];
      if (i + 1 < row.size()) cell.resize(widths[i] + 2, ' ');
      absl::StrAppend(&text, cell);
    }
    text += '\n';
  }
  return text;
}

std::string ContainerTable(const std::vector<OciContainerState>& containers) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const OciContainerState& c : containers) {
    rows.push_back({c.id, absl::StrCat(c.pid), c.status, c.bundle,
                    absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", c.created,
                                     absl::UTCTimeZone()),
                    c.owner});
  }
  return Table(rows);
}

}  // namespace

absl::StatusOr<int> StateCommand(const Command& command,
                                 const Context& context) {
  const auto others = ParseCommandLine(command, context, {}, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const absl::StatusOr<OciContainerState> state =
      context.runtime->State((*others)->front());
  if (!state.ok()) return state.status();
  return Printed(absl::StrCat(state->json, "\n"));
}

absl::StatusOr<int> ListCommand(const Command& command,
                                const Context& context) {
  std::string format = "table";
  bool quiet = false;
  Arguments arguments;
  arguments.String("format,f", &format, "table or json");
  arguments.Bool("quiet,q", &quiet, "ids only");
  const auto others = ParseCommandLine(command, context, arguments, 0, 0);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  if (format != "table" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid format \"", format, "\""));
  }
  const absl::StatusOr<std::vector<OciContainerState>> containers =
      context.runtime->List();
  if (!containers.ok()) return containers.status();
  if (quiet) {
    std::string ids;
    for (const OciContainerState& c : *containers) {
      absl::StrAppend(&ids, c.id, "\n");
    }
    return Printed(ids);
  }
  if (format == "table") return Printed(ContainerTable(*containers));
  std::vector<absl::string_view> documents;
  for (const OciContainerState& c : *containers) documents.push_back(c.json);
  return Printed(absl::StrCat("[", absl::StrJoin(documents, ",\n"), "]\n"));
}

absl::StatusOr<int> EventsCommand(const Command& command,
                                  const Context& context) {
  bool once = false;
  std::string interval_text = "5s";
  Arguments arguments;
  arguments.Bool("stats", &once, "the container's statistics, once");
  arguments.String("interval", &interval_text,
                   "how often statistics are taken; default: 5s");
  const auto others = ParseCommandLine(command, context, arguments, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  absl::Duration interval;
  if (!absl::ParseDuration(interval_text, &interval) ||
      interval <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid interval \"", interval_text, "\""));
  }
  for (;;) {
    const absl::StatusOr<std::string> stats =
        context.runtime->StatsJson((*others)->front());
    if (!stats.ok()) return stats.status();
    const absl::Status printed = Print(absl::StrCat(*stats, "\n"));
    if (!printed.ok()) return printed;
    if (once) return 0;
    absl::SleepFor(interval);
    const absl::StatusOr<OciContainerState> state =
        context.runtime->State((*others)->front());
    if (!state.ok() || state->status == "stopped") return 0;
  }
}

absl::StatusOr<int> SpecCommand(const Command& command,
                                const Context& context) {
  std::string bundle = ".";
  bool rootless = false;
  Arguments arguments;
  arguments.String("bundle,b", &bundle, "directory to write config.json to");
  arguments.Bool("rootless", &rootless, "for a user other than root");
  const auto others = ParseCommandLine(command, context, arguments, 0, 0);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const std::string path = absl::StrCat(bundle, "/config.json");
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
  const std::string json =
      absl::StrCat(OciRuntime::ExampleSpecJson(rootless), "\n");
  const ssize_t n = write(fd, json.data(), json.size());
  const int error = n < 0 ? errno : 0;
  close(fd);
  if (n != static_cast<ssize_t>(json.size())) {
    return absl::ErrnoToStatus(error != 0 ? error : ENOSPC,
                               absl::StrCat("write ", path));
  }
  return 0;
}

absl::StatusOr<int> FeaturesCommand(const Command& command,
                                    const Context& context) {
  const auto others = ParseCommandLine(command, context, {}, 0, 0);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  return Printed(absl::StrCat(OciRuntime::FeaturesJson(), "\n"));
}

}  // namespace ck_oci
