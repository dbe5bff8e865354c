#include "examples/cli/stats_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/cli/container_rows.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

constexpr ListColumn kColumns[] = {
    {"Container", "CONTAINER"},
    {"ID", "CONTAINER ID"},
    {"Name", "NAME"},
    {"CPUPerc", "CPU %"},
    {"MemUsage", "MEM USAGE / LIMIT"},
    {"MemPerc", "MEM %"},
    {"NetIO", "NET I/O"},
    {"BlockIO", "BLOCK I/O"},
    {"PIDs", "PIDS"},
};

constexpr ListSpec kSpec = {
    kColumns,
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
    "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    "*container.statsContext"};

std::string Percent(double value) { return absl::StrFormat("%.2f%%", value); }

}  // namespace

const ListSpec& StatsListSpec() { return kSpec; }

double CpuPercent(const ContainerStats& before, const ContainerStats& after) {
  if (after.cpu_total_ns <= before.cpu_total_ns ||
      after.host_cpu_ns <= before.host_cpu_ns) {
    return 0;
  }
  const auto used =
      static_cast<double>(after.cpu_total_ns - before.cpu_total_ns);
  const auto host = static_cast<double>(after.host_cpu_ns - before.host_cpu_ns);
  return used / host * std::max(after.online_cpus, 1u) * 100;
}

nlohmann::json StatsRow(const ContainerInfo& info, const ContainerStats* before,
                        const ContainerStats* after, bool truncate) {
  const std::string id = truncate ? ShortId(info.id) : info.id;
  nlohmann::json row = {{"Container", id},       {"ID", id},
                        {"Name", info.name},     {"CPUPerc", "--"},
                        {"MemUsage", "-- / --"}, {"MemPerc", "--"},
                        {"NetIO", "--"},         {"BlockIO", "--"},
                        {"PIDs", "--"}};
  if (after == nullptr) return row;
  const auto usage = static_cast<double>(after->memory_usage_bytes);
  const auto limit = static_cast<double>(after->memory_limit_bytes);
  row["CPUPerc"] = Percent(before == nullptr ? 0 : CpuPercent(*before, *after));
  row["MemUsage"] = absl::StrCat(BinarySize(usage), " / ", BinarySize(limit));
  row["MemPerc"] = Percent(limit > 0 ? usage / limit * 100 : 0);
  // No network but none and the host's, of which docker shows nothing either.
  row["NetIO"] = "0B / 0B";
  row["BlockIO"] = absl::StrCat(
      HumanSize(static_cast<double>(after->block_read_bytes), 3), " / ",
      HumanSize(static_cast<double>(after->block_write_bytes), 3));
  row["PIDs"] = absl::StrCat(after->pids_current);
  return row;
}

}  // namespace containerkit::cli
