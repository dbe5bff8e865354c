// Pulls from Debian's docker-registry, filled by skopeo.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/image/image_service.h"
#include "lib/image/testing/image_maker.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "lib/registry/credentials.h"
#include "lib/registry/testing/connect_proxy.h"
#include "lib/store/store_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::LayoutMembers;
using testing::MakeImage;
using testing::MakeTar;
using testing::TarMember;
using testing::TestImage;

constexpr char kBusybox[] = "/bin/busybox";

pid_t Spawn(const std::vector<std::string>& command,
            const std::string& output) {
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(),
                                   O_CREAT | O_WRONLY | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  EXPECT_EQ(
      posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0)
      << command[0];
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(fd.get(), generic, size), 0);
  EXPECT_EQ(getsockname(fd.get(), generic, &size), 0);
  return ntohs(address.sin_port);
}

bool Connects(int port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address) == 0;
}

class DockerRegistryTest : public store::StoreTest {
 protected:
  void SetUp() override {
    CK_REQUIRE("docker-registry");
    CK_REQUIRE("skopeo");
    StoreTest::SetUp();
  }
  void TearDown() override {
    if (registry_ > 0) {
      kill(registry_, SIGKILL);
      waitpid(registry_, nullptr, 0);
    }
  }

  std::string Path(absl::string_view name) const {
    return absl::StrCat(temp_.path(), "/", name);
  }
  void Write(const std::string& path, absl::string_view bytes) {
    const UniqueFd fd(
        open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_THAT(sys::WriteAll(fd.get(), bytes), IsOk());
  }
  void Run(const std::vector<std::string>& command) {
    const pid_t pid = Spawn(command, Path("log"));
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0)
        << command[0] << ": "
        << sys::ReadFileAt(AT_FDCWD, Path("log"), 1 << 20).value_or("");
  }

  void StartRegistry(const std::string& extra = "",
                     const std::string& http = "") {
    port_ = FreePort();
    Write(Path("config.yml"),
          absl::StrCat("version: 0.1\nlog:\n  level: error\nstorage:\n"
                       "  filesystem:\n    rootdirectory: ",
                       Path("registry"), "\nhttp:\n  addr: 127.0.0.1:", port_,
                       "\n", http, extra));
    registry_ = Spawn({"docker-registry", "serve", Path("config.yml")},
                      Path("registry.log"));
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!Connects(port_)) {
      ASSERT_LT(absl::Now(), deadline) << "the registry does not answer";
      absl::SleepFor(absl::Milliseconds(5));
    }
  }
  std::string Ref(absl::string_view rest) const {
    return absl::StrCat("127.0.0.1:", port_, "/", rest);
  }

  // A rootfs with Debian's static busybox.
  TestImage BusyboxImage(const std::string& compression,
                         const oci::ImageConfig& base = {}) {
    const auto busybox = sys::ReadFileAt(AT_FDCWD, kBusybox, 16 << 20);
    EXPECT_THAT(busybox, IsOk());
    return MakeImage({{MakeTar({{"bin/", "", '5'},
                                {"bin/busybox", busybox.value_or("")},
                                {"bin/sh", "", '2', "busybox"}}),
                       compression},
                      {MakeTar({{"etc/", "", '5'}, {"etc/motd", compression}}),
                       compression}},
                     base);
  }
  void WriteLayout(const std::string& dir, std::vector<TarMember> members) {
    ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
    for (const TarMember& member : members) {
      const std::string path = absl::StrCat(dir, "/", member.name);
      if (member.type == '5') {
        ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
      } else {
        Write(path, member.content);
      }
    }
  }
  void Push(const TestImage& image, const std::string& name,
            const std::vector<std::string>& flags = {}) {
    const std::string dir = Path(absl::StrCat("layout-", ++layouts_));
    WriteLayout(dir, LayoutMembers({{"latest", image}}));
    std::vector<std::string> command = {"skopeo", "copy", "--insecure-policy",
                                        "--dest-tls-verify=false"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.push_back(absl::StrCat("oci:", dir, ":latest"));
    command.push_back(absl::StrCat("docker://", Ref(name)));
    Run(command);
  }
  std::string Motd(const ImageInfo& info) {
    const auto digest = Digest::Parse(info.layers.back());
    const auto lower = store_->snapshots().LowerPaths({*digest});
    return sys::ReadFileAt(AT_FDCWD, absl::StrCat(lower[0], "/etc/motd"), 100)
        .value_or("missing");
  }

  int port_ = 0;
  pid_t registry_ = -1;
  int layouts_ = 0;
};

