// pause, resume, update, events: what goes through the cgroup.
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

class ResourcesTest : public OciTest {};

TEST_F(ResourcesTest, LimitsHoldFromTheStartAndAreUpdated) {
  Json config = Config("sleep 100");
  config["linux"]["resources"] = {{"memory", {{"limit", 33554432}}},
                                  {"pids", {{"limit", 30}}}};
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  EXPECT_EQ(CgroupFile("a", "memory", "memory.limit_in_bytes", "memory.max"),
            "33554432\n");
  EXPECT_EQ(CgroupFile("a", "pids", "pids.max", "pids.max"), "30\n");
  MustOci({"update", "--memory", "48m", "--pids-limit", "17", "a"});
  EXPECT_EQ(CgroupFile("a", "memory", "memory.limit_in_bytes", "memory.max"),
            "50331648\n");
  EXPECT_EQ(CgroupFile("a", "pids", "pids.max", "pids.max"), "17\n");
  MustOci({"update", "-r", "-", "a"}, {.input = "{\"pids\":{\"limit\":11}}"});
  EXPECT_EQ(CgroupFile("a", "pids", "pids.max", "pids.max"), "11\n");
  EXPECT_EQ(CgroupFile("a", "memory", "memory.limit_in_bytes", "memory.max"),
            "50331648\n");
  EXPECT_EQ(Oci({"update", "--memory", "much", "a"}).code, 1);
  EXPECT_EQ(Oci({"update", "-r", "-", "a"}, {.input = "{"}).code, 1);
}

TEST_F(ResourcesTest, PauseFreezesUntilResume) {
  RunSleeper("a");
  EXPECT_THAT(Oci({"resume", "a"}).err, HasSubstr("not paused"));
  MustOci({"pause", "a"});
  EXPECT_EQ(Status("a"), "paused");
  EXPECT_EQ(Oci({"pause", "a"}).code, 1);
  EXPECT_THAT(Oci({"exec", "a", "true"}).err, HasSubstr("paused"));
  EXPECT_EQ(Oci({"delete", "a"}).code, 1);
  MustOci({"resume", "a"});
  EXPECT_EQ(Status("a"), "running");
  MustOci({"exec", "a", "true"});
}

TEST_F(ResourcesTest, APausedContainerCanBeDeletedByForce) {
  RunSleeper("a");
  MustOci({"pause", "a"});
  MustOci({"delete", "-f", "a"});
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

TEST_F(ResourcesTest, EventsStatsCountTheContainer) {
  RunSleeper("a");
  const Json event = Json::parse(MustOci({"events", "--stats", "a"}));
  EXPECT_EQ(event["type"], "stats");
  EXPECT_EQ(event["id"], "a");
  EXPECT_GE(event["data"]["pids"]["current"], 1);
  EXPECT_GT(event["data"]["cpu"]["usage"]["total"], 0);
}

TEST_F(ResourcesTest, ACgroupPathIsTakenAtItsWord) {
  Json config = Config("sleep 100");
  const std::string path =
      absl::StrCat("/ck-oci-test-", getpid(), "/deeper/one");
  config["linux"]["cgroupsPath"] = path;
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  const std::string cgroups =
      ReadText(absl::StrCat("/proc/", State("a")["pid"].get<int>(), "/cgroup"));
  EXPECT_THAT(cgroups, HasSubstr(path));
  MustOci({"delete", "-f", "a"});
  // What was made above the container's own is the caller's to remove.
  RunProgram({"/bin/sh", "-c",
              absl::StrCat("find /sys/fs/cgroup -depth -type d -path "
                           "'*/ck-oci-test-",
                           getpid(),
                           "*' "
                           "-exec rmdir {} ';'")});
}

}  // namespace
}  // namespace containerkit::oci_test
