#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/container/docker_json.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using ::testing::IsEmpty;
using Json = nlohmann::json;

ContainerInfo RunningInfo() {
  ContainerInfo info;
  info.id = std::string(64, 'a');
  info.name = "web";
  info.image_id = "sha256:1234";
  info.image = "debian:12";
  info.state = ContainerState::kRunning;
  info.pid = 42;
  info.created = absl::FromUnixNanos(1700000000123456789);
  info.started = absl::FromUnixSeconds(1700000001);
  info.command = {"/bin/sh", "-c", "true"};
  info.labels = {{"a", "b"}};
  info.log_path = "/root/containers/x/log.json";
  return info;
}

Json Inspect(const ContainerConfig& config, const ContainerInfo& info,
             const InspectExtras& extras) {
  return Json::parse(InspectJson(config, info, extras));
}

std::set<std::string> Missing(const Json& object, const char* fields) {
  std::set<std::string> missing;
  const Json names = Json::parse(fields);
  for (const std::string name : names) {
    if (!object.contains(name)) missing.insert(name);
  }
  return missing;
}

// Field sets: features.md section 2, and the structs of Docker's API 1.51.
TEST(DockerInspectTest, HasEveryFieldOfTheApi) {
  InspectExtras extras;
  extras.size_rw_bytes = 5;
  extras.size_root_fs_bytes = 6;
  ContainerInfo info = RunningInfo();
  info.health = HealthState::kHealthy;
  ContainerConfig config;
  config.Allow(HostNetwork{});
  const Json json = Inspect(config, info, extras);
  EXPECT_THAT(Missing(json, R"(["Id","Created","Path","Args","State","Image",
      "ResolvConfPath","HostnamePath","HostsPath","LogPath","Name",
      "RestartCount","Driver","Platform","MountLabel","ProcessLabel",
      "AppArmorProfile","ExecIDs","HostConfig","GraphDriver","SizeRw",
      "SizeRootFs","Mounts","Config","NetworkSettings"])"),
              IsEmpty());
  EXPECT_THAT(Missing(json["State"], R"(["Status","Running","Paused",
      "Restarting","OOMKilled","Dead","Pid","ExitCode","Error","StartedAt",
      "FinishedAt","Health"])"),
              IsEmpty());
  EXPECT_THAT(Missing(json["Config"], R"(["Hostname","Domainname","User",
      "AttachStdin","AttachStdout","AttachStderr","Tty","OpenStdin",
      "StdinOnce","Env","Cmd","Image","Volumes","WorkingDir","Entrypoint",
      "OnBuild","Labels"])"),
              IsEmpty());
  EXPECT_THAT(
      Missing(json["HostConfig"], R"(["Binds","ContainerIDFile","LogConfig",
      "NetworkMode","PortBindings","RestartPolicy","AutoRemove",
      "VolumeDriver","VolumesFrom","ConsoleSize","CapAdd","CapDrop",
      "CgroupnsMode","Dns","DnsOptions","DnsSearch","ExtraHosts","GroupAdd",
      "IpcMode","Cgroup","Links","OomScoreAdj","PidMode","Privileged",
      "PublishAllPorts","ReadonlyRootfs","SecurityOpt","UTSMode",
      "UsernsMode","ShmSize","Runtime","Isolation","CpuShares","Memory",
      "NanoCpus","CgroupParent","BlkioWeight","BlkioWeightDevice",
      "BlkioDeviceReadBps","BlkioDeviceWriteBps","BlkioDeviceReadIOps",
      "BlkioDeviceWriteIOps","CpuPeriod","CpuQuota","CpuRealtimePeriod",
      "CpuRealtimeRuntime","CpusetCpus","CpusetMems","Devices",
      "DeviceCgroupRules","DeviceRequests","MemoryReservation","MemorySwap",
      "MemorySwappiness","OomKillDisable","PidsLimit","Ulimits","CpuCount",
      "CpuPercent","IOMaximumIOps","IOMaximumBandwidth","MaskedPaths",
      "ReadonlyPaths"])"),
      IsEmpty());
  EXPECT_THAT(Missing(json["NetworkSettings"], R"(["Bridge","SandboxID",
      "SandboxKey","Ports","HairpinMode","LinkLocalIPv6Address",
      "LinkLocalIPv6PrefixLen","SecondaryIPAddresses",
      "SecondaryIPv6Addresses","EndpointID","Gateway","GlobalIPv6Address",
      "GlobalIPv6PrefixLen","IPAddress","IPPrefixLen","IPv6Gateway",
      "MacAddress","Networks"])"),
              IsEmpty());
  EXPECT_THAT(Missing(json["NetworkSettings"]["Networks"]["host"],
                      R"(["IPAMConfig","Links","Aliases","MacAddress",
      "DriverOpts","GwPriority","NetworkID","EndpointID","Gateway",
      "IPAddress","IPPrefixLen","IPv6Gateway","GlobalIPv6Address",
      "GlobalIPv6PrefixLen","DNSNames"])"),
              IsEmpty());
}

