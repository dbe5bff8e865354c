#include "lib/registry/proxy.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.proxy";
constexpr size_t kMaxProxyBytes = 4096;
constexpr int kMappedBits = 96;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

// An address of either family; those of IPv4 as ::ffff:a.b.c.d.
struct Address {
  std::array<uint8_t, 16> bytes = {};
  bool v4 = false;
};

std::optional<Address> ParseAddress(absl::string_view text) {
  const std::string copy(text);
  Address address;
  in6_addr v6;
  if (inet_pton(AF_INET6, copy.c_str(), &v6) == 1) {
    memcpy(address.bytes.data(), &v6, sizeof v6);
    address.v4 = IN6_IS_ADDR_V4MAPPED(&v6);
    return address;
  }
  in_addr v4;
  if (inet_pton(AF_INET, copy.c_str(), &v4) != 1) return std::nullopt;
  address.v4 = true;
  address.bytes[10] = address.bytes[11] = 0xff;
  memcpy(address.bytes.data() + 12, &v4, sizeof v4);
  return address;
}

// The first `bits` bits are the same.
bool SharePrefix(const Address& a, const Address& b, int bits) {
  for (int i = 0; i < bits; ++i) {
    if (((a.bytes[i / 8] ^ b.bytes[i / 8]) & (0x80 >> (i % 8))) != 0) {
      return false;
    }
  }
  return true;
}

// "10.0.0.0/8" holds `address`; nullopt: `entry` is no such range.
std::optional<bool> InRange(absl::string_view entry,
                            const std::optional<Address>& address) {
  const size_t slash = entry.find('/');
  if (slash == absl::string_view::npos) return std::nullopt;
  const absl::string_view text = entry.substr(0, slash);
  const std::optional<Address> base = ParseAddress(text);
  int bits = 0;
  if (!base.has_value() || !absl::SimpleAtoi(entry.substr(slash + 1), &bits)) {
    return std::nullopt;
  }
  const bool v4 = !absl::StrContains(text, ":");
  if (bits < 0 || bits > (v4 ? 32 : 128)) return std::nullopt;
  if (!address.has_value() || address->v4 != v4) return false;
  return SharePrefix(*base, *address, v4 ? kMappedBits + bits : bits);
}

// "host:port" and "[v6]:port" in two, as Go's net.SplitHostPort; without a
// port that is empty.
void SplitPort(absl::string_view entry, absl::string_view& host,
               absl::string_view& port) {
  host = entry;
  port = "";
  const size_t colon = entry.rfind(':');
  if (colon == absl::string_view::npos) return;
  if (absl::StartsWith(entry, "[")) {
    if (entry[colon - 1] != ']') return;
    host = entry.substr(1, colon - 2);
  } else if (entry.find(':') == colon) {
    host = entry.substr(0, colon);
  } else {
    return;  // A bare address of IPv6.
  }
  port = entry.substr(colon + 1);
}

// One entry of NO_PROXY, in lower case, against a host without brackets.
bool Matches(absl::string_view entry, absl::string_view host,
             const std::optional<Address>& address, absl::string_view port) {
  if (const std::optional<bool> in = InRange(entry, address)) return *in;
  absl::string_view wanted;
  absl::string_view wanted_port;
  SplitPort(entry, wanted, wanted_port);
  if (wanted.empty()) return false;
  if (!wanted_port.empty() && wanted_port != port) return false;
  if (const std::optional<Address> own = ParseAddress(wanted)) {
    return address.has_value() && own->bytes == address->bytes;
  }
  if (absl::StartsWith(wanted, "*.")) wanted.remove_prefix(1);
  if (wanted[0] == '.') return absl::EndsWith(host, wanted);
  return host == wanted || absl::EndsWith(host, absl::StrCat(".", wanted));
}

absl::Status BadProxy(absl::string_view why) {
  return MakeError(
      absl::StatusCode::kInvalidArgument, absl::StrCat("proxy: ", why),
      {.reason = Reason::kInvalidArgument,
       .operation = kOperation,
       .hint = "look at HTTP_PROXY, HTTPS_PROXY and proxies of config.json"});
}

