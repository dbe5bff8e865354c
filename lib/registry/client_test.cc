#include "lib/registry/client.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/digest.h"
#include "lib/base/status.h"
#include "lib/oci/media_type.h"
#include "lib/registry/testing/http_server.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::ServerRequest;
using testing::ServerResponse;

constexpr char kManifest[] = R"({"schemaVersion":2,"x":"y"})";
constexpr char kManifestPath[] = "/v2/a/b/manifests/t";

std::string BlobBytes() {
  std::string bytes;
  for (int i = 0; i < 200000; ++i) absl::StrAppend(&bytes, i, ",");
  return bytes;
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest()
      : server_([this](const ServerRequest& request) {
          return request.target == "/v2/" ? ServerResponse{}
                                          : handler_(request);
        }) {
    options_.retry.first_delay = absl::Milliseconds(1);
    options_.http.stall_timeout = absl::Seconds(60);
    blob_ = {.media_type = oci::kOciLayer,
             .digest = Sha256::Of(bytes_),
             .size_bytes = bytes_.size()};
  }
  oci::ImageRef Ref(absl::string_view rest = "a/b:t") {
    return oci::ImageRef::Parse(absl::StrCat(server_.address(), "/", rest))
        .value();
  }
  // Answers with the blob, by range where asked.
  ServerResponse ServeBlob(const ServerRequest& request) {
    const auto range = request.headers.find("range");
    if (range == request.headers.end()) return {.body = bytes_};
    size_t start = 0;
    EXPECT_TRUE(absl::SimpleAtoi(
        range->second.substr(6, range->second.size() - 7), &start));
    return {.status = 206,
            .headers = {{"Content-Range",
                         absl::StrCat("bytes ", start, "-", bytes_.size() - 1,
                                      "/", bytes_.size())}},
            .body = bytes_.substr(start)};
  }
  absl::Status Stream(Client& client, uint64_t offset = 0,
                      const CallOptions& call = {}) {
    got_.clear();
    return client.StreamBlob(
        Ref(), blob_, offset,
        [&](absl::string_view data) {
          got_.append(data.data(), data.size());
          return absl::OkStatus();
        },
        call);
  }
  // Requests other than the probe.
  std::vector<ServerRequest> Requests() {
    std::vector<ServerRequest> requests = server_.requests();
    std::erase_if(requests,
                  [](const ServerRequest& r) { return r.target == "/v2/"; });
    return requests;
  }

  const std::string bytes_ = BlobBytes();
  oci::Descriptor blob_;
  std::string got_;
  std::function<ServerResponse(const ServerRequest&)> handler_ =
      [this](const ServerRequest& request) { return ServeBlob(request); };
  HttpServer server_;
  ClientOptions options_;
};

TEST_F(ClientTest, ResolvesByHead) {
  const Digest digest = Sha256::Of(kManifest);
  handler_ = [&](const ServerRequest& request) {
    EXPECT_EQ(request.target, kManifestPath);
    EXPECT_THAT(request.headers.at("accept"), HasSubstr("image.index.v1"));
    return ServerResponse{.headers = {{"Docker-Content-Digest", digest.str()}}};
  };
  Client client(options_);
  EXPECT_EQ(*client.Resolve(Ref()), digest);
  ASSERT_EQ(Requests().size(), 1);
  EXPECT_EQ(Requests()[0].method, "HEAD");
  const auto pinned = Ref(absl::StrCat("a/b@", digest.str()));
  EXPECT_EQ(*client.Resolve(pinned), digest);
  EXPECT_EQ(Requests().size(), 1);
}

TEST_F(ClientTest, ResolvesByGetWhereHeadDoesNotHelp) {
  for (const int status : {200, 405}) {
    handler_ = [&](const ServerRequest& request) {
      if (request.method == "HEAD") return ServerResponse{.status = status};
      return ServerResponse{.body = kManifest};
    };
    Client client(options_);
    EXPECT_EQ(*client.Resolve(Ref()), Sha256::Of(kManifest)) << status;
  }
}

TEST_F(ClientTest, FetchesAManifest) {
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.headers = {{"Content-Type", oci::kOciManifest}},
                          .body = kManifest};
  };
  Client client(options_);
  const auto manifest = client.FetchManifest(Ref());
  ASSERT_THAT(manifest, IsOk());
  EXPECT_EQ(manifest->bytes, kManifest);
  EXPECT_EQ(manifest->media_type, oci::kOciManifest);
  EXPECT_EQ(manifest->digest, Sha256::Of(kManifest));
}

