#include "lib/container/docker_json.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/matchers.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Json = nlohmann::json;

struct Change {
  const char* name;
  std::function<void(ContainerConfig&)> apply;
};

// One change of every member of ContainerConfig and of what it has in it.
std::vector<Change> ProcessChanges() {
  using C = ContainerConfig;
  return {
      {"image", [](C& c) { c.image = "debian:12"; }},
      {"name", [](C& c) { c.name = "web"; }},
      {"platform", [](C& c) { c.platform = "linux/arm64"; }},
      {"entrypoint",
       [](C& c) {
         c.entrypoint = {{"/bin/sh", "-c"}};
       }},
      {"entrypoint empty", [](C& c) { c.entrypoint.emplace(); }},
      {"entrypoint cleared", [](C& c) { c.entrypoint = {{""}}; }},
      {"cmd",
       [](C& c) {
         c.cmd = {{"a b", "\"q\"", "\n"}};
       }},
      {"cmd empty", [](C& c) { c.cmd.emplace(); }},
      {"env",
       [](C& c) {
         c.env = {"A=1", "B", "A=2", "C=\xc3\xa9"};
       }},
      {"user", [](C& c) { c.user = "1000:1000"; }},
      {"group_add",
       [](C& c) {
         c.group_add = {"audio", "44"};
       }},
      {"working_dir", [](C& c) { c.working_dir = "/srv"; }},
      {"tty", [](C& c) { c.tty = true; }},
      {"open_stdin", [](C& c) { c.open_stdin = true; }},
      {"stdin_once", [](C& c) { c.stdin_once = true; }},
      {"console_rows", [](C& c) { c.console_rows = 24; }},
      {"console_columns", [](C& c) { c.console_columns = 80; }},
      {"init", [](C& c) { c.init = true; }},
      {"stop_signal", [](C& c) { c.stop_signal = "SIGINT"; }},
      {"stop_timeout", [](C& c) { c.stop_timeout = absl::Seconds(3); }},
      {"stop_timeout 0", [](C& c) { c.stop_timeout = absl::ZeroDuration(); }},
      {"stop_timeout ms",
       [](C& c) { c.stop_timeout = absl::Milliseconds(1500); }},
      {"stop_timeout infinite",
       [](C& c) { c.stop_timeout = absl::InfiniteDuration(); }},
      {"oom_score_adj", [](C& c) { c.oom_score_adj = -500; }},
      {"oom_score_adj 0", [](C& c) { c.oom_score_adj = 0; }},
      {"ulimits",
       [](C& c) {
         c.ulimits = {{"nofile", 1, 2}, {"core", -1, -1}};
       }},
      {"health disabled", [](C& c) { c.health.disabled = true; }},
      {"health test",
       [](C& c) {
         c.health.test = {"CMD-SHELL", "true"};
       }},
      {"interval", [](C& c) { c.health.interval = absl::Seconds(1); }},
      {"timeout", [](C& c) { c.health.timeout = absl::Milliseconds(1); }},
      {"start_period", [](C& c) { c.health.start_period = absl::Minutes(1); }},
      {"start_interval",
       [](C& c) { c.health.start_interval = absl::Nanoseconds(7); }},
      {"retries", [](C& c) { c.health.retries = 9; }},
      {"hostname", [](C& c) { c.hostname = "h"; }},
      {"domainname", [](C& c) { c.domainname = "d.example"; }},
      {"labels",
       [](C& c) {
         c.labels = {{"a", ""}, {"b.c/d", "x=y"}};
       }},
      {"annotations",
       [](C& c) {
         c.annotations = {{"k", "v"}};
       }},
      {"exposed_ports",
       [](C& c) {
         c.exposed_ports = {"53/udp", "80/tcp"};
       }},
      {"exposed_ports unsorted",
       [](C& c) {
         c.exposed_ports = {"80/tcp", "53/udp", "80/tcp"};
       }},
      {"dns",
       [](C& c) {
         c.names.servers = {"1.1.1.1", "::1"};
       }},
      {"search", [](C& c) { c.names.search = {"example.com"}; }},
      {"options", [](C& c) { c.names.options = {"ndots:2"}; }},
      {"extra_hosts",
       [](C& c) {
         c.names.extra_hosts = {
             {"b", "10.0.0.1"}, {"a", "host-gateway"}, {"v6", "fe80::1"}};
       }},
  };
}

