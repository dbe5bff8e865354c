#include "lib/runtime/free_ids.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace containerkit::runtime {
namespace {

TEST(FreeIds, NeededAreThoseOfTheImageAndTheUser) {
  EXPECT_EQ(CountNeededIds(std::nullopt, std::nullopt, {}), 1024u);
  EXPECT_EQ(CountNeededIds("root:x:0:0::/:\n", "root:x:0:\n", {""}), 1024u);
  EXPECT_EQ(CountNeededIds("a:x:2000:3000::/:\n", std::nullopt, {}), 3001u);
  EXPECT_EQ(CountNeededIds("a:x:2000:0::/:\n", "g:x:4000:a\n", {}), 4001u);
  EXPECT_EQ(CountNeededIds(std::nullopt, std::nullopt, {"70000:80000"}),
            80001u);
  EXPECT_EQ(CountNeededIds(std::nullopt, std::nullopt, {"app", "5000"}), 5001u);
}

TEST(FreeIds, NobodyAndNonsenseNeedNone) {
  EXPECT_EQ(CountNeededIds("nobody:x:65534:65534::/:\n::\nx\na:x:-1:z\n"
                           "evil:x:4294967295:4294967294::/:\n",
                           "nogroup:x:65534:\n", {"4294967295"}),
            1024u);
}

TEST(FreeIds, TheLowestRangeThatNobodyHas) {
  EXPECT_EQ(FindFreeIds({{100000, 4096}}, {}, 1024), 100000u);
  EXPECT_EQ(FindFreeIds({{100000, 4096}}, {{100000, 1024}}, 1024), 101024u);
  // A gap that is too small, and one that ends in the middle of a range.
  EXPECT_EQ(
      FindFreeIds({{100000, 4096}}, {{101024, 1024}, {99000, 1500}}, 1024),
      102048u);
  EXPECT_EQ(FindFreeIds({{500000, 2048}, {100000, 2048}}, {}, 1024), 100000u);
  EXPECT_EQ(
      FindFreeIds({{500000, 2048}, {100000, 2048}}, {{100000, 1025}}, 1024),
      500000u);
}

TEST(FreeIds, NoneWhereNoneFits) {
  EXPECT_EQ(FindFreeIds({}, {}, 1), std::nullopt);
  EXPECT_EQ(FindFreeIds({{100000, 1023}}, {}, 1024), std::nullopt);
  EXPECT_EQ(FindFreeIds({{100000, 2048}}, {{100000, 1025}}, 1024),
            std::nullopt);
  EXPECT_EQ(FindFreeIds({{4294960000, 5000}}, {{0, 4294967295}}, 1024),
            std::nullopt);
}

}  // namespace
}  // namespace containerkit::runtime
