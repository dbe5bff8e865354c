// Limits on cgroup v2. On machines whose controllers are v1's, tests/guest
// runs these in a guest.
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

class LimitsV2Test : public EngineTest {
 protected:
  void SetUp() override {
    CK_REQUIRE("cgroup-v2");
    EngineTest::SetUp();
  }
};

TEST_F(LimitsV2Test, LimitsAreSet) {
  ContainerConfig config =
      Shell("cd /sys/fs/cgroup; cat memory.max pids.max cpu.max cpu.weight");
  config.resources.memory_bytes = 32 << 20;
  config.resources.pids_limit = 17;
  config.resources.nano_cpus = 500'000'000;
  config.resources.cpu_shares = 1024;
  const RunResult result = Run(config);
  EXPECT_EQ(result.out, "33554432\n17\n50000 100000\n39\n") << result.err;
}

TEST_F(LimitsV2Test, HasACgroupNamespaceOfItsOwn) {
  EXPECT_EQ(Run(Shell("cat /proc/self/cgroup")).out, "0::/\n");
}

TEST_F(LimitsV2Test, OutOfMemoryIsReported) {
  ContainerConfig config = Shell("tail /dev/zero");
  config.resources.memory_bytes = 16 << 20;
  config.resources.memory_swap_bytes = 16 << 20;
  const RunResult result = Run(config);
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_TRUE(result.oom_killed);
}

TEST_F(LimitsV2Test, PidsLimitStopsAForkBomb) {
  ContainerConfig config = Shell(
      "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>/dev/null; exit 3");
  config.resources.pids_limit = 4;
  EXPECT_NE(Run(config).exit_code, 3);
}

TEST_F(LimitsV2Test, DeviceProgramDenies) {
  ContainerConfig config = Shell(
      "head -c1 /dev/zero | wc -c; mknod /tmp/mem c 1 1 2>/dev/null; "
      "head -c1 /tmp/mem 2>/dev/null && echo read; exit 0");
  config.security.cap_add = {"SYS_RAWIO"};
  EXPECT_EQ(Run(config).out, "1\n");
}

TEST_F(LimitsV2Test, PausesUpdatesAndCounts) {
  ContainerConfig config = Shell("sleep 100");
  config.resources.memory_bytes = 64 << 20;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Pause());
  EXPECT_EQ(container.Inspect()->state, ContainerState::kPaused);
  CK_ASSERT_OK(container.Unpause());
  CK_ASSERT_OK_AND_ASSIGN(const ContainerStats stats, container.Stats());
  EXPECT_EQ(stats.memory_limit_bytes, uint64_t{64} << 20);
  EXPECT_GT(stats.memory_usage_bytes, 0u);
  ContainerUpdate update;
  update.resources.memory_bytes = 48 << 20;
  CK_ASSERT_OK(container.Update(update));
  EXPECT_EQ(container.Stats()->memory_limit_bytes, uint64_t{48} << 20);
}

}  // namespace
}  // namespace containerkit::testing
