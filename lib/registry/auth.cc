#include "lib/registry/auth.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "lib/base/digest.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/registry/endpoint.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.authenticate";
constexpr char kClientId[] = "containerkit";
constexpr size_t kMaxTokenAnswerBytes = 1 << 20;
constexpr size_t kMaxCachedHeaders = 256;
// The token specification's default, and its minimum.
constexpr int64_t kDefaultExpirySeconds = 60;
constexpr int64_t kMaxExpirySeconds = 24 * 3600;

absl::Status Unauthorized(const AuthTarget& target, absl::string_view message) {
  return MakeError(
      absl::StatusCode::kUnauthenticated, message,
      {.reason = Reason::kUnauthorized,
       .operation = kOperation,
       .object_kind = "registry",
       .object_id = target.base.Authority(),
       .hint = target.credentials.has_value()
                   ? "check the credentials"
                   : "the repository may not exist or may need a login"});
}

// Credentials go into the key only as a hash.
std::string CacheKey(const AuthTarget& target) {
  std::string who;
  if (target.credentials.has_value()) {
    const Credentials& c = *target.credentials;
    who = Sha256::Of(absl::StrCat(c.username, "\n", c.password, "\n",
                                  c.identity_token, "\n", c.registry_token))
              .str();
  }
  return absl::StrCat(target.base.str(), "\n", target.scope, "\n", who);
}

// No line break or control character may get into a header.
bool IsHeaderSafe(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(c);
  });
}

std::string BasicHeader(const Credentials& credentials) {
  return absl::StrCat("Basic ",
                      absl::Base64Escape(absl::StrCat(credentials.username, ":",
                                                      credentials.password)));
}

const Challenge* FindChallenge(const std::vector<Challenge>& challenges,
                               absl::string_view scheme) {
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == scheme) return &challenge;
  }
  return nullptr;
}

std::string Parameter(const Challenge& challenge, const char* name) {
  const auto it = challenge.parameters.find(name);
  return it == challenge.parameters.end() ? "" : it->second;
}

// The request to a token server: OAuth2 for identity tokens, else the older
// GET with Basic, which every registry knows.
absl::StatusOr<HttpRequest> TokenRequest(const AuthTarget& target,
                                         const Challenge& challenge,
                                         const Url& realm) {
  const std::string service = Parameter(challenge, "service");
  std::string scope = Parameter(challenge, "scope");
  if (scope.empty()) scope = target.scope;
  HttpRequest request;
  request.max_body_bytes = kMaxTokenAnswerBytes;
  const bool has_identity = target.credentials.has_value() &&
                            !target.credentials->identity_token.empty();
  if (has_identity) {
    request.method = "POST";
    request.url = realm;
    request.headers.emplace_back("Content-Type",
                                 "application/x-www-form-urlencoded");
    request.body = absl::StrCat(
        "grant_type=refresh_token&service=", UrlEscape(service),
        "&client_id=", kClientId, "&scope=", UrlEscape(scope),
        "&refresh_token=", UrlEscape(target.credentials->identity_token));
    return request;
  }
  std::string text = realm.str();
  char separator = absl::StrContains(text, "?") ? '&' : '?';
  const auto add = [&](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, std::string(1, separator), name, "=",
                    UrlEscape(value));
    separator = '&';
  };
  if (!service.empty()) add("service", service);
  for (const absl::string_view part :
       absl::StrSplit(scope, ' ', absl::SkipEmpty())) {
    add("scope", part);
  }
  if (target.credentials.has_value() && !target.credentials->username.empty()) {
    add("account", target.credentials->username);
    request.headers.emplace_back("Authorization",
                                 BasicHeader(*target.credentials));
  }
  CK_ASSIGN_OR_RETURN(request.url, Url::Parse(text), "token server");
  return request;
}

}  // namespace

absl::Status CheckRealm(const ClientOptions& options, const Url& base,
                        const Url& realm) {
  if (realm.SameOrigin(base)) return absl::OkStatus();
  const bool local = IsLocalAddress(realm.host());
  const bool outside_in = local && !IsLocalAddress(base.host());
  // Loopback alone does not excuse plain http here: the realm is the
  // registry's choice, not the user's.
  const bool plain = !realm.https() && !IsOptedIn(options, realm);
  if (!outside_in && !plain) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("registry ", base.Authority(),
                                " sends us to a token server ",
                                plain ? "by plain http" : "at a local address"),
                   {.reason = Reason::kAuthRealmRefused,
                    .operation = kOperation,
                    .object_kind = "registry",
                    .object_id = base.Authority(),
                    .path = realm.Redacted()});
}

