#include "lib/registry/transport.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/json.h"
#include "lib/base/status.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.request";
constexpr int kMaxRedirects = 10;
constexpr size_t kMaxErrorText = 200;
// Carries the seconds of Retry-After beside the ErrorDetail, in this library.
constexpr char kRetryAfterUrl[] = "type.containerkit.dev/registry.RetryAfter";

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

// Seconds, or an HTTP date.
std::optional<absl::Duration> RetryAfter(const HttpResponse& response) {
  const absl::string_view text = response.Header("retry-after");
  int64_t seconds = 0;
  if (absl::SimpleAtoi(text, &seconds) && seconds >= 0) {
    return absl::Seconds(std::min<int64_t>(seconds, 1000000));
  }
  absl::Time when;
  std::string error;
  if (!text.empty() && absl::ascii_isalpha(text[0]) && text.size() < 40 &&
      absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", text, &when, &error)) {
    return std::max(when - absl::Now(), absl::ZeroDuration());
  }
  return std::nullopt;
}

// "CODE: message" of a registry's error document, printable and short.
std::string ErrorText(absl::string_view body) {
  const auto doc = JsonDocument::Parse(body, kOperation,
                                       {.max_depth = 8, .max_values = 10000});
  if (!doc.ok()) return "";
  const auto errors = doc->root().Get("errors").Elements();
  if (errors.empty()) return "";
  const std::string text = absl::StrCat(errors[0].Get("code").String(), ": ",
                                        errors[0].Get("message").String());
  return absl::CHexEscape(text.substr(0, kMaxErrorText));
}

// "100;w=21600": the number, and the seconds if they are told.
bool ReadQuota(absl::string_view text, int64_t& count, int64_t& seconds) {
  const size_t semicolon = text.find(';');
  if (!absl::SimpleAtoi(text.substr(0, semicolon), &count) || count < 0) {
    return false;
  }
  seconds = 0;
  if (semicolon == absl::string_view::npos) return true;
  absl::string_view window =
      absl::StripAsciiWhitespace(text.substr(semicolon + 1));
  if (absl::ConsumePrefix(&window, "w=") &&
      (!absl::SimpleAtoi(window, &seconds) || seconds < 0)) {
    seconds = 0;
  }
  return true;
}

void TellNotices(const HttpResponse& response, const Url& base,
                 const CallOptions& call) {
  if (call.on_warning != nullptr) {
    for (const std::string& text : WarningsOf(response)) {
      call.on_warning(
          absl::StrCat("registry ", base.Authority(), " warns: ", text));
    }
  }
  const std::string left = RateLimitOf(response);
  if (call.on_rate_limit != nullptr && !left.empty()) {
    call.on_rate_limit(absl::StrCat("registry ", base.Authority(), ": ", left));
  }
}

void AttachRetryAfter(absl::Status& status, const HttpResponse& response) {
  const std::optional<absl::Duration> after = RetryAfter(response);
  if (!after.has_value()) return;
  status.SetPayload(
      kRetryAfterUrl,
      absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(*after))));
}

// Go's and nginx's answer to plain http on a TLS port.
bool WantsTls(const absl::StatusOr<HttpResponse>& response) {
  if (response.ok()) return response->status == 400;
  const std::optional<ErrorDetail> detail = GetErrorDetail(response.status());
  return detail.has_value() && detail->reason == Reason::kRegistryUnreachable &&
         detail->os_errno == 0;
}

}  // namespace

std::vector<std::string> WarningsOf(const HttpResponse& response) {
  constexpr size_t kMaxWarnings = 8;
  constexpr size_t kMaxWarningBytes = 4096;
  std::vector<std::string> warnings;
  const auto range = response.headers.equal_range("warning");
  for (auto it = range.first; it != range.second; ++it) {
    // 299 - "text", and no date: the rest of RFC 7234 is for caches.
    absl::string_view rest = it->second;
    if (!absl::ConsumePrefix(&rest, "299 - \"") ||
        !absl::ConsumeSuffix(&rest, "\"") || rest.empty() ||
        rest.size() > kMaxWarningBytes) {
      continue;
    }
    std::string text;
    for (size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      text.push_back(rest[i]);
    }
    warnings.push_back(absl::Utf8SafeCHexEscape(text));
    if (warnings.size() == kMaxWarnings) break;
  }
  return warnings;
}

