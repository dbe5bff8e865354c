#include "examples/cli/units.h"

#include <signal.h>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

TEST(UnitsTest, HumanSizes) {
  EXPECT_EQ(HumanSize(0), "0B");
  EXPECT_EQ(HumanSize(999), "999B");
  EXPECT_EQ(HumanSize(1000), "1kB");
  EXPECT_EQ(HumanSize(4261550, 3), "4.26MB");
  EXPECT_EQ(HumanSize(1234567890), "1.235GB");
  EXPECT_EQ(BinarySize(2087321600), "1.944GiB");
  EXPECT_EQ(BinarySize(671744), "656KiB");
}

TEST(UnitsTest, HumanDurations) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(300)), "Less than a second");
  EXPECT_EQ(HumanDuration(absl::Seconds(1)), "1 second");
  EXPECT_EQ(HumanDuration(absl::Seconds(59)), "59 seconds");
  EXPECT_EQ(HumanDuration(absl::Seconds(61)), "About a minute");
  EXPECT_EQ(HumanDuration(absl::Minutes(59)), "59 minutes");
  EXPECT_EQ(HumanDuration(absl::Minutes(65)), "About an hour");
  EXPECT_EQ(HumanDuration(absl::Hours(47)), "47 hours");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 13)), "13 days");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 14)), "2 weeks");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 60)), "2 months");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 365 * 3)), "3 years");
  EXPECT_EQ(HumanAgo(absl::FromUnixSeconds(0), absl::FromUnixSeconds(120)),
            "2 minutes ago");
}

TEST(UnitsTest, ParsesBytes) {
  EXPECT_EQ(*ParseBytes("512"), 512);
  EXPECT_EQ(*ParseBytes("64m"), 64 << 20);
  EXPECT_EQ(*ParseBytes("64MB"), 64 << 20);
  EXPECT_EQ(*ParseBytes("1.5KiB"), 1536);
  EXPECT_EQ(*ParseBytes("7b"), 7);
  EXPECT_EQ(ParseBytes("1x").status().message(), "invalid suffix: 'x'");
  EXPECT_EQ(ParseBytes("1kx").status().message(), "invalid suffix: 'kx'");
  EXPECT_EQ(ParseBytes("").status().message(), "invalid size: ''");
  EXPECT_EQ(ParseBytes("-1").status().message(), "invalid size: '-1'");
  EXPECT_EQ(ParseBytes("99999999p").status().message(),
            "invalid size: '99999999p'");
}

TEST(UnitsTest, ParsesGoDurations) {
  EXPECT_EQ(*ParseGoDuration("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*ParseGoDuration("1.5h"), absl::Minutes(90));
  EXPECT_EQ(*ParseGoDuration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(*ParseGoDuration("-2s"), absl::Seconds(-2));
  EXPECT_EQ(*ParseGoDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(ParseGoDuration("1x").status().message(),
            "time: unknown unit \"x\" in duration \"1x\"");
  EXPECT_EQ(ParseGoDuration("10").status().message(),
            "time: missing unit in duration \"10\"");
  EXPECT_EQ(ParseGoDuration("").status().message(),
            "time: invalid duration \"\"");
}

TEST(UnitsTest, ParsesDockerTimes) {
  const absl::Time now = absl::FromUnixSeconds(1700000000);
  EXPECT_EQ(*ParseDockerTime("10m", now), now - absl::Minutes(10));
  EXPECT_EQ(*ParseDockerTime("1600000000", now),
            absl::FromUnixSeconds(1600000000));
  EXPECT_EQ(*ParseDockerTime("1600000000.5", now),
            absl::FromUnixMillis(1600000000500));
  EXPECT_EQ(*ParseDockerTime("2020-09-13T12:26:40Z", now),
            absl::FromUnixSeconds(1600000000));
  EXPECT_EQ(*ParseDockerTime("2020-09-13T14:26:40.25+02:00", now),
            absl::FromUnixMillis(1600000000250));
  EXPECT_EQ(ParseDockerTime("soon", now).status().message(),
            "failed to parse value as time or duration: \"soon\"");
}

TEST(UnitsTest, FormatsTimes) {
  EXPECT_EQ(LogTimestamp(absl::FromUnixNanos(1600000000000000001)),
            "2020-09-13T12:26:40.000000001Z");
}

TEST(UnitsTest, ParsesSignals) {
  EXPECT_EQ(*ParseSignal("TERM"), SIGTERM);
  EXPECT_EQ(*ParseSignal("sigkill"), SIGKILL);
  EXPECT_EQ(*ParseSignal("9"), SIGKILL);
  EXPECT_EQ(*ParseSignal("RTMIN+3"), 37);
  EXPECT_EQ(*ParseSignal("RTMAX-1"), 63);
  for (const char* bad : {"FOO", "0", "65", "RTMIN+99", "RTMIN3", ""}) {
    EXPECT_FALSE(ParseSignal(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace containerkit::cli