// security.md I06, I07.
TEST_F(ClientTest, RefusesWrongAndEndlessManifests) {
  Client client(options_);
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = kManifest};
  };
  const auto pinned = Ref(absl::StrCat("a/b@", Sha256::Of("other").str()));
  EXPECT_THAT(client.FetchManifest(pinned),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kDigestMismatch));
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{
        .headers = {{"Docker-Content-Digest", Sha256::Of("x").str()}},
        .body = kManifest};
  };
  EXPECT_THAT(client.FetchManifest(Ref()),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kDigestMismatch));
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = std::string(64 << 10, ' '), .endless = true};
  };
  EXPECT_THAT(
      client.FetchManifest(Ref()),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
}

TEST_F(ClientTest, TellsWhatTheRegistrySaid) {
  const struct {
    int status;
    absl::StatusCode code;
    Reason reason;
    size_t requests;
  } cases[] = {
      {404, absl::StatusCode::kNotFound, Reason::kImageNotFound, 1},
      {403, absl::StatusCode::kPermissionDenied, Reason::kUnauthorized, 1},
      {400, absl::StatusCode::kFailedPrecondition, Reason::kRegistryError, 1},
      {429, absl::StatusCode::kUnavailable, Reason::kRateLimited, 5},
      {503, absl::StatusCode::kUnavailable, Reason::kRegistryError, 5},
  };
  for (const auto& c : cases) {
    const size_t before = Requests().size();
    handler_ = [&](const ServerRequest&) {
      return ServerResponse{
          .status = c.status,
          .body = R"({"errors":[{"code":"CODE","message":"why\u0007"}]})"};
    };
    Client client(options_);
    const auto manifest = client.FetchManifest(Ref());
    EXPECT_THAT(manifest, StatusIs(c.code, c.reason)) << c.status;
    EXPECT_THAT(std::string(manifest.status().message()),
                HasSubstr("CODE: why\\x07"));
    EXPECT_EQ(Requests().size() - before, c.requests) << c.status;
  }
}

TEST_F(ClientTest, WaitsAsLongAsRetryAfterSays) {
  int calls = 0;
  std::string after = "1";
  handler_ = [&](const ServerRequest&) {
    if (calls++ > 0) return ServerResponse{.body = kManifest};
    return ServerResponse{.status = 429, .headers = {{"Retry-After", after}}};
  };
  Client client(options_);
  std::string why;
  CallOptions call;
  call.on_retry = [&](absl::string_view text) { why = std::string(text); };
  const absl::Time start = absl::Now();
  EXPECT_THAT(client.FetchManifest(Ref(), call), IsOk());
  EXPECT_GE(absl::Now() - start, absl::Seconds(1));
  EXPECT_THAT(why, HasSubstr("429"));
  // Too long a pause is a refusal; so is a date far away.
  for (const char* text : {"3600", "Fri, 01 Jan 2100 00:00:00 GMT"}) {
    calls = 0;
    after = text;
    EXPECT_THAT(client.FetchManifest(Ref()),
                StatusIs(absl::StatusCode::kUnavailable, Reason::kRateLimited));
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(ClientTest, LogsInOnceForManyRequests) {
  options_.docker_config =
      DockerConfig::Parse(absl::StrCat(R"({"auths":{")", server_.address(),
                                       R"(":{"auth":"dTpw"}}})"))
          .value();
  handler_ = [&](const ServerRequest& request) {
    if (absl::StartsWith(request.target, "/token")) {
      EXPECT_EQ(request.headers.at("authorization"), "Basic dTpw");
      return ServerResponse{.body = R"({"token":"tok"})"};
    }
    const auto it = request.headers.find("authorization");
    if (it != request.headers.end() && it->second == "Bearer tok") {
      return ServerResponse{.body = kManifest};
    }
    return ServerResponse{
        .status = 401,
        .headers = {{"WWW-Authenticate",
                     absl::StrCat("Bearer realm=\"http://", server_.address(),
                                  "/token\",service=\"s\"")}}};
  };
  Client client(options_);
  EXPECT_THAT(client.FetchManifest(Ref()), IsOk());
  EXPECT_THAT(client.FetchManifest(Ref()), IsOk());
  EXPECT_EQ(Requests().size(), 4);  // 401, token, manifest; manifest
}

