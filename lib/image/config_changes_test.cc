#include "lib/image/config_changes.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/testing/matchers.h"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

TEST(ApplyChangeTest, KnowsEveryInstruction) {
  oci::ImageRunConfig config;
  for (const char* line :
       {"CMD [\"a\", \"b c\"]", "entrypoint echo $HOME", "ENV A=1 B=\"2 3\"",
        "ENV A=9", "ENV old style value", "EXPOSE 80 53/UDP 8000-8002",
        "LABEL k=v \"two words\"=x", "ONBUILD RUN y", "STOPSIGNAL SIGINT",
        "USER 1:2", "VOLUME /a /b", "VOLUME [\"/c d\"]", "WORKDIR /x",
        "WORKDIR y"}) {
    EXPECT_THAT(ApplyChange(line, config), IsOk()) << line;
  }
  EXPECT_THAT(config.cmd, Optional(ElementsAre("a", "b c")));
  EXPECT_THAT(config.entrypoint,
              Optional(ElementsAre("/bin/sh", "-c", "echo $HOME")));
  EXPECT_THAT(config.env, ElementsAre("A=9", "B=2 3", "old=style value"));
  EXPECT_THAT(config.exposed_ports, ElementsAre("53/udp", "80/tcp", "8000/tcp",
                                                "8001/tcp", "8002/tcp"));
  EXPECT_THAT(config.labels,
              ElementsAre(Pair("k", "v"), Pair("two words", "x")));
  EXPECT_THAT(config.on_build, ElementsAre("RUN y"));
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_EQ(config.user, "1:2");
  EXPECT_THAT(config.volumes, ElementsAre("/a", "/b", "/c d"));
  EXPECT_EQ(config.working_dir, "/x/y");
}

TEST(ApplyChangeTest, HealthChecksHaveFlagsAndTwoForms) {
  oci::ImageRunConfig config;
  ASSERT_THAT(ApplyChange("HEALTHCHECK --interval=1m30s --timeout=250ms "
                          "--start-period=0 --start-interval=2s\t--retries=4 "
                          "cmd  test -e /ok || exit 1",
                          config),
              IsOk());
  EXPECT_EQ(
      config.healthcheck,
      (oci::ImageHealthcheck{.test = {"CMD-SHELL", "test -e /ok || exit 1"},
                             .interval_ns = 90'000'000'000,
                             .timeout_ns = 250'000'000,
                             .start_interval_ns = 2'000'000'000,
                             .retries = 4}));
  ASSERT_THAT(ApplyChange("healthcheck CMD [\"a\", \"b c\"]", config), IsOk());
  EXPECT_EQ(config.healthcheck,
            (oci::ImageHealthcheck{.test = {"CMD", "a", "b c"}}));
  ASSERT_THAT(ApplyChange("HEALTHCHECK none", config), IsOk());
  EXPECT_EQ(config.healthcheck, (oci::ImageHealthcheck{.test = {"NONE"}}));
}

TEST(ApplyChangeTest, RefusesTheRest) {
  for (const char* line : {"",
                           "CMD",
                           "RUN x",
                           "ENV =x",
                           "ENV A",
                           "LABEL",
                           "EXPOSE x",
                           "EXPOSE 80/icmp",
                           "VOLUME rel",
                           "ENV A=\"x",
                           "VOLUME \"/x",
                           "EXPOSE 90-80",
                           "EXPOSE 1-",
                           "EXPOSE -5",
                           "EXPOSE 80 65536",
                           "VOLUME /a b",
                           "STOPSIGNAL SIGNONE",
                           "ONBUILD ONBUILD RUN x",
                           "ONBUILD from x",
                           "HEALTHCHECK",
                           "HEALTHCHECK x",
                           "HEALTHCHECK CMD",
                           "HEALTHCHECK CMD []",
                           "HEALTHCHECK NONE x",
                           "HEALTHCHECK --retries=1",
                           "HEALTHCHECK --retries=1 NONE",
                           "HEALTHCHECK --retries=-1 CMD x",
                           "HEALTHCHECK --retries=9999999999 CMD x",
                           "HEALTHCHECK --interval=1us CMD x",
                           "HEALTHCHECK --interval=-1s CMD x",
                           "HEALTHCHECK --interval=inf CMD x",
                           "HEALTHCHECK --interval 1s CMD x",
                           "HEALTHCHECK --wat=1s CMD x"}) {
    oci::ImageRunConfig config;
    EXPECT_THAT(
        ApplyChange(line, config),
        StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument))
        << line;
    EXPECT_EQ(config, oci::ImageRunConfig());
  }
}

}  // namespace
}  // namespace containerkit::image
