// Who we are to a registry: Docker's config.json and its credential helpers.
#ifndef CONTAINERKIT_LIB_REGISTRY_CREDENTIALS_H_
#define CONTAINERKIT_LIB_REGISTRY_CREDENTIALS_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/registry/proxy.h"

namespace containerkit::registry {

struct Credentials {
  std::string username;
  std::string password;
  // An OAuth2 refresh token, used instead of name and password.
  std::string identity_token;
  // A bearer token that is shown as it is.
  std::string registry_token;

  bool empty() const {
    return username.empty() && password.empty() && identity_token.empty() &&
           registry_token.empty();
  }
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

struct HelperOptions {
  // Helpers are looked for here, in order; empty: as the shell would.
  std::vector<std::string> search_dirs;
  absl::Duration timeout = absl::Seconds(30);
};

// Docker's config.json, as far as it concerns registries.
//
// Value type; const calls may run concurrently.
class DockerConfig {
 public:
  // The empty config: everybody is anonymous.
  DockerConfig() = default;

  // Reads the file; a missing file gives the empty config.
  //
  // Errors: INVALID_ARGUMENT / kConfigFileInvalid (no value of the file is
  // quoted); as open(2).
  static absl::StatusOr<DockerConfig> Load(const std::string& path,
                                           const HelperOptions& options = {});
  // Reads the content of such a file. Errors: as Load().
  static absl::StatusOr<DockerConfig> Parse(absl::string_view json,
                                            const HelperOptions& options = {});

  // The credentials for a registry as references name it ("docker.io",
  // "quay.io", "localhost:5000"); nullopt: anonymous. Asks the helper in
  // credHelpers, else credsStore, then looks into auths. Nothing is cached.
  //
  // Runs the helper docker-credential-NAME without a shell; waits for it at
  // most HelperOptions::timeout.
  // Errors: UNAVAILABLE / kCredentialHelperFailed; CANCELLED.
  absl::StatusOr<std::optional<Credentials>> Lookup(
      absl::string_view domain, const CancelToken& cancel = {}) const;

  // HttpHeaders: sent with every request to a registry.
  const std::vector<std::pair<std::string, std::string>>& http_headers() const {
    return http_headers_;
  }

  // proxies.default.
  const ProxySettings& proxies() const { return proxies_; }

 private:
  std::map<std::string, Credentials> auths_;  // by host
  std::map<std::string, std::string> helpers_;
  std::string store_;
  std::vector<std::pair<std::string, std::string>> http_headers_;
  ProxySettings proxies_;
  HelperOptions options_;
};

// Runs `docker-credential-<name> get`. nullopt: it knows nothing of `server`.
//
// Trust: `name` comes from a user's file, the answer from a program that the
// user installed; the answer is capped at 1 MiB and never quoted.
// Errors: as DockerConfig::Lookup().
absl::StatusOr<std::optional<Credentials>> RunCredentialHelper(
    const std::string& name, const std::string& server,
    const HelperOptions& options, const CancelToken& cancel);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_CREDENTIALS_H_