TEST_F(ClientTest, RefusedCredentialsAreNotTriedAgain) {
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 401,
                          .headers = {{"WWW-Authenticate", "Basic realm=x"}}};
  };
  Client client(options_);
  CallOptions call;
  call.credentials = Credentials{.username = "u", .password = "topsecret"};
  const auto manifest = client.FetchManifest(Ref(), call);
  EXPECT_THAT(manifest, StatusIs(absl::StatusCode::kUnauthenticated,
                                 Reason::kUnauthorized));
  EXPECT_EQ(manifest.status().ToString().find("topsecret"), std::string::npos);
  EXPECT_EQ(Requests().size(), 2);
}

TEST_F(ClientTest, StreamsABlob) {
  Client client(options_);
  EXPECT_THAT(Stream(client), IsOk());
  EXPECT_TRUE(got_ == bytes_);
  EXPECT_EQ(*client.FetchBlob(Ref(), blob_, 10 << 20), bytes_);
  EXPECT_THAT(
      client.FetchBlob(Ref(), blob_, 10),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
}

TEST_F(ClientTest, ResumesWhereItWasCutOff) {
  int calls = 0;
  handler_ = [&](const ServerRequest& request) {
    ServerResponse response = ServeBlob(request);
    if (++calls < 4) response.close_after = 100000;
    return response;
  };
  Client client(options_);
  EXPECT_THAT(Stream(client), IsOk());
  EXPECT_TRUE(got_ == bytes_);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(Requests()[3].headers.at("range"), "bytes=300000-");
  EXPECT_THAT(Stream(client, 1000), IsOk());
  EXPECT_TRUE(got_ == bytes_.substr(1000));
}

TEST_F(ClientTest, SkipsWhatAServerWithoutRangesSendsAgain) {
  int calls = 0;
  handler_ = [&](const ServerRequest&) {
    ServerResponse response = {.body = bytes_};
    if (++calls == 1) response.close_after = 100000;
    return response;
  };
  Client client(options_);
  EXPECT_THAT(Stream(client), IsOk());
  EXPECT_TRUE(got_ == bytes_);
}

// security.md I07.
TEST_F(ClientTest, RefusesWrongSizesAndRanges) {
  Client client(options_);
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = std::string(64 << 10, 'x'), .endless = true};
  };
  EXPECT_THAT(Stream(client),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kSizeMismatch));
  EXPECT_LE(got_.size(), bytes_.size());
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = bytes_.substr(0, 10)};
  };
  EXPECT_THAT(Stream(client),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kSizeMismatch));
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 206,
                          .headers = {{"Content-Range", "bytes 5-9/10"}},
                          .body = "other"};
  };
  EXPECT_THAT(Stream(client, 1000),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kSizeMismatch));
  handler_ = [&](const ServerRequest&) {
    std::string wrong = bytes_;
    wrong[7] ^= 1;
    return ServerResponse{.body = wrong};
  };
  EXPECT_THAT(client.FetchBlob(Ref(), blob_, 10 << 20),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kDigestMismatch));
}

TEST_F(ClientTest, GivesUpOnAServerThatKeepsHangingUp) {
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = bytes_, .close_after = 0};
  };
  Client client(options_);
  EXPECT_THAT(Stream(client), StatusIs(absl::StatusCode::kUnavailable,
                                       Reason::kRegistryUnreachable));
  EXPECT_EQ(Requests().size(), 5);
}

TEST_F(ClientTest, ASinkErrorEndsItAtOnce) {
  Client client(options_);
  const absl::Status status = client.StreamBlob(
      Ref(), blob_, 0,
      [](absl::string_view) { return InternalError("test.sink", "full"); });
  EXPECT_EQ(status.message(), "full");
  EXPECT_EQ(Requests().size(), 1);
}

TEST_F(ClientTest, CancelsDuringABackOff) {
  options_.retry.first_delay = absl::Hours(1);
  options_.retry.max_delay = absl::Hours(1);
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 503};
  };
  Client client(options_);
  CallOptions call;
  std::thread other([&] {
    while (Requests().empty()) absl::SleepFor(absl::Milliseconds(1));
    call.cancel.Cancel();
  });
  EXPECT_THAT(client.FetchManifest(Ref(), call),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  other.join();
}

