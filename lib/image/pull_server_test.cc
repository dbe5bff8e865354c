// What a registry's manners do to a pull: tokens that expire, requests that
// are open side by side, a puller that is killed, documents beyond their limit.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/image/image_service.h"
#include "lib/image/testing/image_maker.h"
#include "lib/oci/media_type.h"
#include "lib/store/store_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using registry::testing::ServerRequest;
using registry::testing::ServerResponse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MakeImage;
using testing::MakeTar;
using testing::Noise;
using testing::TestImage;
using testing::TestLayer;
using testing::TestRegistry;

TestLayer NoiseLayer(size_t size, uint32_t seed) {
  return {MakeTar({{absl::StrCat("f", seed), Noise(size, seed)}})};
}

ImageServiceOptions Options(absl::Duration stall_timeout = absl::Seconds(30)) {
  ImageServiceOptions options;
  options.registry.retry.first_delay = absl::Milliseconds(1);
  options.registry.http.stall_timeout = stall_timeout;
  return options;
}

bool IsLayer(const ServerRequest& request, const TestImage& image) {
  for (const oci::Descriptor& layer : image.layers) {
    if (absl::EndsWith(request.target, layer.digest.str())) return true;
  }
  return false;
}

class PullServerTest : public store::StoreTest {
 protected:
  absl::StatusOr<ImageInfo> Pull(const PullOptions& options = {}) {
    return Pull(Options(), options);
  }
  absl::StatusOr<ImageInfo> Pull(const ImageServiceOptions& service,
                                 const PullOptions& options) {
    return ImageService(store_.get(), service)
        .Pull(absl::StrCat(registry_.address(), "/app:1"), options);
  }
  void ExpectNothingVisible() {
    EXPECT_THAT(ImageService(store_.get(), {}).List({}).value(), IsEmpty());
    EXPECT_THAT(List("layers/sha256"), IsEmpty());
    EXPECT_THAT(List("tmp"), IsEmpty());
  }

  TestRegistry registry_;
};

// A token is good for the first part of a layer only.
TEST_F(PullServerTest, RenewsATokenThatExpiresInTheMiddle) {
  const TestImage image = MakeImage({NoiseLayer(3 << 20, 1)});
  registry_.Add("app", "1", image);
  // Of the server's thread.
  int token = 0;
  bool cut = false;
  std::vector<std::string> layer_requests;
  registry_.SetOverride([&](const ServerRequest& request)
                            -> std::optional<ServerResponse> {
    if (absl::StartsWith(request.target, "/token")) {
      return ServerResponse{.body = absl::StrCat(R"({"token":"t)", ++token,
                                                 R"(","expires_in":3600})")};
    }
    const auto it = request.headers.find("authorization");
    const std::string shown = it == request.headers.end() ? "none" : it->second;
    const auto range = request.headers.find("range");
    if (IsLayer(request, image)) {
      layer_requests.push_back(absl::StrCat(
          shown, range == request.headers.end() ? "" : " resumed"));
    }
    // The second token is the one that holds after the cut.
    if (shown != absl::StrCat("Bearer t", cut ? 2 : 1)) {
      return ServerResponse{
          .status = 401,
          .headers = {
              {"WWW-Authenticate",
               absl::StrCat("Bearer realm=\"http://", registry_.address(),
                            "/token\",service=\"s\"")}}};
    }
    if (!IsLayer(request, image) || cut) return std::nullopt;
    cut = true;
    return ServerResponse{.body = image.blobs.at(image.layers[0].digest.str()),
                          .close_after = 1 << 20};
  });
  ASSERT_THAT(Pull(), IsOk());
  EXPECT_EQ(token, 2);
  EXPECT_THAT(layer_requests, ElementsAre("Bearer t1", "Bearer t1 resumed",
                                          "Bearer t2 resumed"));
}

class ParallelPullTest : public PullServerTest {
 protected:
  // Layers are answered once `open` requests for them are here, and not before
  // kMoment has passed, in which one that should not come shows itself.
  void HoldUntil(const TestImage& image, int open) {
    registry_.SetOverride([this, image, open](const ServerRequest& request)
                              -> std::optional<ServerResponse> {
      if (!IsLayer(request, image)) return std::nullopt;
      const absl::Time now = absl::Now();
      if (++open_ == 1) first_answer_ = now + kMoment;
      if (now < first_answer_) ++at_once_;
      return ServerResponse{.body = image.blobs.at(request.target.substr(
                                request.target.rfind('/') + 1)),
                            .delay = kMoment,
                            .ready = [this, open] { return open_ >= open; }};
    });
  }
  // A request that is not answered is not sent again.
  static ImageServiceOptions Once() {
    ImageServiceOptions options = Options(absl::Seconds(30));
    options.registry.retry.max_attempts = 1;
    return options;
  }
  TestImage SixLayers() {
    std::vector<TestLayer> layers;
    for (uint32_t i = 1; i <= 6; ++i) layers.push_back(NoiseLayer(10000, i));
    TestImage image = MakeImage(layers);
    registry_.Add("app", "1", image);
    return image;
  }