std::vector<Change> FileSystemChanges() {
  using C = ContainerConfig;
  using Recursive = BindMountConfig::Recursive;
  const auto bind = [](BindMountConfig mount) {
    return [mount](C& c) { c.binds = {mount}; };
  };
  const auto recursive = [&](Recursive r) {
    return bind({.source = "/s", .target = "/t", .recursive = r});
  };
  const auto tmpfs = [](std::vector<TmpfsMountConfig> mounts) {
    return [mounts](C& c) { c.tmpfs = mounts; };
  };
  return {
      {"readonly_root", [](C& c) { c.readonly_root = true; }},
      {"bind", bind({.source = "/s", .target = "/t"})},
      {"bind -v",
       bind({.source = "/s", .target = "/t", .create_source = true})},
      {"bind -v ro", bind({.source = "/s",
                           .target = "/t",
                           .readonly = true,
                           .create_source = true,
                           .propagation = MountPropagation::kRslave,
                           .options = {"nosuid", "nodev"}})},
      {"bind with colon",
       bind({.source = "/a:b", .target = "/t:u", .create_source = true})},
      {"bind shared", bind({.source = "/s",
                            .target = "/t",
                            .propagation = MountPropagation::kShared})},
      {"bind options", bind({.source = "/s",
                             .target = "/t",
                             .options = {"nosuid", "ro", "idmap"}})},
      {"bind norec", recursive(Recursive::kDisabled)},
      {"bind writable", recursive(Recursive::kWritable)},
      {"bind rro", recursive(Recursive::kReadonly)},
      {"binds of both kinds, in order",
       [](C& c) {
         c.binds = {
             {.source = "/1", .target = "/a", .create_source = true},
             {.source = "/2", .target = "/b", .create_source = false},
             {.source = "/3", .target = "/c", .create_source = true},
         };
       }},
      {"tmpfs", tmpfs({{.target = "/run"}})},
      {"tmpfs all", tmpfs({{.target = "/run",
                            .readonly = true,
                            .size_bytes = 65536,
                            .mode = 01770,
                            .options = {"exec", "uid=1000", "size=50%"}}})},
      {"tmpfs zeros", tmpfs({{.target = "/run", .size_bytes = 0, .mode = 0}})},
      {"tmpfs unsorted", tmpfs({{.target = "/b", .size_bytes = 1},
                                {.target = "/a",
                                 .readonly = true,
                                 .mode = 0755,
                                 .options = {"exec", "gid=5", "size=50%"}},
                                {.target = "/b"}})},
      {"tmpfs unsorted zeros",
       tmpfs({{.target = "/b", .size_bytes = 0}, {.target = "/a", .mode = 0}})},
      {"devices",
       [](C& c) {
         c.devices = {{"/dev/fuse", "", "rwm"}, {"/dev/sda", "/dev/x", "r"}};
       }},
      {"shm_size", [](C& c) { c.shm_size_bytes = 1 << 20; }},
      {"shm_size 0", [](C& c) { c.shm_size_bytes = 0; }},
  };
}

