#include "lib/registry/http.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"

namespace containerkit::registry {
namespace {

constexpr char kOperation[] = "registry.http";
constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr size_t kMaxIdleSlots = 8;
// libcurl's largest; fewer, longer pieces for the sink.
constexpr long kReceiveBufferBytes = 512 << 10;  // NOLINT: curl's type
constexpr int kPollMs = 250;
constexpr int kProxyLoginWanted = 407;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// OpenSSL writes to sockets without MSG_NOSIGNAL, and the process's SIGPIPE
// action is the host's. Blocks the signal on this thread and swallows the one
// that a broken connection may have raised.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &block, &old_);
  }
  ~SigpipeGuard() {
    if (!was_pending_) {
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      const timespec now = {};
      sigtimedwait(&pipe, nullptr, &now);
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t old_;
  bool was_pending_ = false;
};

curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
}

std::set<int> OpenDescriptors() {
  std::set<int> fds;
  DIR* const dir = opendir("/proc/self/fd");
  if (dir == nullptr) return fds;
  while (const dirent* entry = readdir(dir)) {
    int fd = -1;
    if (absl::SimpleAtoi(entry->d_name, &fd) && fd != dirfd(dir)) {
      fds.insert(fd);
    }
  }
  closedir(dir);
  return fds;
}

// curl 7.88 makes its wake-up socket pair without O_CLOEXEC. Finds the pair
// among the descriptors that are new since `before`: unnamed, non-blocking
// unix stream sockets.
void SetCloexecOnNewSocketPairs(const std::set<int>& before) {
  for (const int fd : OpenDescriptors()) {
    if (before.count(fd) != 0) continue;
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) continue;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
        domain != AF_UNIX || (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {
      continue;
    }
    fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

// OpenSSL's words for a server that ended the connection for what we are. In
// TLS 1.3 it does so after the handshake, so that curl calls it a read error.
bool IsTlsAlert(absl::string_view text) {
  return absl::StrContains(text, "SSL routines:") &&
         absl::StrContains(text, "alert") &&
         (absl::StrContains(text, "cert") ||
          absl::StrContains(text, "unknown ca"));
}

bool IsTlsError(CURLcode rc) {
  switch (rc) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return true;
    default:
      return false;
  }
}

// What the callbacks of one transfer share.
struct Transfer {
  const HttpRequest* request = nullptr;
  const CancelToken* cancel = nullptr;
  HttpResponse response;
  absl::Status error;
  size_t header_bytes = 0;
  bool header_done = false;
  // The window in which a minimum of bytes must come.
  absl::Time window_start;
  absl::Duration window_sink_time;
  uint64_t window_bytes = 0;
};

absl::Status TooLarge(const HttpRequest& request, absl::string_view what,
                      size_t limit) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("answer has ", what, " of more than ", limit, " bytes"),
      {.reason = Reason::kLimitExceeded,
       .operation = kOperation,
       .path = request.url.Redacted()});
}

size_t OnHeader(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.window_bytes += size;
  transfer.header_bytes += size;
  if (transfer.header_bytes > kMaxHeaderBytes) {
    transfer.error = TooLarge(*transfer.request, "headers", kMaxHeaderBytes);
    return 0;
  }
  const absl::string_view line =
      absl::StripAsciiWhitespace(absl::string_view(data, size));
  if (absl::StartsWith(line, "HTTP/")) {
    // A new block: the one before was informational or the proxy's.
    transfer.response = HttpResponse();
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return size;
  transfer.response.headers.emplace(
      absl::AsciiStrToLower(line.substr(0, colon)),
      absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return size;
}

size_t OnBody(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.window_bytes += size;
  if (transfer.cancel->cancelled()) return 0;
  HttpResponse& response = transfer.response;
  const HttpRequest& request = *transfer.request;
  if (request.sink != nullptr &&
      (response.status == 200 || response.status == 206)) {
    const absl::Time start = absl::Now();
    transfer.error = request.sink(response, absl::string_view(data, size));
    transfer.window_sink_time += absl::Now() - start;
    return transfer.error.ok() ? size : 0;
  }
  if (response.body.size() + size > request.max_body_bytes) {
    transfer.error = TooLarge(request, "a body", request.max_body_bytes);
    return 0;
  }
  response.body.append(data, size);
  return size;
}

}  // namespace

absl::string_view HttpResponse::Header(absl::string_view name) const {
  const auto it = headers.find(std::string(name));
  return it == headers.end() ? absl::string_view() : it->second;
}

// A multi handle owns the connection cache, an easy handle the request.
struct HttpClient::Slot {
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
  ~Slot() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    if (multi != nullptr) curl_multi_cleanup(multi);
  }
};

namespace {

class Performer {
 public:
  Performer(const HttpOptions& options, const HttpRequest& request,
            const std::string& proxy, const CancelToken& cancel, CURLM* multi,
            CURL* easy)
      : options_(options),
        request_(request),
        proxy_(proxy),
        cancel_(cancel),
        multi_(multi),
        easy_(easy) {}

