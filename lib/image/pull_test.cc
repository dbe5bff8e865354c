// Pulls from an in-process registry, well-behaved and not.
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/cancel.h"
#include "lib/base/json.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/image/image_service.h"
#include "lib/image/testing/image_maker.h"
#include "lib/oci/media_type.h"
#include "lib/store/store_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"
#include "nlohmann/json.hpp"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using registry::testing::ServerRequest;
using registry::testing::ServerResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MakeImage;
using testing::MakeTar;
using testing::Noise;
using testing::TestImage;
using testing::TestRegistry;

std::string Tar(const std::string& name, const std::string& content) {
  return MakeTar({{"d/", "", '5'}, {absl::StrCat("d/", name), content}});
}

class PullTest : public store::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    MakeService();
  }
  void MakeService() {
    ImageServiceOptions options;
    options.registry.retry.first_delay = absl::Milliseconds(1);
    options.registry.http.stall_timeout = absl::Seconds(10);
    service_ = std::make_unique<ImageService>(store_.get(), options);
  }
  std::string Ref(absl::string_view rest = "app:1") {
    return absl::StrCat(registry_.address(), "/", rest);
  }
  absl::StatusOr<ImageInfo> Pull(const PullOptions& options = {}) {
    return service_->Pull(Ref(), options);
  }
  // A file of an unpacked layer.
  std::string Content(const TestImage& image, size_t layer,
                      const std::string& path) {
    const auto lower =
        store_->snapshots().LowerPaths({image.config.diff_ids[layer]});
    return sys::ReadFileAt(AT_FDCWD, absl::StrCat(lower[0], "/", path),
                           64 << 20)
        .value_or("missing");
  }
  // Nothing of a failed pull is visible.
  void ExpectNothingVisible() {
    EXPECT_THAT(service_->List({}).value(), IsEmpty());
    std::vector<store::LayerRecord> layers;
    ASSERT_THAT(store_->Read([&](const store::Txn& txn) -> absl::Status {
      CK_ASSIGN_OR_RETURN(layers, txn.ListLayers());
      return absl::OkStatus();
    }),
                IsOk());
    EXPECT_EQ(layers.size(), 0);
    EXPECT_THAT(List("tmp"), IsEmpty());
  }

  TestRegistry registry_;
  std::unique_ptr<ImageService> service_;
};

TEST_F(PullTest, PullsLayersOfEveryCompression) {
  oci::ImageConfig base;
  base.config.env = {"A=b"};
  base.config.cmd = {"/bin/app"};
  const TestImage image = MakeImage({{Tar("gzip", Noise(300000, 1)), "gzip"},
                                     {Tar("zstd", "zz"), "zstd"},
                                     {Tar("plain", "pp"), ""}},
                                    base);
  registry_.Add("app", "1", image);
  std::vector<std::string> phases;
  PullOptions options;
  options.progress = [&](const PullProgress& progress) {
    if (progress.phase == PullProgress::Phase::kDone) {
      EXPECT_EQ(progress.current_bytes, progress.total_bytes);
      phases.push_back(progress.layer_id);
    }
  };
  const auto info = Pull(options);
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->summary.id, image.id());
  EXPECT_THAT(info->summary.repo_tags, ElementsAre(Ref()));
  EXPECT_THAT(
      info->summary.repo_digests,
      ElementsAre(absl::StrCat(Ref("app"), "@", image.manifest.digest.str())));
  EXPECT_THAT(info->env, ElementsAre("A=b"));
  EXPECT_EQ(info->summary.size_bytes, 300004);
  EXPECT_EQ(info->layers.size(), 3);
  EXPECT_EQ(phases.size(), 3);
  EXPECT_TRUE(Content(image, 0, "d/gzip") == Noise(300000, 1));
  EXPECT_EQ(Content(image, 1, "d/zstd"), "zz");
  EXPECT_EQ(Content(image, 2, "d/plain"), "pp");
  EXPECT_THAT(List("ingest"), IsEmpty());
  EXPECT_THAT(List("leases"), IsEmpty());
}