  static constexpr absl::Duration kMoment = absl::Milliseconds(200);
  // Of the server's thread while it runs.
  int open_ = 0;
  int at_once_ = 0;
  absl::Time first_answer_;
};

TEST_F(ParallelPullTest, AsksForAsManyLayersAtOnceAsItIsTold) {
  HoldUntil(SixLayers(), 6);
  EXPECT_THAT(Pull(Once(), {.parallel_layers = 6}), IsOk());
}

TEST_F(ParallelPullTest, AsksForThreeByDefault) {
  HoldUntil(SixLayers(), 3);
  EXPECT_THAT(Pull(Once(), {}), IsOk());
  EXPECT_LE(at_once_, 3);
}

TEST_F(ParallelPullTest, AsksForNoMore) {
  HoldUntil(SixLayers(), 2);
  EXPECT_THAT(Pull(Once(), {.parallel_layers = 2}), IsOk());
  EXPECT_LE(at_once_, 2);
}

// Killed in the middle of a layer, without a chance to say anything: another
// process asks only for what is missing.
TEST(KilledPullTest, IsResumedByAnotherProcess) {
  constexpr off_t kSent = 4 << 20;
  const store::TempRoot temp;
  const std::string root = temp.path() + "/state";
  // Before this process has threads.
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t puller = fork();
  if (puller == 0) {
    char address[64] = {};
    if (read(ends[0], address, sizeof address - 1) <= 0) _exit(1);
    auto store = store::Store::Open(root, {});
    if (!store.ok()) _exit(2);
    ImageService service(store->get(), Options());
    service.Pull(absl::StrCat(address, "/app:1"), {}).IgnoreError();
    _exit(3);
  }
  close(ends[0]);
  TestRegistry registry;
  const TestImage image = MakeImage({NoiseLayer(6 << 20, 1)});
  const std::string& blob = image.blobs.at(image.layers[0].digest.str());
  registry.Add("app", "1", image);
  // Of the server's thread.
  bool resuming = false;
  std::vector<size_t> offsets;
  registry.SetOverride(
      [&](const ServerRequest& request) -> std::optional<ServerResponse> {
        if (!IsLayer(request, image)) return std::nullopt;
        const auto range = request.headers.find("range");
        size_t offset = 0;
        if (range != request.headers.end()) {
          EXPECT_TRUE(absl::SimpleAtoi(
              range->second.substr(6, range->second.size() - 7), &offset));
        }
        offsets.push_back(offset);
        if (std::exchange(resuming, true)) return std::nullopt;
        return ServerResponse{.body = blob, .stall_after = kSent};
      });
  const std::string address = registry.address();
  ASSERT_EQ(write(ends[1], address.data(), address.size()),
            static_cast<ssize_t>(address.size()));
  close(ends[1]);
  const auto received = [&root] {
    off_t size = 0;
    const auto names = sys::ListDirAt(AT_FDCWD, root + "/ingest");
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      struct stat info = {};
      stat(absl::StrCat(root, "/ingest/", name).c_str(), &info);
      size = std::max(size, info.st_size);
    }
    return size;
  };
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (received() < kSent && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(kill(puller, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(puller, &status, 0), puller);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  auto store = store::Store::Open(root, {.durable = false});
  ASSERT_THAT(store, IsOk());
  ImageService service(store->get(), Options());
  EXPECT_THAT(service.List({}).value(), IsEmpty());
  ASSERT_THAT(service.Pull(address + "/app:1", {}), IsOk());
  // What was received is not served a second time.
  EXPECT_THAT(offsets, ElementsAre(0, kSent));
  EXPECT_THAT(*sys::ListDirAt(AT_FDCWD, root + "/ingest"), IsEmpty());
}

// security.md I06: accepted at the limit, refused one byte above it.
TEST_F(PullServerTest, ManifestsAndConfigsHaveALimit) {
  const auto expect_refused_above = [this](size_t more) {
    const absl::Status status = Pull().status();
    if (more == 0) {
      EXPECT_THAT(status, IsOk());
    } else {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                                   Reason::kLimitExceeded));
    }
  };
  TestImage image = MakeImage({NoiseLayer(100, 1)});
  for (const size_t more : {0, 1}) {
    TestImage large = image;
    large.manifest_bytes.resize(oci::kMaxManifestBytes + more, ' ');
    registry_.Add("app", "1", large);
    expect_refused_above(more);
  }
  for (const size_t more : {0, 1}) {
    std::string config = image.config_bytes;
    config.resize(oci::kMaxImageConfigBytes + more, ' ');
    oci::Manifest manifest = {.media_type = oci::kOciManifest};
    manifest.layers = image.layers;
    manifest.config = {.media_type = oci::kOciConfig,
                       .digest = Sha256::Of(config),
                       .size_bytes = config.size()};
    TestImage large = image;
    large.blobs[manifest.config.digest.str()] = config;
    large.manifest_bytes = oci::SerializeManifest(manifest);
    registry_.Add("app", "1", large);
    expect_refused_above(more);
  }
}

