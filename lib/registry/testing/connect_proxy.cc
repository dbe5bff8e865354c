#include "lib/registry/testing/connect_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace containerkit::registry::testing {
namespace {

constexpr size_t kMaxHeadBytes = 64 << 10;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool SendAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Hands on what has come; false at the end.
bool Forward(int from, int to) {
  char buffer[64 << 10];
  const ssize_t n = recv(from, buffer, sizeof buffer, 0);
  return n > 0 && SendAll(to, buffer, static_cast<size_t>(n));
}

}  // namespace

ConnectProxy::ConnectProxy(ConnectProxyOptions options)
    : options_(std::move(options)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = Loopback(0);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), generic, size) != 0 ||
      listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), generic, &size) != 0) {
    abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Accept(); });
}

ConnectProxy::~ConnectProxy() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  for (std::thread& connection : connections_) connection.join();
}

std::string ConnectProxy::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

std::vector<std::string> ConnectProxy::requests() const {
  const MutexLock lock(&mu_);
  return requests_;
}

bool ConnectProxy::WaitFor(int fd) const {
  pollfd fds[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                  {.fd = fd, .events = POLLIN, .revents = 0}};
  return poll(fds, 2, -1) > 0 && fds[0].revents == 0;
}

void ConnectProxy::Accept() {
  while (WaitFor(listener_.get())) {
    UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.ok()) continue;
    connections_.emplace_back([this, client = std::move(client)]() mutable {
      Serve(std::move(client));
    });
  }
}

UniqueFd ConnectProxy::Answer(int client) {
  std::string head;
  while (!absl::EndsWith(head, "\r\n\r\n")) {
    char byte = 0;
    if (!WaitFor(client) || recv(client, &byte, 1, 0) != 1 ||
        head.size() > kMaxHeadBytes) {
      return UniqueFd();
    }
    head.push_back(byte);
  }
  const std::vector<std::string> words =
      absl::StrSplit(head.substr(0, head.find('\r')), ' ');
  if (words.size() != 3) return UniqueFd();
  const auto route = options_.routes.find(words[1]);
  int status = 200;
  if (!options_.authorization.empty() &&
      !absl::StrContains(head, absl::StrCat("\r\nProxy-Authorization: ",
                                            options_.authorization, "\r\n"))) {
    status = 407;
  } else if (words[0] != "CONNECT" || route == options_.routes.end()) {
    status = 403;
  }
  {
    const MutexLock lock(&mu_);
    requests_.push_back(absl::StrCat(words[0], " ", words[1], " ", status));
  }
  UniqueFd server;
  if (status == 200) {
    server.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = Loopback(route->second);
    if (connect(server.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
      return UniqueFd();
    }
  }
  const std::string answer =
      absl::StrCat("HTTP/1.1 ", status, " X\r\n",
                   status == 200 ? "" : "Content-Length: 0\r\n", "\r\n");
  if (!SendAll(client, answer.data(), answer.size())) return UniqueFd();
  return server;
}

void ConnectProxy::Serve(UniqueFd client) {
  const UniqueFd server = Answer(client.get());
  if (!server.ok()) return;
  while (true) {
    pollfd fds[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                    {.fd = client.get(), .events = POLLIN, .revents = 0},
                    {.fd = server.get(), .events = POLLIN, .revents = 0}};
    if (poll(fds, 3, -1) <= 0 || fds[0].revents != 0) return;
    if (fds[1].revents != 0 && !Forward(client.get(), server.get())) return;
    if (fds[2].revents != 0 && !Forward(server.get(), client.get())) return;
  }
}

}  // namespace containerkit::registry::testing
