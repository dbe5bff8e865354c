#include "lib/registry/client.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/oci/media_type.h"

namespace containerkit::registry {
namespace {

constexpr char kFetchManifest[] = "registry.fetch_manifest";
constexpr char kFetchBlob[] = "registry.fetch_blob";
constexpr char kListTags[] = "registry.list_tags";
constexpr size_t kMaxTagListBytes = 4 << 20;
constexpr int kMostTagPages = 100;
constexpr absl::Duration kMirrorRest = absl::Seconds(30);
// So much progress makes former failures forgotten.
constexpr uint64_t kProgressBytes = 1 << 20;

std::string PullScope(const oci::ImageRef& ref) {
  return absl::StrCat("repository:", ref.path(), ":pull");
}

Digest HashOf(absl::string_view bytes, Digest::Algorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.Update(bytes);
  return hasher.Finish();
}

absl::Status WrongDigest(absl::string_view operation, const Digest& wanted,
                         const Digest& got) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("got bytes with digest ", got.str(),
                                " instead of ", wanted.str()),
                   {.reason = Reason::kDigestMismatch,
                    .operation = std::string(operation),
                    .object_kind = "blob",
                    .object_id = wanted.str()});
}

absl::Status WrongSize(const oci::Descriptor& blob, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat("blob ", blob.digest.str(), " of ",
                                blob.size_bytes, " bytes: ", what),
                   {.reason = Reason::kSizeMismatch,
                    .operation = kFetchBlob,
                    .object_kind = "blob",
                    .object_id = blob.digest.str()});
}

// Adds the tags of one page.
absl::Status AppendTags(absl::string_view body,
                        std::vector<std::string>& tags) {
  const absl::StatusOr<JsonDocument> doc = JsonDocument::Parse(body, kListTags);
  std::vector<std::string> page;
  if (doc.ok()) page = doc->root().Get("tags").Strings();
  const absl::Status status = doc.ok() ? doc->status() : doc.status();
  if (!status.ok()) {
    return MakeError(
        absl::StatusCode::kUnavailable,
        absl::StrCat("the answer is no list of tags: ", status.message()),
        {.reason = Reason::kRegistryError, .operation = kListTags});
  }
  tags.insert(tags.end(), page.begin(), page.end());
  return absl::OkStatus();
}

// The query of <...?query>; rel="next". Only that: a registry cannot send us
// elsewhere. Empty: this was the last page.
std::string NextPage(absl::string_view link) {
  const size_t end = link.find('>');
  const size_t start = link.substr(0, end).find('?');
  if (end == absl::string_view::npos || start == absl::string_view::npos ||
      !absl::StrContains(link.substr(end), "next")) {
    return "";
  }
  return std::string(link.substr(start + 1, end - start - 1));
}

// "bytes 5-9/10": the 5.
std::optional<uint64_t> RangeStart(absl::string_view header) {
  uint64_t start = 0;
  if (!absl::ConsumePrefix(&header, "bytes ") ||
      !absl::SimpleAtoi(header.substr(0, header.find('-')), &start)) {
    return std::nullopt;
  }
  return start;
}

// One blob on its way: what has come, and the checks on what comes.
class BlobTransfer {
 public:
  BlobTransfer(const oci::ImageRef& ref, const oci::Descriptor& blob,
               uint64_t offset, const BlobSink& sink)
      : ref_(ref), blob_(blob), sink_(sink), delivered_(offset) {}

  bool done() const { return delivered_ == blob_.size_bytes; }
  uint64_t delivered() const { return delivered_; }
  // OK, or what the sink answered: no other server can help then.
  const absl::Status& sink_error() const { return sink_error_; }

  // Gets bytes until `send` fails or all are there.
  absl::Status Attempt(
      absl::FunctionRef<absl::StatusOr<HttpResponse>(const RegistryRequest&)>
          send,
      const Url& base) {
    skip_ = 0;
    started_ = false;
    RegistryRequest request;
    request.path = absl::StrCat(ref_.path(), "/blobs/", blob_.digest.str());
    request.scope = PullScope(ref_);
    if (delivered_ > 0) {
      request.headers.emplace_back("Range",
                                   absl::StrCat("bytes=", delivered_, "-"));
    }
    request.sink = [this](const HttpResponse& head, absl::string_view data) {
      return Take(head, data);
    };
    const absl::StatusOr<HttpResponse> response = send(request);
    if (!sink_error_.ok()) return sink_error_;
    CK_RETURN_IF_ERROR(response.status());
    if (response->status != 200 && response->status != 206) {
      return ResponseError(*response, base, Reason::kBlobNotFound);
    }
    if (done()) return absl::OkStatus();
    // The server ended in good order, but early: it may do better next time.
    absl::Status error =
        WrongSize(blob_, absl::StrCat("the server sent only ", delivered_));
    ErrorDetail detail = *GetErrorDetail(error);
    detail.retryable = true;
    SetErrorDetail(error, detail);
    return error;
  }