std::vector<Change> IsolationChanges() {
  using C = ContainerConfig;
  using Kind = NamespaceChoice::Kind;
  using User = UserNamespaceChoice::Kind;
  std::vector<Change> changes = {
      {"userns host", [](C& c) { c.user_namespace.kind = User::kHost; }},
      {"userns auto", [](C& c) { c.user_namespace.kind = User::kAuto; }},
      {"userns mapped",
       [](C& c) {
         c.user_namespace.kind = User::kMapped;
         c.user_namespace.uid_map = {{0, 1000, 1}, {1, 100000, 4294967295u}};
         c.user_namespace.gid_map = {{0, 5, 1}};
       }},
      {"sysctls",
       [](C& c) {
         c.sysctls = {{"kernel.shmmax", "1"}};
       }},
      {"privileged", [](C& c) { c.Allow(Privileged{}); }},
      {"cap_add", [](C& c) { c.security.cap_add = {"NET_ADMIN"}; }},
      {"cap_drop", [](C& c) { c.security.cap_drop = {"ALL"}; }},
      {"seccomp builtin",
       [](C& c) { c.security.seccomp.kind = SeccompChoice::Kind::kBuiltin; }},
      {"seccomp unconfined", [](C& c) { c.Allow(UnconfinedSeccomp{}); }},
      {"seccomp custom",
       [](C& c) {
         c.security.seccomp = {SeccompChoice::Kind::kCustom,
                               "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"};
       }},
      {"no_new_privileges", [](C& c) { c.security.no_new_privileges = true; }},
      {"apparmor", [](C& c) { c.security.apparmor_profile = "unconfined"; }},
      {"labels",
       [](C& c) {
         c.security.selinux_labels = {"disable", "level:s0:c1"};
       }},
      {"systempaths", [](C& c) { c.Allow(UnmaskedSystemPaths{}); }},
      {"masked_paths", [](C& c) { c.security.masked_paths = {{"/proc/x"}}; }},
      {"masked_paths none", [](C& c) { c.security.masked_paths.emplace(); }},
      {"readonly_paths",
       [](C& c) { c.security.readonly_paths = {{"/proc/y"}}; }},
      {"readonly_paths none",
       [](C& c) { c.security.readonly_paths.emplace(); }},
      {"cgroup_parent", [](C& c) { c.cgroup_parent = "/x/y"; }},
      {"auto_remove", [](C& c) { c.auto_remove = true; }},
      {"log none", [](C& c) { c.log.driver = LogConfig::Driver::kNone; }},
      {"log size", [](C& c) { c.log.max_size_bytes = 12345; }},
      {"log no rotation", [](C& c) { c.log.max_size_bytes = 0; }},
      {"log files", [](C& c) { c.log.max_files = 2; }},
      {"restart always",
       [](C& c) { c.restart.policy = RestartConfig::Policy::kAlways; }},
      {"restart unless",
       [](C& c) { c.restart.policy = RestartConfig::Policy::kUnlessStopped; }},
      {"restart on failure",
       [](C& c) {
         c.restart = {RestartConfig::Policy::kOnFailure, 4000000000u};
       }},
  };
  for (const Kind kind : {Kind::kDefault, Kind::kPrivate, Kind::kShareable,
                          Kind::kHost, Kind::kContainer, Kind::kNone}) {
    const NamespaceChoice choice = {kind,
                                    kind == Kind::kContainer ? "other" : ""};
    changes.push_back({"network", [=](C& c) { c.network = choice; }});
    changes.push_back({"pid", [=](C& c) { c.pid = choice; }});
    changes.push_back({"ipc", [=](C& c) { c.ipc = choice; }});
    changes.push_back({"uts", [=](C& c) { c.uts = choice; }});
    changes.push_back({"cgroup", [=](C& c) { c.cgroup = choice; }});
  }
  return changes;
}

template <typename T>
void AddNumber(const char* name, std::optional<T> ResourceConfig::*member,
               std::vector<Change>& changes) {
  for (const int value : {0, 7}) {
    changes.push_back({name, [member, value](ContainerConfig& c) {
                         c.resources.*member = static_cast<T>(value);
                       }});
  }
}

