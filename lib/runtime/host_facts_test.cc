#include "lib/runtime/host_facts.h"

#include <unistd.h>

#include <vector>

#include "gtest/gtest.h"

namespace containerkit::runtime {
namespace {

TEST(HostFactsTest, ReadsKernelReleases) {
  EXPECT_EQ(ParseKernelRelease("6.1.0-13-amd64"), (KernelVersion{6, 1}));
  EXPECT_EQ(ParseKernelRelease("6.18.44-fc"), (KernelVersion{6, 18}));
  EXPECT_EQ(ParseKernelRelease("5.4-rc1"), (KernelVersion{5, 4}));
  EXPECT_EQ(ParseKernelRelease("4.8"), (KernelVersion{4, 8}));
  for (const char* text : {"", "6", "x.y", "6.", "-1.2", "6.x"}) {
    EXPECT_EQ(ParseKernelRelease(text), KernelVersion{}) << text;
  }
  EXPECT_GT((KernelVersion{5, 10}), (KernelVersion{5, 9}));
}

TEST(HostFactsTest, ReadsSubordinateIds) {
  constexpr char kText[] =
      "me:100000:65536\n"
      "other:200000:65536\n"
      "1000:300000:10\n"
      "me:bad:1\n"
      "me:1\n"
      "me:4294967290:100\n"
      "me:5:0\n"
      "me:400000:1";
  EXPECT_EQ(
      ParseSubIds(kText, "me", 1000),
      (std::vector<SubIdRange>{{100000, 65536}, {300000, 10}, {400000, 1}}));
  EXPECT_EQ(ParseSubIds(kText, "", 7).size(), 0u);
  EXPECT_EQ(ParseSubIds(":1:2\n", "", 7).size(), 0u);
}

TEST(HostFactsTest, KnowsTheInitialUserNamespace) {
  EXPECT_TRUE(IsInitialUidMap("         0          0 4294967295\n"));
  EXPECT_FALSE(IsInitialUidMap("0 1000 1\n"));
  EXPECT_FALSE(IsInitialUidMap("0 0 4294967295\n1 1 1\n"));
  EXPECT_FALSE(IsInitialUidMap(""));
}

TEST(HostFactsTest, ProbesThisMachine) {
  const auto facts = ProbeHostFacts();
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_GE(facts->kernel, (KernelVersion{5, 0}));
  EXPECT_EQ(facts->uid, geteuid());
  EXPECT_NE(facts->bounding_caps, 0u);
  EXPECT_GT(facts->rlimits[7].hard, 0u);
}

}  // namespace
}  // namespace containerkit::runtime
