// An HTTP/1.1 server that does as it is told, for tests of the client.
#ifndef CONTAINERKIT_LIB_REGISTRY_TESTING_HTTP_SERVER_H_
#define CONTAINERKIT_LIB_REGISTRY_TESTING_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace containerkit::registry::testing {

struct ServerRequest {
  std::string method;
  // With the query.
  std::string target;
  // Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

// What the server does with one request.
struct ServerResponse {
  int status = 200;
  std::multimap<std::string, std::string> headers;
  std::string body;
  // Announced instead of body.size() when not negative.
  int64_t content_length = -1;
  // Close the connection after this many bytes of the body (-1: send all).
  int64_t close_after = -1;
  // Send nothing more after this many bytes of the body, and stay connected.
  int64_t stall_after = -1;
  // Send the body again and again, without a Content-Length.
  bool endless = false;
  // At most this many bytes each 10 ms (0: at once).
  size_t bytes_per_tick = 0;
  // Close without any answer.
  bool hang_up = false;
  // Wait before the answer.
  absl::Duration delay;
  // Wait with the answer until this is true; it is asked whenever a request
  // has come, on the server's thread. Empty: no wait.
  std::function<bool()> ready;
};

// Listens on 127.0.0.1 in its own thread, one poll loop for all connections.
//
// The handler runs on that thread. Destruction closes everything.
class HttpServer {
 public:
  using Handler = std::function<ServerResponse(const ServerRequest&)>;
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  // "127.0.0.1:port".
  std::string address() const;

  // Every request so far, in order of arrival.
  std::vector<ServerRequest> requests() const;
  // Connections accepted so far.
  int connections() const;

 private:
  struct Connection;
  void Loop();
  void Accept();
  // False when the connection is over.
  bool ReadFrom(Connection& connection);
  bool WriteTo(Connection& connection);
  bool Answer(Connection& connection);

  const Handler handler_;
  UniqueFd listener_;
  UniqueFd stop_;
  int port_ = 0;
  mutable Mutex mu_;
  std::vector<ServerRequest> requests_ ABSL_GUARDED_BY(mu_);
  int accepted_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::thread thread_;
};

}  // namespace containerkit::registry::testing

#endif  // CONTAINERKIT_LIB_REGISTRY_TESTING_HTTP_SERVER_H_