  absl::StatusOr<HttpResponse> Run() {
    SetUp();
    const SigpipeGuard guard;
    transfer_.window_start = absl::Now();
    curl_multi_add_handle(multi_, easy_);
    absl::Status status = Loop();
    curl_multi_remove_handle(multi_, easy_);
    // A sink's own error says more than curl's "write failed".
    if (!transfer_.error.ok()) return transfer_.error;
    CK_RETURN_IF_ERROR(CheckCancelled(cancel_, kOperation));
    CK_RETURN_IF_ERROR(status);
    if (transfer_.response.status == kProxyLoginWanted && IsForwarded()) {
      return ProxyRefusal(proxy_, kProxyLoginWanted, request_.url);
    }
    return std::move(transfer_.response);
  }

 private:
  // The proxy reads the request and answers itself if it likes.
  bool IsForwarded() const {
    return !request_.url.https() && absl::StartsWith(proxy_, "http");
  }

  template <typename T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(easy_, option, value);
  }

  void SetUp() {
    curl_easy_reset(easy_);
    transfer_.request = &request_;
    transfer_.cancel = &cancel_;
    Set(CURLOPT_URL, request_.url.str().c_str());
    Set(CURLOPT_PROTOCOLS_STR, "http,https");
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(CURLOPT_NOSIGNAL, 1L);
    // Cancelling must not wait for a name server.
    Set(CURLOPT_QUICK_EXIT, 1L);
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    // Empty strings keep libcurl from reading the environment.
    Set(CURLOPT_PROXY, proxy_.c_str());
    Set(CURLOPT_NOPROXY, "");
    Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    Set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    Set(CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
    Set(CURLOPT_TCP_KEEPALIVE, 1L);
    Set(CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(absl::ToInt64Milliseconds(options_.connect_timeout)));
    Set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
    Set(CURLOPT_ERRORBUFFER, error_text_);
    Set(CURLOPT_HEADERFUNCTION, &OnHeaderWithStatus);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &OnBody);
    Set(CURLOPT_WRITEDATA, &transfer_);
    SetUpMethod();
    SetUpTls();
  }

  void SetUpMethod() {
    if (request_.method == "HEAD") {
      Set(CURLOPT_NOBODY, 1L);
    } else if (request_.method == "POST") {
      Set(CURLOPT_POST, 1L);
      Set(CURLOPT_POSTFIELDSIZE_LARGE,
          static_cast<curl_off_t>(request_.body.size()));
      Set(CURLOPT_POSTFIELDS, request_.body.c_str());
    } else if (request_.method != "GET") {
      Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    curl_slist* list = nullptr;
    for (const auto& [name, value] : request_.headers) {
      list = curl_slist_append(list, absl::StrCat(name, ": ", value).c_str());
    }
    // No "Expect: 100-continue" wait.
    list = curl_slist_append(list, "Expect:");
    headers_.reset(list);
    Set(CURLOPT_HTTPHEADER, headers_.get());
  }

  void SetUpTls() {
    const TlsOptions& tls = request_.tls;
    Set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
    Set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
    Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!tls.extra_ca_pem.empty()) {
      // The blob replaces the system's bundle file, not its directory.
      curl_blob blob = {
          .data = const_cast<char*>(tls.extra_ca_pem.data()),
          .len = tls.extra_ca_pem.size(),
          .flags = CURL_BLOB_COPY,
      };
      Set(CURLOPT_CAINFO_BLOB, &blob);
    }
    if (!tls.client_cert_path.empty()) {
      Set(CURLOPT_SSLCERT, tls.client_cert_path.c_str());
      Set(CURLOPT_SSLKEY, tls.client_key_path.c_str());
    }
  }

  // The status must be known before the first header and body callbacks.
  static size_t OnHeaderWithStatus(char* data, size_t n, size_t size,
                                   void* user) {
    auto& self = *static_cast<Performer*>(user);
    const size_t taken = OnHeader(data, n, size, &self.transfer_);
    long status = 0;  // NOLINT: curl's type
    curl_easy_getinfo(self.easy_, CURLINFO_RESPONSE_CODE, &status);
    self.transfer_.response.status = static_cast<int>(status);
    return taken;
  }

