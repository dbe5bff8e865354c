// Messages to stderr and, in logrus' formats, to the --log file.
#ifndef CONTAINERKIT_EXAMPLES_OCI_RUNTIME_LOG_H_
#define CONTAINERKIT_EXAMPLES_OCI_RUNTIME_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ck_oci {

class Log {
 public:
  // path: empty for none, a "file:" in front is ignored. format: "text" or
  // "json". Errors: INVALID_ARGUMENT; as open(2).
  static absl::Status Open(const std::string& path, absl::string_view format,
                           bool debug, Log* log);
  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void Error(absl::string_view message) const;
  // To stderr only without a file: it is the container's stderr, too.
  void Warning(absl::string_view message) const;
  // Only with --debug.
  void Debug(absl::string_view message) const;

 private:
  void Write(absl::string_view level, absl::string_view message) const;

  int fd_ = -1;
  bool json_ = false;
  bool debug_ = false;
};

// The text as a JSON string, quotes included. Other bytes than control
// characters, quotes and backslashes stay as they are.
std::string QuoteJson(absl::string_view text);

}  // namespace ck_oci

#endif  // CONTAINERKIT_EXAMPLES_OCI_RUNTIME_LOG_H_
