#include "lib/registry/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "lib/sys/file_util.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.docker_config";
constexpr size_t kMaxConfigBytes = 4 << 20;
// What docker calls Docker Hub in its config file.
constexpr char kHubKey[] = "https://index.docker.io/v1/";

absl::Status BadConfig(absl::string_view message) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("docker config file: ", message),
      {.reason = Reason::kConfigFileInvalid, .operation = kOperation});
}

// "https://host/v1/" and "host" as "host"; Hub's names as "docker.io".
std::string HostOfKey(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, "https://")) {
    absl::ConsumePrefix(&key, "http://");
  }
  std::string host(key.substr(0, key.find('/')));
  if (host == "index.docker.io" || host == "registry-1.docker.io" ||
      host == oci::kDockerHub) {
    return oci::kDockerHub;
  }
  return host;
}

// The name under which helpers keep a registry's credentials.
std::string HelperKey(absl::string_view domain) {
  return domain == oci::kDockerHub ? kHubKey : std::string(domain);
}

absl::StatusOr<Credentials> ReadAuth(const JsonNode& node,
                                     absl::string_view key) {
  Credentials credentials;
  credentials.username = node.Get("username").String();
  credentials.password = node.Get("password").String();
  credentials.identity_token = node.Get("identitytoken").String();
  credentials.registry_token = node.Get("registrytoken").String();
  const std::string auth = node.Get("auth").String();
  if (auth.empty()) return credentials;
  std::string plain;
  const size_t colon =
      absl::Base64Unescape(auth, &plain) ? plain.find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return BadConfig(absl::StrCat("auth of \"",
                                  absl::CHexEscape(key.substr(0, 100)),
                                  "\" is not base64 of user:password"));
  }
  credentials.username = plain.substr(0, colon);
  credentials.password = plain.substr(colon + 1);
  // Docker pads with NULs.
  while (!credentials.password.empty() && credentials.password.back() == '\0') {
    credentials.password.pop_back();
  }
  if (credentials.username == "<token>") {
    credentials.username.clear();
    credentials.identity_token = std::move(credentials.password);
    credentials.password.clear();
  }
  return credentials;
}

bool IsHeader(absl::string_view name, absl::string_view value) {
  if (name.empty()) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return false;
  }
  for (const char c : value) {
    if (absl::ascii_iscntrl(c)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<DockerConfig> DockerConfig::Load(const std::string& path,
                                                const HelperOptions& options) {
  absl::StatusOr<std::string> text =
      sys::ReadFileAt(AT_FDCWD, path, kMaxConfigBytes);
  if (absl::IsNotFound(text.status())) {
    DockerConfig config;
    config.options_ = options;
    return config;
  }
  CK_RETURN_IF_ERROR(text.status()) << "read docker config file";
  absl::StatusOr<DockerConfig> config = Parse(*text, options);
  if (!config.ok()) return WithObject(config.status(), "file", path);
  return config;
}

absl::StatusOr<DockerConfig> DockerConfig::Parse(absl::string_view json,
                                                 const HelperOptions& options) {
  DockerConfig config;
  config.options_ = options;
  if (absl::StripAsciiWhitespace(json).empty()) return config;
  const auto doc = JsonDocument::Parse(json, kOperation);
  if (!doc.ok()) return BadConfig(doc.status().message());
  const JsonNode root = doc->root();
  for (const auto& [key, node] : root.Get("auths").Members()) {
    CK_ASSIGN_OR_RETURN(Credentials credentials, ReadAuth(node, key));
    if (credentials.empty()) continue;
    // Of two spellings of a host the exact one counts.
    const std::string host = HostOfKey(key);
    if (host == key) {
      config.auths_[host] = std::move(credentials);
    } else {
      config.auths_.emplace(host, std::move(credentials));
    }
  }
  for (const auto& [key, helper] : root.Get("credHelpers").StringMap()) {
    config.helpers_[HostOfKey(key)] = helper;
  }
  config.store_ = root.Get("credsStore").String();
  for (auto& [name, value] : root.Get("HttpHeaders").StringMap()) {
    if (!IsHeader(name, value)) return BadConfig("HttpHeaders: malformed");
    // docker refuses to let the file change its own name, too.
    if (!absl::EqualsIgnoreCase(name, "user-agent")) {
      config.http_headers_.emplace_back(name, value);
    }
  }
  const JsonNode proxies = root.Get("proxies").Get("default");
  config.proxies_ = {.http_proxy = proxies.Get("httpProxy").String(),
                     .https_proxy = proxies.Get("httpsProxy").String(),
                     .no_proxy = proxies.Get("noProxy").String()};
  if (!doc->status().ok()) return BadConfig(doc->status().message());
  return config;
}

absl::StatusOr<std::optional<Credentials>> DockerConfig::Lookup(
    absl::string_view domain, const CancelToken& cancel) const {
  const std::string host(domain);
  const auto own = helpers_.find(host);
  const std::string& helper = own != helpers_.end() ? own->second : store_;
  if (!helper.empty()) {
    CK_ASSIGN_OR_RETURN(
        std::optional<Credentials> found,
        RunCredentialHelper(helper, HelperKey(host), options_, cancel),
        "credentials for ", host);
    if (found.has_value()) return found;
  }
  const auto it = auths_.find(host);
  if (it == auths_.end()) return std::nullopt;
  return it->second;
}

}  // namespace containerkit::registry
