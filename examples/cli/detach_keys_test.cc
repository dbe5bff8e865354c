#include "examples/cli/detach_keys.h"

#include <string>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

TEST(DetachKeysTest, HandsOnWhatIsNotTheSequence) {
  auto keys = DetachKeys::Parse("");
  ASSERT_TRUE(keys.ok());
  std::string out;
  EXPECT_FALSE(keys->Feed("ls\n\x10", &out));
  EXPECT_EQ(out, "ls\n");
  EXPECT_FALSE(keys->Feed("x\x10\x10", &out));
  EXPECT_EQ(out, "ls\n\x10x\x10");
  EXPECT_TRUE(keys->Feed("\x11rest", &out));
  EXPECT_EQ(out, "ls\n\x10x\x10");
}

TEST(DetachKeysTest, OtherSequences) {
  auto keys = DetachKeys::Parse("a,ctrl-],ctrl-@");
  ASSERT_TRUE(keys.ok());
  std::string out;
  EXPECT_TRUE(keys->Feed(std::string("a\x1d\0", 3), &out));
  EXPECT_EQ(out, "");
}

TEST(DetachKeysTest, ReadsThemFromDockersConfig) {
  EXPECT_EQ(ConfiguredDetachKeys(R"({"detachKeys": "ctrl-e,e"})"), "ctrl-e,e");
  EXPECT_EQ(ConfiguredDetachKeys(R"({"auths": {}})"), "");
  EXPECT_EQ(ConfiguredDetachKeys(R"({"detachKeys": 5})"), "");
  EXPECT_EQ(ConfiguredDetachKeys("[1]"), "");
  EXPECT_EQ(ConfiguredDetachKeys("{"), "");
}

TEST(DetachKeysTest, RefusesUnknownKeys) {
  for (const char* bad : {"ctrl-1", "ab", "a,,b", "shift-a", "ctrl-"}) {
    const auto keys = DetachKeys::Parse(bad);
    EXPECT_EQ(keys.status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace containerkit::cli