 private:
  absl::Status Take(const HttpResponse& head, absl::string_view data) {
    if (!started_) {
      started_ = true;
      if (head.status == 206) {
        const auto start = RangeStart(head.Header("content-range"));
        if (start != delivered_) {
          return WrongSize(blob_, "the server sent another range");
        }
      } else {
        skip_ = delivered_;
      }
    }
    const uint64_t skipped = std::min<uint64_t>(skip_, data.size());
    skip_ -= skipped;
    data.remove_prefix(skipped);
    if (data.empty()) return absl::OkStatus();
    if (data.size() > blob_.size_bytes - delivered_) {
      return WrongSize(blob_, "the server sent more");
    }
    sink_error_ = sink_(data);
    CK_RETURN_IF_ERROR(sink_error_);
    delivered_ += data.size();
    return absl::OkStatus();
  }

  const oci::ImageRef& ref_;
  const oci::Descriptor& blob_;
  const BlobSink& sink_;
  uint64_t delivered_;
  uint64_t skip_ = 0;
  bool started_ = false;
  absl::Status sink_error_;
};

// Attempts until the blob is whole; progress makes failures forgotten, so
// their number is bounded by the blob's size.
absl::Status RunTransfer(
    BlobTransfer& transfer, const RetryPolicy& policy, const CallOptions& call,
    const Url& base,
    absl::FunctionRef<absl::StatusOr<HttpResponse>(const RegistryRequest&)>
        send) {
  int failures = 0;
  while (!transfer.done()) {
    const uint64_t before = transfer.delivered();
    const absl::Status status = transfer.Attempt(send, base);
    if (status.ok()) break;
    CK_RETURN_IF_ERROR(transfer.sink_error());
    if (transfer.delivered() - before >= kProgressBytes) failures = 0;
    const std::optional<absl::Duration> delay =
        RetryDelay(policy, status, ++failures);
    if (!delay.has_value()) return status;
    if (call.on_retry != nullptr) call.on_retry(status.message());
    CK_RETURN_IF_ERROR(CancellableSleep(call.cancel, *delay, kFetchBlob));
  }
  return absl::OkStatus();
}

}  // namespace

Client::Client(ClientOptions options)
    : options_(std::move(options)), transport_(&options_) {}

absl::Status Client::ForEachEndpoint(
    const oci::ImageRef& ref, const CallOptions& call,
    absl::FunctionRef<absl::Status(const Endpoint&)> fn) {
  CK_ASSIGN_OR_RETURN(const std::vector<Endpoint> endpoints,
                      EndpointsFor(options_, ref.domain()));
  absl::Status status;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.is_mirror) {
      const MutexLock lock(&mu_);
      const auto it = resting_.find(endpoint.domain);
      if (it != resting_.end() && it->second > absl::Now()) continue;
    }
    status = fn(endpoint);
    if (status.ok() || absl::IsCancelled(status)) break;
    const Reason reason = GetReason(status);
    if (endpoint.is_mirror &&
        (reason == Reason::kRegistryUnreachable ||
         reason == Reason::kProxyRefused || reason == Reason::kTimeout)) {
      const MutexLock lock(&mu_);
      resting_[endpoint.domain] = absl::Now() + kMirrorRest;
    }
    if (endpoint.is_mirror && call.on_retry != nullptr) {
      call.on_retry(
          absl::StrCat("mirror ", endpoint.domain, ": ", status.message()));
    }
  }
  return status;
}

absl::StatusOr<Digest> Client::Resolve(const oci::ImageRef& ref,
                                       const CallOptions& call) {
  if (!ref.digest().empty()) return ref.digest();
  Digest digest;
  const absl::Status status =
      ForEachEndpoint(ref, call, [&](const Endpoint& endpoint) -> absl::Status {
        RegistryRequest request;
        request.method = "HEAD";
        request.path = absl::StrCat(ref.path(), "/manifests/", ref.tag());
        request.scope = PullScope(ref);
        request.headers = {{"Accept", oci::kManifestAccept}};
        const auto response = transport_.SendWithRetry(endpoint, request, call);
        CK_RETURN_IF_ERROR(response.status());
        const auto found =
            Digest::Parse(response->Header("docker-content-digest"));
        if (found.ok()) digest = *found;
        return absl::OkStatus();
      });
  if (status.ok() && !digest.empty()) return digest;
  const Reason reason = GetReason(status);
  // Servers without HEAD, or without the header: GET tells, or says why not.
  if (status.ok() || reason == Reason::kRegistryError ||
      reason == Reason::kImageNotFound) {
    CK_ASSIGN_OR_RETURN(const FetchedManifest manifest,
                        FetchManifest(ref, call));
    return manifest.digest;
  }
  return status;
}

