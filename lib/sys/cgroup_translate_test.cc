#include "lib/sys/cgroup_translate.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::sys {
namespace {

// "file=value" for each write, optional ones with a question mark.
std::string Show(const absl::StatusOr<std::vector<CgroupWrite>>& writes) {
  if (!writes.ok()) return std::string(writes.status().message());
  return absl::StrJoin(*writes, " | ",
                       [](std::string* out, const CgroupWrite& write) {
                         absl::StrAppend(out, write.file, "=", write.value,
                                         write.optional ? "?" : "");
                       });
}

CgroupResources Everything() {
  CgroupResources r;
  r.memory.limit_bytes = 100 << 20;
  r.memory.swap_bytes = 300 << 20;
  r.memory.reservation_bytes = 50 << 20;
  r.memory.swappiness = 10;
  r.memory.disable_oom_killer = true;
  r.cpu.shares = 1024;
  r.cpu.quota_us = 50000;
  r.cpu.period_us = 100000;
  r.cpu.burst_us = 1000;
  r.cpu.cpus = "0-1";
  r.cpu.mems = "0";
  r.pids_limit = 100;
  r.block_io.weight = 500;
  r.block_io.read_bps = {{8, 0, 1048576}};
  r.block_io.write_iops = {{8, 0, 100}};
  r.hugepage_limits = {{"2MB", 4194304}};
  r.rdma["mlx5"] = {2, 3};
  return r;
}

TEST(CgroupTranslateTest, V1) {
  EXPECT_EQ(
      Show(CgroupV1Writes(Everything())),
      "memory.limit_in_bytes=104857600 | "
      "memory.memsw.limit_in_bytes=314572800 | "
      "memory.soft_limit_in_bytes=52428800 | memory.oom_control=1 | "
      "memory.swappiness=10 | cpu.shares=1024 | cpu.cfs_period_us=100000 | "
      "cpu.cfs_quota_us=50000 | cpu.cfs_burst_us=1000 | cpuset.cpus=0-1 | "
      "cpuset.mems=0 | pids.max=100 | blkio.weight=500? | "
      "blkio.bfq.weight=500? | blkio.throttle.read_bps_device=8:0 1048576 | "
      "blkio.throttle.write_iops_device=8:0 100 | "
      "hugetlb.2MB.limit_in_bytes=4194304 | "
      "rdma.max=mlx5 hca_handle=2 hca_object=3");
}

TEST(CgroupTranslateTest, V2) {
  CgroupResources r = Everything();
  r.unified = {{"memory.high", "max"}, {"io.latency", "8:0 target=10"}};
  EXPECT_EQ(Show(CgroupV2Writes(r)),
            "memory.max=104857600 | memory.low=52428800 | "
            "memory.swap.max=209715200 | cpu.weight=39 | "
            "cpu.max=50000 100000 | cpu.max.burst=1000 | cpuset.cpus=0-1 | "
            "cpuset.mems=0 | pids.max=100 | io.bfq.weight=500? | "
            "io.weight=default 4950? | io.max=8:0 rbps=1048576 | "
            "io.max=8:0 wiops=100 | hugetlb.2MB.max=4194304 | "
            "hugetlb.2MB.rsvd.max=4194304? | "
            "rdma.max=mlx5 hca_handle=2 hca_object=3 | "
            "io.latency=8:0 target=10 | memory.high=max");
}

TEST(CgroupTranslateTest, NothingAskedIsNothingWritten) {
  EXPECT_EQ(Show(CgroupV1Writes({})), "");
  EXPECT_EQ(Show(CgroupV2Writes({})), "");
}

TEST(CgroupTranslateTest, Unlimited) {
  CgroupResources r;
  r.memory.limit_bytes = -1;
  r.memory.swap_bytes = -1;
  r.pids_limit = -1;
  r.cpu.quota_us = -1;
  EXPECT_EQ(Show(CgroupV1Writes(r)),
            "memory.limit_in_bytes=-1 | memory.memsw.limit_in_bytes=-1 | "
            "cpu.cfs_quota_us=-1 | pids.max=max");
  EXPECT_EQ(Show(CgroupV2Writes(r)),
            "memory.max=max | memory.swap.max=max | cpu.max=max 100000 | "
            "pids.max=max");
}

TEST(CgroupTranslateTest, IdleGroupsHaveNoWeight) {
  CgroupResources r;
  r.cpu.shares = 2;
  r.cpu.idle = 1;
  EXPECT_EQ(Show(CgroupV2Writes(r)), "cpu.idle=1");
}

TEST(CgroupTranslateTest, WeightsKeepTheirEnds) {
  EXPECT_EQ(CpuSharesToWeight(0), 1u);
  EXPECT_EQ(CpuSharesToWeight(2), 1u);
  EXPECT_EQ(CpuSharesToWeight(1024), 39u);
  EXPECT_EQ(CpuSharesToWeight(262144), 10000u);
  EXPECT_EQ(CpuSharesToWeight(~uint64_t{0}), 10000u);
  EXPECT_EQ(BlkioWeightToIoWeight(10), 1u);
  EXPECT_EQ(BlkioWeightToIoWeight(1000), 10000u);
}

TEST(CgroupTranslateTest, NonsenseIsRefused) {
  std::vector<CgroupResources> bad(8);
  bad[0].memory.swappiness = 101;
  bad[1].memory.limit_bytes = 100;
  bad[1].memory.swap_bytes = 50;
  bad[2].cpu.cpus = "0\n1";
  bad[3].block_io.weight = 5;
  bad[4].hugepage_limits = {{"../2MB", 1}};
  bad[5].unified = {{"../memory.max", "1"}};
  bad[6].unified = {{"cgroup.procs", "1"}};
  bad[7].cpu.realtime_runtime_us = 5;
  for (size_t i = 0; i < bad.size(); ++i) {
    const auto writes = CgroupV2Writes(bad[i]);
    EXPECT_EQ(writes.status().code(), absl::StatusCode::kInvalidArgument) << i;
    EXPECT_EQ(GetReason(writes.status()), Reason::kInvalidArgument) << i;
  }
}

std::string ShowRules(const std::vector<CgroupDeviceRule>& rules) {
  return Show(CgroupV1DeviceWrites(rules));
}

TEST(CgroupTranslateTest, DeviceRulesOfV1) {
  const CgroupDeviceRule deny = {false, 'a', std::nullopt, std::nullopt, "rwm"};
  const CgroupDeviceRule allow = {true, 'a', std::nullopt, std::nullopt, "rwm"};
  EXPECT_EQ(ShowRules({}), "devices.deny=a");
  EXPECT_EQ(ShowRules({deny}), "devices.deny=a");
  EXPECT_EQ(ShowRules({deny, allow}), "");
  EXPECT_EQ(ShowRules({allow, {false, 'b', 8, std::nullopt, "w"}}),
            "devices.deny=b 8:* w");
  EXPECT_EQ(
      ShowRules({deny, {true, 'c', 1, 3, "rwm"}, {true, 'c', 1, 3, "rwm"}}),
      "devices.deny=a | devices.allow=c 1:3 rwm");
  EXPECT_EQ(ShowRules({deny, {true, 'a', std::nullopt, std::nullopt, "m"}}),
            "devices.deny=a | devices.allow=b *:* m | devices.allow=c *:* m");
}

TEST(CgroupTranslateTest, ReadsDeviceRules) {
  const auto rule = ParseDeviceRule("c 13:* rw");
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ(*rule, (CgroupDeviceRule{true, 'c', 13, std::nullopt, "rw"}));
  EXPECT_EQ(FormatDeviceRule(*rule), "c 13:* rw");
  for (const char* text :
       {"", "c", "c 1:3", "x 1:3 r", "c 1 r", "c 1:2:3 r", "c -1:3 r",
        "c 1:3 x", "c 1:3 ", "c  1:3 r", "c 99999999999:1 r", "cc 1:1 r"}) {
    EXPECT_EQ(GetReason(ParseDeviceRule(text).status()), Reason::kDeviceInvalid)
        << text;
  }
}

}  // namespace
}  // namespace containerkit::sys
