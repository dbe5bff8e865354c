#include "lib/oci/runtime_spec.h"

#include <sched.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

constexpr char kFull[] = R"({
  "ociVersion": "1.0.2-dev",
  "process": {
    "terminal": true,
    "consoleSize": {"height": 25, "width": 80},
    "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [5, 6]},
    "args": ["sh", "-c", "x"],
    "env": ["A=b"],
    "cwd": "/",
    "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"],
      "inheritable": [], "permitted": ["CAP_CHOWN"], "ambient": []},
    "rlimits": [{"type": "RLIMIT_CORE", "hard": 18446744073709551615,
                 "soft": 5}],
    "noNewPrivileges": true,
    "oomScoreAdj": -5,
    "apparmorProfile": "acme", "selinuxLabel": "a:b:c:d",
    "scheduler": {"policy": "SCHED_DEADLINE", "nice": -3, "priority": 0,
      "flags": ["SCHED_FLAG_RESET_ON_FORK"], "runtime": 1, "deadline": 2,
      "period": 3},
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}
  },
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "h", "domainname": "d",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/data", "type": "none", "source": "/volumes",
     "options": ["rbind", "rw"],
     "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
     "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]}],
  "hooks": {
    "prestart": [{"path": "/a", "args": ["a", "b"], "env": ["K=v"],
                  "timeout": 5}],
    "createRuntime": [{"path": "/b"}], "createContainer": [{"path": "/c"}],
    "startContainer": [{"path": "/d"}], "poststart": [{"path": "/e"}],
    "poststop": [{"path": "/f"}]},
  "annotations": {"com.example.key": "value"},
  "linux": {
    "namespaces": [{"type": "pid"}, {"type": "network", "path": "/n"},
      {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "user"},
      {"type": "cgroup"}, {"type": "time"}],
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 32000}],
    "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 32000}],
    "timeOffsets": {"monotonic": {"secs": 172800, "nanosecs": 5}},
    "devices": [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229,
                 "fileMode": 438, "uid": 0, "gid": 7}],
    "cgroupsPath": "/myRuntime/myContainer",
    "resources": {
      "devices": [{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": -1,
         "access": "rw"}],
      "memory": {"limit": 536870912, "reservation": 1, "swap": -1,
        "kernel": -1, "kernelTCP": -1, "swappiness": 0,
        "disableOOMKiller": false, "useHierarchy": false,
        "checkBeforeUpdate": true},
      "cpu": {"shares": 1024, "quota": 1000000, "burst": 5,
        "period": 500000, "realtimeRuntime": 950000,
        "realtimePeriod": 1000000, "cpus": "2-3", "mems": "0-7", "idle": 0},
      "pids": {"limit": 32771},
      "blockIO": {"weight": 10, "leafWeight": 10,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 500,
                          "leafWeight": 300}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}]},
      "hugepageLimits": [{"pageSize": "2MB", "limit": 9223372036854772000}],
      "network": {"classID": 1048577,
        "priorities": [{"name": "eth0", "priority": 500}]},
      "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
      "unified": {"memory.high": "1"}},
    "sysctl": {"net.ipv4.ip_forward": "1"},
    "seccomp": {
      "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 7,
      "architectures": ["SCMP_ARCH_X86"], "flags": ["X"],
      "listenerPath": "/l", "listenerMetadata": "m",
      "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO",
        "errnoRet": 3, "args": [{"index": 1, "value": 2, "valueTwo": 3,
                                 "op": "SCMP_CMP_EQ"}]}]},
    "rootfsPropagation": "slave",
    "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
    "mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
    "personality": {"domain": "LINUX32"},
    "intelRdt": {"closID": "guaranteed_group", "l3CacheSchema": "L3:0=7f0",
      "memBwSchema": "MB:0=20", "enableCMT": true}
  },
  "unknownMember": {"x": [1, 2]}
})";