// security.md I02: what an origin is told stays there.
TEST_F(ClientTest, AuthorizationNeverLeavesTheOrigin) {
  HttpServer other([&](const ServerRequest& request) {
    if (request.target == "/back") {
      return ServerResponse{
          .status = 307,
          .headers = {{"Location",
                       absl::StrCat("http://", server_.address(), "/final")}}};
    }
    return ServerResponse{.body = bytes_};
  });
  std::string location = absl::StrCat("http://", other.address(), "/blob");
  handler_ = [&](const ServerRequest& request) {
    if (request.target == "/final") return ServerResponse{.body = bytes_};
    const bool known = request.headers.count("authorization") > 0;
    if (!known) {
      return ServerResponse{.status = 401,
                            .headers = {{"WWW-Authenticate", "Basic realm=x"}}};
    }
    if (request.target == "/same") return ServerResponse{.body = bytes_};
    return ServerResponse{.status = 307, .headers = {{"Location", location}}};
  };
  options_.docker_config =
      DockerConfig::Parse(R"({"HttpHeaders":{"X-Secret":"1"}})").value();
  Client client(options_);
  CallOptions call;
  call.credentials = Credentials{.username = "u", .password = "p"};
  EXPECT_THAT(Stream(client, 0, call), IsOk());
  location = absl::StrCat("http://", other.address(), "/back");
  EXPECT_THAT(Stream(client, 0, call), IsOk());
  ASSERT_EQ(other.requests().size(), 2);
  for (const ServerRequest& request : other.requests()) {
    EXPECT_EQ(request.headers.count("authorization"), 0);
    EXPECT_EQ(request.headers.count("x-secret"), 0);
  }
  EXPECT_EQ(Requests().back().target, "/final");
  EXPECT_EQ(Requests().back().headers.count("authorization"), 0);
  // A redirect within the origin keeps it.
  location = "/same";
  EXPECT_THAT(Stream(client, 0, call), IsOk());
  EXPECT_EQ(Requests().back().headers.at("x-secret"), "1");
}

TEST_F(ClientTest, RefusesBadRedirects) {
  Client client(options_);
  std::string location;
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 302, .headers = {{"Location", location}}};
  };
  for (const char* text :
       {"http://plain.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd",
        "http://u:p@127.0.0.1/", "", "/loop"}) {
    location = text;
    EXPECT_THAT(
        client.FetchManifest(Ref()),
        StatusIs(absl::StatusCode::kPermissionDenied, Reason::kRedirectRefused))
        << text;
  }
  EXPECT_LE(Requests().size(), 5 + 11);
}

TEST_F(ClientTest, MirrorsAreTriedFirstAndPassedOverWhenDown) {
  int mirror_status = 200;
  HttpServer mirror([&](const ServerRequest&) {
    return ServerResponse{.status = mirror_status, .body = kManifest};
  });
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = kManifest};
  };
  options_.mirrors[server_.address()] = {
      "http://127.0.0.1:1", absl::StrCat("http://", mirror.address())};
  Client client(options_);
  CallOptions call;
  call.credentials = Credentials{.username = "u", .registry_token = "secret"};
  EXPECT_THAT(client.FetchManifest(Ref(), call), IsOk());
  EXPECT_EQ(mirror.requests().size(), 1);
  EXPECT_EQ(mirror.requests()[0].headers.count("authorization"), 0);
  EXPECT_EQ(mirror.requests()[0].target,
            absl::StrCat("/v2/", Ref().path(), "/manifests/", Ref().tag(),
                         "?ns=127.0.0.1%3a", server_.port()));
  EXPECT_TRUE(Requests().empty());
  mirror_status = 404;
  EXPECT_THAT(client.FetchManifest(Ref(), call), IsOk());
  EXPECT_EQ(mirror.requests().size(), 2);
  EXPECT_EQ(Requests().size(), 1);
}