std::string Part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

}  // namespace

ProxySettings Merge(const ProxySettings& first, const ProxySettings& second) {
  ProxySettings merged = first;
  if (merged.http_proxy.empty()) merged.http_proxy = second.http_proxy;
  if (merged.https_proxy.empty()) merged.https_proxy = second.https_proxy;
  if (merged.no_proxy.empty()) merged.no_proxy = second.no_proxy;
  return merged;
}

bool IsExempt(absl::string_view no_proxy, const Url& url) {
  if (IsLoopbackHost(url.host())) return true;
  absl::string_view host = url.host();
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  const std::optional<Address> address = ParseAddress(host);
  const std::string port = absl::StrCat(url.port());
  const std::string lower = absl::AsciiStrToLower(no_proxy);
  for (absl::string_view entry : absl::StrSplit(lower, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    if (entry.empty()) continue;
    if (entry == "*" || Matches(entry, host, address, port)) return true;
  }
  return false;
}

absl::StatusOr<std::string> ProxyFor(const ProxySettings& settings,
                                     const Url& url) {
  const std::string& text =
      url.https() ? settings.https_proxy : settings.http_proxy;
  if (text.empty() || IsExempt(settings.no_proxy, url)) return std::string();
  if (text.size() > kMaxProxyBytes ||
      !std::all_of(text.begin(), text.end(),
                   [](char c) { return absl::ascii_isgraph(c); })) {
    return BadProxy("malformed");
  }
  const std::string full =
      absl::StrContains(text, "://") ? text : absl::StrCat("http://", text);
  const UrlHandle handle(curl_url());
  if (handle == nullptr) return BadProxy("out of memory");
  if (curl_url_set(handle.get(), CURLUPART_URL, full.c_str(),
                   CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
      Part(handle.get(), CURLUPART_HOST, 0).empty()) {
    return BadProxy("malformed");
  }
  const std::string scheme = Part(handle.get(), CURLUPART_SCHEME, 0);
  if (scheme != "http" && scheme != "https" && scheme != "socks5" &&
      scheme != "socks5h") {
    return BadProxy("scheme is none of http, https, socks5 and socks5h");
  }
  // libcurl would take 1080 for all of them.
  if (Part(handle.get(), CURLUPART_PORT, 0).empty()) {
    const char* const port = scheme == "http"    ? "80"
                             : scheme == "https" ? "443"
                                                 : "1080";
    curl_url_set(handle.get(), CURLUPART_PORT, port, 0);
  }
  return Part(handle.get(), CURLUPART_URL, CURLU_NON_SUPPORT_SCHEME);
}

std::string ProxyAuthority(const std::string& proxy) {
  const UrlHandle handle(curl_url());
  if (handle == nullptr ||
      curl_url_set(handle.get(), CURLUPART_URL, proxy.c_str(),
                   CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return "";
  }
  return absl::StrCat(Part(handle.get(), CURLUPART_HOST, 0), ":",
                      Part(handle.get(), CURLUPART_PORT, 0));
}

absl::Status ProxyRefusal(const std::string& proxy, int status,
                          const Url& url) {
  const bool wants_login = status == 407;
  const std::string name = ProxyAuthority(proxy);
  return MakeError(
      wants_login ? absl::StatusCode::kUnauthenticated
                  : absl::StatusCode::kPermissionDenied,
      absl::StrCat(
          "proxy ", name,
          wants_login ? " wants other credentials" : " refuses the way to ",
          wants_login ? "" : url.Authority(), " (", status, ")"),
      {.reason = Reason::kProxyRefused,
       .operation = kOperation,
       .object_kind = "proxy",
       .object_id = name,
       .path = url.Redacted(),
       .hint = wants_login
                   ? "put the proxy's user name and password into its URL, in "
                     "HTTPS_PROXY, HTTP_PROXY or proxies of config.json"
                   : "ask those who run the proxy to let the registry pass, or "
                     "name it in NO_PROXY"});
}

}  // namespace containerkit::registry
