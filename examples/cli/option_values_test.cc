#include "examples/cli/option_values.h"

#include <stdlib.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

template <typename T>
std::string Message(const absl::StatusOr<T>& result) {
  return std::string(result.status().message());
}

TEST(OptionValuesTest, Ulimits) {
  EXPECT_EQ(*ParseUlimit("nofile=10:20"), (UlimitConfig{"nofile", 10, 20}));
  EXPECT_EQ(*ParseUlimit("nproc=5"), (UlimitConfig{"nproc", 5, 5}));
  EXPECT_EQ(*ParseUlimit("core=-1:-1"), (UlimitConfig{"core", -1, -1}));
  EXPECT_EQ(*ParseUlimit("core=unlimited"), (UlimitConfig{"core", -1, -1}));
  EXPECT_EQ(*ParseUlimit("core=0:-1"), (UlimitConfig{"core", 0, -1}));
  EXPECT_EQ(Message(ParseUlimit("x")), "invalid ulimit argument: x");
  EXPECT_EQ(Message(ParseUlimit("foo=1")), "invalid ulimit type: foo");
  EXPECT_EQ(Message(ParseUlimit("nofile=a")),
            "invalid ulimit argument: nofile=a");
  EXPECT_EQ(Message(ParseUlimit("nofile=2:1")),
            "ulimit soft limit must be less than or equal to hard limit: "
            "2 > 1");
  EXPECT_EQ(Message(ParseUlimit("nofile=-1:1")),
            "ulimit soft limit must be less than or equal to hard limit: "
            "-1 > 1");
}

TEST(OptionValuesTest, Devices) {
  EXPECT_EQ(*ParseDevice("/dev/a"), (DeviceConfig{"/dev/a", "", "rwm"}));
  EXPECT_EQ(*ParseDevice("/dev/a:r"), (DeviceConfig{"/dev/a", "", "r"}));
  EXPECT_EQ(*ParseDevice("/dev/a:/dev/b"),
            (DeviceConfig{"/dev/a", "/dev/b", "rwm"}));
  EXPECT_EQ(*ParseDevice("/dev/a:/dev/b:rw"),
            (DeviceConfig{"/dev/a", "/dev/b", "rw"}));
  EXPECT_EQ(Message(ParseDevice("/dev/a:/dev/b:x")), "invalid device mode: x");
  EXPECT_FALSE(ParseDevice("dev").ok());
  EXPECT_FALSE(ParseDevice("/a:b").ok());
  EXPECT_FALSE(ParseDevice("/a:/b:r:x").ok());
  EXPECT_EQ(*ParseDeviceRule("c 13:* rwm"), "c 13:* rwm");
  EXPECT_EQ(Message(ParseDeviceRule("d 1:1 r")),
            "invalid device cgroup format 'd 1:1 r'");
  EXPECT_FALSE(ParseDeviceRule("c 1 r").ok());
}

TEST(OptionValuesTest, ExtraHostsAndAddresses) {
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(*ParseExtraHost("a:1.2.3.4"), Pair("a", "1.2.3.4"));
  EXPECT_EQ(*ParseExtraHost("a=::1"), Pair("a", "::1"));
  EXPECT_EQ(*ParseExtraHost("a:[::1]"), Pair("a", "::1"));
  EXPECT_EQ(*ParseExtraHost("a:host-gateway"), Pair("a", "host-gateway"));
  EXPECT_EQ(Message(ParseExtraHost("foo")), "bad format for add-host: \"foo\"");
  EXPECT_EQ(Message(ParseExtraHost("a:x")),
            "invalid IP address in add-host: \"x\"");
  EXPECT_EQ(*ParseAddress("8.8.8.8"), "8.8.8.8");
  EXPECT_EQ(Message(ParseAddress("x")),
            "IP address is not correctly formatted: x");
}

