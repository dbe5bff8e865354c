#include "examples/cli/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "examples/cli/go_format.h"

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
  while (!text.empty()) {
    const absl::string_view rune = FirstRunes(text, 1);
    text.remove_prefix(rune.size());
    const auto byte = static_cast<unsigned char>(rune[0]);
    const bool c0 = byte < 0x20 && byte != '\n' && byte != '\t';
    // C1 controls are two bytes in UTF-8: C2 80..9F.
    const bool c1 = rune.size() == 2 && byte == 0xc2 &&
                    static_cast<unsigned char>(rune[1]) < 0xa0;
    const bool broken = rune.size() == 1 && byte >= 0x7f;
    if (!c0 && !c1 && !broken) {
      absl::StrAppend(&out, rune);
      continue;
    }
    for (const char c : rune) {
      absl::StrAppend(
          &out, "\\x",
          absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return out;
}

}  // namespace containerkit::cli
