#include "lib/registry/auth.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/registry/testing/http_server.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::ServerRequest;
using testing::ServerResponse;

Url U(const std::string& text) { return Url::Parse(text).value(); }

// A token server at the registry's own origin.
class AuthTest : public ::testing::Test {
 protected:
  AuthTest()
      : server_([this](const ServerRequest&) { return answer_; }),
        http_({}),
        authenticator_(&options_, &http_) {
    answer_.body = R"({"token":"tok1","expires_in":300})";
    target_.base = U(absl::StrCat("http://", server_.address(), "/v2/"));
    target_.scope = "repository:a/b:pull";
  }
  absl::StatusOr<std::string> Answer(const std::string& challenge) {
    HttpResponse response;
    response.status = 401;
    response.headers.emplace("www-authenticate", challenge);
    return authenticator_.Answer(target_, response, CancelToken());
  }
  std::string Bearer(absl::string_view path = "/token") {
    return absl::StrCat("Bearer realm=\"http://", server_.address(), path,
                        "\",service=\"reg\",scope=\"repository:a/b:pull\"");
  }

  ServerResponse answer_;
  HttpServer server_;
  ClientOptions options_;
  HttpClient http_;
  Authenticator authenticator_;
  AuthTarget target_;
};

TEST_F(AuthTest, GetsAnAnonymousTokenAndKeepsIt) {
  EXPECT_EQ(authenticator_.CachedHeader(target_), "");
  EXPECT_EQ(*Answer(Bearer()), "Bearer tok1");
  EXPECT_EQ(authenticator_.CachedHeader(target_), "Bearer tok1");
  ASSERT_EQ(server_.requests().size(), 1);
  EXPECT_EQ(server_.requests()[0].target,
            "/token?service=reg&scope=repository%3aa%2fb%3apull");
  EXPECT_EQ(server_.requests()[0].headers.count("authorization"), 0);
  // Another scope and another user are others.
  AuthTarget other = target_;
  other.scope = "repository:c:pull";
  EXPECT_EQ(authenticator_.CachedHeader(other), "");
  other = target_;
  other.credentials = Credentials{.username = "u", .password = "p"};
  EXPECT_EQ(authenticator_.CachedHeader(other), "");
}

TEST_F(AuthTest, ShowsNameAndPasswordToTheTokenServer) {
  target_.credentials = Credentials{.username = "u ser", .password = "p"};
  answer_.body = R"({"access_token":"tok2"})";
  EXPECT_EQ(*Answer(Bearer("/t?x=1")), "Bearer tok2");
  EXPECT_THAT(server_.requests()[0].target, HasSubstr("/t?x=1&service=reg"));
  EXPECT_THAT(server_.requests()[0].target, HasSubstr("account=u%20ser"));
  EXPECT_EQ(server_.requests()[0].headers.at("authorization"),
            absl::StrCat("Basic ", absl::Base64Escape("u ser:p")));
}

TEST_F(AuthTest, ExchangesAnIdentityToken) {
  target_.credentials = Credentials{.identity_token = "ref+resh"};
  EXPECT_EQ(*Answer(Bearer()), "Bearer tok1");
  const ServerRequest request = server_.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/token");
  EXPECT_THAT(request.body, HasSubstr("grant_type=refresh_token"));
  EXPECT_THAT(request.body, HasSubstr("refresh_token=ref%2bresh"));
  EXPECT_EQ(request.headers.at("content-type"),
            "application/x-www-form-urlencoded");
}

TEST_F(AuthTest, UsesBasicAndRegistryTokens) {
  EXPECT_THAT(
      Answer("Basic realm=x"),
      StatusIs(absl::StatusCode::kUnauthenticated, Reason::kUnauthorized));
  target_.credentials = Credentials{.username = "u", .password = "p"};
  EXPECT_EQ(*Answer("Basic realm=x"), "Basic dTpw");
  EXPECT_EQ(authenticator_.CachedHeader(target_), "Basic dTpw");
  target_.credentials = Credentials{.registry_token = "own"};
  EXPECT_EQ(authenticator_.CachedHeader(target_), "Bearer own");
  EXPECT_THAT(Answer("Negotiate"), StatusIs(absl::StatusCode::kUnauthenticated,
                                            Reason::kUnauthorized));
  EXPECT_TRUE(server_.requests().empty());
}

