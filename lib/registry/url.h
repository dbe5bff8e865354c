// URLs as the transport reads them: parsing, origins and redirects.
#ifndef CONTAINERKIT_LIB_REGISTRY_URL_H_
#define CONTAINERKIT_LIB_REGISTRY_URL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::registry {

// An absolute http or https URL. Parsed by libcurl, which also fetches it, so
// that the host that is checked is the host that is asked.
//
// Value type.
class Url {
 public:
  Url() = default;

  // Errors: INVALID_ARGUMENT / kInvalidArgument for other schemes, for user
  // names and passwords inside, control characters, or more than 8 KiB.
  static absl::StatusOr<Url> Parse(absl::string_view text);

  // Where a Location header of this URL's answer points to.
  //
  // Trust: `location` comes from a server. Errors: as Parse().
  absl::StatusOr<Url> Resolve(absl::string_view location) const;

  bool https() const { return scheme_ == "https"; }
  const std::string& scheme() const { return scheme_; }
  // Lower case; an IPv6 address has its brackets.
  const std::string& host() const { return host_; }
  int port() const { return port_; }
  // "host", or "host:port" when the port is not the scheme's own.
  std::string Authority() const;
  // The whole, without a fragment.
  const std::string& str() const { return text_; }
  // The whole without the query, which may carry a signature: for messages.
  std::string Redacted() const;

  // Scheme, host and port are the same: credentials may go there.
  bool SameOrigin(const Url& other) const;

  friend bool operator==(const Url&, const Url&) = default;

 private:
  std::string text_;
  std::string scheme_;
  std::string host_;
  int port_ = 0;
};

// True for localhost, *.localhost, 127.0.0.0/8 and [::1], with or without a
// port. No name is looked up.
bool IsLoopbackHost(absl::string_view host);

// True for loopback, link-local (169.254.0.0/16 holds the clouds' metadata)
// and unspecified addresses: what a distant server may not send us to.
bool IsLocalAddress(absl::string_view host);

// `text` with everything but unreserved characters as %XX.
std::string UrlEscape(absl::string_view text);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_URL_H_
