#include "lib/registry/http.h"

#include <dirent.h>
#include <fcntl.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/registry/testing/http_server.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using testing::HttpServer;
using testing::ServerRequest;
using testing::ServerResponse;

HttpRequest Get(const HttpServer& server, absl::string_view path = "/") {
  return {
      .url =
          Url::Parse(absl::StrCat("http://", server.address(), path)).value()};
}

TEST(HttpClientTest, PerformsAndKeepsTheConnection) {
  HttpServer server([](const ServerRequest& request) {
    return ServerResponse{.status = 201,
                          .headers = {{"X-Two", "a"}, {"X-Two", "b"}},
                          .body = absl::StrCat(request.method, request.body)};
  });
  HttpClient client({.user_agent = "test/1"});
  HttpRequest request = Get(server, "/x?y=1");
  request.headers = {{"Accept", "a/b"}};
  for (int i = 0; i < 3; ++i) {
    const auto response = client.Perform(request, CancelToken());
    ASSERT_THAT(response, IsOk());
    EXPECT_EQ(response->status, 201);
    EXPECT_EQ(response->body, "GET");
    EXPECT_EQ(response->Header("x-two"), "a");
    EXPECT_EQ(response->headers.count("x-two"), 2);
    EXPECT_EQ(response->Header("none"), "");
  }
  request.method = "POST";
  request.body = "data";
  EXPECT_EQ(client.Perform(request, CancelToken())->body, "POSTdata");
  request.method = "HEAD";
  EXPECT_EQ(client.Perform(request, CancelToken())->body, "");
  EXPECT_EQ(server.connections(), 1);
  const auto seen = server.requests();
  ASSERT_EQ(seen.size(), 5);
  EXPECT_EQ(seen[0].target, "/x?y=1");
  EXPECT_EQ(seen[0].headers.at("accept"), "a/b");
  EXPECT_EQ(seen[0].headers.at("user-agent"), "test/1");
  EXPECT_EQ(seen[0].headers.count("authorization"), 0);
}

TEST(HttpClientTest, DoesNotFollowRedirects) {
  HttpServer server([](const ServerRequest&) {
    return ServerResponse{.status = 302, .headers = {{"Location", "/else"}}};
  });
  HttpClient client({});
  EXPECT_EQ(client.Perform(Get(server), CancelToken())->status, 302);
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(HttpClientTest, GivesTheBodyToTheSink) {
  const std::string body(3 << 20, 'x');
  HttpServer server(
      [&](const ServerRequest&) { return ServerResponse{.body = body}; });
  HttpClient client({});
  std::string got;
  HttpRequest request = Get(server);
  request.sink = [&](const HttpResponse& head, absl::string_view data) {
    EXPECT_EQ(head.Header("content-length"), absl::StrCat(body.size()));
    got.append(data.data(), data.size());
    return absl::OkStatus();
  };
  const auto response = client.Perform(request, CancelToken());
  ASSERT_THAT(response, IsOk());
  EXPECT_TRUE(got == body);
  EXPECT_EQ(response->body, "");
  request.sink = [&](const HttpResponse&, absl::string_view) {
    return InternalError("test.sink", "stop");
  };
  EXPECT_EQ(client.Perform(request, CancelToken()).status().message(), "stop");
}

// security.md I06.
TEST(HttpClientTest, RefusesAnswersWithoutEnd) {
  HttpServer server([](const ServerRequest& request) {
    if (request.target == "/headers") {
      return ServerResponse{.headers = {{"X", std::string(90 << 10, 'a')},
                                        {"Y", std::string(90 << 10, 'a')},
                                        {"Z", std::string(90 << 10, 'a')}}};
    }
    return ServerResponse{.body = std::string(64 << 10, 'x'), .endless = true};
  });
  HttpClient client({});
  EXPECT_THAT(
      client.Perform(Get(server), CancelToken()),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
  EXPECT_THAT(
      client.Perform(Get(server, "/headers"), CancelToken()),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
}

TEST(HttpClientTest, ReportsBrokenConnections) {
  HttpServer server([](const ServerRequest& request) {
    if (request.target == "/hang-up") return ServerResponse{.hang_up = true};
    return ServerResponse{.body = "0123456789", .close_after = 4};
  });
  HttpClient client({});
  for (const char* path : {"/hang-up", "/truncated"}) {
    const auto response = client.Perform(Get(server, path), CancelToken());
    ASSERT_THAT(response, StatusIs(absl::StatusCode::kUnavailable,
                                   Reason::kRegistryUnreachable));
    EXPECT_TRUE(GetErrorDetail(response.status())->retryable);
  }
  HttpRequest nobody;
  nobody.url = Url::Parse("http://127.0.0.1:1/?secret").value();
  const auto refused = client.Perform(nobody, CancelToken());
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable,
                                Reason::kRegistryUnreachable));
  EXPECT_EQ(refused.status().message().find("secret"), std::string::npos);
}

TEST(HttpClientTest, PlainHttpOnATlsPortIsATlsError) {
  HttpServer server([](const ServerRequest&) { return ServerResponse{}; });
  HttpClient client({.stall_timeout = absl::Milliseconds(300)});
  HttpRequest request;
  request.url =
      Url::Parse(absl::StrCat("https://", server.address(), "/")).value();
  EXPECT_FALSE(client.Perform(request, CancelToken()).ok());
  EXPECT_TRUE(server.requests().empty());
}

// security.md I12: silence and trickles end.
TEST(HttpClientTest, EndsSlowTransfers) {
  HttpServer server([](const ServerRequest& request) {
    if (request.target == "/silent") {
      return ServerResponse{.delay = absl::Hours(1)};
    }
    if (request.target == "/stall") {
      return ServerResponse{.body = "0123456789", .stall_after = 3};
    }
    return ServerResponse{.body = std::string(1000, 'x'), .bytes_per_tick = 1};
  });
  HttpClient client(
      {.stall_timeout = absl::Milliseconds(300), .min_bytes_per_second = 1000});
  for (const char* path : {"/silent", "/stall", "/trickle"}) {
    const absl::Time start = absl::Now();
    const auto response = client.Perform(Get(server, path), CancelToken());
    EXPECT_THAT(response,
                StatusIs(absl::StatusCode::kDeadlineExceeded, Reason::kTimeout))
        << path;
    EXPECT_LT(absl::Now() - start, HttpOptions().stall_timeout);
  }
}

TEST(HttpClientTest, CancelsWhileTheServerIsSilent) {
  HttpServer server([](const ServerRequest&) {
    return ServerResponse{.delay = absl::Hours(1)};
  });
  HttpClient client({});
  const CancelToken cancel;
  std::thread other([&] {
    while (server.requests().empty()) absl::SleepFor(absl::Milliseconds(1));
    cancel.Cancel();
  });
  EXPECT_THAT(client.Perform(Get(server), cancel),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  other.join();
}

std::set<int> InheritableDescriptors() {
  std::set<int> fds;
  DIR* const dir = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(dir)) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->d_name, &fd)) continue;
    if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) fds.insert(fd);
  }
  closedir(dir);
  return fds;
}

TEST(HttpClientTest, KeepsNoDescriptorThatAChildInherits) {
  const std::set<int> before = InheritableDescriptors();
  HttpServer server([](const ServerRequest&) { return ServerResponse{}; });
  HttpClient client({});
  ASSERT_THAT(client.Perform(Get(server), CancelToken()), IsOk());
  EXPECT_EQ(InheritableDescriptors(), before);
}

}  // namespace
}  // namespace containerkit::registry
