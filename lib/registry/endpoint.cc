#include "lib/registry/endpoint.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "lib/sys/file_util.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.endpoint";
constexpr char kHubHost[] = "registry-1.docker.io";
constexpr size_t kMaxCertificateBytes = 1 << 20;

// "host:port" with the port written out, to compare by.
std::string WithPort(const Url& url) {
  return absl::StrCat(url.host(), ":", url.port());
}

// The directory with the certificates of a host, docker's way.
std::string CertsDir(const ClientOptions& options, const Url& url) {
  if (options.certs_dir.empty()) return "";
  for (const std::string& name : {url.Authority(), WithPort(url)}) {
    const std::string path = absl::StrCat(options.certs_dir, "/", name);
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return path;
  }
  return "";
}

absl::StatusOr<Endpoint> Upstream(const ClientOptions& options,
                                  absl::string_view domain) {
  Endpoint endpoint;
  endpoint.domain = std::string(domain);
  const std::string host =
      domain == oci::kDockerHub ? kHubHost : std::string(domain);
  CK_ASSIGN_OR_RETURN(const Url https,
                      Url::Parse(absl::StrCat("https://", host, "/v2/")),
                      "registry ", domain);
  CK_ASSIGN_OR_RETURN(const Url http,
                      Url::Parse(absl::StrCat("http://", host, "/v2/")),
                      "registry ", domain);
  if (IsOptedIn(options, https) || IsOptedIn(options, http)) {
    endpoint.bases = {https, http};
  } else if (IsLoopbackHost(https.host()) && CertsDir(options, https).empty()) {
    // A plain server may wait for ever on a TLS greeting, while a TLS server
    // ends a plain request at once: plain first.
    endpoint.bases = {http, https};
  } else {
    endpoint.bases = {https};
  }
  return endpoint;
}

}  // namespace

bool IsOptedIn(const ClientOptions& options, const Url& url) {
  for (const std::string& entry : options.insecure_registries) {
    // An entry without a port stands for the scheme's own.
    const auto parsed = Url::Parse(absl::StrCat(url.scheme(), "://", entry));
    if (parsed.ok() && WithPort(*parsed) == WithPort(url)) return true;
  }
  return false;
}

bool MayAsk(const ClientOptions& options, const Url& url) {
  return url.https() || IsLoopbackHost(url.host()) || IsOptedIn(options, url);
}

absl::StatusOr<std::vector<Endpoint>> EndpointsFor(const ClientOptions& options,
                                                   absl::string_view domain) {
  std::vector<Endpoint> endpoints;
  const auto mirrors = options.mirrors.find(std::string(domain));
  if (mirrors != options.mirrors.end()) {
    for (const std::string& text : mirrors->second) {
      const char* const slash = absl::EndsWith(text, "/") ? "" : "/";
      CK_ASSIGN_OR_RETURN(Url base,
                          Url::Parse(absl::StrCat(text, slash, "v2/")),
                          "mirror of ", domain);
      if (!MayAsk(options, base)) {
        return MakeError(
            absl::StatusCode::kFailedPrecondition,
            absl::StrCat("mirror ", base.Redacted(), " speaks plain http"),
            {.reason = Reason::kInsecureRegistryRefused,
             .operation = kOperation,
             .object_kind = "registry",
             .object_id = base.Authority(),
             .hint = "name it as an insecure registry to allow that"});
      }
      endpoints.push_back({.bases = {base},
                           .domain = base.Authority(),
                           .is_mirror = true,
                           .stands_for = std::string(domain)});
    }
  }
  CK_ASSIGN_OR_RETURN(Endpoint upstream, Upstream(options, domain));
  endpoints.push_back(std::move(upstream));
  return endpoints;
}

absl::StatusOr<TlsOptions> TlsFor(const ClientOptions& options,
                                  const Url& url) {
  TlsOptions tls;
  if (!url.https()) return tls;
  tls.verify = !IsOptedIn(options, url);
  const std::string dir = CertsDir(options, url);
  if (dir.empty()) return tls;
  CK_ASSIGN_OR_RETURN(std::vector<std::string> names,
                      sys::ListDirAt(AT_FDCWD, dir), "list certificates");
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (absl::EndsWith(name, ".crt")) {
      CK_ASSIGN_OR_RETURN(
          const std::string pem,
          sys::ReadFileAt(AT_FDCWD, absl::StrCat(dir, "/", name),
                          kMaxCertificateBytes),
          "read CA certificate");
      absl::StrAppend(&tls.extra_ca_pem, pem, "\n");
    }
    if (absl::EndsWith(name, ".cert") && tls.client_cert_path.empty()) {
      const std::string key =
          absl::StrCat(name.substr(0, name.size() - 5), ".key");
      if (std::find(names.begin(), names.end(), key) == names.end()) {
        return MakeError(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("client certificate without ", key),
                         {.reason = Reason::kConfigFileInvalid,
                          .operation = kOperation,
                          .path = absl::StrCat(dir, "/", name)});
      }
      tls.client_cert_path = absl::StrCat(dir, "/", name);
      tls.client_key_path = absl::StrCat(dir, "/", key);
    }
  }
  return tls;
}

}  // namespace containerkit::registry