TEST_F(DockerRegistryTest, PullsGzipZstdAndPlainOciImages) {
  StartRegistry();
  ImageService service(store_.get(), {});
  for (const std::string compression : {"gzip", "zstd", ""}) {
    const TestImage image = BusyboxImage(compression);
    const std::string name = absl::StrCat("box/", compression, "x:1");
    Push(image, name, {"--preserve-digests"});
    const auto info = service.Pull(Ref(name), {});
    ASSERT_THAT(info, IsOk());
    EXPECT_EQ(info->summary.id, image.id());
    EXPECT_EQ(Motd(*info), compression);
  }
  EXPECT_THAT(service.Pull(Ref("box/gzipx:none"), {}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
  EXPECT_THAT(service.Pull(Ref("no/such"), {}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
}

TEST_F(DockerRegistryTest, PullsDockerSchema2) {
  StartRegistry();
  const TestImage image = BusyboxImage("gzip");
  Push(image, "box:1", {"--format", "v2s2"});
  ImageService service(store_.get(), {});
  const auto info = service.Pull(Ref("box:1"), {});
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(Motd(*info), "gzip");
}

TEST_F(DockerRegistryTest, PullsThePlatformAskedFor) {
  StartRegistry();
  oci::ImageConfig arm;
  arm.architecture = "arm";
  arm.variant = "v7";
  const TestImage host = BusyboxImage("gzip");
  const TestImage other = BusyboxImage("zstd", arm);
  std::vector<TarMember> members = LayoutMembers({{"", other}, {"", host}});
  oci::Index inner;
  inner.media_type = oci::kOciIndex;
  inner.manifests = {other.manifest, host.manifest};
  inner.manifests[0].platform = oci::Platform{"linux", "arm", "v7"};
  inner.manifests[1].platform = oci::HostPlatform();
  const std::string inner_bytes = oci::SerializeIndex(inner);
  const Digest digest = Sha256::Of(inner_bytes);
  oci::Index outer;
  outer.media_type = oci::kOciIndex;
  outer.manifests = {{.media_type = oci::kOciIndex,
                      .digest = digest,
                      .size_bytes = inner_bytes.size(),
                      .annotations = {{oci::kRefNameAnnotation, "all"}}}};
  members.back().content = oci::SerializeIndex(outer);
  members.push_back({absl::StrCat("blobs/sha256/", digest.hex()), inner_bytes});
  WriteLayout(Path("multi"), members);
  Run({"skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false",
       "--all", "--preserve-digests",
       absl::StrCat("oci:", Path("multi"), ":all"),
       absl::StrCat("docker://", Ref("multi:1"))});
  ImageService service(store_.get(), {});
  auto info = service.Pull(Ref("multi:1"), {});
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->summary.id, host.id());
  EXPECT_THAT(info->summary.repo_digests,
              ElementsAre(absl::StrCat(Ref("multi@"), digest.str())));
  info = service.Pull(Ref("multi:1"), {.platform = "linux/arm/v7"});
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->summary.id, other.id());
}

TEST_F(DockerRegistryTest, LogsInWithBasic) {
  CK_REQUIRE("htpasswd");
  Run({"htpasswd", "-Bbc", Path("htpasswd"), "user", "pa:ss"});
  StartRegistry(absl::StrCat("auth:\n  htpasswd:\n    realm: test\n    path: ",
                             Path("htpasswd"), "\n"));
  const TestImage image = BusyboxImage("gzip");
  Push(image, "box:1", {"--dest-creds", "user:pa:ss"});
  ImageService anonymous(store_.get(), {});
  EXPECT_THAT(
      anonymous.Pull(Ref("box:1"), {}),
      StatusIs(absl::StatusCode::kUnauthenticated, Reason::kUnauthorized));
  const auto wrong = anonymous.Pull(
      Ref("box:1"), {.credentials = RegistryCredentials{"user", "wr0ng", ""}});
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kUnauthenticated,
                              Reason::kUnauthorized));
  EXPECT_EQ(wrong.status().ToString().find("wr0ng"), std::string::npos);
  ImageServiceOptions options;
  options.registry.docker_config =
      registry::DockerConfig::Parse(
          absl::StrCat(R"({"auths":{"127.0.0.1:)", port_,
                       R"(":{"auth":"dXNlcjpwYTpzcw=="}}})"))
          .value();
  ImageService service(store_.get(), options);
  EXPECT_THAT(service.Pull(Ref("box:1"), {}), IsOk());
  EXPECT_THAT(
      anonymous.Pull(Ref("box:1"),
                     {.credentials = RegistryCredentials{"user", "pa:ss", ""}}),
      IsOk());
}

