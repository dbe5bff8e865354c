#include "lib/registry/testing/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace containerkit::registry::testing {
namespace {

constexpr size_t kMaxRequestBytes = 1 << 20;

std::string Head(const ServerResponse& response, bool is_head) {
  std::string head = absl::StrCat("HTTP/1.1 ", response.status, " X\r\n");
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  if (!response.endless) {
    const int64_t length = response.content_length >= 0
                               ? response.content_length
                               : static_cast<int64_t>(response.body.size());
    absl::StrAppend(&head, "Content-Length: ", length, "\r\n");
  }
  return absl::StrCat(head, "\r\n");
}

}  // namespace

struct HttpServer::Connection {
  UniqueFd fd;
  std::string in;
  // The answer that is being sent.
  bool answering = false;
  ServerResponse response;
  std::string out;
  size_t sent = 0;
  bool close_when_sent = false;
  bool stall_when_sent = false;
  absl::Time not_before = absl::InfinitePast();

  bool WantsToWrite() const {
    return answering && !stall_when_sent &&
           (response.ready == nullptr || response.ready());
  }
};

HttpServer::HttpServer(Handler handler)
    : handler_(std::move(handler)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), generic, size) != 0 ||
      listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), generic, &size) != 0) {
    abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Loop(); });
}

HttpServer::~HttpServer() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::string HttpServer::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

std::vector<ServerRequest> HttpServer::requests() const {
  const MutexLock lock(&mu_);
  return requests_;
}

int HttpServer::connections() const {
  const MutexLock lock(&mu_);
  return accepted_;
}

void HttpServer::Loop() {
  while (true) {
    std::vector<pollfd> fds;
    fds.push_back({.fd = stop_.get(), .events = POLLIN, .revents = 0});
    fds.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
    const absl::Time now = absl::Now();
    int timeout_ms = -1;
    for (const auto& connection : connections_) {
      short events = POLLIN;
      if (connection->WantsToWrite()) {
        if (connection->not_before > now) {
          const int wait = static_cast<int>(
              absl::ToInt64Milliseconds(connection->not_before - now) + 1);
          timeout_ms = timeout_ms < 0 ? wait : std::min(timeout_ms, wait);
        } else {
          events |= POLLOUT;
        }
      }
      fds.push_back(
          {.fd = connection->fd.get(), .events = events, .revents = 0});
    }
    poll(fds.data(), fds.size(), timeout_ms);
    if (fds[0].revents != 0) return;
    const size_t polled = connections_.size();
    for (size_t i = 0; i < polled; ++i) {
      Connection& connection = *connections_[i];
      const short got = fds[i + 2].revents;
      bool alive = true;
      if ((got & (POLLIN | POLLHUP | POLLERR)) != 0)
        alive = ReadFrom(connection);
      if (alive && connection.WantsToWrite() &&
          connection.not_before <= absl::Now()) {
        alive = WriteTo(connection);
      }
      if (!alive) connection.fd.Reset();
    }
    if (fds[1].revents != 0) Accept();
    std::erase_if(connections_, [](const auto& c) { return !c->fd.ok(); });
  }
}

void HttpServer::Accept() {
  while (true) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.ok()) return;
    auto connection = std::make_unique<Connection>();
    connection->fd = std::move(fd);
    connections_.push_back(std::move(connection));
    const MutexLock lock(&mu_);
    ++accepted_;
  }
}

bool HttpServer::ReadFrom(Connection& connection) {
  char buffer[64 << 10];
  const ssize_t n = recv(connection.fd.get(), buffer, sizeof buffer, 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  connection.in.append(buffer, n);
  if (connection.in.size() > kMaxRequestBytes) return false;
  return connection.answering || Answer(connection);
}

bool HttpServer::Answer(Connection& connection) {
  const size_t end = connection.in.find("\r\n\r\n");
  if (end == std::string::npos) return true;
  ServerRequest request;
  const std::vector<std::string> lines =
      absl::StrSplit(connection.in.substr(0, end), "\r\n");
  const std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
  if (words.size() != 3) return false;
  request.method = words[0];
  request.target = words[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string::npos) return false;
    request.headers[absl::AsciiStrToLower(lines[i].substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(lines[i].substr(colon + 1)));
  }
  size_t body = 0;
  const auto length = request.headers.find("content-length");
  if (length != request.headers.end() &&
      !absl::SimpleAtoi(length->second, &body)) {
    return false;
  }
  if (connection.in.size() < end + 4 + body) return true;
  request.body = connection.in.substr(end + 4, body);
  connection.in.erase(0, end + 4 + body);
  {
    const MutexLock lock(&mu_);
    requests_.push_back(request);
  }
  connection.response = handler_(request);
  const ServerResponse& response = connection.response;
  if (response.hang_up) return false;
  const bool is_head = request.method == "HEAD";
  connection.out = Head(response, is_head);
  connection.close_when_sent = false;
  connection.stall_when_sent = false;
  if (!is_head) {
    std::string data = response.body;
    if (response.close_after >= 0) {
      data.resize(std::min<size_t>(data.size(), response.close_after));
      connection.close_when_sent = true;
    } else if (response.stall_after >= 0) {
      data.resize(std::min<size_t>(data.size(), response.stall_after));
    }
    connection.out += data;
  }
  connection.sent = 0;
  connection.answering = true;
  connection.not_before = absl::Now() + response.delay;
  if (response.delay > absl::ZeroDuration()) return true;
  return !connection.WantsToWrite() || WriteTo(connection);
}

bool HttpServer::WriteTo(Connection& connection) {
  const ServerResponse& response = connection.response;
  size_t size = connection.out.size() - connection.sent;
  if (response.bytes_per_tick > 0) {
    size = std::min(size, response.bytes_per_tick);
  }
  const ssize_t n =
      send(connection.fd.get(), connection.out.data() + connection.sent, size,
           MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  connection.sent += n;
  if (response.bytes_per_tick > 0) {
    connection.not_before = absl::Now() + absl::Milliseconds(10);
  }
  if (connection.sent < connection.out.size()) return true;
  if (response.endless) {
    connection.out = response.body;
    connection.sent = 0;
    return true;
  }
  if (connection.close_when_sent) return false;
  if (response.stall_after >= 0) {
    connection.stall_when_sent = true;
    return true;
  }
  connection.answering = false;
  return Answer(connection);
}

}  // namespace containerkit::registry::testing
