#include "examples/oci-runtime/resources.h"

#include "gtest/gtest.h"

namespace ck_oci {
namespace {

TEST(ResourcesTest, NothingGivenIsAnEmptyObject) {
  EXPECT_EQ(*ResourcesJson({}), "{}");
}

TEST(ResourcesTest, GroupsWhatWasGiven) {
  EXPECT_EQ(*ResourcesJson({.cpu_quota = "-1",
                            .cpuset_cpus = "0-1,3",
                            .memory = "64m",
                            .memory_swap = "-1",
                            .pids_limit = "20"}),
            "{\"memory\":{\"limit\":67108864,\"swap\":-1},"
            "\"cpu\":{\"quota\":-1,\"cpus\":\"0-1,3\"},"
            "\"pids\":{\"limit\":20}}");
}

TEST(ResourcesTest, NamesTheBadFlag) {
  for (const ResourceFlags& flags :
       {ResourceFlags{.cpu_shares = "x"}, ResourceFlags{.memory = "1q"},
        ResourceFlags{.cpuset_mems = "0\",\"a"}}) {
    EXPECT_EQ(ResourcesJson(flags).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(ResourcesTest, SizesAreAsDockerWritesThem) {
  EXPECT_EQ(*ParseBytes("1024"), 1024);
  EXPECT_EQ(*ParseBytes("1b"), 1);
  EXPECT_EQ(*ParseBytes("2K"), 2048);
  EXPECT_EQ(*ParseBytes("1.5g"), 1610612736);
  EXPECT_EQ(*ParseBytes("1GiB"), 1 << 30);
  EXPECT_EQ(*ParseBytes("-1"), -1);
  for (const char* bad : {"", "m", "-2", "1x", "1kk", "99999999999g"}) {
    EXPECT_FALSE(ParseBytes(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace ck_oci
