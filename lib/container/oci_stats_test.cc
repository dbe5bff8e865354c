#include "lib/container/oci_stats.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

TEST(OciStatsTest, HasRuncsShape) {
  sys::CgroupStats stats;
  stats.cpu_usage_ns = 7;
  stats.memory_raw_usage_bytes = 4096;
  stats.pids_current = 2;
  stats.block_write_bytes = 9;
  const nlohmann::json json =
      nlohmann::json::parse(OciStatsDocument("a", stats));
  EXPECT_EQ(json["type"], "stats");
  EXPECT_EQ(json["id"], "a");
  const nlohmann::json& data = json["data"];
  EXPECT_EQ(data["cpu"]["usage"]["total"], 7);
  EXPECT_EQ(data["memory"]["usage"]["usage"], 4096);
  EXPECT_EQ(data["pids"]["current"], 2);
  EXPECT_FALSE(data["pids"].contains("limit"));
  EXPECT_EQ(data["blkio"]["ioServiceBytesRecursive"][1]["value"], 9);
}

}  // namespace
}  // namespace containerkit::container
