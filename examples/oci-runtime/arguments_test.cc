#include "examples/oci-runtime/arguments.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace ck_oci {
namespace {

using Strings = std::vector<std::string>;

class ArgumentsTest : public ::testing::Test {
 protected:
  ArgumentsTest() {
    arguments_.Bool("detach,d", &detach_, "go on alone");
    arguments_.String("bundle,b", &bundle_, "where it is");
    arguments_.List("env,e", &env_);
    arguments_.Count("preserve-fds", &fds_);
  }
  Arguments arguments_;
  bool detach_ = false;
  std::string bundle_;
  Strings env_;
  int fds_ = 0;
};

TEST_F(ArgumentsTest, TakesEverySpelling) {
  const auto others =
      arguments_.Parse({"-d", "--bundle=/a=b", "id", "-e", "X=1", "--env", "Y",
                        "-preserve-fds", "3"},
                       FlagOrder::kAnywhere);
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_EQ(*others, Strings{"id"});
  EXPECT_TRUE(detach_);
  EXPECT_EQ(bundle_, "/a=b");
  EXPECT_EQ(env_, (Strings{"X=1", "Y"}));
  EXPECT_EQ(fds_, 3);
}

TEST_F(ArgumentsTest, TheCommandOfExecKeepsItsFlags) {
  const auto others = arguments_.Parse({"-d", "id", "-e", "A", "ls", "-d"},
                                       FlagOrder::kBeforeSecond);
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_EQ(*others, (Strings{"id", "ls", "-d"}));
  EXPECT_EQ(env_, Strings{"A"});
}

TEST_F(ArgumentsTest, ACommandEndsGlobalFlags) {
  const auto others =
      arguments_.Parse({"-d", "run", "-b", "/x"}, FlagOrder::kBeforeFirst);
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_EQ(*others, (Strings{"run", "-b", "/x"}));
}

TEST_F(ArgumentsTest, TwoDashesEndFlagsAndOneIsAnArgument) {
  const auto others = arguments_.Parse({"-", "--", "-d"}, FlagOrder::kAnywhere);
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_EQ(*others, (Strings{"-", "-d"}));
  EXPECT_FALSE(detach_);
}

TEST_F(ArgumentsTest, SaysWhatIsWrong) {
  for (const Strings& bad :
       {Strings{"--nope"}, Strings{"--bundle"}, Strings{"--detach=maybe"},
        Strings{"--preserve-fds", "-1"}, Strings{"--preserve-fds", "x"}}) {
    EXPECT_EQ(arguments_.Parse(bad, FlagOrder::kAnywhere).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad[0];
  }
}

TEST_F(ArgumentsTest, HelpShowsWhatHasAText) {
  EXPECT_EQ(arguments_.Help(),
            "   --detach, -d                    go on alone\n"
            "   --bundle, -b VALUE              where it is\n");
}

}  // namespace
}  // namespace ck_oci
