#include "lib/oci/image_config.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kFull[] = R"({
 "created":"2024-05-01T10:00:00Z","author":"me","architecture":"arm64",
 "os":"linux","variant":"v8","docker_version":"ignored","container":"x",
 "config":{
  "Hostname":"","User":"1000:1000","Env":["PATH=/bin","EMPTY="],
  "Entrypoint":["/init"],"Cmd":null,"WorkingDir":"/srv",
  "Labels":{"a":"1"},"ExposedPorts":{"80/tcp":{}},"Volumes":{"/data":{}},
  "StopSignal":"SIGQUIT","Shell":["/bin/bash","-c"],"OnBuild":["RUN x"],
  "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":1000000000,
   "Timeout":2000000000,"StartPeriod":3,"StartInterval":4,"Retries":5}},
 "rootfs":{"type":"layers","diff_ids":[
  "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]},
 "history":[{"created":"2024-05-01T09:00:00Z","created_by":"ADD x"},
  {"created_by":"CMD y","empty_layer":true,"comment":"c","author":"z"}]})";

TEST(ImageConfigTest, ReadsEveryMember) {
  const auto config = ParseImageConfig(kFull);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->architecture, "arm64");
  EXPECT_EQ(config->variant, "v8");
  EXPECT_EQ(config->config.user, "1000:1000");
  EXPECT_THAT(config->config.env, ElementsAre("PATH=/bin", "EMPTY="));
  EXPECT_THAT(config->config.entrypoint, Optional(ElementsAre("/init")));
  EXPECT_EQ(config->config.cmd, std::nullopt);
  EXPECT_EQ(config->config.working_dir, "/srv");
  EXPECT_EQ(config->config.labels.at("a"), "1");
  EXPECT_THAT(config->config.exposed_ports, ElementsAre("80/tcp"));
  EXPECT_THAT(config->config.volumes, ElementsAre("/data"));
  EXPECT_EQ(config->config.stop_signal, "SIGQUIT");
  EXPECT_THAT(config->config.shell, ElementsAre("/bin/bash", "-c"));
  EXPECT_THAT(config->config.on_build, ElementsAre("RUN x"));
  ASSERT_TRUE(config->config.healthcheck.has_value());
  EXPECT_EQ(config->config.healthcheck->timeout_ns, 2000000000);
  EXPECT_EQ(config->config.healthcheck->retries, 5);
  ASSERT_EQ(config->diff_ids.size(), 1);
  ASSERT_EQ(config->history.size(), 2);
  EXPECT_TRUE(config->history[1].empty_layer);
}

TEST(ImageConfigTest, RoundTrips) {
  const auto config = ParseImageConfig(kFull);
  ASSERT_TRUE(config.ok());
  const std::string text = SerializeImageConfig(*config);
  const auto again = ParseImageConfig(text);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *config);
  EXPECT_EQ(SerializeImageConfig(*again), text);
}

TEST(ImageConfigTest, KeepsAnEmptyEntrypointApartFromNone) {
  const auto config = ParseImageConfig(
      R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":[]}})");
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(config->config.entrypoint, Optional(ElementsAre()));
  const auto again = ParseImageConfig(SerializeImageConfig(*config));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->config.entrypoint.has_value());
}

// security.md I09: wrong types in any member.
TEST(ImageConfigTest, RefusesWrongTypesNamingThePath) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
    Reason reason;
  } cases[] = {
      {R"("User":"1000:1000")", R"("User":1000)", "config.User",
       Reason::kInvalidJson},
      {R"(["PATH=/bin","EMPTY="])", R"("PATH=/bin")", "config.Env",
       Reason::kInvalidJson},
      {R"("EMPTY=")", R"("=x")", "config.Env", Reason::kInvalidJson},
      {R"("EMPTY=")", R"("A=\u0000")", "config.Env[1]", Reason::kInvalidJson},
      {R"({"80/tcp":{}})", R"(["80/tcp"])", "config.ExposedPorts",
       Reason::kInvalidJson},
      {R"("/data")", R"("../data")", "config.Volumes", Reason::kInvalidJson},
      {R"("Retries":5)", R"("Retries":-5)", "config.Healthcheck",
       Reason::kInvalidJson},
      {R"("Interval":1000000000)", R"("Interval":"1s")",
       "config.Healthcheck.Interval", Reason::kInvalidJson},
      {R"("architecture":"arm64")", R"("architecture":"")", "architecture",
       Reason::kInvalidJson},
      {R"("os":"linux")", R"("os":null)", "os", Reason::kInvalidJson},
      {"sha256:aaaa", "sha256:../a", "rootfs.diff_ids[0]",
       Reason::kInvalidDigest},
      {R"("type":"layers")", R"("type":"other")", "rootfs.type",
       Reason::kInvalidJson},
      {R"("history":[)", R"("history":[7,)", "history[0]",
       Reason::kInvalidJson},
      {R"("author":"me")", R"("os":"linux")", "duplicate key",
       Reason::kInvalidJson},
  };
  for (const auto& c : cases) {
    const std::string json = absl::StrReplaceAll(kFull, {{c.from, c.to}});
    ASSERT_NE(json, kFull) << c.from;
    const auto config = ParseImageConfig(json);
    ASSERT_FALSE(config.ok()) << c.to;
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(config.status()), c.reason) << config.status();
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(c.message));
  }
}

TEST(ImageConfigTest, HoldsTheLimits) {
  std::string layers;
  for (size_t i = 0; i <= kMaxImageLayers; ++i) {
    absl::StrAppend(&layers, i == 0 ? "" : ",",
                    "\"sha256:", std::string(64, 'b'), "\"");
  }
  EXPECT_EQ(
      GetReason(ParseImageConfig(
                    absl::StrCat(R"({"architecture":"a","os":"l",)",
                                 R"("rootfs":{"diff_ids":[)", layers, "]}}"))
                    .status()),
      Reason::kLimitExceeded);
  EXPECT_EQ(
      GetReason(ParseImageConfig(
                    absl::StrCat("{\"a\":\"",
                                 std::string(kMaxImageConfigBytes, 'x'), "\"}"))
                    .status()),
      Reason::kLimitExceeded);
}

}  // namespace
}  // namespace containerkit::oci
