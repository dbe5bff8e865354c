#include "lib/registry/endpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::HasSubstr;

Url U(const std::string& text) { return Url::Parse(text).value(); }

std::vector<std::string> Bases(const ClientOptions& options,
                               absl::string_view domain) {
  std::vector<std::string> bases;
  const auto endpoints = EndpointsFor(options, domain);
  EXPECT_THAT(endpoints, IsOk());
  for (const Endpoint& endpoint : *endpoints) {
    for (const Url& base : endpoint.bases) bases.push_back(base.str());
  }
  return bases;
}

using ::testing::ElementsAre;

// security.md I04: plain http only on loopback and where opted in.
TEST(EndpointTest, SchemesByHost) {
  ClientOptions options;
  options.insecure_registries = {"lab.example:5000", "bare.example"};
  EXPECT_THAT(Bases(options, "docker.io"),
              ElementsAre("https://registry-1.docker.io/v2/"));
  EXPECT_THAT(Bases(options, "quay.io"), ElementsAre("https://quay.io/v2/"));
  EXPECT_THAT(
      Bases(options, "localhost:5000"),
      ElementsAre("http://localhost:5000/v2/", "https://localhost:5000/v2/"));
  EXPECT_THAT(Bases(options, "lab.example:5000"),
              ElementsAre("https://lab.example:5000/v2/",
                          "http://lab.example:5000/v2/"));
  EXPECT_THAT(Bases(options, "lab.example"),
              ElementsAre("https://lab.example/v2/"));
  EXPECT_THAT(
      Bases(options, "bare.example"),
      ElementsAre("https://bare.example/v2/", "http://bare.example/v2/"));
  EXPECT_TRUE(MayAsk(options, U("http://127.0.0.1:9/")));
  EXPECT_TRUE(MayAsk(options, U("http://lab.example:5000/")));
  EXPECT_FALSE(MayAsk(options, U("http://quay.io/")));
}

TEST(EndpointTest, MirrorsComeFirst) {
  ClientOptions options;
  options.mirrors["docker.io"] = {"https://m.example/hub/",
                                  "http://localhost:1"};
  EXPECT_THAT(Bases(options, "docker.io"),
              ElementsAre("https://m.example/hub/v2/", "http://localhost:1/v2/",
                          "https://registry-1.docker.io/v2/"));
  EXPECT_TRUE((*EndpointsFor(options, "docker.io"))[0].is_mirror);
  EXPECT_EQ((*EndpointsFor(options, "docker.io"))[0].domain, "m.example");
  options.mirrors["docker.io"] = {"http://m.example"};
  EXPECT_THAT(EndpointsFor(options, "docker.io"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       Reason::kInsecureRegistryRefused));
  options.mirrors["docker.io"] = {"m.example"};
  EXPECT_THAT(
      EndpointsFor(options, "docker.io"),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
}

TEST(EndpointTest, ReadsCertsDirs) {
  std::string dir = absl::StrCat(::testing::TempDir(), "/certsXXXXXX");
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  const std::string host = absl::StrCat(dir, "/localhost:5000");
  ASSERT_EQ(mkdir(host.c_str(), 0700), 0);
  const auto write = [&](const char* name, absl::string_view text) {
    const int fd = open(absl::StrCat(host, "/", name).c_str(),
                        O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_EQ(::write(fd, text.data(), text.size()), text.size());
    close(fd);
  };
  write("b.crt", "BBB");
  write("ca.crt", "AAA");
  write("client.cert", "C");
  ClientOptions options;
  options.certs_dir = dir;
  EXPECT_THAT(
      TlsFor(options, U("https://localhost:5000/")),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kConfigFileInvalid));
  write("client.key", "K");
  const auto tls = TlsFor(options, U("https://localhost:5000/x"));
  ASSERT_THAT(tls, IsOk());
  EXPECT_TRUE(tls->verify);
  EXPECT_EQ(tls->extra_ca_pem, "BBB\nAAA\n");
  EXPECT_EQ(tls->client_cert_path, absl::StrCat(host, "/client.cert"));
  EXPECT_EQ(tls->client_key_path, absl::StrCat(host, "/client.key"));
  EXPECT_EQ(*TlsFor(options, U("https://other/")), TlsOptions());
  EXPECT_EQ(*TlsFor(options, U("http://localhost:5000/")), TlsOptions());
  // With certificates at hand a loopback registry speaks TLS.
  EXPECT_THAT(Bases(options, "localhost:5000"),
              ElementsAre("https://localhost:5000/v2/"));
  options.insecure_registries = {"localhost:5000"};
  EXPECT_FALSE(TlsFor(options, U("https://localhost:5000/"))->verify);
  for (const char* name : {"b.crt", "ca.crt", "client.cert", "client.key"}) {
    unlink(absl::StrCat(host, "/", name).c_str());
  }
  rmdir(host.c_str());
  rmdir(dir.c_str());
}

}  // namespace
}  // namespace containerkit::registry