std::string RateLimitOf(const HttpResponse& response) {
  int64_t left = 0;
  int64_t limit = 0;
  int64_t seconds = 0;
  if (!ReadQuota(response.Header("ratelimit-remaining"), left, seconds)) {
    return "";
  }
  std::string text = absl::StrCat(left);
  if (ReadQuota(response.Header("ratelimit-limit"), limit, seconds)) {
    absl::StrAppend(&text, " of ", limit);
  }
  absl::StrAppend(&text, " requests are left");
  if (seconds > 0) absl::StrAppend(&text, " (in ", seconds, " s)");
  return text;
}

absl::Status ResponseError(const HttpResponse& response, const Url& base,
                           Reason missing) {
  ErrorDetail detail = {.reason = Reason::kRegistryError,
                        .operation = kOperation,
                        .object_kind = "registry",
                        .object_id = base.Authority()};
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  const int status = response.status;
  if (status == 401) {
    code = absl::StatusCode::kUnauthenticated;
    detail.reason = Reason::kUnauthorized;
    detail.hint = "the repository may not exist or may need a login";
  } else if (status == 403) {
    code = absl::StatusCode::kPermissionDenied;
    detail.reason = Reason::kUnauthorized;
  } else if (status == 404) {
    code = absl::StatusCode::kNotFound;
    detail.reason = missing;
  } else if (status == 429) {
    detail.reason = Reason::kRateLimited;
    detail.retryable = true;
    detail.hint = "wait, or log in for a higher limit";
  } else if (status == 408 || status >= 500) {
    detail.retryable = true;
  } else {
    code = absl::StatusCode::kFailedPrecondition;
  }
  std::string text = ErrorText(response.body);
  if (status == 429 && !RateLimitOf(response).empty()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", RateLimitOf(response));
  }
  absl::Status error =
      MakeError(code,
                absl::StrCat("registry ", base.Authority(), " answered ",
                             status, text.empty() ? "" : ": ", text),
                detail);
  AttachRetryAfter(error, response);
  return error;
}

std::optional<absl::Duration> RetryDelay(const RetryPolicy& policy,
                                         const absl::Status& error,
                                         int failures) {
  const std::optional<ErrorDetail> detail = GetErrorDetail(error);
  if (!detail.has_value() || !detail->retryable) return std::nullopt;
  if (failures >= policy.max_attempts) return std::nullopt;
  absl::Duration delay = policy.first_delay;
  for (int i = 1; i < failures && delay < policy.max_delay; ++i) delay *= 2;
  delay = std::min(delay, policy.max_delay);
  int64_t after_ms = 0;
  const absl::optional<absl::Cord> payload = error.GetPayload(kRetryAfterUrl);
  if (payload.has_value() &&
      absl::SimpleAtoi(std::string(*payload), &after_ms)) {
    const absl::Duration after = absl::Milliseconds(after_ms);
    if (after > policy.max_retry_after) return std::nullopt;
    delay = std::max(delay, after);
  }
  return delay;
}

Transport::Transport(const ClientOptions* options)
    : options_(options),
      http_(options->http),
      authenticator_(options, &http_) {}

absl::StatusOr<std::optional<Credentials>> Transport::CredentialsFor(
    const std::string& domain, const CallOptions& call) {
  {
    const MutexLock lock(&mu_);
    const auto it = credentials_.find(domain);
    if (it != credentials_.end()) return it->second;
  }
  // Without the lock: a helper may take its time.
  CK_ASSIGN_OR_RETURN(std::optional<Credentials> found,
                      options_->docker_config.Lookup(domain, call.cancel));
  const MutexLock lock(&mu_);
  credentials_[domain] = found;
  return found;
}

