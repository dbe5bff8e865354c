// What a registry client is told once.
#ifndef CONTAINERKIT_LIB_REGISTRY_OPTIONS_H_
#define CONTAINERKIT_LIB_REGISTRY_OPTIONS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/registry/credentials.h"
#include "lib/registry/http.h"
#include "lib/registry/proxy.h"

namespace containerkit::registry {

// Failed requests that may work later are sent again after a pause that
// doubles, and never sooner than Retry-After asks.
struct RetryPolicy {
  int max_attempts = 5;
  absl::Duration first_delay = absl::Milliseconds(250);
  absl::Duration max_delay = absl::Seconds(10);
  // A server that asks for a longer pause has refused.
  absl::Duration max_retry_after = absl::Seconds(60);
};

struct ClientOptions {
  HttpOptions http;
  RetryPolicy retry;
  // Before what the docker config says. Nothing is read of the environment.
  ProxySettings proxies;
  // Who we are where a call does not say.
  DockerConfig docker_config;
  // <dir>/<host[:port]>/{*.crt,*.cert,*.key}; empty: the system's CAs only.
  std::string certs_dir;
  // "host[:port]" that may be spoken to by plain http, or by https with any
  // certificate. Loopback may be spoken to by plain http without an entry.
  std::vector<std::string> insecure_registries;
  // Base URLs ("https://mirror.example[/prefix]") tried, in order, before a
  // registry itself. By registry, as references name it.
  std::map<std::string, std::vector<std::string>> mirrors;
};

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_OPTIONS_H_
