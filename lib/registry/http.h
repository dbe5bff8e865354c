// One HTTP request over libcurl: no redirects, no credentials of its own, no
// environment, everything bounded and cancellable.
#ifndef CONTAINERKIT_LIB_REGISTRY_HTTP_H_
#define CONTAINERKIT_LIB_REGISTRY_HTTP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/mutex.h"
#include "lib/registry/proxy.h"
#include "lib/registry/url.h"

namespace containerkit::registry {

// How a server's certificate is checked and the client's own is shown.
struct TlsOptions {
  // False: any certificate will do (opted-in registries only).
  bool verify = true;
  // Certificates trusted besides the system's, as PEM.
  std::string extra_ca_pem;
  // Paths of PEM files; empty: none.
  std::string client_cert_path;
  std::string client_key_path;

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

struct HttpResponse {
  int status = 0;
  // Names in lower case; every value of a repeated name.
  std::multimap<std::string, std::string> headers;
  // Empty when a sink took it.
  std::string body;

  // The first value of a header, or "". `name` in lower case.
  absl::string_view Header(absl::string_view name) const;
};

struct HttpRequest {
  std::string method = "GET";
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  // Sent with POST.
  std::string body;
  TlsOptions tls;
  // Credentials in a proxy's URL go to that proxy only, `headers` never to a
  // proxy that tunnels.
  ProxySettings proxies;
  // Longest body kept in HttpResponse::body.
  size_t max_body_bytes = 1 << 20;
  // Takes the body of a 200 or 206 answer piece by piece, after its headers.
  // An error ends the request and is returned as it is.
  std::function<absl::Status(const HttpResponse& head, absl::string_view data)>
      sink;
};

struct HttpOptions {
  std::string user_agent = "containerkit";
  absl::Duration connect_timeout = absl::Seconds(15);
  // A transfer that brought less than min_bytes_per_second over this time,
  // not counting the time its sink took, has failed.
  absl::Duration stall_timeout = absl::Seconds(30);
  uint64_t min_bytes_per_second = 100;
};

// Sends requests, keeping connections alive between them.
//
// Thread-safe: one connection or more a concurrent request.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Performs one request; every status code is an answer, not an error.
  //
  // Trust: the answer comes from a server; header and body sizes are bounded.
  // Errors: UNAVAILABLE / kRegistryUnreachable (retryable: connection refused,
  //         reset, closed early, name not found); UNAUTHENTICATED or
  //         PERMISSION_DENIED / kProxyRefused for what a proxy answered itself:
  //         to CONNECT, or 407;
  //         DEADLINE_EXCEEDED / kTimeout (retryable); UNAVAILABLE / kTlsFailed;
  //         RESOURCE_EXHAUSTED / kLimitExceeded; CANCELLED / kCancelled; as
  //         ProxyFor().
  // Blocks on the network.
  absl::StatusOr<HttpResponse> Perform(const HttpRequest& request,
                                       const CancelToken& cancel);

 private:
  struct Slot;
  std::unique_ptr<Slot> TakeSlot();
  void ReturnSlot(std::unique_ptr<Slot> slot);

  const HttpOptions options_;
  Mutex mu_;
  std::vector<std::unique_ptr<Slot>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_HTTP_H_
