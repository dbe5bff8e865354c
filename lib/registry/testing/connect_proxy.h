// An HTTP proxy that tunnels, for tests of the client.
#ifndef CONTAINERKIT_LIB_REGISTRY_TESTING_CONNECT_PROXY_H_
#define CONTAINERKIT_LIB_REGISTRY_TESTING_CONNECT_PROXY_H_

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace containerkit::registry::testing {

struct ConnectProxyOptions {
  // "host:port" of a CONNECT -> the port of 127.0.0.1 that it leads to. What is
  // not named is answered with 403.
  std::map<std::string, int> routes;
  // What Proxy-Authorization must be; others are answered with 407. Empty: any.
  std::string authorization;
};

// Listens on 127.0.0.1, with a thread for each connection. Destruction closes
// everything.
class ConnectProxy {
 public:
  explicit ConnectProxy(ConnectProxyOptions options);
  ~ConnectProxy();
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  // "127.0.0.1:port".
  std::string address() const;
  // "METHOD target status" of every request so far, in order of arrival.
  std::vector<std::string> requests() const;

 private:
  void Accept();
  void Serve(UniqueFd client);
  // Answers the request at the head of `client`; the other end of its tunnel,
  // or none if it was refused.
  UniqueFd Answer(int client);
  // False: the proxy is being destroyed, or both are silent for good.
  bool WaitFor(int fd) const;

  const ConnectProxyOptions options_;
  UniqueFd listener_;
  UniqueFd stop_;
  int port_ = 0;
  mutable Mutex mu_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> connections_;
  std::thread thread_;
};

}  // namespace containerkit::registry::testing

#endif  // CONTAINERKIT_LIB_REGISTRY_TESTING_CONNECT_PROXY_H_
