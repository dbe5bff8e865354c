#include "lib/base/clock.h"

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit {
namespace {

TEST(ClockTest, FormatsLikeGo) {
  const absl::Time t = absl::FromUnixSeconds(1714557600);
  EXPECT_EQ(FormatRfc3339(t), "2024-05-01T10:00:00Z");
  EXPECT_EQ(FormatRfc3339(t + absl::Milliseconds(500)),
            "2024-05-01T10:00:00.5Z");
  EXPECT_EQ(FormatRfc3339(t + absl::Nanoseconds(1) / 4 + absl::Nanoseconds(7)),
            "2024-05-01T10:00:00.000000007Z");
  EXPECT_EQ(FormatRfc3339(absl::InfinitePast()), "0001-01-01T00:00:00Z");
  EXPECT_EQ(FormatRfc3339(absl::InfiniteFuture()), "0001-01-01T00:00:00Z");
}

TEST(ClockTest, ParsesAnyOffset) {
  const absl::Time t = absl::FromUnixSeconds(1714557600);
  EXPECT_EQ(*ParseRfc3339("2024-05-01T10:00:00Z"), t);
  EXPECT_EQ(*ParseRfc3339("2024-05-01T12:00:00.25+02:00"),
            t + absl::Milliseconds(250));
  EXPECT_EQ(FormatRfc3339(*ParseRfc3339("0001-01-01T00:00:00Z")),
            "0001-01-01T00:00:00Z");
}

TEST(ClockTest, RefusesOtherForms) {
  for (const char* text : {"", "2024-05-01", "infinite-future", "1714557600",
                           "   infinite-future     ", "2024-13-01T10:00:00Z",
                           "2024-05-01 10:00:00 +0000 UTC"}) {
    const auto time = ParseRfc3339(text);
    ASSERT_FALSE(time.ok()) << text;
    EXPECT_EQ(GetReason(time.status()), Reason::kInvalidArgument);
  }
}

}  // namespace
}  // namespace containerkit
