// Getting in: Basic, Bearer tokens, and what was learned about them.
#ifndef CONTAINERKIT_LIB_REGISTRY_AUTH_H_
#define CONTAINERKIT_LIB_REGISTRY_AUTH_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/mutex.h"
#include "lib/registry/challenge.h"
#include "lib/registry/credentials.h"
#include "lib/registry/http.h"
#include "lib/registry/options.h"
#include "lib/registry/proxy.h"
#include "lib/registry/url.h"

namespace containerkit::registry {

// Whom a request is for and what it wants to do.
struct AuthTarget {
  // The registry's base URL: the one origin that sees the header.
  Url base;
  // "repository:library/busybox:pull".
  std::string scope;
  std::optional<Credentials> credentials;
  // For the way to its token server.
  ProxySettings proxies;
};

// Makes Authorization headers and remembers them until they expire.
//
// Thread-safe. Must not outlive the client and the options.
class Authenticator {
 public:
  Authenticator(const ClientOptions* options, HttpClient* http)
      : options_(options), http_(http) {}

  // The header that worked last for `target`, or "".
  std::string CachedHeader(const AuthTarget& target) ABSL_LOCKS_EXCLUDED(mu_);

  // Answers a 401 of the registry: a header to try again with.
  //
  // Trust: the challenges come from the registry. A token server is only asked
  // by https or at the registry's own origin, and never at a local address
  // unless the registry is at one (security.md I03); its answer is capped and
  // never quoted.
  // Errors: UNAUTHENTICATED / kUnauthorized; PERMISSION_DENIED /
  //         kAuthRealmRefused; as HttpClient::Perform().
  absl::StatusOr<std::string> Answer(const AuthTarget& target,
                                     const HttpResponse& response,
                                     const CancelToken& cancel)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::string header;
    absl::Time expires;
  };
  absl::StatusOr<Entry> FetchToken(const AuthTarget& target,
                                   const Challenge& challenge,
                                   const CancelToken& cancel);

  const ClientOptions* const options_;
  HttpClient* const http_;
  Mutex mu_;
  std::map<std::string, Entry> cache_ ABSL_GUARDED_BY(mu_);
};

// Whether a token server may be asked on behalf of the registry at `base`.
//
// Errors: PERMISSION_DENIED / kAuthRealmRefused.
absl::Status CheckRealm(const ClientOptions& options, const Url& base,
                        const Url& realm);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_AUTH_H_