// A registry that only the proxy knows: nothing looks its name up here.
TEST_F(ClientTest, AsksThroughAProxy) {
  HttpServer proxy([&](const ServerRequest& request) {
    if (request.method == "CONNECT") {
      EXPECT_EQ(request.target, "registry.example:443");
      EXPECT_EQ(request.headers.count("authorization"), 0);
      return ServerResponse{.status = 403};
    }
    if (!absl::StartsWith(request.target, "http://registry.example/")) {
      return ServerResponse{.status = 502};
    }
    const auto it = request.headers.find("authorization");
    if (absl::StrContains(request.target, "/token")) {
      return ServerResponse{.body = R"({"token":"tok"})"};
    }
    if (absl::StrContains(request.target, "/manifests/") &&
        it == request.headers.end()) {
      return ServerResponse{
          .status = 401,
          .headers = {{"WWW-Authenticate",
                       "Bearer realm=\"http://registry.example/token\""}}};
    }
    return ServerResponse{.body = kManifest};
  });
  const std::string url = absl::StrCat("http://u:topsecret@", proxy.address());
  options_.insecure_registries = {"registry.example"};
  options_.proxies = {.http_proxy = url, .https_proxy = url};
  Client client(options_);
  const auto ref = oci::ImageRef::Parse("registry.example/a/b:t").value();
  EXPECT_THAT(client.FetchManifest(ref), IsOk());
  std::vector<std::string> asked;
  for (const ServerRequest& request : proxy.requests()) {
    asked.push_back(absl::StrCat(request.method, " ", request.target));
    EXPECT_EQ(request.headers.at("proxy-authorization"),
              "Basic dTp0b3BzZWNyZXQ=");
  }
  EXPECT_THAT(
      asked,
      ElementsAre("CONNECT registry.example:443",
                  "GET http://registry.example/v2/",
                  "GET http://registry.example/v2/a/b/manifests/t",
                  "GET http://registry.example/token?scope=repository%3aa%2fb%"
                  "3apull",
                  "GET http://registry.example/v2/a/b/manifests/t"));
  // Loopback is asked directly, whatever the settings.
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.body = kManifest};
  };
  EXPECT_THAT(client.FetchManifest(Ref()), IsOk());
  EXPECT_EQ(proxy.requests().size(), asked.size());
  EXPECT_EQ(Requests().size(), 1);
}

TEST_F(ClientTest, AProxysRefusalIsNotTriedAgain) {
  HttpServer proxy(
      [](const ServerRequest&) { return ServerResponse{.status = 407}; });
  options_.docker_config =
      DockerConfig::Parse(
          absl::StrCat(R"({"proxies":{"default":{"httpsProxy":"http://u:pw@)",
                       proxy.address(), R"("}}})"))
          .value();
  Client client(options_);
  const auto manifest = client.FetchManifest(
      oci::ImageRef::Parse("registry.example/a/b:t").value());
  EXPECT_THAT(manifest, StatusIs(absl::StatusCode::kUnauthenticated,
                                 Reason::kProxyRefused));
  EXPECT_EQ(GetErrorDetail(manifest.status())->object_kind, "proxy");
  EXPECT_EQ(GetErrorDetail(manifest.status())->object_id, proxy.address());
  EXPECT_EQ(manifest.status().ToString().find("pw"), std::string::npos);
  EXPECT_EQ(proxy.requests().size(), 1);
  options_.proxies.https_proxy = "gopher://x";
  Client other(options_);
  EXPECT_THAT(
      other.FetchManifest(
          oci::ImageRef::Parse("registry.example/a/b:t").value()),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
  EXPECT_EQ(proxy.requests().size(), 1);
}

// To plain http the proxy answers in the registry's place.
TEST_F(ClientTest, AProxyThatWantsALoginIsNotTheRegistry) {
  HttpServer proxy([](const ServerRequest& request) {
    return ServerResponse{.status = request.method == "CONNECT" ? 502 : 407};
  });
  options_.insecure_registries = {"registry.example"};
  options_.proxies = {.http_proxy = proxy.address(),
                      .https_proxy = proxy.address()};
  Client client(options_);
  const auto ref = oci::ImageRef::Parse("registry.example/a/b:t").value();
  const auto manifest = client.FetchManifest(ref);
  EXPECT_THAT(manifest, StatusIs(absl::StatusCode::kUnauthenticated,
                                 Reason::kProxyRefused));
  EXPECT_EQ(GetErrorDetail(manifest.status())->object_id, proxy.address());
  // Without a proxy it is the registry's word.
  handler_ = [](const ServerRequest&) { return ServerResponse{.status = 407}; };
  EXPECT_THAT(
      client.FetchManifest(Ref()),
      StatusIs(absl::StatusCode::kFailedPrecondition, Reason::kRegistryError));
}

