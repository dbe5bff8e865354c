#include "examples/cli/output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "containerkit/status.h"

namespace containerkit::cli {

void Print(absl::string_view text) {
  // Nobody is left to tell when stdout is gone.
  WriteAll(STDOUT_FILENO, text).IgnoreError();
}

void PrintErr(absl::string_view text) {
  WriteAll(STDERR_FILENO, text).IgnoreError();
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t count = write(fd, data.data(), data.size());
    if (count >= 0) {
      data.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd waiting = {.fd = fd, .events = POLLOUT};
      poll(&waiting, 1, -1);
    } else if (errno == EPIPE) {
      return absl::UnavailableError("write: broken pipe");
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, "write");
    }
  }
  return absl::OkStatus();
}

std::string ErrorText(const absl::Status& status, bool debug) {
  std::string text =
      absl::StrCat("ck: ",
                   Printable(status.message().empty()
                                 ? absl::StatusCodeToString(status.code())
                                 : status.message()),
                   "\n");
  const auto detail = GetErrorDetail(status);
  if (detail.has_value() && !detail->hint.empty()) {
    absl::StrAppend(&text, "Hint: ", Printable(detail->hint), "\n");
  }
  if (!debug) return text;
  absl::StrAppend(
      &text, "  code:      ", absl::StatusCodeToString(status.code()), "\n");
  if (!detail.has_value()) return text;
  const auto line = [&text](absl::string_view name, absl::string_view value) {
    if (!value.empty()) {
      absl::StrAppend(&text, "  ", name, Printable(value), "\n");
    }
  };
  line("reason:    ", ReasonName(detail->reason));
  line("operation: ", detail->operation);
  line("object:    ",
       detail->object_id.empty()
           ? detail->object_kind
           : absl::StrCat(detail->object_kind, " ", detail->object_id));
  line("path:      ", detail->path);
  if (detail->os_errno != 0) {
    line("errno:     ",
         absl::StrCat(detail->os_errno, " (", strerror(detail->os_errno), ")"));
  }
  line("retryable: ", detail->retryable ? "yes" : "");
  return text;
}

std::string Printable(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls are two bytes in UTF-8: C2 80..9F.
    const bool c1 = byte == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f || c1) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace containerkit::cli
