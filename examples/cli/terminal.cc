#include "examples/cli/terminal.h"

#include <sys/ioctl.h>

namespace containerkit::cli {

TerminalSize GetTerminalSize(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

RawMode::RawMode(int fd) : fd_(fd) {
  if (tcgetattr(fd, &before_) != 0) return;
  termios raw = before_;
  cfmakeraw(&raw);
  active_ = tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

RawMode::~RawMode() {
  if (active_) tcsetattr(fd_, TCSADRAIN, &before_);
}

}  // namespace containerkit::cli
