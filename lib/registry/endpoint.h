// Where a registry is, and how it may be spoken to.
#ifndef CONTAINERKIT_LIB_REGISTRY_ENDPOINT_H_
#define CONTAINERKIT_LIB_REGISTRY_ENDPOINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/registry/http.h"
#include "lib/registry/options.h"
#include "lib/registry/url.h"

namespace containerkit::registry {

// One server that answers for a registry.
struct Endpoint {
  // "https://host[:port][/prefix]/v2/". More than one: which scheme it speaks
  // has to be found out; first choice first.
  std::vector<Url> bases;
  // The key of its credentials: "docker.io", "localhost:5000".
  std::string domain;
  bool is_mirror = false;
  // The registry that a mirror is asked for, which it may need to know.
  std::string stands_for;
};

// The servers for a registry: its mirrors, then itself.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for a malformed mirror URL;
//         FAILED_PRECONDITION / kInsecureRegistryRefused for a mirror by plain
//         http that is neither loopback nor opted in.
absl::StatusOr<std::vector<Endpoint>> EndpointsFor(const ClientOptions& options,
                                                   absl::string_view domain);

// True when the user named the host of `url` as an insecure registry.
bool IsOptedIn(const ClientOptions& options, const Url& url);

// True when `url` may be asked at all: https, or http where it is allowed.
bool MayAsk(const ClientOptions& options, const Url& url);

// The certificates for the host of `url`, from certs_dir.
//
// Errors: as open(2); INVALID_ARGUMENT / kConfigFileInvalid for a certificate
// without its key.
absl::StatusOr<TlsOptions> TlsFor(const ClientOptions& options, const Url& url);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_ENDPOINT_H_
