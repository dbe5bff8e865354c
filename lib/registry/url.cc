#include "lib/registry/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace containerkit::registry {
namespace {

constexpr size_t kMaxUrlBytes = 8192;

struct FreeUrl {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

// The text may hold a signature, so only its length is told.
absl::Status BadUrl(absl::string_view why) {
  return InvalidArgument(Reason::kInvalidArgument, "registry.parse_url",
                         absl::StrCat("invalid URL: ", why));
}

bool GetPart(CURLU* handle, CURLUPart part, unsigned flags, std::string* out) {
  char* text = nullptr;
  if (curl_url_get(handle, part, &text, flags) != CURLUE_OK) return false;
  *out = text;
  curl_free(text);
  return true;
}

// Whether curl finds `host` in `text`: "%31%32%37.1" becomes "127.1", and
// when that is fetched, 127.0.0.1.
bool IsHostOf(const std::string& text, const std::string& host) {
  const UrlHandle handle(curl_url());
  std::string found;
  return handle != nullptr &&
         curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), 0) ==
             CURLUE_OK &&
         GetPart(handle.get(), CURLUPART_HOST, 0, &found) && found == host;
}

absl::Status CheckText(absl::string_view text) {
  if (text.size() > kMaxUrlBytes) return BadUrl("longer than 8192 bytes");
  for (const char c : text) {
    if (!absl::ascii_isgraph(c)) {
      return BadUrl("character that is not printable ASCII");
    }
  }
  return absl::OkStatus();
}

// curl decodes %XX in a host, so anything could be in it.
bool IsHost(absl::string_view host) {
  const bool v6 = absl::StartsWith(host, "[");
  return std::all_of(host.begin(), host.end(), [v6](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-._", c) ||
           (v6 && absl::StrContains("[:]%", c));
  });
}

// Host without port and brackets.
std::string BareHost(absl::string_view host) {
  if (absl::StartsWith(host, "[")) {
    return std::string(host.substr(1, host.find(']') - 1));
  }
  return absl::AsciiStrToLower(host.substr(0, host.find(':')));
}

}  // namespace

absl::StatusOr<Url> Url::Parse(absl::string_view text) {
  CK_RETURN_IF_ERROR(CheckText(text));
  return Url().Resolve(text);
}

absl::StatusOr<Url> Url::Resolve(absl::string_view location) const {
  CK_RETURN_IF_ERROR(CheckText(location));
  if (location.empty()) return BadUrl("empty");
  const UrlHandle handle(curl_url());
  if (handle == nullptr) return BadUrl("out of memory");
  // With a URL already set, CURLUPART_URL is resolved against it.
  if (!text_.empty() && curl_url_set(handle.get(), CURLUPART_URL, text_.c_str(),
                                     0) != CURLUE_OK) {
    return BadUrl("malformed base");
  }
  const std::string copy(location);
  const CURLUcode rc = curl_url_set(handle.get(), CURLUPART_URL, copy.c_str(),
                                    CURLU_DISALLOW_USER);
  if (rc != CURLUE_OK) return BadUrl(curl_url_strerror(rc));
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  Url url;
  std::string port;
  std::string user;
  if (!GetPart(handle.get(), CURLUPART_SCHEME, 0, &url.scheme_) ||
      !GetPart(handle.get(), CURLUPART_HOST, 0, &url.host_) ||
      !GetPart(handle.get(), CURLUPART_URL, 0, &url.text_) ||
      !IsHost(url.host_)) {
    return BadUrl("malformed");
  }
  if (GetPart(handle.get(), CURLUPART_USER, 0, &user)) {
    return BadUrl("it carries a user name");
  }
  if (!IsHostOf(url.text_, url.host_)) return BadUrl("malformed host");
  url.scheme_ = absl::AsciiStrToLower(url.scheme_);
  if (url.scheme_ != "http" && url.scheme_ != "https") {
    return BadUrl("scheme is neither https nor http");
  }
  if (!GetPart(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) ||
      !absl::SimpleAtoi(port, &url.port_) || url.port_ < 1 ||
      url.port_ > 65535) {
    return BadUrl("malformed port");
  }
  url.host_ = absl::AsciiStrToLower(url.host_);
  return url;
}

std::string Url::Authority() const {
  const int standard = https() ? 443 : 80;
  return port_ == standard ? host_ : absl::StrCat(host_, ":", port_);
}

std::string Url::Redacted() const { return text_.substr(0, text_.find('?')); }

bool Url::SameOrigin(const Url& other) const {
  return scheme_ == other.scheme_ && host_ == other.host_ &&
         port_ == other.port_;
}

bool IsLoopbackHost(absl::string_view host) {
  const std::string bare = BareHost(host);
  if (bare == "localhost" || absl::EndsWith(bare, ".localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, bare.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, bare.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

bool IsLocalAddress(absl::string_view host) {
  if (!absl::StartsWith(host, "[")) {
    // Resolvers take "localhost." for localhost.
    host = host.substr(0, host.find(':'));
    absl::ConsumeSuffix(&host, ".");
  }
  if (IsLoopbackHost(host)) return true;
  const std::string bare = BareHost(host);
  uint32_t address = 0;
  in_addr v4;
  in6_addr v6;
  // inet_aton also reads "2852039166" and "0x7f.1", as resolvers do.
  if (inet_aton(bare.c_str(), &v4) != 0) {
    address = ntohl(v4.s_addr);
  } else if (inet_pton(AF_INET6, bare.substr(0, bare.find('%')).c_str(), &v6) ==
             1) {
    if (!IN6_IS_ADDR_V4MAPPED(&v6)) {
      return IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6);
    }
    memcpy(&address, v6.s6_addr + 12, sizeof address);
    address = ntohl(address);
  } else {
    return false;
  }
  return (address >> 24) == 127 || (address >> 24) == 0 ||
         (address >> 16) == 0xA9FE;
}

std::string UrlEscape(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' ||
        c == '~') {
      out.push_back(c);
    } else {
      absl::StrAppend(
          &out, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return out;
}

}  // namespace containerkit::registry