std::vector<Change> ResourceChanges() {
  using C = ContainerConfig;
  using R = ResourceConfig;
  std::vector<Change> changes = {
      {"swap -1", [](C& c) { c.resources.memory_swap_bytes = -1; }},
      {"pids -1", [](C& c) { c.resources.pids_limit = -1; }},
      {"oom_kill_disable", [](C& c) { c.resources.oom_kill_disable = true; }},
      {"cpuset_cpus", [](C& c) { c.resources.cpuset_cpus = "0-2,4"; }},
      {"cpuset_mems", [](C& c) { c.resources.cpuset_mems = "0"; }},
      {"weights",
       [](C& c) {
         c.resources.blkio_weight_devices = {{"/dev/sda", 10}};
       }},
      {"read_bps",
       [](C& c) {
         c.resources.device_read_bps = {{"/dev/sda", 1u << 31}};
       }},
      {"write_bps",
       [](C& c) {
         c.resources.device_write_bps = {{"/dev/sda", 2}};
       }},
      {"read_iops",
       [](C& c) {
         c.resources.device_read_iops = {{"/dev/sda", 3}};
       }},
      {"write_iops",
       [](C& c) {
         c.resources.device_write_iops = {{"/dev/sda", 4}, {"/dev/sdb", 0}};
       }},
      {"device_rules", [](C& c) { c.resources.device_rules = {"c 13:* rwm"}; }},
      {"unified",
       [](C& c) {
         c.resources.unified = {{"memory.high", "1G"}};
       }},
  };
  AddNumber("memory", &R::memory_bytes, changes);
  AddNumber("reservation", &R::memory_reservation_bytes, changes);
  AddNumber("swap", &R::memory_swap_bytes, changes);
  AddNumber("swappiness", &R::memory_swappiness, changes);
  AddNumber("nano_cpus", &R::nano_cpus, changes);
  AddNumber("quota", &R::cpu_quota_us, changes);
  AddNumber("period", &R::cpu_period_us, changes);
  AddNumber("shares", &R::cpu_shares, changes);
  AddNumber("rt_runtime", &R::cpu_realtime_runtime_us, changes);
  AddNumber("rt_period", &R::cpu_realtime_period_us, changes);
  AddNumber("pids", &R::pids_limit, changes);
  AddNumber("blkio_weight", &R::blkio_weight, changes);
  return changes;
}