ProxySettings Transport::ProxiesFor(const CallOptions& call) const {
  return Merge(options_->proxies,
               Merge(call.proxies, options_->docker_config.proxies()));
}

absl::StatusOr<Url> Transport::BaseOf(const Endpoint& endpoint,
                                      const CallOptions& call) {
  if (endpoint.bases.size() == 1) return endpoint.bases[0];
  {
    const MutexLock lock(&mu_);
    const auto it = bases_.find(endpoint.domain);
    if (it != bases_.end()) return it->second;
  }
  absl::Status first_error;
  for (const Url& base : endpoint.bases) {
    HttpRequest probe;
    probe.url = base;
    probe.proxies = ProxiesFor(call);
    CK_ASSIGN_OR_RETURN(probe.tls, TlsFor(*options_, base));
    const auto response = http_.Perform(probe, call.cancel);
    if (absl::IsCancelled(response.status())) return response.status();
    const bool last = &base == &endpoint.bases.back();
    if (response.ok() && (base.https() || !WantsTls(response) || last)) {
      const MutexLock lock(&mu_);
      bases_[endpoint.domain] = base;
      return base;
    }
    if (response.ok()) continue;
    if (first_error.ok()) first_error = response.status();
    // The second choice's certificate error, or that a proxy wants a login,
    // says more than the first's hang-up.
    const Reason reason = GetReason(response.status());
    if (reason == Reason::kTlsFailed || reason == Reason::kProxyRefused) {
      first_error = response.status();
    }
    // A refused connection is refused in either scheme.
    if (!base.https() && !WantsTls(response)) break;
  }
  return first_error;
}

absl::Status CheckRedirect(const ClientOptions& options, const Url& from,
                           const Url& to) {
  absl::string_view why;
  if (from.https() && !to.https()) {
    why = "from https to http";
  } else if (!MayAsk(options, to)) {
    why = "to plain http";
  } else if (IsLocalAddress(to.host()) && !IsLocalAddress(from.host())) {
    why = "to a local address";
  } else {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("redirect ", why, " refused: ",
                                from.Authority(), " -> ", to.Authority()),
                   {.reason = Reason::kRedirectRefused,
                    .operation = "registry.redirect",
                    .object_kind = "registry",
                    .object_id = from.Authority(),
                    .path = to.Redacted()});
}

absl::StatusOr<HttpResponse> Transport::Follow(Url url, AuthTarget* target,
                                               const RegistryRequest& request,
                                               const CallOptions& call) {
  bool at_home = target != nullptr;
  bool logged_in = false;
  std::string authorization =
      at_home ? authenticator_.CachedHeader(*target) : "";
  for (int redirects = 0; redirects <= kMaxRedirects;) {
    HttpRequest http;
    http.method = request.method;
    http.url = url;
    http.headers = request.headers;
    http.max_body_bytes = request.max_body_bytes;
    http.sink = request.sink;
    http.proxies = ProxiesFor(call);
    CK_ASSIGN_OR_RETURN(http.tls, TlsFor(*options_, url));
    if (at_home) {
      for (const auto& header : options_->docker_config.http_headers()) {
        http.headers.push_back(header);
      }
      for (const auto& header : call.http_headers) {
        http.headers.push_back(header);
      }
      if (!authorization.empty()) {
        http.headers.emplace_back("Authorization", authorization);
      }
    }
    CK_ASSIGN_OR_RETURN(HttpResponse response,
                        http_.Perform(http, call.cancel));
    if (at_home) TellNotices(response, target->base, call);
    if (response.status == 401 && at_home && !logged_in) {
      CK_ASSIGN_OR_RETURN(
          authorization, authenticator_.Answer(*target, response, call.cancel));
      logged_in = true;
      continue;
    }
    if (!IsRedirect(response.status)) return response;
    ++redirects;
    const absl::StatusOr<Url> next = url.Resolve(response.Header("location"));
    if (!next.ok()) {
      return MakeError(
          absl::StatusCode::kPermissionDenied,
          absl::StrCat(url.Authority(), " redirects to an unusable place"),
          {.reason = Reason::kRedirectRefused,
           .operation = "registry.redirect",
           .path = url.Redacted()});
    }
    CK_RETURN_IF_ERROR(CheckRedirect(*options_, url, *next));
    at_home = at_home && next->SameOrigin(target->base);
    url = *next;
  }
  return MakeError(absl::StatusCode::kPermissionDenied,
                   absl::StrCat("more than ", kMaxRedirects, " redirects"),
                   {.reason = Reason::kRedirectRefused,
                    .operation = "registry.redirect",
                    .path = url.Redacted()});
}

