#include "lib/oci/platform.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

Platform P(const char* text) { return ParsePlatform(text).value(); }

TEST(PlatformTest, ParsesAndNormalises) {
  EXPECT_EQ(P("linux/amd64").ToString(), "linux/amd64");
  EXPECT_EQ(P("linux/x86_64/v1").ToString(), "linux/amd64");
  EXPECT_EQ(P("Linux/AMD64/v3").ToString(), "linux/amd64/v3");
  EXPECT_EQ(P("linux/aarch64").ToString(), "linux/arm64");
  EXPECT_EQ(P("linux/arm64/v8").ToString(), "linux/arm64");
  EXPECT_EQ(P("linux/arm").ToString(), "linux/arm/v7");
  EXPECT_EQ(P("linux/armel").ToString(), "linux/arm/v6");
  EXPECT_EQ(P("linux/arm/6").ToString(), "linux/arm/v6");
  EXPECT_EQ(P("linux/i386/x").ToString(), "linux/386");
  EXPECT_EQ(P("linux"), HostPlatform());
  EXPECT_EQ(P("s390x").ToString(), "linux/s390x");
  EXPECT_EQ(P("windows").os, "windows");
}

TEST(PlatformTest, RefusesMalformedText) {
  for (const std::string& text :
       {std::string(), std::string("plan10"), std::string("linux/"),
        std::string("/amd64"), std::string("a/b/c/d"), std::string("l inux/x"),
        std::string("linux/amd64\n"), std::string(1000, 'a')}) {
    const auto platform = ParsePlatform(text);
    ASSERT_FALSE(platform.ok()) << text;
    EXPECT_EQ(platform.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(platform.status()), Reason::kInvalidArgument);
  }
}

TEST(PlatformTest, MatchesSameAndOlderVariants) {
  EXPECT_EQ(MatchPlatform(P("linux/arm64"), P("linux/arm64/v8")), 0);
  EXPECT_EQ(MatchPlatform(P("linux/amd64/v3"), P("linux/amd64/v3")), 0);
  EXPECT_EQ(MatchPlatform(P("linux/amd64/v3"), P("linux/amd64")), 2);
  EXPECT_EQ(MatchPlatform(P("linux/amd64"), P("linux/amd64/v2")), std::nullopt);
  EXPECT_EQ(MatchPlatform(P("linux/arm/v7"), P("linux/arm/v6")), 1);
  EXPECT_EQ(MatchPlatform(P("linux/arm/v6"), P("linux/arm/v7")), std::nullopt);
  EXPECT_EQ(MatchPlatform(P("linux/arm64"), P("linux/arm/v7")), std::nullopt);
  EXPECT_EQ(MatchPlatform(P("linux/amd64"), P("windows/amd64")), std::nullopt);
  EXPECT_EQ(MatchPlatform(P("linux/amd64"), P("unknown/unknown")),
            std::nullopt);
  Platform server = P("windows/amd64");
  server.os_version = "10.0.1";
  EXPECT_EQ(MatchPlatform(P("windows/amd64"), server), 0);
  EXPECT_EQ(MatchPlatform(server, P("windows/amd64")), std::nullopt);
}

}  // namespace
}  // namespace containerkit::oci