TEST_F(PullTest, FetchesOnlyWhatIsMissing) {
  const TestImage old = MakeImage({{Tar("base", "b")}});
  const TestImage next = MakeImage({{Tar("base", "b")}, {Tar("top", "t")}});
  registry_.Add("app", "1", old);
  ASSERT_THAT(Pull(), IsOk());
  ASSERT_EQ(registry_.BlobRequests().size(), 2);  // config, layer
  ASSERT_THAT(Pull(), IsOk());
  EXPECT_EQ(registry_.BlobRequests().size(), 2);
  registry_.Add("app", "1", next);
  int exists = 0;
  PullOptions options;
  options.progress = [&](const PullProgress& progress) {
    exists += progress.phase == PullProgress::Phase::kExists ? 1 : 0;
  };
  ASSERT_THAT(Pull(options), IsOk());
  EXPECT_EQ(exists, 1);
  EXPECT_EQ(registry_.BlobRequests().size(), 4);
  // The tag moved; the old image stays without it.
  const auto images = service_->List({});
  ASSERT_THAT(images, IsOk());
  ASSERT_EQ(images->size(), 2);
  EXPECT_EQ(service_->Inspect(Ref())->summary.id, next.id());
  EXPECT_THAT(service_->Inspect(old.id())->summary.repo_tags, IsEmpty());
}

TEST_F(PullTest, TakesThePlatformFromAnIndex) {
  oci::ImageConfig arm;
  arm.architecture = "arm";
  arm.variant = "v7";
  const TestImage host = MakeImage({{Tar("host", "h")}});
  const TestImage other = MakeImage({{Tar("arm", "a")}}, arm);
  registry_.Add("app", "", host);
  registry_.Add("app", "", other);
  oci::Index index;
  index.media_type = oci::kOciIndex;
  index.manifests = {other.manifest, host.manifest};
  index.manifests[0].platform = oci::Platform{"linux", "arm", "v7"};
  index.manifests[1].platform = oci::HostPlatform();
  const std::string bytes = oci::SerializeIndex(index);
  registry_.AddDocument("app", "1", bytes, oci::kOciIndex);
  auto info = Pull();
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->summary.id, host.id());
  EXPECT_THAT(info->summary.repo_digests,
              ElementsAre(absl::StrCat(Ref("app@"), Sha256::Of(bytes).str())));
  info = Pull({.platform = "linux/arm/v7"});
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->summary.id, other.id());
  EXPECT_THAT(Pull({.platform = "linux/s390x"}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPlatformNotFound));
  registry_.Add("app", "1", host);
  EXPECT_THAT(Pull({.platform = "linux/s390x"}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPlatformNotFound));
}

TEST_F(PullTest, PullsByDigest) {
  const TestImage image = MakeImage({{Tar("x", "y")}});
  registry_.Add("app", "1", image);
  const auto info = service_->Pull(
      Ref(absl::StrCat("app@", image.manifest.digest.str())), {});
  ASSERT_THAT(info, IsOk());
  EXPECT_THAT(info->summary.repo_tags, IsEmpty());
  EXPECT_EQ(info->summary.repo_digests.size(), 1);
}

// security.md I07: wrong bytes are never visible.
TEST_F(PullTest, RefusesWrongBytes) {
  const TestImage image = MakeImage({{Tar("x", Noise(200000, 1))}});
  registry_.Add("app", "1", image);
  std::string target =
      absl::StrCat("/v2/app/blobs/", image.layers[0].digest.str());
  const std::string& good = image.blobs.at(image.layers[0].digest.str());
  std::string flipped = good;
  flipped[good.size() / 2] ^= 1;
  const struct {
    const char* what;
    std::string body;
    Reason reason;
  } cases[] = {
      {"flipped bit", flipped, Reason::kDigestMismatch},
      {"other bytes", std::string(good.size(), 'x'), Reason::kDigestMismatch},
      {"truncated", good.substr(0, 1000), Reason::kSizeMismatch},
      {"longer", good + "x", Reason::kSizeMismatch},
  };
  for (const auto& c : cases) {
    registry_.SetOverride(
        [&](const ServerRequest& request) -> std::optional<ServerResponse> {
          if (request.target != target) return std::nullopt;
          return ServerResponse{.body = c.body};
        });
    EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kDataLoss, c.reason))
        << c.what;
    ExpectNothingVisible();
  }
  registry_.SetOverride(nullptr);
  EXPECT_THAT(Pull(), IsOk());
}