std::vector<Change> AllChanges() {
  std::vector<Change> all;
  for (auto part : {ProcessChanges(), FileSystemChanges(), IsolationChanges(),
                    ResourceChanges()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(DockerJsonTest, EveryMemberSurvivesTheRoundTripAlone) {
  for (const Change& change : AllChanges()) {
    ContainerConfig config;
    change.apply(config);
    const std::string json = ConfigToJson(config);
    const auto back = ConfigFromJson(json);
    ASSERT_THAT(back, IsOk()) << change.name << ": " << json;
    EXPECT_TRUE(*back == config)
        << change.name << ": " << json << "\n  became " << ConfigToJson(*back);
  }
}

TEST(DockerJsonTest, AllMembersSurviveTheRoundTripTogether) {
  ContainerConfig config;
  for (const Change& change : AllChanges()) change.apply(config);
  config.health.disabled = false;
  CK_ASSERT_OK_AND_ASSIGN(const ContainerConfig back,
                          ConfigFromJson(ConfigToJson(config)));
  EXPECT_TRUE(back == config) << ConfigToJson(config) << "\n"
                              << ConfigToJson(back);
}

TEST(DockerJsonTest, DefaultsAreLeftOut) {
  EXPECT_EQ(ConfigToJson({}), R"({"HostConfig":{"NetworkMode":"none"}})");
  CK_ASSERT_OK_AND_ASSIGN(const ContainerConfig back, ConfigFromJson("{}"));
  EXPECT_TRUE(back == ContainerConfig());
}

TEST(DockerJsonTest, WritesWhatDockerClientsLookFor) {
  ContainerConfig config;
  config.image = "alpine";
  config.cmd = {{"true"}};
  config.binds = {{.source = "/s",
                   .target = "/t",
                   .readonly = true,
                   .create_source = true}};
  config.tmpfs = {{.target = "/run", .size_bytes = 4096, .mode = 0700}};
  config.resources.memory_bytes = 1 << 20;
  config.log.max_files = 3;
  const Json json = ConfigToJsonValue(config);
  EXPECT_EQ(json["Image"], "alpine");
  EXPECT_EQ(json["Cmd"], Json::array({"true"}));
  EXPECT_EQ(json["HostConfig"]["Binds"], Json::array({"/s:/t:ro"}));
  EXPECT_EQ(json["HostConfig"]["Tmpfs"]["/run"], "size=4096,mode=700");
  EXPECT_EQ(json["HostConfig"]["Memory"], 1 << 20);
  EXPECT_EQ(json["HostConfig"]["LogConfig"], Json::parse(R"({"Type":"json-file",
                            "Config":{"max-size":"20971520","max-file":"3"}})"));
  EXPECT_FALSE(json.contains("Containerkit"));
}

// What `docker run` (28.5) sends for
//   docker run --rm -it -v /srv:/data:ro --tmpfs /run -m 64m --cpus 1.5
//     --restart=no --network none --health-cmd true alpine sh
TEST(DockerJsonTest, ReadsTheBodyOfADockerClient) {
  constexpr absl::string_view kBody = R"({
    "Hostname":"","Domainname":"","User":"","AttachStdin":true,
    "AttachStdout":true,"AttachStderr":true,"Tty":true,"OpenStdin":true,
    "StdinOnce":true,"Env":null,"Cmd":["sh"],
    "Healthcheck":{"Test":["CMD-SHELL","true"]},"Image":"alpine",
    "Volumes":{"/data":{}},"WorkingDir":"","Entrypoint":null,"OnBuild":null,
    "Labels":{},"ExposedPorts":{"80/tcp":{}},
    "HostConfig":{"Binds":["/srv:/data:ro,z"],"ContainerIDFile":"",
      "LogConfig":{"Type":"","Config":{}},"NetworkMode":"none",
      "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}],
                      "443/tcp":null},
      "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,
      "VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[50,200],
      "CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],
      "DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,
      "IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",
      "Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,
      "SecurityOpt":null,"Tmpfs":{"/run":""},"UTSMode":"","UsernsMode":"",
      "ShmSize":0,"Isolation":"","CpuShares":0,"Memory":67108864,
      "NanoCpus":1500000000,"CgroupParent":"","BlkioWeight":0,
      "BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"CpuPeriod":0,
      "CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,
      "CpusetCpus":"","CpusetMems":"","Devices":[],
      "DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,
      "MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":null,
      "PidsLimit":0,"Ulimits":[],"CpuCount":0,"CpuPercent":0,
      "IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,
      "ReadonlyPaths":null},
    "NetworkingConfig":{"EndpointsConfig":{}}})";
  CK_ASSERT_OK_AND_ASSIGN(const ContainerConfig got, ConfigFromJson(kBody));
  ContainerConfig want;
  want.tty = want.open_stdin = want.stdin_once = want.auto_remove = true;
  want.cmd = {{"sh"}};
  want.health.test = {"CMD-SHELL", "true"};
  want.image = "alpine";
  want.exposed_ports = {"443/tcp", "80/tcp"};
  want.binds = {{.source = "/srv",
                 .target = "/data",
                 .readonly = true,
                 .create_source = true}};
  want.tmpfs = {{.target = "/run"}};
  want.console_rows = 50;
  want.console_columns = 200;
  want.resources.memory_bytes = 64 << 20;
  want.resources.nano_cpus = 1500000000;
  want.resources.pids_limit = 0;
  EXPECT_TRUE(got == want) << ConfigToJson(got) << "\n" << ConfigToJson(want);
}