std::string Authenticator::CachedHeader(const AuthTarget& target) {
  if (target.credentials.has_value() &&
      !target.credentials->registry_token.empty() &&
      IsHeaderSafe(target.credentials->registry_token)) {
    return absl::StrCat("Bearer ", target.credentials->registry_token);
  }
  const MutexLock lock(&mu_);
  const auto it = cache_.find(CacheKey(target));
  if (it == cache_.end()) return "";
  if (it->second.expires <= absl::Now()) {
    cache_.erase(it);
    return "";
  }
  return it->second.header;
}

absl::StatusOr<std::string> Authenticator::Answer(const AuthTarget& target,
                                                  const HttpResponse& response,
                                                  const CancelToken& cancel) {
  std::vector<Challenge> challenges;
  const auto range = response.headers.equal_range("www-authenticate");
  for (auto it = range.first; it != range.second; ++it) {
    for (Challenge& challenge : ParseChallenges(it->second)) {
      challenges.push_back(std::move(challenge));
    }
  }
  Entry entry;
  if (const Challenge* bearer = FindChallenge(challenges, "bearer")) {
    CK_ASSIGN_OR_RETURN(entry, FetchToken(target, *bearer, cancel));
  } else if (FindChallenge(challenges, "basic") != nullptr) {
    if (!target.credentials.has_value() ||
        target.credentials->username.empty()) {
      return Unauthorized(target,
                          absl::StrCat("registry ", target.base.Authority(),
                                       " asks for a login"));
    }
    entry.header = BasicHeader(*target.credentials);
    entry.expires = absl::InfiniteFuture();
  } else {
    return Unauthorized(
        target, absl::StrCat("registry ", target.base.Authority(),
                             " offers no way to log in that is known here"));
  }
  const MutexLock lock(&mu_);
  if (cache_.size() >= kMaxCachedHeaders) cache_.clear();
  cache_[CacheKey(target)] = entry;
  return entry.header;
}

absl::StatusOr<Authenticator::Entry> Authenticator::FetchToken(
    const AuthTarget& target, const Challenge& challenge,
    const CancelToken& cancel) {
  const absl::StatusOr<Url> realm = Url::Parse(Parameter(challenge, "realm"));
  if (!realm.ok()) {
    return MakeError(absl::StatusCode::kPermissionDenied,
                     absl::StrCat("registry ", target.base.Authority(),
                                  " names no usable token server"),
                     {.reason = Reason::kAuthRealmRefused,
                      .operation = kOperation,
                      .object_kind = "registry",
                      .object_id = target.base.Authority()});
  }
  CK_RETURN_IF_ERROR(CheckRealm(*options_, target.base, *realm));
  CK_ASSIGN_OR_RETURN(HttpRequest request,
                      TokenRequest(target, challenge, *realm));
  CK_ASSIGN_OR_RETURN(request.tls, TlsFor(*options_, request.url));
  request.proxies = target.proxies;
  CK_ASSIGN_OR_RETURN(const HttpResponse response,
                      http_->Perform(request, cancel), "get a token");
  const std::string server = realm->Authority();
  if (response.status == 401 || response.status == 403 ||
      response.status == 400) {
    return Unauthorized(
        target, absl::StrCat("token server ", server, " refused: status ",
                             response.status));
  }
  const bool later = response.status == 429 || response.status >= 500;
  const auto fail = [&](absl::string_view why) {
    return MakeError(absl::StatusCode::kUnavailable,
                     absl::StrCat("token server ", server, ": ", why),
                     {.reason = response.status == 429 ? Reason::kRateLimited
                                                       : Reason::kRegistryError,
                      .operation = kOperation,
                      .path = realm->Redacted(),
                      .retryable = later});
  };
  if (response.status != 200) {
    return fail(absl::StrCat("status ", response.status));
  }
  const auto doc = JsonDocument::Parse(response.body, kOperation);
  if (!doc.ok()) return fail("answer is not JSON");
  std::string token = doc->root().Get("token").String();
  if (token.empty()) token = doc->root().Get("access_token").String();
  const int64_t seconds = std::clamp<int64_t>(
      doc->root().Get("expires_in").Int64(kDefaultExpirySeconds),
      kDefaultExpirySeconds, kMaxExpirySeconds);
  if (!doc->status().ok() || !IsHeaderSafe(token)) {
    return fail("answer without a token");
  }
  // Some seconds early, so that it does not expire on its way.
  return Entry{.header = absl::StrCat("Bearer ", token),
               .expires = absl::Now() + absl::Seconds(seconds * 9 / 10)};
}

}  // namespace containerkit::registry