absl::StatusOr<HttpResponse> Transport::Send(const Endpoint& endpoint,
                                             const RegistryRequest& request,
                                             const CallOptions& call) {
  CK_ASSIGN_OR_RETURN(const Url base, BaseOf(endpoint, call));
  AuthTarget target = {.base = base,
                       .scope = request.scope,
                       .credentials = std::nullopt,
                       .proxies = ProxiesFor(call)};
  // The caller's credentials are for the registry, not for its mirrors.
  if (call.credentials.has_value() && !endpoint.is_mirror) {
    target.credentials = call.credentials;
  } else {
    CK_ASSIGN_OR_RETURN(target.credentials,
                        CredentialsFor(endpoint.domain, call));
  }
  std::string text = absl::StrCat(base.str(), request.path);
  if (endpoint.is_mirror) {
    // One mirror may serve several registries (distribution-spec, "Registry
    // Proxying").
    absl::StrAppend(&text, absl::StrContains(request.path, "?") ? "&" : "?",
                    "ns=", UrlEscape(endpoint.stands_for));
  }
  CK_ASSIGN_OR_RETURN(const Url url, Url::Parse(text));
  absl::StatusOr<HttpResponse> response = Follow(url, &target, request, call);
  if (WantsTls(response) ||
      GetReason(response.status()) == Reason::kTlsFailed) {
    // The server may have changed its scheme: find out anew next time.
    const MutexLock lock(&mu_);
    bases_.erase(endpoint.domain);
  }
  return response;
}

absl::StatusOr<HttpResponse> Transport::SendWithRetry(
    const Endpoint& endpoint, const RegistryRequest& request,
    const CallOptions& call) {
  const Reason missing = Reason::kImageNotFound;
  RetryPolicy policy = options_->retry;
  if (endpoint.is_mirror) policy.max_attempts = 2;
  for (int failures = 0;;) {
    absl::StatusOr<HttpResponse> response = Send(endpoint, request, call);
    absl::Status error = response.status();
    if (response.ok()) {
      if (response->status / 100 == 2) return response;
      error = ResponseError(*response, endpoint.bases[0], missing);
    }
    const std::optional<absl::Duration> delay =
        RetryDelay(policy, error, ++failures);
    if (!delay.has_value()) return error;
    if (call.on_retry != nullptr) call.on_retry(error.message());
    CK_RETURN_IF_ERROR(CancellableSleep(call.cancel, *delay, kOperation));
  }
}

absl::StatusOr<HttpResponse> Transport::GetForeign(
    const Url& url, const RegistryRequest& request, const CallOptions& call) {
  if (!url.https() || IsLocalAddress(url.host())) {
    return MakeError(
        absl::StatusCode::kPermissionDenied,
        absl::StrCat("foreign layer at ", url.Authority(), " refused"),
        {.reason = Reason::kRedirectRefused,
         .operation = kOperation,
         .path = url.Redacted()});
  }
  return Follow(url, nullptr, request, call);
}

}  // namespace containerkit::registry
