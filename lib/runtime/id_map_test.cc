#include "lib/runtime/id_map.h"

#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

using Maps = std::vector<oci::IdMapping>;

HostFacts Root() {
  HostFacts facts;
  facts.effective_caps = ~uint64_t{0};
  return facts;
}

HostFacts User() {
  HostFacts facts;
  facts.uid = 1000;
  facts.gid = 100;
  facts.id_map_helpers = true;
  facts.subuids = {{100000, 65536}};
  facts.subgids = {{200000, 1000}, {300000, 10}};
  return facts;
}

TEST(IdMapTest, PrivilegedEnginesWriteMapsThemselves) {
  const auto map =
      PlanIdMap({{0, 5000, 10}, {10, 6000, 5}}, {{0, 5000, 10}}, Root());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->uid_map, "0 5000 10\n10 6000 5\n");
  EXPECT_EQ(map->gid_map, "0 5000 10\n");
  EXPECT_EQ(map->mode, kIdMapDirect);
}

TEST(IdMapTest, RootlessMapsGoThroughTheHelpers) {
  const DefaultIdMaps maps = RootlessIdMaps(User());
  const auto map = PlanIdMap(maps.uids, maps.gids, User());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->uid_map, "0 1000 1\n1 100000 65536\n");
  EXPECT_EQ(map->gid_map, "0 100 1\n1 200000 1000\n1001 300000 10\n");
  EXPECT_EQ(map->mode, kIdMapHelper);
}

TEST(IdMapTest, OneIdNeedsNoHelpers) {
  HostFacts facts = User();
  facts.subgids.clear();
  const DefaultIdMaps maps = RootlessIdMaps(facts);
  facts.id_map_helpers = false;
  const auto map = PlanIdMap(maps.uids, maps.gids, facts);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->mode, kIdMapSingle);
  EXPECT_TRUE(IsSingleIdMap(maps.uids, maps.gids, facts));
  EXPECT_FALSE(IsSingleIdMap(maps.uids, maps.gids, Root()));
}

TEST(IdMapTest, MissingHelpersAreNamed) {
  HostFacts facts = User();
  facts.id_map_helpers = false;
  const auto map = PlanIdMap({{0, 1000, 2}}, {{0, 100, 1}}, facts);
  EXPECT_EQ(map.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(map.status()), Reason::kIdMapInvalid);
}

TEST(IdMapTest, BadMapsAreRefused) {
  Maps many;
  for (uint32_t i = 0; i < 341; ++i) many.push_back({i, i + 1000, 1});
  const Maps good = {{0, 0, 1}};
  for (const Maps& bad :
       {Maps{}, Maps{{0, 0, 0}}, Maps{{0, 0, 10}, {5, 100, 10}},
        Maps{{0, 0, 10}, {10, 5, 10}}, Maps{{4294967290, 0, 10}},
        Maps{{0, 4294967295, 1}}, many}) {
    EXPECT_EQ(GetReason(PlanIdMap(bad, good, Root()).status()),
              Reason::kIdMapInvalid);
    EXPECT_EQ(GetReason(PlanIdMap(good, bad, Root()).status()),
              Reason::kIdMapInvalid);
  }
  many.pop_back();
  EXPECT_TRUE(PlanIdMap(many, good, Root()).ok());
}

}  // namespace
}  // namespace containerkit::runtime
