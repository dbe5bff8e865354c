#include "lib/registry/proxy.h"

#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::StatusIs;

Url U(const std::string& text) { return Url::Parse(text).value(); }

// The rows of golang.org/x/net/http/httpproxy's own tests, and more.
TEST(ProxyTest, NoProxyMatchesAsGosDoes) {
  const struct {
    const char* no_proxy;
    const char* url;
    bool exempt;
  } cases[] = {
      // Loopback is never asked through a proxy.
      {"", "http://localhost/", true},
      {"", "http://127.0.0.1:5000/", true},
      {"", "http://127.8.9.1/", true},
      {"", "https://[::1]/", true},
      {"", "http://127.0.0.1.nip.example/", false},
      {"", "http://registry.example/", false},
      // Names: themselves and what is below.
      {"registry.example", "https://registry.example/", true},
      {"registry.example", "https://a.b.registry.example/", true},
      {"registry.example", "https://notregistry.example/", false},
      {"registry.example", "https://registry.example.org/", false},
      {"REGISTRY.Example", "https://Registry.eXample/", true},
      // A suffix: only what is below.
      {".example", "https://registry.example/", true},
      {".registry.example", "https://registry.example/", false},
      {"*.registry.example", "https://registry.example/", false},
      {"*.registry.example", "https://a.registry.example/", true},
      {"example", "https://registry.example/", true},
      // Ports.
      {"registry.example:443", "https://registry.example/", true},
      {"registry.example:443", "https://registry.example:5000/", false},
      {"registry.example:80", "http://registry.example/", true},
      {".example:5000", "https://registry.example:5000/", true},
      {".example:5000", "https://registry.example/", false},
      {":443", "https://registry.example/", false},
      // Addresses and ranges.
      {"192.168.1.1", "http://192.168.1.1/", true},
      {"192.168.1.1", "http://192.168.1.10/", false},
      {"192.168.1.1:81", "http://192.168.1.1:81/", true},
      {"192.168.1.1:81", "http://192.168.1.1/", false},
      {"2001:db8::52:0:1", "http://[2001:db8::52:0:1]/", true},
      {"[2001:db8::52:0:1]", "http://[2001:db8::52:0:1]/", false},
      {"[2001:db8::52:0:1]:80", "http://[2001:db8::52:0:1]/", true},
      {"[2001:db8::52:0:1]:80", "http://[2001:db8::52:0:1]:81/", false},
      {"10.0.0.0/8", "http://10.255.3.4:5000/", true},
      {"10.0.0.0/8", "http://11.0.0.1/", false},
      {"10.0.0.0/8", "http://ten.example/", false},
      {"192.168.3.0/25", "http://192.168.3.127/", true},
      {"192.168.3.0/25", "http://192.168.3.128/", false},
      {"0.0.0.0/0", "http://8.8.8.8/", true},
      {"0.0.0.0/0", "http://[2001:db8::1]/", false},
      {"2001:db8::/32", "http://[2001:db8:1::1]/", true},
      {"2001:db8::/32", "http://[2001:db9::1]/", false},
      {"10.0.0.0/33", "http://10.0.0.1/", false},
      {"10.0.0.0/", "http://10.0.0.1/", false},
      // The ends of addresses are compared as those of names.
      {".0.0.1", "http://10.0.0.1/", true},
      {"10.0.0", "http://10.0.0.1/", false},
      // Lists.
      {"*", "https://registry.example/", true},
      {"a.example, *", "https://registry.example/", true},
      {" a.example , registry.example ", "https://registry.example/", true},
      {",,", "https://registry.example/", false},
      {"]", "https://registry.example/", false},
      {"[", "https://registry.example/", false},
      {"[]:443", "https://registry.example/", false},
      {"[:", "https://registry.example/", false},
      {".", "https://registry.example/", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(IsExempt(c.no_proxy, U(c.url)), c.exempt)
        << c.no_proxy << " " << c.url;
  }
}

TEST(ProxyTest, EachSchemeHasItsOwn) {
  const ProxySettings settings = {.http_proxy = "plain.example",
                                  .https_proxy = "https://p.example",
                                  .no_proxy = "direct.example"};
  EXPECT_EQ(*ProxyFor(settings, U("http://a.example/")),
            "http://plain.example:80/");
  EXPECT_EQ(*ProxyFor(settings, U("https://a.example/")),
            "https://p.example:443/");
  EXPECT_EQ(*ProxyFor(settings, U("https://direct.example/")), "");
  EXPECT_EQ(*ProxyFor({.http_proxy = "x"}, U("https://a.example/")), "");
  EXPECT_EQ(
      *ProxyFor({.http_proxy = "u:p@x.example:3128"}, U("http://a.example/")),
      "http://u:p@x.example:3128/");
  EXPECT_EQ(
      *ProxyFor({.http_proxy = "socks5://x.example"}, U("http://a.example/")),
      "socks5://x.example:1080/");
}

TEST(ProxyTest, RefusesWhatIsNoProxyWithoutQuotingIt) {
  for (const char* text : {"ftp://secret@x.example", "http://", "secret x",
                           "http://secret@x.example:99999", "secret\r\nX: y"}) {
    const auto proxy = ProxyFor({.http_proxy = text}, U("http://a.example/"));
    EXPECT_THAT(proxy, StatusIs(absl::StatusCode::kInvalidArgument,
                                Reason::kInvalidArgument))
        << text;
    EXPECT_EQ(proxy.status().ToString().find("secret"), std::string::npos);
  }
}

TEST(ProxyTest, TheFirstSettingsCount) {
  const ProxySettings environment = {.https_proxy = "a"};
  const ProxySettings file = {
      .http_proxy = "b", .https_proxy = "c", .no_proxy = "d"};
  EXPECT_EQ(
      Merge(environment, file),
      (ProxySettings{.http_proxy = "b", .https_proxy = "a", .no_proxy = "d"}));
}

}  // namespace
}  // namespace containerkit::registry