TEST_F(ClientTest, PassesOnWhatTheRegistryWarnsOf) {
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{
        .headers = {{"Warning", "299 - \"gone \\\"soon\\\"\x07\""},
                    {"Warning", "299 - \"second\""},
                    {"Warning", "110 - \"for caches\""},
                    {"Warning", "299 - no quotes"},
                    {"RateLimit-Limit", "100;w=21600"},
                    {"RateLimit-Remaining", "7;w=21600"}},
        .body = kManifest};
  };
  Client client(options_);
  std::vector<std::string> warnings;
  std::vector<std::string> limits;
  CallOptions call;
  call.on_warning = [&](absl::string_view text) {
    warnings.emplace_back(text);
  };
  call.on_rate_limit = [&](absl::string_view text) {
    limits.emplace_back(text);
  };
  ASSERT_THAT(client.FetchManifest(Ref(), call), IsOk());
  const std::string who = absl::StrCat("registry ", server_.address());
  EXPECT_THAT(warnings,
              ElementsAre(absl::StrCat(who, " warns: gone \\\"soon\\\"\\x07"),
                          absl::StrCat(who, " warns: second")));
  EXPECT_THAT(limits, ElementsAre(absl::StrCat(
                          who, ": 7 of 100 requests are left (in 21600 s)")));
  // Where it is used up the error says so.
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 429,
                          .headers = {{"RateLimit-Remaining", "0"}}};
  };
  options_.retry.max_attempts = 1;
  Client once(options_);
  EXPECT_THAT(std::string(once.FetchManifest(Ref()).status().message()),
              HasSubstr("answered 429: 0 requests are left"));
}

// A registry may send what it likes: no crash, nothing passed on.
TEST(NoticesTest, OddHeadersAreIgnored) {
  for (const char* text :
       {"", "299", "299 - ", "299 - \"", "299 - \"\"", "299 -", "299 - \"x"}) {
    HttpResponse response;
    response.headers.emplace("warning", text);
    EXPECT_TRUE(WarningsOf(response).empty()) << text;
  }
  HttpResponse many;
  many.headers.emplace("warning",
                       absl::StrCat("299 - \"", std::string(5000, 'x'), "\""));
  for (int i = 0; i < 100; ++i) {
    many.headers.emplace("warning", absl::StrCat("299 - \"", i, "\""));
  }
  EXPECT_EQ(WarningsOf(many).size(), 8);
  for (const char* text :
       {"", "x", "-1", "1x", ";w=1", "99999999999999999999"}) {
    HttpResponse response;
    response.headers.emplace("ratelimit-remaining", text);
    EXPECT_EQ(RateLimitOf(response), "") << text;
  }
}

TEST_F(ClientTest, TagsComeInPages) {
  handler_ = [&](const ServerRequest& request) {
    if (absl::StrContains(request.target, "last=b")) {
      return ServerResponse{.body = R"({"name":"x","tags":["c"]})"};
    }
    return ServerResponse{
        .headers = {{"Link",
                     "<http://elsewhere.example/v2/y/tags/list?last=b&"
                     "n=2>; rel=\"next\""}},
        .body = R"({"name":"x","tags":["a","b"]})"};
  };
  Client client(options_);
  CK_ASSERT_OK_AND_ASSIGN(const std::vector<std::string> tags,
                          client.ListTags(Ref()));
  EXPECT_THAT(tags, ElementsAre("a", "b", "c"));
  ASSERT_EQ(Requests().size(), 2);
  EXPECT_EQ(Requests()[1].target,
            absl::StrCat("/v2/", Ref().path(), "/tags/list?last=b&n=2"));
}

TEST_F(ClientTest, BadTagListsAreErrors) {
  std::string body = R"({"tags":null})";
  std::string link;
  int status = 200;
  handler_ = [&](const ServerRequest&) {
    ServerResponse response{.status = status, .body = body};
    if (!link.empty()) response.headers = {{"Link", link}};
    return response;
  };
  Client client(options_);
  EXPECT_THAT(*client.ListTags(Ref()), ElementsAre());
  for (const char* bad : {"", "[]x", R"({"tags":"a"})", R"({"tags":[1]})"}) {
    body = bad;
    EXPECT_THAT(client.ListTags(Ref()), StatusIs(absl::StatusCode::kUnavailable,
                                                 Reason::kRegistryError))
        << bad;
  }
  body = "{}";
  link = "<?last=again>; rel=next";
  EXPECT_THAT(
      client.ListTags(Ref()),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
  status = 404;
  EXPECT_THAT(client.ListTags(Ref()),
              StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
}

TEST_F(ClientTest, ForeignLayersComeFromHttpsUrlsOnly) {
  handler_ = [&](const ServerRequest&) {
    return ServerResponse{.status = 404};
  };
  blob_.urls = {absl::StrCat("http://", server_.address(), "/foreign"),
                "https://127.0.0.1:1/x", "file:///etc/passwd"};
  Client client(options_);
  EXPECT_FALSE(Stream(client).ok());
  for (const ServerRequest& request : Requests()) {
    EXPECT_NE(request.target, "/foreign");
  }
}

}  // namespace
}  // namespace containerkit::registry
