#include "examples/oci-runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace ck_oci {
namespace {

void WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(n);
  }
}

}  // namespace

absl::Status Log::Open(const std::string& path, absl::string_view format,
                       bool debug, Log* log) {
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown log-format \"", format, "\""));
  }
  log->json_ = format == "json";
  log->debug_ = debug;
  if (path.empty()) return absl::OkStatus();
  const std::string file(absl::StripPrefix(path, "file:"));
  log->fd_ =
      open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log->fd_ < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open log file ", file));
  }
  return absl::OkStatus();
}

Log::~Log() {
  if (fd_ >= 0) close(fd_);
}

void Log::Error(absl::string_view message) const {
  WriteAll(STDERR_FILENO, absl::StrCat("ck-oci: ", message, "\n"));
  Write("error", message);
}

void Log::Warning(absl::string_view message) const {
  if (fd_ < 0) {
    WriteAll(STDERR_FILENO, absl::StrCat("ck-oci: warning: ", message, "\n"));
  }
  Write("warning", message);
}

void Log::Debug(absl::string_view message) const {
  if (!debug_) return;
  if (fd_ < 0) {
    WriteAll(STDERR_FILENO, absl::StrCat("ck-oci: debug: ", message, "\n"));
  }
  Write("debug", message);
}

void Log::Write(absl::string_view level, absl::string_view message) const {
  if (fd_ < 0) return;
  const std::string time =
      absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  if (json_) {
    WriteAll(fd_, absl::StrCat("{\"level\":\"", level,
                               "\",\"msg\":", QuoteJson(message),
                               ",\"time\":\"", time, "\"}\n"));
  } else {
    WriteAll(fd_, absl::StrCat("time=\"", time, "\" level=", level,
                               " msg=", QuoteJson(message), "\n"));
  }
}

std::string QuoteJson(absl::string_view text) {
  std::string quoted = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(c);
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04x", c);
    } else {
      quoted += static_cast<char>(c);
    }
  }
  quoted += '"';
  return quoted;
}

}  // namespace ck_oci