// security.md I06, I11: token answers are capped and never quoted.
TEST_F(AuthTest, RefusesBadAnswersWithoutQuotingThem) {
  target_.credentials = Credentials{.username = "u", .password = "topsecret"};
  const struct {
    ServerResponse answer;
    absl::StatusCode code;
    Reason reason;
  } cases[] = {
      {{.status = 401, .body = "topsecret"},
       absl::StatusCode::kUnauthenticated,
       Reason::kUnauthorized},
      {{.status = 429, .body = "topsecret"},
       absl::StatusCode::kUnavailable,
       Reason::kRateLimited},
      {{.status = 302, .headers = {{"Location", "https://evil.example/"}}},
       absl::StatusCode::kUnavailable,
       Reason::kRegistryError},
      {{.body = "topsecret"},
       absl::StatusCode::kUnavailable,
       Reason::kRegistryError},
      {{.body = R"({"token":"topsecret\r\nX: y"})"},
       absl::StatusCode::kUnavailable,
       Reason::kRegistryError},
      {{.body = R"({"token":7})"},
       absl::StatusCode::kUnavailable,
       Reason::kRegistryError},
      {{.body = "{}"}, absl::StatusCode::kUnavailable, Reason::kRegistryError},
      {{.body = std::string(64 << 10, 'x'), .endless = true},
       absl::StatusCode::kResourceExhausted,
       Reason::kLimitExceeded},
  };
  for (const auto& c : cases) {
    answer_ = c.answer;
    const auto header = Answer(Bearer());
    EXPECT_THAT(header, StatusIs(c.code, c.reason));
    EXPECT_EQ(header.status().ToString().find("topsecret"), std::string::npos);
    EXPECT_EQ(authenticator_.CachedHeader(target_), "");
  }
}

// security.md I03.
TEST_F(AuthTest, RefusesOtherRealms) {
  target_.credentials = Credentials{.username = "u", .password = "p"};
  HttpServer other([](const ServerRequest&) { return ServerResponse{}; });
  for (const std::string& realm :
       {absl::StrCat("http://", other.address(), "/token"),
        std::string("http://169.254.169.254/latest/"),
        std::string("http://auth.example/token"),
        std::string("file:///etc/passwd"), std::string("https://u:p@a/"),
        std::string("/token"), std::string()}) {
    EXPECT_THAT(Answer(absl::StrCat("Bearer realm=\"", realm, "\"")),
                StatusIs(absl::StatusCode::kPermissionDenied,
                         Reason::kAuthRealmRefused))
        << realm;
  }
  EXPECT_TRUE(other.requests().empty());
  EXPECT_TRUE(server_.requests().empty());
}

TEST(CheckRealmTest, KeepsDistantRegistriesOutOfLocalPlaces) {
  ClientOptions options;
  const Url distant = U("https://reg.example/v2/");
  EXPECT_THAT(CheckRealm(options, distant, U("https://auth.example/t")),
              IsOk());
  for (const char* realm : {"https://127.0.0.1/t", "https://localhost:8443/t",
                            "https://[::1]/t", "https://169.254.169.254/t",
                            "https://2130706433/t", "http://reg.example/t"}) {
    EXPECT_THAT(CheckRealm(options, distant, U(realm)),
                StatusIs(absl::StatusCode::kPermissionDenied,
                         Reason::kAuthRealmRefused))
        << realm;
  }
  options.insecure_registries = {"auth.example"};
  EXPECT_THAT(CheckRealm(options, distant, U("http://auth.example/t")), IsOk());
}

}  // namespace
}  // namespace containerkit::registry