TEST(DockerInspectTest, TellsTheStateOfARunningContainer) {
  InspectExtras extras;
  extras.directory = "/root/containers/x";
  extras.graph = {{"UpperDir", "/u"}};
  const Json json = Inspect({}, RunningInfo(), extras);
  EXPECT_EQ(json["Id"], std::string(64, 'a'));
  EXPECT_EQ(json["Name"], "/web");
  EXPECT_EQ(json["Created"], "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(json["Path"], "/bin/sh");
  EXPECT_EQ(json["Args"], Json::array({"-c", "true"}));
  EXPECT_EQ(json["Image"], "sha256:1234");
  EXPECT_EQ(json["HostsPath"], "/root/containers/x/hosts");
  EXPECT_EQ(json["GraphDriver"]["Data"]["UpperDir"], "/u");
  EXPECT_EQ(json["Config"]["Image"], "debian:12");
  EXPECT_EQ(json["Config"]["Hostname"], "aaaaaaaaaaaa");
  EXPECT_EQ(json["Config"]["Labels"], Json({{"a", "b"}}));
  EXPECT_EQ(json["State"], Json::parse(R"({
      "Status":"running","Running":true,"Paused":false,"Restarting":false,
      "OOMKilled":false,"Dead":false,"Pid":42,"ExitCode":0,"Error":"",
      "StartedAt":"2023-11-14T22:13:21Z",
      "FinishedAt":"0001-01-01T00:00:00Z"})"));
  EXPECT_FALSE(json.contains("SizeRw"));
  EXPECT_EQ(json["NetworkSettings"]["SandboxKey"], "/proc/42/ns/net");
}

TEST(DockerInspectTest, HasTheHealthLog) {
  ContainerInfo info = RunningInfo();
  info.health = HealthState::kUnhealthy;
  info.health_failing_streak = 3;
  InspectExtras extras;
  extras.health_log.resize(2);
  extras.health_log[0] = {.start_ns = 1000000000,
                          .end_ns = 2000000000,
                          .exit_code = 1,
                          .output_size = 3};
  std::memcpy(extras.health_log[0].output, "no\xff", 3);
  std::memset(extras.health_log[1].output, 'x', 4096);
  extras.health_log[1].output_size = 1u << 31;  // more than there is
  const Json health = Inspect({}, info, extras)["State"]["Health"];
  EXPECT_EQ(health["Status"], "unhealthy");
  EXPECT_EQ(health["FailingStreak"], 3);
  EXPECT_EQ(health["Log"][0], Json::parse(R"({
      "Start":"1970-01-01T00:00:01Z","End":"1970-01-01T00:00:02Z",
      "ExitCode":1,"Output":"no\ufffd"})"));
  EXPECT_EQ(health["Log"][1]["Output"], std::string(4096, 'x'));
}

TEST(DockerInspectTest, MergesTheImagesConfig) {
  ContainerConfig config;
  config.env = {"A=1", "GONE"};
  config.entrypoint = {{"/mine"}};
  config.health.interval = absl::Seconds(1);
  InspectExtras extras;
  extras.image_config.env = {"PATH=/bin", "A=0", "GONE=1"};
  extras.image_config.user = "postgres";
  extras.image_config.cmd = {{"postgres"}};
  extras.image_config.exposed_ports = {"5432/tcp"};
  extras.image_config.volumes = {"/data"};
  extras.image_config.stop_signal = "SIGINT";
  extras.image_config.healthcheck = oci::ImageHealthcheck{
      .test = {"CMD", "ok"}, .interval_ns = 5, .retries = 2};
  const Json json = Inspect(config, RunningInfo(), extras)["Config"];
  EXPECT_EQ(json["Env"], Json::array({"A=1", "PATH=/bin"}));
  EXPECT_EQ(json["User"], "postgres");
  EXPECT_EQ(json["Entrypoint"], Json::array({"/mine"}));
  EXPECT_EQ(json["Cmd"], Json());
  EXPECT_EQ(json["ExposedPorts"], Json::parse(R"({"5432/tcp":{}})"));
  EXPECT_EQ(json["Volumes"], Json::parse(R"({"/data":{}})"));
  EXPECT_EQ(json["StopSignal"], "SIGINT");
  EXPECT_EQ(json["Healthcheck"],
            Json::parse(R"({"Test":["CMD","ok"],"Interval":1000000000,
                            "Retries":2})"));
  config.entrypoint.reset();
  EXPECT_EQ(Inspect(config, RunningInfo(), extras)["Config"]["Cmd"],
            Json::array({"postgres"}));
}

TEST(DockerInspectTest, FillsHostConfigAsDockerDoes) {
  ContainerConfig config;
  config.resources.memory_bytes = 1 << 20;
  config.binds = {{.source = "/s", .target = "/t", .readonly = true}};
  config.tmpfs = {{.target = "/b"}, {.target = "/a", .readonly = true}};
  const Json json = Inspect(config, RunningInfo(), {});
  const Json& host = json["HostConfig"];
  EXPECT_EQ(host["Memory"], 1 << 20);
  EXPECT_EQ(host["MemorySwap"], 2 << 20);
  EXPECT_EQ(host["ShmSize"], 64 << 20);
  EXPECT_EQ(host["IpcMode"], "private");
  EXPECT_EQ(host["NetworkMode"], "none");
  EXPECT_EQ(host["RestartPolicy"]["Name"], "no");
  EXPECT_EQ(host["LogConfig"]["Type"], "json-file");
  EXPECT_EQ(host["LogConfig"]["Config"]["max-file"], "5");
  EXPECT_GT(host["MaskedPaths"].size(), 5);
  EXPECT_EQ(json["Mounts"], Json::parse(R"([
      {"Type":"bind","Source":"/s","Destination":"/t","Mode":"ro",
       "RW":false,"Propagation":"rprivate"},
      {"Type":"tmpfs","Source":"","Destination":"/b","Mode":"","RW":true,
       "Propagation":""},
      {"Type":"tmpfs","Source":"","Destination":"/a","Mode":"","RW":false,
       "Propagation":""}])"));
  config.Allow(Privileged{});
  EXPECT_EQ(Inspect(config, RunningInfo(), {})["HostConfig"]["MaskedPaths"],
            Json());
}

}  // namespace
}  // namespace containerkit::container