// security.md I04.
TEST_F(DockerRegistryTest, VerifiesCertificates) {
  CK_REQUIRE("openssl");
  Run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
       "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
       Path("key.pem"), "-out", Path("cert.pem")});
  StartRegistry("", absl::StrCat("  tls:\n    certificate: ", Path("cert.pem"),
                                 "\n    key: ", Path("key.pem"), "\n"));
  const TestImage image = BusyboxImage("gzip");
  Push(image, "box:1");
  const auto pull = [&](const registry::ClientOptions& client,
                        const std::string& reference) {
    ImageService service(store_.get(), {.registry = client});
    return service.Pull(reference, {}).status();
  };
  registry::ClientOptions client;
  EXPECT_THAT(pull(client, Ref("box:1")),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kTlsFailed));
  client.certs_dir = Path("certs.d");
  ASSERT_EQ(mkdir(client.certs_dir.c_str(), 0700), 0);
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const std::string dir =
        absl::StrCat(client.certs_dir, "/", host, ":", port_);
    ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
    Write(absl::StrCat(dir, "/ca.crt"),
          sys::ReadFileAt(AT_FDCWD, Path("cert.pem"), 1 << 20).value());
  }
  EXPECT_THAT(pull(client, Ref("box:1")), IsOk());
  // The certificate is for the address, not for the name.
  EXPECT_THAT(pull(client, absl::StrCat("localhost:", port_, "/box:1")),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kTlsFailed));
  registry::ClientOptions insecure;
  insecure.insecure_registries = {absl::StrCat("localhost:", port_)};
  EXPECT_THAT(pull(insecure, absl::StrCat("localhost:", port_, "/box:1")),
              IsOk());
}