TEST_F(PullTest, RefusesAWrongDiffId) {
  TestImage image = MakeImage({{Tar("x", "y")}});
  image.config.diff_ids[0] = Sha256::Of("other");
  const std::string config = oci::SerializeImageConfig(image.config);
  oci::Manifest manifest;
  manifest.media_type = oci::kOciManifest;
  manifest.config = {.media_type = oci::kOciConfig,
                     .digest = Sha256::Of(config),
                     .size_bytes = config.size()};
  manifest.layers = image.layers;
  image.blobs[Sha256::Of(config).str()] = config;
  image.manifest_bytes = oci::SerializeManifest(manifest);
  registry_.Add("app", "1", image);
  EXPECT_THAT(Pull(),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kDiffIdMismatch));
  ExpectNothingVisible();
  // As many layers as diff ids.
  manifest.layers.push_back(manifest.layers[0]);
  image.manifest_bytes = oci::SerializeManifest(manifest);
  registry_.Add("app", "1", image);
  EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kInvalidArgument,
                               Reason::kManifestInvalid));
}

// A pull that was cut off goes on where it ended, in another store object.
TEST_F(PullTest, ResumesAcrossPulls) {
  const TestImage image = MakeImage({{Tar("x", Noise(3 << 20, 1))}});
  registry_.Add("app", "1", image);
  const std::string target =
      absl::StrCat("/v2/app/blobs/", image.layers[0].digest.str());
  const std::string& good = image.blobs.at(image.layers[0].digest.str());
  std::atomic<int> served = 0;
  registry_.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.target != target) return std::nullopt;
        if (served++ > 0) return ServerResponse{.status = 403};
        return ServerResponse{.body = good, .close_after = 1 << 20};
      });
  EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kPermissionDenied,
                               Reason::kUnauthorized));
  ExpectNothingVisible();
  EXPECT_EQ(List("ingest").size(), 1);
  Reopen();
  MakeService();
  std::string range;
  registry_.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.target == target) range = request.headers.at("range");
        return std::nullopt;
      });
  ASSERT_THAT(Pull(), IsOk());
  EXPECT_EQ(range, absl::StrCat("bytes=", 1 << 20, "-"));
  EXPECT_TRUE(Content(image, 0, "d/x") == Noise(3 << 20, 1));
  EXPECT_THAT(List("ingest"), IsEmpty());
}

// What was left may be wrong: then it starts over by itself.
TEST_F(PullTest, StartsOverWhenTheOldBytesDoNotFit) {
  const TestImage image = MakeImage({{Tar("x", Noise(2 << 20, 1))}});
  registry_.Add("app", "1", image);
  const std::string target =
      absl::StrCat("/v2/app/blobs/", image.layers[0].digest.str());
  const std::string bad(image.layers[0].size_bytes, 'x');
  std::atomic<int> served = 0;
  registry_.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.target != target || served > 1) return std::nullopt;
        if (served++ > 0) return ServerResponse{.status = 403};
        return ServerResponse{.body = bad, .close_after = 1 << 20};
      });
  EXPECT_FALSE(Pull().ok());
  ASSERT_THAT(Pull(), IsOk());
  EXPECT_TRUE(Content(image, 0, "d/x") == Noise(2 << 20, 1));
}

TEST_F(PullTest, TwoPullsOfOneImageShareTheWork) {
  std::vector<testing::TestLayer> layers;
  for (uint32_t i = 0; i < 6; ++i) {
    layers.push_back({Tar("x", Noise(500000, i + 1))});
  }
  const TestImage image = MakeImage(layers);
  registry_.Add("app", "1", image);
  auto second = store::Store::Open(root(), {.durable = false});
  ASSERT_THAT(second, IsOk());
  ImageService other(second->get(), {});
  absl::Status status;
  std::thread thread([&] { status = other.Pull(Ref(), {}).status(); });
  EXPECT_THAT(Pull(), IsOk());
  thread.join();
  EXPECT_THAT(status, IsOk());
  std::map<std::string, int> counts;
  for (const std::string& request : registry_.BlobRequests()) {
    ++counts[request];
  }
  for (const auto& layer : image.layers) {
    EXPECT_EQ(counts[absl::StrCat("GET /v2/app/blobs/", layer.digest.str())],
              1);
  }
}