  absl::Status Loop() {
    while (true) {
      int running = 0;
      const CURLMcode rc = curl_multi_perform(multi_, &running);
      if (rc != CURLM_OK) {
        return InternalError(kOperation, curl_multi_strerror(rc));
      }
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) {
          return FromCurl(message->data.result);
        }
      }
      CK_RETURN_IF_ERROR(CheckCancelled(cancel_, kOperation));
      CK_RETURN_IF_ERROR(CheckPace());
      curl_waitfd wait = {
          .fd = cancel_.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
      curl_multi_poll(multi_, &wait, wait.fd >= 0 ? 1 : 0, kPollMs, nullptr);
    }
  }

  absl::Status CheckPace() {
    const absl::Time now = absl::Now();
    const absl::Duration spent =
        now - transfer_.window_start - transfer_.window_sink_time;
    if (spent < options_.stall_timeout) return absl::OkStatus();
    const double wanted = absl::ToDoubleSeconds(spent) *
                          static_cast<double>(options_.min_bytes_per_second);
    if (static_cast<double>(transfer_.window_bytes) < wanted) {
      return MakeError(absl::StatusCode::kDeadlineExceeded,
                       absl::StrCat(request_.url.Redacted(), " sent ",
                                    transfer_.window_bytes, " bytes in ",
                                    absl::FormatDuration(absl::Floor(
                                        spent, absl::Milliseconds(1)))),
                       {.reason = Reason::kTimeout,
                        .operation = kOperation,
                        .path = request_.url.Redacted(),
                        .retryable = true});
    }
    transfer_.window_start = now;
    transfer_.window_sink_time = absl::ZeroDuration();
    transfer_.window_bytes = 0;
    return absl::OkStatus();
  }

  absl::Status FromCurl(CURLcode rc) {
    if (rc == CURLE_OK) return absl::OkStatus();
    // What the proxy itself answered to CONNECT.
    long answer = 0;  // NOLINT: curl's type
    curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &answer);
    if (answer >= 300 && answer < 500) {
      return ProxyRefusal(proxy_, static_cast<int>(answer), request_.url);
    }
    ErrorDetail detail = {.reason = Reason::kRegistryUnreachable,
                          .operation = kOperation,
                          .path = request_.url.Redacted(),
                          .retryable = true};
    long os_errno = 0;  // NOLINT: curl's type
    curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_errno);
    detail.os_errno = static_cast<int>(os_errno);
    absl::StatusCode code = absl::StatusCode::kUnavailable;
    const absl::string_view text =
        error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(rc);
    if (IsTlsAlert(text)) {
      detail.reason = Reason::kTlsFailed;
      detail.retryable = false;
      detail.hint =
          "put the client certificate that the registry wants, *.cert and "
          "*.key, into the certificates directory";
    } else if (IsTlsError(rc)) {
      detail.reason = Reason::kTlsFailed;
      detail.retryable = false;
      detail.hint =
          "put the registry's CA certificate into the certificates directory, "
          "or name the registry as insecure";
    } else if (rc == CURLE_OPERATION_TIMEDOUT) {
      detail.reason = Reason::kTimeout;
      code = absl::StatusCode::kDeadlineExceeded;
    } else if (rc == CURLE_OUT_OF_MEMORY) {
      code = absl::StatusCode::kResourceExhausted;
    }
    if (!proxy_.empty() && detail.hint.empty()) {
      detail.hint =
          "the request went through a proxy: see HTTPS_PROXY, HTTP_PROXY and "
          "NO_PROXY, or proxies of config.json";
    }
    return MakeError(code, absl::StrCat(request_.url.Redacted(), ": ", text),
                     detail);
  }

  const HttpOptions& options_;
  const HttpRequest& request_;
  const std::string& proxy_;
  const CancelToken& cancel_;
  CURLM* const multi_;
  CURL* const easy_;
  HeaderList headers_;
  Transfer transfer_;
  char error_text_[CURL_ERROR_SIZE] = "";
};

}  // namespace

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Slot> HttpClient::TakeSlot() {
  {
    const MutexLock lock(&mu_);
    if (!idle_.empty()) {
      std::unique_ptr<Slot> slot = std::move(idle_.back());
      idle_.pop_back();
      return slot;
    }
  }
  static Mutex creation;
  const MutexLock lock(&creation);
  // Once a process, and only when there is something to fetch: it takes
  // longer than the start of a container. libcurl counts its users and is
  // never cleaned up, as other code of the host may use it too.
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(global);
  const std::set<int> before = OpenDescriptors();
  auto slot = std::make_unique<Slot>();
  slot->multi = curl_multi_init();
  slot->easy = curl_easy_init();
  SetCloexecOnNewSocketPairs(before);
  return slot;
}

void HttpClient::ReturnSlot(std::unique_ptr<Slot> slot) {
  // The request's strings go away; the connections stay.
  curl_easy_reset(slot->easy);
  const MutexLock lock(&mu_);
  if (idle_.size() < kMaxIdleSlots) idle_.push_back(std::move(slot));
}

absl::StatusOr<HttpResponse> HttpClient::Perform(const HttpRequest& request,
                                                 const CancelToken& cancel) {
  CK_RETURN_IF_ERROR(CheckCancelled(cancel, kOperation));
  CK_ASSIGN_OR_RETURN(const std::string proxy,
                      ProxyFor(request.proxies, request.url));
  std::unique_ptr<Slot> slot = TakeSlot();
  if (slot->multi == nullptr || slot->easy == nullptr) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     "curl_easy_init: no resources",
                     {.reason = Reason::kSystemCall, .operation = kOperation});
  }
  absl::StatusOr<HttpResponse> response =
      Performer(options_, request, proxy, cancel, slot->multi, slot->easy)
          .Run();
  ReturnSlot(std::move(slot));
  return response;
}

}  // namespace containerkit::registry