TEST_F(PullServerTest, AnswersWithoutEndAreRefused) {
  registry_.Add("app", "1", MakeImage({NoiseLayer(100, 1)}));
  for (const int status : {200, 404, 500}) {
    registry_.SetOverride(
        [&](const ServerRequest&) -> std::optional<ServerResponse> {
          return ServerResponse{.status = status,
                                .body = std::string(64 << 10, ' '),
                                .endless = true};
        });
    EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kResourceExhausted,
                                 Reason::kLimitExceeded))
        << status;
    ExpectNothingVisible();
  }
}

// security.md I05 and I08.
TEST_F(PullServerTest, HostileManifestsAreRefusedBeforeAnyBlob) {
  const TestImage image = MakeImage({NoiseLayer(100, 1)});
  const std::string digest = image.layers[0].digest.str();
  const std::string config = absl::StrCat(
      R"("config":{"mediaType":")", oci::kOciConfig, R"(","digest":")",
      image.manifest.digest.str(), R"(","size":1})");
  const std::string layer =
      absl::StrCat(R"({"mediaType":")", oci::kOciLayer, R"(","digest":")",
                   digest, R"(","size":1})");
  std::string many = layer;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&many, ",", layer);
  const auto manifest = [&](const std::string& layers,
                            const std::string& more = "") {
    return absl::StrCat(R"({"schemaVersion":2,)", config, R"(,"layers":[)",
                        layers, "]", more, "}");
  };
  const std::string deep(100000, '[');
  const struct {
    const char* what;
    std::string bytes;
    const char* media_type;
    Reason reason;
  } cases[] = {
      {"both kinds", manifest(layer, R"(,"manifests":[])"), oci::kOciManifest,
       Reason::kManifestInvalid},
      {"both kinds, unnamed", manifest(layer, R"(,"manifests":[])"), "",
       Reason::kManifestInvalid},
      {"an index outside", manifest(layer), oci::kOciIndex,
       Reason::kManifestInvalid},
      {"another type inside",
       manifest(layer, absl::StrCat(R"(,"mediaType":")", oci::kOciIndex, "\"")),
       oci::kOciManifest, Reason::kManifestInvalid},
      {"a member twice", manifest(layer, R"(,"layers":[])"), oci::kOciManifest,
       Reason::kInvalidJson},
      {"20,001 layers", manifest(many), oci::kOciManifest,
       Reason::kLimitExceeded},
      {"depth", manifest(layer, absl::StrCat(R"(,"x":)", deep)),
       oci::kOciManifest, Reason::kLimitExceeded},
      {"a string that is not UTF-8",
       manifest(layer, ",\"artifactType\":\"\xff\xfe\""), oci::kOciManifest,
       Reason::kInvalidJson},
      {"a huge number",
       manifest(absl::StrCat(R"({"mediaType":"x","digest":")", digest,
                             R"(","size":1e999})")),
       oci::kOciManifest, Reason::kInvalidJson},
      {"a size beyond 64 bits",
       manifest(absl::StrCat(R"({"mediaType":"x","digest":")", digest,
                             R"(","size":18446744073709551616})")),
       oci::kOciManifest, Reason::kInvalidJson},
      {"a size below nothing",
       manifest(absl::StrCat(R"({"mediaType":"x","digest":")", digest,
                             R"(","size":-1})")),
       oci::kOciManifest, Reason::kInvalidJson},
  };
  for (const auto& c : cases) {
    registry_.AddDocument("app", "1", c.bytes, c.media_type);
    EXPECT_THAT(Pull(), StatusIs(absl::StatusCode::kInvalidArgument, c.reason))
        << c.what;
    ExpectNothingVisible();
  }
  EXPECT_THAT(registry_.BlobRequests(), IsEmpty());
}

}  // namespace
}  // namespace containerkit::image