TEST(RuntimeSpecTest, ReadsEveryMember) {
  const auto parsed = ParseRuntimeSpec(kFull);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const RuntimeSpec& spec = *parsed;
  EXPECT_EQ(spec.oci_version, "1.0.2-dev");
  const Process& process = *spec.process;
  EXPECT_TRUE(process.terminal);
  EXPECT_EQ(process.console_size, (ConsoleSize{25, 80}));
  EXPECT_EQ(process.user, (ProcessUser{1, 2, 18, {5, 6}}));
  EXPECT_EQ(process.rlimits[0], (Rlimit{"RLIMIT_CORE", ~uint64_t{0}, 5}));
  EXPECT_EQ(process.oom_score_adj, -5);
  EXPECT_EQ(process.scheduler->nice, -3);
  EXPECT_EQ(process.io_priority->priority, 4);
  EXPECT_EQ(spec.mounts[1].uid_mappings[0], (IdMapping{0, 1000, 10}));
  EXPECT_EQ(spec.hooks.prestart[0], (Hook{"/a", {"a", "b"}, {"K=v"}, 5}));
  EXPECT_EQ(spec.hooks.poststop[0].path, "/f");
  const LinuxConfig& config = spec.linux_config;
  EXPECT_EQ(config.namespaces.size(), 8u);
  EXPECT_EQ(config.namespaces[1], (Namespace{NamespaceType::kNetwork, "/n"}));
  EXPECT_EQ(config.time_offsets.at("monotonic"), (TimeOffset{172800, 5}));
  EXPECT_EQ(config.devices[0].gid, 7u);
  const Resources& resources = config.resources;
  EXPECT_EQ(resources.devices[0].type, 'a');
  EXPECT_EQ(resources.devices[1].minor, std::nullopt);
  EXPECT_EQ(resources.memory.swap_bytes, -1);
  EXPECT_EQ(resources.memory.swappiness, 0u);
  EXPECT_EQ(resources.cpu.realtime_period_us, 1000000u);
  EXPECT_EQ(resources.block_io.weight_devices[0].leaf_weight, 300);
  EXPECT_EQ(resources.block_io.write_iops[0].rate, 300u);
  EXPECT_EQ(resources.rdma.at("mlx5_1").hca_objects, 10000u);
  EXPECT_EQ(config.seccomp->syscalls[0].args[0],
            (SeccompArg{1, 2, 3, "SCMP_CMP_EQ"}));
  EXPECT_EQ(config.personality->domain, "LINUX32");
  EXPECT_TRUE(config.intel_rdt->enable_cmt);
}

TEST(RuntimeSpecTest, SurvivesARoundTrip) {
  const auto first = ParseRuntimeSpec(kFull);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string json = SerializeRuntimeSpec(*first);
  const auto second = ParseRuntimeSpec(json);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(SerializeRuntimeSpec(*second), json);
}

TEST(RuntimeSpecTest, SmallestSpec) {
  const auto spec =
      ParseRuntimeSpec(R"({"ociVersion":"1.2.0","root":{"path":"r"}})");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_FALSE(spec->process.has_value());
  EXPECT_EQ(SerializeRuntimeSpec(*spec),
            "{\n  \"ociVersion\": \"1.2.0\",\n  \"root\": {\n"
            "    \"path\": \"r\"\n  }\n}");
}

struct BadCase {
  const char* from;
  const char* to;
  const char* path;  // must be in the message
};