absl::StatusOr<FetchedManifest> Client::FetchManifest(const oci::ImageRef& ref,
                                                      const CallOptions& call) {
  FetchedManifest manifest;
  const auto fetch = [&](const Endpoint& endpoint) -> absl::Status {
    RegistryRequest request;
    request.path = absl::StrCat(ref.path(), "/manifests/", ref.TagOrDigest());
    request.scope = PullScope(ref);
    request.headers = {{"Accept", oci::kManifestAccept}};
    request.max_body_bytes = oci::kMaxManifestBytes;
    CK_ASSIGN_OR_RETURN(HttpResponse response,
                        transport_.SendWithRetry(endpoint, request, call));
    Digest wanted = ref.digest();
    if (wanted.empty()) {
      const auto announced =
          Digest::Parse(response.Header("docker-content-digest"));
      if (announced.ok()) wanted = *announced;
    }
    const Digest got = HashOf(response.body, wanted.algorithm());
    if (!wanted.empty() && got != wanted) {
      return WrongDigest(kFetchManifest, wanted, got);
    }
    manifest.digest = got;
    manifest.media_type = std::string(response.Header("content-type"));
    manifest.bytes = std::move(response.body);
    return absl::OkStatus();
  };
  CK_RETURN_IF_ERROR(ForEachEndpoint(ref, call, fetch));
  return manifest;
}

absl::StatusOr<std::vector<std::string>> Client::ListTags(
    const oci::ImageRef& ref, const CallOptions& call) {
  std::vector<std::string> tags;
  const auto fetch = [&](const Endpoint& endpoint) -> absl::Status {
    tags.clear();
    std::string query = "n=1000";
    for (int page = 0; page < kMostTagPages; ++page) {
      RegistryRequest request;
      request.path = absl::StrCat(ref.path(), "/tags/list?", query);
      request.scope = PullScope(ref);
      request.max_body_bytes = kMaxTagListBytes;
      CK_ASSIGN_OR_RETURN(const HttpResponse response,
                          transport_.SendWithRetry(endpoint, request, call));
      CK_RETURN_IF_ERROR(AppendTags(response.body, tags));
      query = NextPage(response.Header("link"));
      if (query.empty()) return absl::OkStatus();
    }
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("more than ", kMostTagPages, " pages of tags"),
        {.reason = Reason::kLimitExceeded, .operation = kListTags});
  };
  CK_RETURN_IF_ERROR(ForEachEndpoint(ref, call, fetch));
  return tags;
}

absl::StatusOr<std::string> Client::FetchBlob(const oci::ImageRef& ref,
                                              const oci::Descriptor& blob,
                                              size_t max_bytes,
                                              const CallOptions& call) {
  if (blob.size_bytes > max_bytes) {
    return MakeError(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("blob ", blob.digest.str(), " of ", blob.size_bytes,
                     " bytes is larger than ", max_bytes),
        {.reason = Reason::kLimitExceeded,
         .operation = kFetchBlob,
         .object_kind = "blob",
         .object_id = blob.digest.str()});
  }
  std::string bytes;
  CK_RETURN_IF_ERROR(StreamBlob(
      ref, blob, 0,
      [&](absl::string_view data) {
        bytes.append(data.data(), data.size());
        return absl::OkStatus();
      },
      call));
  const Digest got = HashOf(bytes, blob.digest.algorithm());
  if (got != blob.digest) {
    return WrongDigest(kFetchBlob, blob.digest, got);
  }
  return bytes;
}

absl::Status Client::StreamBlob(const oci::ImageRef& ref,
                                const oci::Descriptor& blob, uint64_t offset,
                                const BlobSink& sink, const CallOptions& call) {
  if (offset > blob.size_bytes) {
    return WrongSize(blob, absl::StrCat("there are already ", offset));
  }
  BlobTransfer transfer(ref, blob, offset, sink);
  absl::Status status =
      ForEachEndpoint(ref, call, [&](const Endpoint& endpoint) -> absl::Status {
        if (!transfer.sink_error().ok()) return transfer.sink_error();
        RetryPolicy policy = options_.retry;
        if (endpoint.is_mirror) policy.max_attempts = 2;
        return RunTransfer(transfer, policy, call, endpoint.bases[0],
                           [&](const RegistryRequest& request) {
                             return transport_.Send(endpoint, request, call);
                           });
      });
  CK_RETURN_IF_ERROR(transfer.sink_error());
  // Foreign layers live elsewhere; the registry may not have them.
  if (!status.ok() && GetReason(status) == Reason::kBlobNotFound) {
    for (const std::string& text : blob.urls) {
      const absl::StatusOr<Url> url = Url::Parse(text);
      if (!url.ok() || !url->https()) continue;
      status = RunTransfer(transfer, options_.retry, call, *url,
                           [&](const RegistryRequest& request) {
                             return transport_.GetForeign(*url, request, call);
                           });
      CK_RETURN_IF_ERROR(transfer.sink_error());
      if (status.ok()) break;
    }
  }
  return status;
}

}  // namespace containerkit::registry
