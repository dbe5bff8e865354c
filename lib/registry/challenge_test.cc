#include "lib/registry/challenge.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace containerkit::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ChallengeTest, ReadsDockersBearer) {
  const auto list = ParseChallenges(
      "Bearer realm=\"https://auth.docker.io/token\",service=\"registry."
      "docker.io\",scope=\"repository:a/b:pull,push\",error=\"insufficient "
      "scope\"");
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].scheme, "bearer");
  EXPECT_EQ(list[0].parameters.at("realm"), "https://auth.docker.io/token");
  EXPECT_EQ(list[0].parameters.at("scope"), "repository:a/b:pull,push");
}

TEST(ChallengeTest, ReadsSeveralInOneHeader) {
  const auto list = ParseChallenges(
      "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", "
      "Basic realm=simple,Negotiate");
  ASSERT_EQ(list.size(), 3);
  EXPECT_EQ(list[0].parameters.at("title"), "Login to \"apps\"");
  EXPECT_EQ(list[1].scheme, "basic");
  EXPECT_THAT(list[1].parameters, ElementsAre(Pair("realm", "simple")));
  EXPECT_EQ(list[2].scheme, "negotiate");
}

TEST(ChallengeTest, ToleratesBareUrlsAndSpaces) {
  const auto list =
      ParseChallenges(" ,, BEARER Realm = https://x/t?a=b , Service = s ");
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].parameters.at("realm"), "https://x/t?a=b");
  EXPECT_EQ(list[0].parameters.at("service"), "s");
}

TEST(ChallengeTest, FirstOfTwoEqualNamesCounts) {
  EXPECT_EQ(
      ParseChallenges("Bearer realm=a, REALM=b")[0].parameters.at("realm"),
      "a");
}

TEST(ChallengeTest, StopsAtWhatItCannotRead) {
  EXPECT_THAT(ParseChallenges(""), IsEmpty());
  EXPECT_THAT(ParseChallenges("\"x\""), IsEmpty());
  EXPECT_THAT(ParseChallenges(std::string(1 << 20, ',')), IsEmpty());
  EXPECT_THAT(ParseChallenges("Bearer realm=\"unterminated")[0].parameters,
              IsEmpty());
  EXPECT_THAT(ParseChallenges("Bearer realm=\"a\r\nb\"")[0].parameters,
              IsEmpty());
  EXPECT_THAT(ParseChallenges("Bearer realm=")[0].parameters, IsEmpty());
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Basic realm=x, ";
  EXPECT_EQ(ParseChallenges(many).size(), 16);
}

}  // namespace
}  // namespace containerkit::registry
