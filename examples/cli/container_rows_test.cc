#include "examples/cli/container_rows.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

ContainerInfo Info() {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  info.name = "web";
  info.image = "alpine:3";
  info.image_id = "sha256:" + std::string(64, 'b');
  info.state = ContainerState::kRunning;
  info.created = kNow - absl::Minutes(2);
  info.started = kNow - absl::Seconds(3);
  info.finished = kNow - absl::Seconds(5);
  info.command = {"sh", "-c", "echo \"a very long command\""};
  info.labels = {{"b", "2"}, {"a", "1"}};
  return info;
}

std::string Table(const ListSpec& spec, const std::string& format,
                  const Json& row) {
  const auto text = FormatList(spec, format, std::vector<Json>{row});
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(ContainerRowsTest, StatusTexts) {
  ContainerInfo info = Info();
  EXPECT_EQ(ContainerStatusText(info, kNow), "Up 3 seconds");
  info.health = HealthState::kHealthy;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Up 3 seconds (healthy)");
  info.health = HealthState::kStarting;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Up 3 seconds (health: starting)");
  info.state = ContainerState::kPaused;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Up 3 seconds (Paused)");
  info.state = ContainerState::kExited;
  info.exit.code = 137;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Exited (137) 5 seconds ago");
  info.state = ContainerState::kRestarting;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Restarting (137) 5 seconds ago");
  info.state = ContainerState::kCreated;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Created");
  info.state = ContainerState::kDead;
  EXPECT_EQ(ContainerStatusText(info, kNow), "Dead");
}

TEST(ContainerRowsTest, DefaultTable) {
  EXPECT_EQ(
      Table(ContainerListSpec(), "", ContainerRow(Info(), nullptr, true, kNow)),
      "CONTAINER ID   IMAGE      COMMAND                   CREATED         "
      "STATUS         PORTS     NAMES\n"
      "aaaaaaaaaaaa   alpine:3   \"sh -c echo \\\"a very …\"   "
      "2 minutes ago   Up 3 seconds             web\n");
}

TEST(ContainerRowsTest, UntruncatedFields) {
  const Json row = ContainerRow(Info(), nullptr, false, kNow);
  EXPECT_EQ(row["ID"], std::string(64, 'a'));
  EXPECT_EQ(row["Command"], "\"sh -c echo \\\"a very long command\\\"\"");
  EXPECT_EQ(row["Labels"], "a=1,b=2");
  EXPECT_EQ(row["State"], "running");
}

TEST(ContainerRowsTest, FieldsFromInspect) {
  const Json inspect = Json::parse(R"({
    "SizeRw": 12, "SizeRootFs": 5600000,
    "Mounts": [{"Type": "bind", "Source": "/srv/some/long/path"}],
    "Config": {"ExposedPorts": {"80/tcp": {}}},
    "HostConfig": {"NetworkMode": "none"}
  })");
  const Json row = ContainerRow(Info(), inspect, true, kNow);
  EXPECT_EQ(row["Size"], "12B (virtual 5.6MB)");
  EXPECT_EQ(row["Mounts"], "/srv/some/long…");
  EXPECT_EQ(row["Networks"], "none");
  EXPECT_EQ(row["Ports"], "80/tcp");
}

TEST(ContainerRowsTest, ImagesById) {
  ContainerInfo info = Info();
  info.image = info.image_id;
  EXPECT_EQ(ContainerRow(info, nullptr, true, kNow)["Image"], "bbbbbbbbbbbb");
}

TEST(ContainerRowsTest, LabelsByName) {
  EXPECT_EQ(Table(ContainerListSpec(), "{{.Label \"b\"}}",
                  ContainerRow(Info(), nullptr, true, kNow)),
            "2\n");
}

}  // namespace
}  // namespace containerkit::cli
