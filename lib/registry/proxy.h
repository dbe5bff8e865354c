// Which proxy a request goes through: the rules of Go's httpproxy, which are
// docker's.
#ifndef CONTAINERKIT_LIB_REGISTRY_PROXY_H_
#define CONTAINERKIT_LIB_REGISTRY_PROXY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/registry/url.h"

namespace containerkit::registry {

// What HTTP_PROXY, HTTPS_PROXY and NO_PROXY would say.
struct ProxySettings {
  // "[scheme://][user:password@]host[:port]" with http (the default), https,
  // socks5 or socks5h; for requests to http and https URLs. Empty: none.
  std::string http_proxy;
  std::string https_proxy;
  // Comma-separated: "host" (and everything below it), ".suffix" or "*.suffix"
  // (only what is below it), an address, a range ("10.0.0.0/8"), each but the
  // range with or without ":port"; "*": no proxy at all.
  std::string no_proxy;

  friend bool operator==(const ProxySettings&, const ProxySettings&) = default;
};

// `first`, and where it says nothing, `second`.
ProxySettings Merge(const ProxySettings& first, const ProxySettings& second);

// True when `no_proxy` exempts the host and port of `url`. Loopback always is.
// No name is looked up.
bool IsExempt(absl::string_view no_proxy, const Url& url);

// The URL of the proxy for `url`, with its port; empty: ask directly.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for a malformed proxy. It is not
// quoted, for it may have a password.
absl::StatusOr<std::string> ProxyFor(const ProxySettings& settings,
                                     const Url& url);

// "host:port" of what ProxyFor() gave: for messages, without its password.
std::string ProxyAuthority(const std::string& proxy);

// The error for a proxy that answered `status` where the registry should have:
// 407 is UNAUTHENTICATED, else PERMISSION_DENIED; both kProxyRefused.
absl::Status ProxyRefusal(const std::string& proxy, int status, const Url& url);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_PROXY_H_
