// The terminal that ck runs in.
#ifndef CONTAINERKIT_EXAMPLES_CLI_TERMINAL_H_
#define CONTAINERKIT_EXAMPLES_CLI_TERMINAL_H_

#include <termios.h>

#include <cstdint>

namespace containerkit::cli {

struct TerminalSize {
  uint16_t rows = 0;
  uint16_t columns = 0;
};

// Zeros when `fd` is no terminal.
TerminalSize GetTerminalSize(int fd);

// Raw mode for the life of the object; nothing happens to an fd that is no
// terminal.
class RawMode final {
 public:
  explicit RawMode(int fd);
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();

 private:
  const int fd_;
  bool active_ = false;
  termios before_{};
};

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_TERMINAL_H_