TEST_F(PullTest, CancelsWithinASecond) {
  const TestImage image = MakeImage({{Tar("x", Noise(1 << 20, 1))}});
  registry_.Add("app", "1", image);
  const std::string target =
      absl::StrCat("/v2/app/blobs/", image.layers[0].digest.str());
  PullOptions options;
  absl::Time cancelled;
  registry_.SetOverride(
      // The server outlives what is local here.
      [target, body = image.blobs.at(image.layers[0].digest.str())](
          const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.target != target) return std::nullopt;
        return ServerResponse{.body = body, .stall_after = 300000};
      });
  options.progress = [&](const PullProgress& progress) {
    if (progress.phase != PullProgress::Phase::kDownloading) return;
    cancelled = absl::Now();
    options.cancel.Cancel();
  };
  EXPECT_THAT(service_->Pull(Ref(), options),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  EXPECT_LT(absl::Now() - cancelled, absl::Seconds(10));
  ExpectNothingVisible();
}

TEST_F(PullTest, ReadsTheDockerConfigForEachPull) {
  const TestImage image = MakeImage({{Tar("x", "y")}});
  registry_.Add("app", "1", image);
  std::string meta;
  registry_.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        const auto header = request.headers.find("x-meta");
        if (header != request.headers.end()) meta = header->second;
        const auto it = request.headers.find("authorization");
        if (it != request.headers.end() && it->second == "Basic dTpw") {
          return std::nullopt;
        }
        return ServerResponse{
            .status = 401, .headers = {{"WWW-Authenticate", "Basic realm=x"}}};
      });
  ImageServiceOptions options;
  options.docker_config_path = absl::StrCat(temp_.path(), "/config.json");
  ImageService service(store_.get(), options);
  const auto write = [&](const std::string& json) {
    const UniqueFd fd(open(options.docker_config_path.c_str(),
                           O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_THAT(sys::WriteAll(fd.get(), json), IsOk());
  };
  EXPECT_THAT(
      service.Pull(Ref(), {}),
      StatusIs(absl::StatusCode::kUnauthenticated, Reason::kUnauthorized));
  // A helper that is missing is told of when a login was needed.
  write(R"({"credsStore":"no-such-helper"})");
  const auto barred = service.Pull(Ref(), {});
  EXPECT_THAT(barred, StatusIs(absl::StatusCode::kUnauthenticated,
                               Reason::kUnauthorized));
  EXPECT_THAT(std::string(barred.status().message()),
              HasSubstr("docker-credential-no-such-helper"));
  write("{");
  EXPECT_THAT(
      service.Pull(Ref(), {}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kConfigFileInvalid));
  write(absl::StrCat(R"({"auths":{")", registry_.address(),
                     R"(":{"auth":"dTpw"}},"HttpHeaders":{"X-Meta":"7"}})"));
  EXPECT_THAT(service.Pull(Ref(), {}), IsOk());
  EXPECT_EQ(meta, "7");
}

// Layers that ask for all the memory that large windows have: one of them is on
// its way when the callback of its pull asks for, and waits for, another.
TEST_F(PullTest, ACallbackMayPullWhatNeedsALargeWindow) {
  const TestImage image =
      MakeImage({{Tar("a", Noise(6 << 20, 1)), "zstd-long"}});
  registry_.Add("app", "1", image);
  registry_.Add("other", "1",
                MakeImage({{Tar("b", Noise(6 << 20, 2)), "zstd-long"}}));
  const std::string digest = image.layers[0].digest.str();
  registry_.SetOverride(
      [target = absl::StrCat("/v2/app/blobs/", digest),
       body = image.blobs.at(digest)](
          const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.target != target) return std::nullopt;
        return ServerResponse{.body = body, .bytes_per_tick = 64 << 10};
      });
  PullOptions other;
  const CancelToken done;
  std::thread watchdog([&] {
    if (CancellableSleep(done, absl::Seconds(30), "test").ok()) {
      other.cancel.Cancel();
    }
  });
  std::optional<absl::Status> pulled;
  PullOptions options;
  options.progress = [&](const PullProgress& progress) {
    // So much that the layer's threads have seen the window.
    if (progress.current_bytes < (5 << 20) || pulled.has_value()) return;
    EXPECT_EQ(progress.phase, PullProgress::Phase::kDownloading);
    pulled = service_->Pull(Ref("other:1"), other).status();
  };
  EXPECT_THAT(Pull(options), IsOk());
  done.Cancel();
  watchdog.join();
  ASSERT_TRUE(pulled.has_value());
  EXPECT_THAT(*pulled, IsOk());
  EXPECT_TRUE(Content(image, 0, "d/a") == Noise(6 << 20, 1));
}