TEST(DockerJsonTest, ReadsOldSpellings) {
  CK_ASSERT_OK_AND_ASSIGN(const ContainerConfig config, ConfigFromJson(R"({
    "Cmd":"true","Entrypoint":"/init","NetworkDisabled":true,
    "HostConfig":{"NetworkMode":"bridge",
      "SecurityOpt":["seccomp:unconfined","label:disable",
                     "no-new-privileges:true","apparmor:x"],
      "ExtraHosts":["a=::1","b:::1"],
      "LogConfig":{"Type":"json-file",
                   "Config":{"max-size":"10k","max-file":"2","tag":"x"}},
      "Tmpfs":{"/t":"rw,noexec,size=64M,mode=1777"}}})"));
  EXPECT_THAT(*config.cmd, ElementsAre("true"));
  EXPECT_THAT(*config.entrypoint, ElementsAre("/init"));
  EXPECT_EQ(config.network.kind, NamespaceChoice::Kind::kNone);
  EXPECT_EQ(config.security.seccomp.kind, SeccompChoice::Kind::kUnconfined);
  EXPECT_THAT(config.security.selinux_labels, ElementsAre("disable"));
  EXPECT_TRUE(config.security.no_new_privileges);
  EXPECT_EQ(config.security.apparmor_profile, "x");
  EXPECT_THAT(config.names.extra_hosts,
              ElementsAre(Pair("a", "::1"), Pair("b", "::1")));
  EXPECT_EQ(config.log.max_size_bytes, 10240);
  EXPECT_EQ(config.log.max_files, 2);
  ASSERT_EQ(config.tmpfs.size(), 1);
  EXPECT_EQ(config.tmpfs[0].size_bytes, 64 << 20);
  EXPECT_EQ(config.tmpfs[0].mode, 01777);
  EXPECT_THAT(config.tmpfs[0].options, ElementsAre("noexec"));
}

TEST(DockerJsonTest, ErrorsNameThePlace) {
  const struct {
    const char* json;
    absl::StatusCode code;
    Reason reason;
    const char* text;
  } kCases[] = {
      {"[]", absl::StatusCode::kInvalidArgument, Reason::kInvalidJson,
       "want an object"},
      {R"({"Tty":1})", absl::StatusCode::kInvalidArgument, Reason::kInvalidJson,
       "Tty: want true or false"},
      {R"({"Env":["A",7]})", absl::StatusCode::kInvalidArgument,
       Reason::kInvalidJson, "Env[1]"},
      {R"({"HostConfig":{"Memory":"1g"}})", absl::StatusCode::kInvalidArgument,
       Reason::kInvalidJson, "HostConfig.Memory: want an integer"},
      {R"({"HostConfig":{"BlkioWeight":65536}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "HostConfig.BlkioWeight: number out of range"},
      {R"({"HostConfig":{"Binds":["/a:/b:bogus"]}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "HostConfig.Binds[0]: unknown mount option \"bogus\""},
      {R"({"HostConfig":{"Binds":["data:/b"]}})",
       absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption,
       "HostConfig.Binds[0]"},
      {R"({"HostConfig":{"Mounts":[{"Type":"volume","Target":"/x"}]}})",
       absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption,
       "HostConfig.Mounts[0].Type"},
      {R"({"HostConfig":{"NetworkMode":"my-net"}})",
       absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption,
       "HostConfig.NetworkMode"},
      {R"({"HostConfig":{"PidMode":"container:"}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "HostConfig.PidMode"},
      {R"({"HostConfig":{"LogConfig":{"Type":"syslog"}}})",
       absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption,
       "HostConfig.LogConfig.Type"},
      {R"({"HostConfig":{"SecurityOpt":["what"]}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "HostConfig.SecurityOpt[0]"},
      {R"({"HostConfig":{"Tmpfs":{"/x":"mode=9"}}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "bad tmpfs option \"mode=9\""},
      {R"({"HostConfig":{"DeviceRequests":[{}]}})",
       absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption,
       "HostConfig.DeviceRequests"},
      {R"({"Volumes":{"/data":{}}})", absl::StatusCode::kUnimplemented,
       Reason::kUnsupportedOption, "/data"},
      {R"({"Healthcheck":{"Test":["SHELL","x"]}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "Healthcheck.Test"},
      {R"({"HostConfig":{"RestartPolicy":{"Name":"maybe"}}})",
       absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
       "HostConfig.RestartPolicy.Name"},
  };
  for (const auto& one : kCases) {
    const auto config = ConfigFromJson(one.json);
    EXPECT_THAT(config, StatusIs(one.code, one.reason)) << one.json;
    EXPECT_THAT(config.status().message(), HasSubstr(one.text)) << one.json;
  }
}

}  // namespace
}  // namespace containerkit::container
