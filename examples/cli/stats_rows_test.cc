#include "examples/cli/stats_rows.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

TEST(StatsRowsTest, CpuIsTheShareOfOneProcessor) {
  ContainerStats before;
  before.host_cpu_ns = 1000;
  ContainerStats after;
  after.cpu_total_ns = 500;
  after.host_cpu_ns = 3000;
  after.online_cpus = 2;
  EXPECT_DOUBLE_EQ(CpuPercent(before, after), 50);
  EXPECT_DOUBLE_EQ(CpuPercent(after, before), 0);
}

TEST(StatsRowsTest, Table) {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  info.name = "web";
  ContainerStats after;
  after.memory_usage_bytes = 671744;
  after.memory_limit_bytes = 2ull << 30;
  after.pids_current = 3;
  after.block_read_bytes = 1000;
  const std::vector<nlohmann::json> rows = {
      StatsRow(info, nullptr, &after, true),
      StatsRow(info, nullptr, nullptr, true)};
  EXPECT_EQ(
      *FormatList(StatsListSpec(), "", rows),
      "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET "
      "I/O   BLOCK I/O   PIDS\n"
      "aaaaaaaaaaaa   web       0.00%     656KiB / 2GiB       0.03%     0B / "
      "0B   1kB / 0B    3\n"
      "aaaaaaaaaaaa   web       --        -- / --             --        --   "
      "     --          --\n");
}

}  // namespace
}  // namespace containerkit::cli