// The proxy of the docker config leads to a registry that only it knows; what
// the registry says besides is told once a pull, also where the call has
// credentials of its own.
TEST_F(PullTest, TakesProxiesFromTheDockerConfig) {
  const TestImage image = MakeImage({{Tar("x", "y")}});
  const std::string host = "http://registry.example";
  registry_.Add("app", "1", image);
  TestRegistry proxy;
  proxy.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        if (request.method == "CONNECT") return ServerResponse{.status = 403};
        if (!absl::StartsWith(request.target, host)) {
          return ServerResponse{.status = 502};
        }
        const std::string path = request.target.substr(host.size());
        if (path == "/v2/") return ServerResponse{};
        ServerResponse response;
        response.headers = {{"Warning", "299 - \"leaving soon\""}};
        for (const auto& [digest, bytes] : image.blobs) {
          if (path == absl::StrCat("/v2/app/blobs/", digest)) {
            response.body = bytes;
            return response;
          }
        }
        response.headers.emplace("Content-Type", oci::kOciManifest);
        response.body = image.manifest_bytes;
        return response;
      });
  ImageServiceOptions options;
  options.docker_config_path = absl::StrCat(temp_.path(), "/config.json");
  options.registry.insecure_registries = {"registry.example"};
  std::vector<std::string> warnings;
  Mutex mu;
  options.on_warning = [&](absl::string_view text) {
    const MutexLock lock(&mu);
    warnings.emplace_back(text);
  };
  {
    const UniqueFd fd(open(options.docker_config_path.c_str(),
                           O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    const std::string url = absl::StrCat("http://", proxy.address());
    ASSERT_THAT(
        sys::WriteAll(fd.get(),
                      absl::StrCat(R"({"proxies":{"default":{"httpProxy":")",
                                   url, R"(","httpsProxy":")", url, R"("}}})")),
        IsOk());
  }
  ImageService service(store_.get(), options);
  PullOptions pull;
  pull.credentials = RegistryCredentials{"u", "p", ""};
  for (int i = 1; i <= 2; ++i) {
    const auto info = service.Pull("registry.example/app:1", pull);
    ASSERT_THAT(info, IsOk());
    EXPECT_EQ(info->summary.id, image.id());
    const MutexLock lock(&mu);
    EXPECT_EQ(warnings.size(), i);
    EXPECT_THAT(warnings.back(), HasSubstr("warns: leaving soon"));
  }
}

TEST_F(PullTest, TellsWhatIsWrong) {
  EXPECT_THAT(Pull(),
              StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
  EXPECT_THAT(
      service_->Pull("Not A Name", {}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidReference));
  EXPECT_THAT(
      service_->Pull("127.0.0.1:1/a", {}),
      StatusIs(absl::StatusCode::kUnavailable, Reason::kRegistryUnreachable));
  registry_.AddDocument("app", "1", R"({"schemaVersion":1})", "");
  EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kUnimplemented,
                               Reason::kMediaTypeUnsupported));
  oci::ImageConfig windows;
  windows.os = "windows";
  registry_.Add("app", "1", MakeImage({{Tar("x", "y")}}, windows));
  EXPECT_THAT(Pull(),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPlatformNotFound));
}

// security.md I08: an index in an index in an index ...
TEST_F(PullTest, RefusesEndlessIndexes) {
  const TestImage image = MakeImage({{Tar("x", "y")}});
  registry_.Add("app", "", image);
  oci::Descriptor at = image.manifest;
  for (int i = 0; i < 9; ++i) {
    oci::Index index;
    index.media_type = oci::kOciIndex;
    index.manifests = {at};
    index.manifests[0].platform = oci::HostPlatform();
    const std::string bytes = oci::SerializeIndex(index);
    at = {.media_type = oci::kOciIndex,
          .digest = Sha256::Of(bytes),
          .size_bytes = bytes.size()};
    registry_.AddDocument("app", absl::StrCat("depth", i + 1), bytes,
                          oci::kOciIndex);
  }
  EXPECT_THAT(service_->Pull(Ref("app:depth3"), {}), IsOk());
  EXPECT_THAT(
      service_->Pull(Ref("app:depth9"), {}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kLimitExceeded));
}

TEST_F(PullTest, HostileLayersLeaveNothing) {
  const TestImage image = MakeImage({{MakeTar({{"../../escape", "x"}})}});
  registry_.Add("app", "1", image);
  EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kInvalidArgument,
                               Reason::kUnsafePath));
  ExpectNothingVisible();
}

}  // namespace
}  // namespace containerkit::image
