#include "lib/container/etc_files.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const std::vector<std::string>& BadWords() {
  static const auto& words =
      *new std::vector<std::string>{"a\nb",  "a\rb", "a b",
                                    "a\tb",  "",     std::string("a\0b", 3),
                                    "a\x7f", "#a",   "a\n127.0.0.1 evil"};
  return words;
}

TEST(EtcFilesTest, HostnameIsOneLine) {
  EXPECT_EQ(MakeEtcFiles({}, "web", "")->hostname, "web\n");
  for (const std::string& bad : BadWords()) {
    EXPECT_THAT(MakeEtcFiles({}, bad, ""),
                StatusIs(kInvalid, Reason::kInvalidArgument));
  }
}

TEST(EtcFilesTest, HostsHasLoopbackExtrasAndTheContainer) {
  ContainerConfig config;
  config.domainname = "example.com";
  config.names.extra_hosts = {{"db", "10.0.0.2"}, {"gw", "host-gateway"}};
  EXPECT_EQ(MakeEtcFiles(config, "web", "",
                         {.address = "10.0.0.3",
                          .host_gateway = "10.0.0.1",
                          .host_hosts = "1.2.3.4 secret\n"})
                ->hosts,
            "127.0.0.1\tlocalhost\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n"
            "fe00::\tip6-localnet\n"
            "ff00::\tip6-mcastprefix\n"
            "ff02::1\tip6-allnodes\n"
            "ff02::2\tip6-allrouters\n"
            "10.0.0.2\tdb\n"
            "10.0.0.1\tgw\n"
            "10.0.0.3\tweb.example.com web\n");
}

TEST(EtcFilesTest, HostsWithoutNetworkNamesLoopback) {
  EXPECT_THAT(MakeEtcFiles({}, "web", "")->hosts,
              EndsWith("\n127.0.0.1\tweb\n"));
}

TEST(EtcFilesTest, HostsOfTheHostNetworkIsACopy) {
  ContainerConfig config;
  config.Allow(HostNetwork{});
  config.names.extra_hosts = {{"db", "::1"}};
  EXPECT_EQ(MakeEtcFiles(config, "h", "", {.host_hosts = "1.2.3.4 x"})->hosts,
            "1.2.3.4 x\n::1\tdb\n");
}

TEST(EtcFilesTest, HostsRefusesWhatBecomesMoreThanOneEntry) {
  for (const std::string& bad : BadWords()) {
    ContainerConfig config;
    config.names.extra_hosts = {{bad, "10.0.0.1"}};
    EXPECT_THAT(MakeEtcFiles(config, "a", ""),
                StatusIs(kInvalid, Reason::kInvalidArgument));
    config.names.extra_hosts = {{"a", bad}};
    EXPECT_THAT(MakeEtcFiles(config, "a", ""),
                StatusIs(kInvalid, Reason::kInvalidArgument));
    if (bad.empty()) continue;
    config.names.extra_hosts.clear();
    config.domainname = bad;
    EXPECT_THAT(MakeEtcFiles(config, "a", ""),
                StatusIs(kInvalid, Reason::kInvalidArgument));
  }
  ContainerConfig config;
  config.names.extra_hosts = {{"a", "host-gateway"}};
  EXPECT_THAT(MakeEtcFiles(config, "a", ""),
              StatusIs(kInvalid, Reason::kInvalidArgument));
  config.names.extra_hosts = {{"a", "300.1.1.1"}};
  EXPECT_THAT(MakeEtcFiles(config, "a", ""),
              StatusIs(kInvalid, Reason::kInvalidArgument));
}

constexpr char kHostResolver[] =
    "# comment\n"
    "nameserver 127.0.0.53\n"
    "nameserver 192.0.2.1\n"
    "nameserver ::1\n"
    "nameserver fe80::1%eth0\n"
    "nameserver nonsense\n"
    "domain old.example\n"
    "search a.example\tb.example\r\n"
    "options edns0\n"
    "options ndots:2 trust-ad\n";

TEST(EtcFilesTest, ResolverLeavesLoopbackOut) {
  EXPECT_EQ(MakeEtcFiles({}, "a", kHostResolver)->resolv_conf,
            "nameserver 192.0.2.1\n"
            "nameserver fe80::1%eth0\n"
            "search a.example b.example\n"
            "options edns0 ndots:2 trust-ad\n");
}

TEST(EtcFilesTest, ResolverFallsBackToPublicOnes) {
  EXPECT_EQ(MakeEtcFiles({}, "a", "nameserver 127.0.0.53\n")->resolv_conf,
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(MakeEtcFiles({}, "a", "")->resolv_conf,
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
}

TEST(EtcFilesTest, ResolverOfTheHostNetworkIsTheHosts) {
  ContainerConfig config;
  config.Allow(HostNetwork{});
  EXPECT_EQ(MakeEtcFiles(config, "a", kHostResolver)->resolv_conf,
            kHostResolver);
  config.names.options = {"ndots:5"};
  EXPECT_EQ(MakeEtcFiles(config, "a", kHostResolver)->resolv_conf,
            "nameserver 127.0.0.53\n"
            "nameserver 192.0.2.1\n"
            "nameserver ::1\n"
            "nameserver fe80::1%eth0\n"
            "search a.example b.example\n"
            "options ndots:5\n");
}

TEST(EtcFilesTest, ResolverTakesTheConfigFirst) {
  ContainerConfig config;
  config.names.servers = {"127.0.0.1"};
  config.names.search = {"."};
  EXPECT_EQ(MakeEtcFiles(config, "a", kHostResolver)->resolv_conf,
            "nameserver 127.0.0.1\n"
            "options edns0 ndots:2 trust-ad\n");
}

TEST(EtcFilesTest, ResolverRefusesWhatBecomesMoreThanOneLine) {
  for (const std::string& bad : BadWords()) {
    for (auto member :
         {&NameConfig::servers, &NameConfig::search, &NameConfig::options}) {
      ContainerConfig config;
      config.names.*member = {bad};
      EXPECT_THAT(MakeEtcFiles(config, "a", ""),
                  StatusIs(kInvalid, Reason::kInvalidArgument));
    }
  }
}

}  // namespace
}  // namespace containerkit::container
