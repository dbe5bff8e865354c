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
        "ENV A=9", "ENV old style value", "EXPOSE 80 53/UDP 8000-8010",
        "LABEL k=v \"two words\"=x", "ONBUILD RUN y", "STOPSIGNAL SIGINT",
        "USER 1:2", "VOLUME /a /b", "VOLUME [\"/c d\"]", "WORKDIR /x",
        "WORKDIR y"}) {
    EXPECT_THAT(ApplyChange(line, config), IsOk()) << line;
  }
  EXPECT_THAT(config.cmd, Optional(ElementsAre("a", "b c")));
  EXPECT_THAT(config.entrypoint,
              Optional(ElementsAre("/bin/sh", "-c", "echo $HOME")));
  EXPECT_THAT(config.env, ElementsAre("A=9", "B=2 3", "old=style value"));
  EXPECT_THAT(config.exposed_ports,
              ElementsAre("53/udp", "80/tcp", "8000-8010/tcp"));
  EXPECT_THAT(config.labels,
              ElementsAre(Pair("k", "v"), Pair("two words", "x")));
  EXPECT_THAT(config.on_build, ElementsAre("RUN y"));
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_EQ(config.user, "1:2");
  EXPECT_THAT(config.volumes, ElementsAre("/a", "/b", "/c d"));
  EXPECT_EQ(config.working_dir, "/x/y");
}

TEST(ApplyChangeTest, RefusesTheRest) {
  for (const char* line :
       {"", "CMD", "RUN x", "ENV =x", "ENV A", "LABEL", "EXPOSE x",
        "EXPOSE 80/icmp", "VOLUME rel", "ENV A=\"x", "VOLUME \"/x"}) {
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
