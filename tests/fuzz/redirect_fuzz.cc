// Where a registry may send us, for a token or for a blob: never down to plain
// http, never from afar to an address of this machine, however it is spelled.
//
// An input has three lines: the registry's base URL, a Bearer realm, and a
// Location header.
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/registry/auth.h"
#include "lib/registry/endpoint.h"
#include "lib/registry/options.h"
#include "lib/registry/transport.h"
#include "lib/registry/url.h"
#include "tests/fuzz/check.h"

namespace {

namespace registry = containerkit::registry;
using registry::Url;

bool IsLocal(const sockaddr* address) {
  uint32_t v4 = 0;
  if (address->sa_family == AF_INET) {
    v4 = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& v6 =
        reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (!IN6_IS_ADDR_V4MAPPED(&v6)) {
      return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
             IN6_IS_ADDR_UNSPECIFIED(&v6);
    }
    for (int i = 12; i < 16; ++i) v4 = v4 << 8 | v6.s6_addr[i];
  }
  return v4 >> 24 == 127 || v4 >> 24 == 0 || v4 >> 16 == 0xA9FE;
}

// What the resolver makes of a numeric host, without asking anybody.
bool ResolvesToLocal(std::string host) {
  if (absl::string_view(host).substr(0, 1) == "[") {
    host = host.substr(1, host.size() - 2);
  } else if (!host.empty() && host.back() == '.') {
    host.pop_back();
  }
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const bool local = IsLocal(found->ai_addr);
  freeaddrinfo(found);
  return local;
}

void CheckUrl(const Url& url) {
  CK_FUZZ_CHECK(url.scheme() == "http" || url.scheme() == "https");
  CK_FUZZ_CHECK(url.port() > 0 && url.port() < 65536);
  CK_FUZZ_CHECK(!url.host().empty());
  CK_FUZZ_CHECK(url.host().find('@') == std::string::npos);
  for (const char c : url.str()) CK_FUZZ_CHECK(!absl::ascii_iscntrl(c));
  // What curl makes of the text when it is asked to fetch it.
  const auto again = Url::Parse(url.str());
  CK_FUZZ_CHECK(again.ok() && again->SameOrigin(url));
  if (ResolvesToLocal(url.host())) {
    CK_FUZZ_CHECK(registry::IsLocalAddress(url.host()));
  }
}

// What holds of every place that `base` may send us to.
void CheckAllowed(const Url& base, const Url& to) {
  CK_FUZZ_CHECK(to.https() || !base.https());
  CK_FUZZ_CHECK(!ResolvesToLocal(to.host()) || ResolvesToLocal(base.host()) ||
                registry::IsLocalAddress(base.host()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 14) return 0;
  const std::vector<std::string> lines = absl::StrSplit(
      absl::string_view(reinterpret_cast<const char*>(data), size),
      absl::MaxSplits('\n', 2));
  const auto base = Url::Parse(lines[0]);
  if (!base.ok()) return 0;
  CheckUrl(*base);
  static const auto* const options = new registry::ClientOptions;
  const auto realm = Url::Parse(lines.size() > 1 ? lines[1] : "");
  if (realm.ok()) {
    CheckUrl(*realm);
    if (registry::CheckRealm(*options, *base, *realm).ok()) {
      CheckAllowed(*base, *realm);
      CK_FUZZ_CHECK(realm->https() || realm->SameOrigin(*base));
    }
  }
  const auto next = base->Resolve(lines.size() > 2 ? lines[2] : "");
  if (!next.ok()) return 0;
  CheckUrl(*next);
  if (registry::CheckRedirect(*options, *base, *next).ok()) {
    CheckAllowed(*base, *next);
    CK_FUZZ_CHECK(registry::MayAsk(*options, *next));
  }
  return 0;
}