TEST(RuntimeSpecTest, ErrorsNameThePlace) {
  const BadCase cases[] = {
      {"\"1.0.2-dev\"", "\"2.0.0\"", "ociVersion"},
      {"\"1.0.2-dev\"", "\"0.9\"", "ociVersion"},
      {"\"1.0.2-dev\"", "7", "ociVersion"},
      {"\"terminal\": true", "\"terminal\": 1", "process.terminal"},
      {"\"uid\": 1,", "\"uid\": -1,", "process.user.uid"},
      {"\"uid\": 1,", "\"uid\": 4294967296,", "process.user.uid"},
      {"\"uid\": 1,", "\"uid\": 1.5,", "process.user.uid"},
      {"[5, 6]", "[5, \"x\"]", "process.user.additionalGids[1]"},
      {"\"cwd\": \"/\"", "\"cwd\": \"x\"", "process.cwd"},
      {"\"oomScoreAdj\": -5", "\"oomScoreAdj\": 99999999999",
       "process.oomScoreAdj"},
      {"{\"path\": \"rootfs\", \"readonly\": true}", "null", "root"},
      {"\"destination\": \"/data\"", "\"destination\": 5",
       "mounts[1].destination"},
      {"\"options\": [\"rbind\", \"rw\"]", "\"options\": \"rbind\"",
       "mounts[1].options"},
      {"{\"path\": \"/b\"}", "{\"path\": \"b\"}",
       "hooks.createRuntime[0].path"},
      {"\"timeout\": 5", "\"timeout\": 0", "hooks.prestart[0].timeout"},
      {"{\"type\": \"pid\"}", "{\"type\": \"pod\"}",
       "linux.namespaces[0].type"},
      {"{\"type\": \"mount\"}", "{\"type\": \"pid\"}", "linux.namespaces"},
      {"\"path\": \"/n\"", "\"path\": \"n\"", "linux.namespaces[1].path"},
      {"{\"type\": \"c\", \"path\": \"/dev/fuse\"",
       "{\"type\": \"x\", \"path\": \"/dev/fuse\"", "linux.devices[0].type"},
      {"\"access\": \"rw\"", "\"access\": \"rx\"",
       "linux.resources.devices[1].access"},
      {"\"weight\": 500", "\"weight\": 70000",
       "linux.resources.blockIO.weightDevice[0].weight"},
      {"\"limit\": 536870912", "\"limit\": \"512M\"",
       "linux.resources.memory.limit"},
      {"\"net.ipv4.ip_forward\": \"1\"", "\"net.ipv4.ip_forward\": 1",
       "linux.sysctl"},
      {"\"action\": \"SCMP_ACT_ERRNO\"", "\"action\": null",
       "linux.seccomp.syscalls[0].action"},
      {"[\"/proc/kcore\"]", "[7]", "linux.maskedPaths[0]"},
  };
  for (const BadCase& c : cases) {
    const std::string json = absl::StrReplaceAll(kFull, {{c.from, c.to}});
    ASSERT_NE(json, kFull) << c.from;
    const auto spec = ParseRuntimeSpec(json);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << c.to;
    EXPECT_EQ(GetReason(spec.status()), Reason::kInvalidJson) << c.to;
    EXPECT_TRUE(absl::StrContains(spec.status().message(), c.path))
        << c.path << " not in " << spec.status();
  }
}

TEST(RuntimeSpecTest, GarbageIsRefused) {
  for (const std::string& json :
       {std::string(""), std::string("[]"), std::string("{"),
        std::string("null"), std::string("{}"), std::string("{}{}"),
        std::string(R"({"ociVersion":"1.0.0","ociVersion":"1.0.0"})"),
        std::string(100000, '['), std::string(kMaxRuntimeSpecBytes + 1, ' ')}) {
    const auto spec = ParseRuntimeSpec(json);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    const Reason reason = GetReason(spec.status());
    EXPECT_TRUE(reason == Reason::kInvalidJson ||
                reason == Reason::kLimitExceeded)
        << spec.status();
  }
}

TEST(RuntimeSpecTest, ReadsPartsAlone) {
  const auto process =
      ParseProcess(R"({"user":{"uid":5},"args":["ls"],"cwd":"/"})");
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->user.uid, 5u);
  EXPECT_EQ(GetReason(ParseProcess(R"({"args":["ls"]})").status()),
            Reason::kInvalidJson);
  const auto resources = ParseResources(R"({"pids":{"limit":7}})");
  ASSERT_TRUE(resources.ok()) << resources.status();
  EXPECT_EQ(resources->pids_limit, 7);
  const auto seccomp = ParseSeccomp(R"({"defaultAction":"SCMP_ACT_ALLOW"})");
  ASSERT_TRUE(seccomp.ok()) << seccomp.status();
  EXPECT_EQ(GetReason(ParseSeccomp("{}").status()), Reason::kInvalidJson);
}

TEST(RuntimeSpecTest, TheBuiltInProfileIsNotWritten) {
  RuntimeSpec spec;
  spec.oci_version = "1.2.0";
  spec.root.path = "r";
  spec.linux_config.seccomp = Seccomp{.builtin_profile = true};
  EXPECT_FALSE(absl::StrContains(SerializeRuntimeSpec(spec), "seccomp"));
}

TEST(RuntimeSpecTest, NamespacesHaveNamesAndFlags) {
  EXPECT_EQ(NamespaceTypeName(NamespaceType::kUts), "uts");
  EXPECT_EQ(NamespaceCloneFlag(NamespaceType::kUser), uint64_t{CLONE_NEWUSER});
  EXPECT_EQ(NamespaceCloneFlag(NamespaceType::kTime), 0x80u);
}

}  // namespace
}  // namespace containerkit::oci