TEST(OptionValuesTest, RestartPolicies) {
  using Policy = RestartConfig::Policy;
  EXPECT_EQ(*ParseRestart("always"), (RestartConfig{Policy::kAlways, 0}));
  EXPECT_EQ(*ParseRestart("on-failure:3"),
            (RestartConfig{Policy::kOnFailure, 3}));
  EXPECT_EQ(*ParseRestart("on-failure"),
            (RestartConfig{Policy::kOnFailure, 0}));
  EXPECT_EQ(*ParseRestart("unless-stopped"),
            (RestartConfig{Policy::kUnlessStopped, 0}));
  EXPECT_EQ(*ParseRestart("no"), RestartConfig{});
  EXPECT_FALSE(ParseRestart("sometimes").ok());
  EXPECT_FALSE(ParseRestart("always:3").ok());
  EXPECT_FALSE(ParseRestart("on-failure:x").ok());
}

TEST(OptionValuesTest, Cpus) {
  EXPECT_EQ(*ParseCpus("1.5"), 1500000000);
  EXPECT_EQ(*ParseCpus(".000000001"), 1);
  EXPECT_EQ(*ParseCpus("2"), 2000000000);
  EXPECT_EQ(Message(ParseCpus("x")), "failed to parse x as a rational number");
  EXPECT_EQ(Message(ParseCpus("-1")),
            "failed to parse -1 as a rational number");
  EXPECT_EQ(Message(ParseCpus("0.0000000001")), "value is too precise");
}

TEST(OptionValuesTest, BlockDevices) {
  EXPECT_EQ(ParseBytesDevice("/dev/sda:1mb")->second, 1u << 20);
  EXPECT_EQ(ParseOperationsDevice("/dev/sda:10")->second, 10u);
  EXPECT_EQ(ParseWeightDevice("/dev/sda:500")->second, 500);
  EXPECT_EQ(Message(ParseWeightDevice("foo")), "bad format: foo");
  EXPECT_EQ(Message(ParseWeightDevice("foo:1")),
            "bad format for device path: foo:1");
  EXPECT_FALSE(ParseWeightDevice("/dev/sda:5").ok());
  EXPECT_FALSE(ParseBytesDevice("/dev/sda:x").ok());
}

TEST(OptionValuesTest, Namespaces) {
  using Kind = NamespaceChoice::Kind;
  EXPECT_EQ(ParsePidMode("host")->kind, Kind::kHost);
  EXPECT_EQ(ParsePidMode("container:a")->container, "a");
  EXPECT_EQ(Message(ParsePidMode("foo")), "--pid: invalid PID mode");
  EXPECT_EQ(Message(ParsePidMode("container:")), "--pid: invalid PID mode");
  EXPECT_EQ(ParseIpcMode("shareable")->kind, Kind::kShareable);
  EXPECT_EQ(ParseIpcMode("none")->kind, Kind::kNone);
  EXPECT_EQ(ParseUtsMode("host")->kind, Kind::kHost);
  EXPECT_EQ(ParseCgroupMode("private")->kind, Kind::kPrivate);
  EXPECT_EQ(ParseNetworkMode("none")->kind, Kind::kNone);
  EXPECT_EQ(ParseNetworkMode("container:web")->container, "web");
  EXPECT_FALSE(ParseNetworkMode("bridge").ok());
  EXPECT_EQ(ParseUserMode("host")->kind, UserNamespaceChoice::Kind::kHost);
  EXPECT_EQ(ParseUserMode("auto")->kind, UserNamespaceChoice::Kind::kAuto);
  EXPECT_FALSE(ParseUserMode("foo").ok());
}

TEST(OptionValuesTest, Expose) {
  using Ports = std::vector<std::string>;
  EXPECT_EQ(*ParseExpose("80"), Ports({"80/tcp"}));
  EXPECT_EQ(*ParseExpose("53-54/UDP"), Ports({"53/udp", "54/udp"}));
  EXPECT_FALSE(ParseExpose("80/icmp").ok());
  EXPECT_FALSE(ParseExpose("9-8").ok());
  EXPECT_FALSE(ParseExpose("99999").ok());
}

