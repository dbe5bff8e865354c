#include "lib/container/random_name.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace containerkit::container {
namespace {

using ::testing::MatchesRegex;

TEST(RandomNameTest, IsAnAdjectiveAndASurname) {
  for (int i = 0; i < 500; ++i) {
    EXPECT_THAT(RandomName(0), MatchesRegex("[a-z]+_[a-z]+"));
  }
}

TEST(RandomNameTest, LaterAttemptsHaveANumber) {
  EXPECT_THAT(RandomName(4), MatchesRegex("[a-z]+_[a-z]+"));
  EXPECT_THAT(RandomName(5), MatchesRegex("[a-z]+_[a-z]+[0-9]+"));
}

TEST(RandomNameTest, NamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(RandomName(0));
  EXPECT_GT(names.size(), 90);
}

}  // namespace
}  // namespace containerkit::container
