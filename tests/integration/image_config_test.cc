// What a container inherits from its image, and images of many layers.
#include "lib/oci/image_config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/image/testing/image_maker.h"
#include "lib/sys/file_util.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;
namespace maker = containerkit::image::testing;

class ImageConfigTest : public EngineTest {
 protected:
  // Loads "made": busybox, one layer for each text of `more`, at /l/<number>.
  void LoadImage(const oci::ImageConfig& config,
                 const std::vector<std::string>& more = {}) {
    std::vector<maker::TestLayer> layers;
    for (size_t i = 0; i < more.size(); ++i) {
      layers.push_back({maker::MakeTar(
          {{"l/", "", '5'}, {absl::StrCat("l/", i), more[i]}})});
    }
    LoadLayers(config, std::move(layers));
  }
  // On top of busybox.
  void LoadLayers(const oci::ImageConfig& config,
                  std::vector<maker::TestLayer> layers) {
    const std::string place = MakeDirectory("made");
    layers.insert(
        layers.begin(),
        {sys::ReadFileAt(AT_FDCWD, BusyboxArchive(place), 64 << 20).value()});
    const std::string path = place + "/image.tar";
    const UniqueFd out(
        open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CK_ASSERT_OK(sys::WriteAll(
        out.get(), maker::MakeTar(maker::DockerArchiveMembers(
                       {{"made:1", maker::MakeImage(layers, config)}}))));
    CK_ASSERT_OK(engine().images().Load(path));
  }
  static ContainerConfig Made(const std::string& script) {
    ContainerConfig config = Shell(script);
    config.image = "made:1";
    return config;
  }
};

TEST_F(ImageConfigTest, StopUsesTheStopSignalOfTheImage) {
  oci::ImageConfig image;
  image.config.stop_signal = "SIGUSR2";
  LoadImage(image);
  ContainerConfig config = Made(
      "trap 'exit 7' TERM; trap 'exit 8' USR2; trap 'exit 9' INT; "
      "touch /ready; while :; do sleep .02; done");
  for (const bool own : {false, true}) {
    if (own) config.stop_signal = "SIGINT";
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
    CK_ASSERT_OK(container.Start());
    EXPECT_TRUE(Eventually([&] { return container.StatPath("/ready").ok(); }));
    CK_ASSERT_OK(container.Stop({.timeout = absl::Seconds(30), .signal = 0}));
    EXPECT_EQ(container.Inspect()->exit.code, own ? 9 : 8);
  }
}

TEST_F(ImageConfigTest, TheHealthCheckIsTheImages) {
  oci::ImageConfig image;
  image.config.healthcheck =
      oci::ImageHealthcheck{.test = {"CMD-SHELL", "test -e /ok"},
                            .interval_ns = 20'000'000,
                            .start_interval_ns = 20'000'000,
                            .retries = 1};
  LoadImage(image);
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Made("touch /ok; sleep 1000")));
  CK_ASSERT_OK(container.Start());
  EXPECT_TRUE(Eventually(
      [&] { return container.Inspect()->health == HealthState::kHealthy; }));
  // The container's own settings go into it one by one; "NONE" ends it.
  ContainerConfig other = Made("sleep 1000");
  other.health.retries = 2;
  CK_ASSERT_OK_AND_ASSIGN(Container sick, engine().Create(other));
  CK_ASSERT_OK(sick.Start());
  EXPECT_TRUE(Eventually(
      [&] { return sick.Inspect()->health == HealthState::kUnhealthy; }));
  EXPECT_GE(sick.Inspect()->health_failing_streak, 2);
  other = Made("sleep 1000");
  other.health.test = {"NONE"};
  CK_ASSERT_OK_AND_ASSIGN(Container none, engine().Create(other));
  CK_ASSERT_OK(none.Start());
  EXPECT_EQ(none.Inspect()->health, HealthState::kNone);
}

// The error names what failed, on what, with which number.
TEST_F(ImageConfigTest, CommandsThatCannotRunAreNamed) {
  const struct {
    const char* command;
    StatusCode code;
    Reason reason;
    int os_errno;
    int exit_code;
  } cases[] = {
      {"/no/such", StatusCode::kNotFound, Reason::kCommandNotFound, ENOENT,
       127},
      {"no-such", StatusCode::kNotFound, Reason::kCommandNotFound, ENOENT, 127},
      {"/etc/passwd", StatusCode::kPermissionDenied,
       Reason::kCommandNotExecutable, EACCES, 126},
      {"/etc", StatusCode::kPermissionDenied, Reason::kCommandNotExecutable,
       EISDIR, 126}};
  for (const auto& c : cases) {
    CK_ASSERT_OK_AND_ASSIGN(Container container,
                            engine().Create(Command({c.command})));
    const absl::Status status = container.Start().status();
    EXPECT_THAT(status, StatusIs(c.code, c.reason)) << c.command;
    const auto detail = GetErrorDetail(status);
    ASSERT_TRUE(detail.has_value()) << c.command;
    EXPECT_EQ(detail->os_errno, c.os_errno) << c.command;
    EXPECT_EQ(detail->path, c.command);
    EXPECT_EQ(detail->object_kind, "container") << c.command;
    EXPECT_EQ(detail->object_id, container.id()) << c.command;
    EXPECT_NE(detail->operation, "") << c.command;
    EXPECT_EQ(container.Inspect()->exit.code, c.exit_code) << c.command;
  }
}

TEST_F(ImageConfigTest, RunsAnImageOf120Layers) {
  std::vector<std::string> more;
  for (int i = 0; i < 119; ++i) more.push_back(absl::StrCat(i, "\n"));
  LoadImage({}, more);
  EXPECT_EQ(engine().images().Inspect("made:1")->layers.size(), 120u);
  const RunResult result = Run(Made("ls /l | wc -l; cat /l/0 /l/60 /l/118"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "119\n0\n60\n118\n");
}

// overlayfs takes no directory twice.
TEST_F(ImageConfigTest, RunsAnImageThatHasALayerTwice) {
  const maker::TestLayer one = {maker::MakeTar({{"f", "one"}})};
  const maker::TestLayer two = {maker::MakeTar({{"f", "two"}})};
  LoadLayers({}, {one, two, one});
  EXPECT_EQ(engine().images().Inspect("made:1")->layers.size(), 4u);
  const RunResult result = Run(Made("cat /f"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "one");
}

}  // namespace
}  // namespace containerkit::testing
