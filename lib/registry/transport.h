// Requests to a registry: the right scheme, credentials, redirects, retries.
#ifndef CONTAINERKIT_LIB_REGISTRY_TRANSPORT_H_
#define CONTAINERKIT_LIB_REGISTRY_TRANSPORT_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "containerkit/status.h"
#include "lib/base/mutex.h"
#include "lib/registry/auth.h"
#include "lib/registry/credentials.h"
#include "lib/registry/endpoint.h"
#include "lib/registry/http.h"
#include "lib/registry/options.h"
#include "lib/registry/proxy.h"
#include "lib/registry/url.h"

namespace containerkit::registry {

// What a caller may say with each call.
struct CallOptions {
  CancelToken cancel;
  // Instead of what the docker config has for the registry.
  std::optional<Credentials> credentials;
  // Sent to registries besides those of the docker config.
  std::vector<std::pair<std::string, std::string>> http_headers;
  // Of a docker config; ClientOptions::proxies come first.
  ProxySettings proxies;
  // Told in words why a request is sent again. From the calling thread.
  std::function<void(absl::string_view why)> on_retry;
  // Told what registries say besides their answers: warnings of theirs
  // ("Warning: 299", distribution-spec), and how many requests they still
  // grant ("ratelimit-remaining"). Printable; from the calling thread, once an
  // answer.
  std::function<void(absl::string_view text)> on_warning;
  std::function<void(absl::string_view text)> on_rate_limit;
};

// One request of the distribution API.
struct RegistryRequest {
  std::string method = "GET";
  // Below .../v2/: "library/busybox/manifests/latest".
  std::string path;
  // "repository:library/busybox:pull".
  std::string scope;
  std::vector<std::pair<std::string, std::string>> headers;
  size_t max_body_bytes = 1 << 20;
  std::function<absl::Status(const HttpResponse&, absl::string_view)> sink;
};

// Thread-safe. Must not outlive the options.
class Transport {
 public:
  explicit Transport(const ClientOptions* options);

  // Sends the request once; answers a 401 by logging in and follows up to ten
  // redirects. Authorization and the configured headers go to the endpoint's
  // own scheme, host and port, and no more after a redirect has left them.
  //
  // Trust: redirects come from servers. Refused: https to http, plain http
  // that is not allowed, a distant server pointing at a local address, user
  // names in a URL (security.md I02).
  // Errors: PERMISSION_DENIED / kRedirectRefused; as HttpClient::Perform(),
  //         Authenticator::Answer() and DockerConfig::Lookup().
  absl::StatusOr<HttpResponse> Send(const Endpoint& endpoint,
                                    const RegistryRequest& request,
                                    const CallOptions& call);

  // Send(), repeated while the failure is one that may pass. An answer that
  // is not 2xx is an error made by ResponseError().
  absl::StatusOr<HttpResponse> SendWithRetry(const Endpoint& endpoint,
                                             const RegistryRequest& request,
                                             const CallOptions& call);

  // A plain GET of a layer's foreign https URL, without credentials.
  absl::StatusOr<HttpResponse> GetForeign(const Url& url,
                                          const RegistryRequest& request,
                                          const CallOptions& call);

  const ClientOptions& options() const { return *options_; }

 private:
  ProxySettings ProxiesFor(const CallOptions& call) const;
  absl::StatusOr<Url> BaseOf(const Endpoint& endpoint, const CallOptions& call);
  absl::StatusOr<HttpResponse> Follow(Url url, AuthTarget* target,
                                      const RegistryRequest& request,
                                      const CallOptions& call);
  absl::StatusOr<std::optional<Credentials>> CredentialsFor(
      const std::string& domain, const CallOptions& call)
      ABSL_LOCKS_EXCLUDED(mu_);

  const ClientOptions* const options_;
  HttpClient http_;
  Authenticator authenticator_;
  Mutex mu_;
  // By domain: what a look-up or a probe has shown.
  std::map<std::string, std::optional<Credentials>> credentials_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, Url> bases_ ABSL_GUARDED_BY(mu_);
};

// The texts of an answer's "Warning: 299" headers, printable; at most eight of
// 4 KiB, as a registry must not send longer ones.
//
// Trust: they come from a server.
std::vector<std::string> WarningsOf(const HttpResponse& response);

// "12 of 100 requests are left (in 21600 s)", or "" where the answer does not
// say. Trust: the numbers come from a server.
std::string RateLimitOf(const HttpResponse& response);

// Whether an answer of `from` may send us to `to`; see Transport::Send().
//
// Errors: PERMISSION_DENIED / kRedirectRefused.
absl::Status CheckRedirect(const ClientOptions& options, const Url& from,
                           const Url& to);

// The pause before attempt number `failures` + 1 after `error`; nullopt: it
// is of no use, or there were attempts enough. A Retry-After that ResponseError
// put into `error` is honoured.
std::optional<absl::Duration> RetryDelay(const RetryPolicy& policy,
                                         const absl::Status& error,
                                         int failures);

// The error for an answer that is not 2xx. Of the body only the registry's
// code and message are told, shortened. 404 is NOT_FOUND / `missing`, 401 and
// 403 kUnauthorized, 429 kRateLimited, others kRegistryError.
absl::Status ResponseError(const HttpResponse& response, const Url& base,
                           Reason missing);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_TRANSPORT_H_
