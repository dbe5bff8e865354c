#include "examples/cli/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

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