TEST(OptionValuesTest, SecurityOptions) {
  SecurityConfig security;
  ASSERT_TRUE(ApplySecurityOption("no-new-privileges", security).ok());
  EXPECT_TRUE(security.no_new_privileges);
  ASSERT_TRUE(ApplySecurityOption("no-new-privileges:false", security).ok());
  EXPECT_FALSE(security.no_new_privileges);
  ASSERT_TRUE(ApplySecurityOption("seccomp=unconfined", security).ok());
  EXPECT_EQ(security.seccomp.kind, SeccompChoice::Kind::kUnconfined);
  ASSERT_TRUE(ApplySecurityOption("seccomp:builtin", security).ok());
  EXPECT_EQ(security.seccomp.kind, SeccompChoice::Kind::kBuiltin);
  ASSERT_TRUE(ApplySecurityOption("label=type:x_t", security).ok());
  EXPECT_EQ(security.selinux_labels, std::vector<std::string>({"type:x_t"}));
  ASSERT_TRUE(ApplySecurityOption("systempaths=unconfined", security).ok());
  EXPECT_TRUE(security.systempaths_unconfined);
  ASSERT_TRUE(ApplySecurityOption("apparmor=unconfined", security).ok());
  EXPECT_EQ(security.apparmor_profile, "unconfined");
  EXPECT_EQ(ApplySecurityOption("foo", security).message(),
            "Invalid --security-opt: \"foo\"");
  EXPECT_EQ(ApplySecurityOption("seccomp=/nope", security).message(),
            "opening seccomp profile (/nope) failed: open /nope: no such "
            "file or directory");
}

TEST(OptionValuesTest, Logs) {
  LogConfig log;
  ASSERT_TRUE(ApplyLogOption("max-size=10m", log).ok());
  ASSERT_TRUE(ApplyLogOption("max-file=2", log).ok());
  EXPECT_EQ(log.max_size_bytes, 10u << 20);
  EXPECT_EQ(log.max_files, 2u);
  ASSERT_TRUE(ApplyLogOption("max-size=-1", log).ok());
  EXPECT_EQ(log.max_size_bytes, 0u);
  EXPECT_EQ(ApplyLogOption("foo=1", log).message(),
            "unknown log opt 'foo' for json-file log driver");
  EXPECT_FALSE(ApplyLogOption("max-file=0", log).ok());
  EXPECT_EQ(*ParseLogDriver("none"), LogConfig::Driver::kNone);
  EXPECT_FALSE(ParseLogDriver("syslog").ok());
}

TEST(OptionValuesTest, Environment) {
  setenv("CK_TEST_SET", "value", 1);
  unsetenv("CK_TEST_UNSET");
  EXPECT_EQ(*ParseEnv("A=b=c"), "A=b=c");
  EXPECT_EQ(*ParseEnv("CK_TEST_SET"), "CK_TEST_SET=value");
  EXPECT_EQ(*ParseEnv("CK_TEST_UNSET"), "CK_TEST_UNSET");
  EXPECT_EQ(Message(ParseEnv("")), "invalid environment variable: ");
  EXPECT_EQ(Message(ParseEnv("=x")), "invalid environment variable: =x");
  EXPECT_EQ(*ParseEnvFile("\xef\xbb\xbf# note\n\n  A=1 2\r\nCK_TEST_SET\n"
                          "CK_TEST_UNSET\nB=\n"),
            std::vector<std::string>({"A=1 2", "CK_TEST_SET=value", "B="}));
  EXPECT_EQ(Message(ParseEnvFile("A B=1")),
            "variable 'A B' contains whitespaces");
  EXPECT_EQ(Message(ParseEnvFile("=1")), "no variable name on line '=1'");
}

TEST(OptionValuesTest, Labels) {
  EXPECT_EQ(ParseLabel("a=b=c")->second, "b=c");
  EXPECT_EQ(ParseLabel("a")->second, "");
  EXPECT_FALSE(ParseLabel("=x").ok());
  EXPECT_EQ(Message(ParseSysctl("x")), "sysctl 'x' is not allowed");
}

TEST(OptionValuesTest, FilesThatAreNotThere) {
  EXPECT_EQ(Message(ReadTextFile("/nope")),
            "open /nope: no such file or directory");
  EXPECT_EQ(ReadTextFile("/nope").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace containerkit::cli