// A registry that only the proxy reaches, and whose TLS ends here.
TEST_F(DockerRegistryTest, PullsThroughATunnel) {
  CK_REQUIRE("openssl");
  Run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
       "-subj", "/CN=test", "-addext",
       "subjectAltName=DNS:registry.example,IP:127.0.0.1", "-keyout",
       Path("key.pem"), "-out", Path("cert.pem")});
  StartRegistry("", absl::StrCat("  tls:\n    certificate: ", Path("cert.pem"),
                                 "\n    key: ", Path("key.pem"), "\n"));
  const TestImage image = BusyboxImage("gzip");
  Push(image, "box:1");
  const registry::testing::ConnectProxy proxy(
      {.routes = {{"registry.example:443", port_}},
       .authorization = "Basic dTp0b3BzZWNyZXQ="});
  registry::ClientOptions client;
  client.certs_dir = Path("certs.d");
  ASSERT_EQ(mkdir(client.certs_dir.c_str(), 0700), 0);
  const std::string dir = absl::StrCat(client.certs_dir, "/registry.example");
  ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
  Write(absl::StrCat(dir, "/ca.crt"),
        sys::ReadFileAt(AT_FDCWD, Path("cert.pem"), 1 << 20).value());
  const auto pull = [&](absl::string_view login, const std::string& reference) {
    client.proxies.https_proxy =
        absl::StrCat("http://", login, proxy.address());
    ImageService service(store_.get(), {.registry = client});
    return service.Pull(reference, {});
  };
  // What the proxy refuses is told as its own, once, without the password.
  const auto refused = [&](const absl::Status& status, absl::StatusCode code) {
    EXPECT_THAT(status, StatusIs(code, Reason::kProxyRefused));
    EXPECT_EQ(GetErrorDetail(status)->object_kind, "proxy");
    EXPECT_EQ(GetErrorDetail(status)->object_id, proxy.address());
    EXPECT_EQ(status.ToString().find("wrong"), std::string::npos);
  };
  refused(pull("u:wrong@", "registry.example/box:1").status(),
          absl::StatusCode::kUnauthenticated);
  refused(pull("u:topsecret@", "other.example/box:1").status(),
          absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(proxy.requests(), ElementsAre("CONNECT registry.example:443 407",
                                            "CONNECT other.example:443 403"));
  const auto info = pull("u:topsecret@", "registry.example/box:1");
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(Motd(*info), "gzip");
  EXPECT_THAT(proxy.requests(), Contains("CONNECT registry.example:443 200"));
}

// A registry that serves only those whose certificate its CA has signed.
TEST_F(DockerRegistryTest, ShowsTheClientCertificateOfTheHost) {
  CK_REQUIRE("openssl");
  const auto issue = [&](const std::string& name, const std::string& extra) {
    Run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", absl::StrCat("/CN=", name), "-addext", extra, "-keyout",
         Path(name + ".key"), "-out", Path(name + ".pem")});
  };
  issue("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
  // Each is its own CA; the registry knows one of them.
  issue("client", "extendedKeyUsage=clientAuth");
  issue("stranger", "extendedKeyUsage=clientAuth");
  StartRegistry(
      "", absl::StrCat("  tls:\n    certificate: ", Path("server.pem"),
                       "\n    key: ", Path("server.key"), "\n    clientcas:\n",
                       "      - ", Path("client.pem"), "\n"));
  registry::ClientOptions client;
  client.retry.first_delay = absl::Milliseconds(1);
  client.certs_dir = Path("certs.d");
  ASSERT_EQ(mkdir(client.certs_dir.c_str(), 0700), 0);
  const auto copy = [&](const std::string& from, const std::string& to) {
    Write(to, sys::ReadFileAt(AT_FDCWD, Path(from), 1 << 20).value());
  };
  const auto directory = [&](const std::string& host) {
    return absl::StrCat(client.certs_dir, "/", host, ":", port_);
  };
  const auto show = [&](const std::string& host, const std::string& name) {
    copy(name + ".pem", directory(host) + "/client.cert");
    copy(name + ".key", directory(host) + "/client.key");
  };
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    ASSERT_EQ(mkdir(directory(host).c_str(), 0700), 0);
    copy("server.pem", directory(host) + "/ca.crt");
  }
  const auto pull = [&](const std::string& reference) {
    ImageService service(store_.get(), {.registry = client});
    return service.Pull(reference, {}).status();
  };
  EXPECT_THAT(pull(Ref("box:1")),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kTlsFailed));
  show("127.0.0.1", "stranger");
  EXPECT_THAT(pull(Ref("box:1")),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kTlsFailed));
  show("127.0.0.1", "client");
  Push(BusyboxImage("gzip"), "box:1",
       {absl::StrCat("--dest-cert-dir=", directory("127.0.0.1"))});
  EXPECT_THAT(pull(Ref("box:1")), IsOk());
  // The same server by another name: another directory, nothing to show.
  const std::string other = absl::StrCat("localhost:", port_, "/box:1");
  EXPECT_THAT(pull(other),
              StatusIs(absl::StatusCode::kUnavailable, Reason::kTlsFailed));
  show("localhost", "client");
  EXPECT_THAT(pull(other), IsOk());
}

}  // namespace
}  // namespace containerkit::image
