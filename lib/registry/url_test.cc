#include "lib/registry/url.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::registry {
namespace {

Url U(const char* text) { return Url::Parse(text).value(); }

TEST(UrlTest, ParsesAndNormalises) {
  const Url url = U("HTTPS://Host.Example:8443/v2/a?x=secret#frag");
  EXPECT_EQ(url.scheme(), "https");
  EXPECT_EQ(url.host(), "host.example");
  EXPECT_EQ(url.port(), 8443);
  EXPECT_EQ(url.Authority(), "host.example:8443");
  EXPECT_EQ(url.str().find('#'), std::string::npos);
  EXPECT_EQ(url.Redacted().find("secret"), std::string::npos);
  EXPECT_EQ(U("https://a/").port(), 443);
  EXPECT_EQ(U("http://a").Authority(), "a");
  EXPECT_EQ(U("http://[::1]:5000/").host(), "[::1]");
}

TEST(UrlTest, RefusesOthers) {
  for (const std::string& text :
       {std::string(), std::string("ftp://a/"), std::string("file:///etc/x"),
        std::string("a/b"), std::string("https://user:pw@a/"),
        std::string("https://user@a/"), std::string("https://a/ b"),
        std::string("https://a/\r\nX: y"), std::string("https://a:99999/"),
        std::string("https://a:0/"), std::string("https://a%ee/"),
        std::string("https://%31%32%37.1/"), std::string("https://"),
        "https://a/" + std::string(9000, 'x')}) {
    const auto url = Url::Parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(url.status()), Reason::kInvalidArgument);
    EXPECT_EQ(url.status().message().find("pw"), std::string::npos);
  }
}

TEST(UrlTest, ResolvesRedirects) {
  const Url base = U("https://a:5000/v2/x?q=1");
  EXPECT_EQ(base.Resolve("/blob")->str(), "https://a:5000/blob");
  EXPECT_EQ(base.Resolve("y")->str(), "https://a:5000/v2/y");
  EXPECT_EQ(base.Resolve("//b/c")->str(), "https://b/c");
  EXPECT_EQ(base.Resolve("https://b/c?s=1")->str(), "https://b/c?s=1");
  EXPECT_FALSE(base.Resolve("").ok());
  EXPECT_FALSE(base.Resolve("file:///etc/passwd").ok());
  EXPECT_FALSE(base.Resolve("https://u:p@b/").ok());
}

TEST(UrlTest, OriginsAreSchemeHostAndPort) {
  EXPECT_TRUE(U("https://a/x").SameOrigin(U("https://A:443/y")));
  EXPECT_FALSE(U("https://a/").SameOrigin(U("http://a/")));
  EXPECT_FALSE(U("https://a/").SameOrigin(U("https://a:444/")));
  EXPECT_FALSE(U("https://a/").SameOrigin(U("https://b.a/")));
}

TEST(UrlTest, KnowsLocalAddresses) {
  for (const char* host :
       {"localhost", "LOCALHOST:5000", "x.localhost", "127.0.0.1",
        "127.9.9.9:1", "[::1]", "[::1]:5000", "[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
    EXPECT_TRUE(IsLocalAddress(host)) << host;
  }
  for (const char* host :
       {"169.254.169.254", "0.0.0.0", "[fe80::1]", "[::]", "2852039166",
        "0x7f.1", "[::ffff:169.254.169.254]", "localhost.", "127.0.0.1.:80"}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
    EXPECT_TRUE(IsLocalAddress(host)) << host;
  }
  for (const char* host : {"localhost.example", "128.0.0.1", "10.0.0.1",
                           "[2001:db8::1]", "127.0.0.1.example"}) {
    EXPECT_FALSE(IsLocalAddress(host)) << host;
  }
}

TEST(UrlTest, Escapes) { EXPECT_EQ(UrlEscape("a b/c:d~"), "a%20b%2fc%3ad~"); }

}  // namespace
}  // namespace containerkit::registry
