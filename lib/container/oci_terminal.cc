#include "lib/container/oci_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit::container {
namespace {

// Puts a terminal into raw mode and back.
class RawMode {
 public:
  explicit RawMode(int fd) : fd_(fd) {
    if (tcgetattr(fd, &saved_) != 0) return;
    struct termios raw = saved_;
    cfmakeraw(&raw);
    armed_ = tcsetattr(fd, TCSANOW, &raw) == 0;
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode() {
    if (armed_) tcsetattr(fd_, TCSADRAIN, &saved_);
  }

 private:
  const int fd_;
  struct termios saved_ {};
  bool armed_ = false;
};

// Writes all; false: nobody reads.
bool WriteOut(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(n);
    } else if (errno == EAGAIN) {
      struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
      poll(&poll_fd, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

class Relay {
 public:
  explicit Relay(const ForegroundProcess& process)
      : process_(process),
        master_(process.master),
        input_(process.master >= 0 ? STDIN_FILENO : -1) {}

  absl::Status Run() {
    for (;;) {
      struct pollfd fds[] = {
          {.fd = process_.events_fd, .events = POLLIN},
          {.fd = process_.signal_fd, .events = POLLIN},
          {.fd = master_, .events = POLLIN},
          {.fd = pending_.empty() ? input_ : -1, .events = POLLIN},
          {.fd = pending_.empty() ? -1 : master_, .events = POLLOUT},
      };
      if (poll(fds, 5, -1) < 0) {
        if (errno == EINTR) continue;
        return SyscallError(errno, "oci.wait", "poll");
      }
      if (fds[1].revents != 0) TakeSignal();
      if (fds[2].revents != 0) TakeOutput();
      if (fds[3].revents != 0) TakeInput();
      if (fds[4].revents != 0) GiveInput();
      if (fds[0].revents != 0) {
        CK_ASSIGN_OR_RETURN(const bool ended, process_.on_event());
        if (ended) break;
      }
    }
    Drain();
    return absl::OkStatus();
  }

 private:
  void TakeSignal() {
    struct signalfd_siginfo info;
    if (read(process_.signal_fd, &info, sizeof(info)) != sizeof(info)) return;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal != SIGWINCH) {
      process_.on_signal(signal);
    } else if (master_ >= 0) {
      if (const auto size = ReadTerminalSize(STDIN_FILENO)) {
        WriteTerminalSize(master_, *size);
      }
    }
  }

  // False: no more output.
  bool TakeOutput() {
    char buffer[16384];
    const ssize_t n = read(master_, buffer, sizeof(buffer));
    if (n > 0) return WriteOut(STDOUT_FILENO, {buffer, size_t(n)});
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return errno == EINTR;
    // EIO: nobody has the terminal open.
    master_ = -1;
    return false;
  }

  void TakeInput() {
    char buffer[4096];
    const ssize_t n = read(input_, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n > 0) {
      pending_.assign(buffer, n);
    } else {
      // A terminal's end of file is a character.
      input_ = -1;
      pending_.assign(1, '\x04');
    }
    GiveInput();
  }

  void GiveInput() {
    if (master_ < 0) return pending_.clear();
    const ssize_t n = write(master_, pending_.data(), pending_.size());
    if (n > 0) {
      pending_.erase(0, n);
    } else if (errno != EAGAIN && errno != EINTR) {
      pending_.clear();
    }
  }

  void Drain() {
    if (master_ < 0) return;
    while (master_ >= 0 && TakeOutput()) {
    }
  }

  const ForegroundProcess& process_;
  int master_;
  int input_;
  std::string pending_;  // bytes read from the caller, not yet written
};

}  // namespace

absl::StatusOr<UniqueFd> ConnectConsoleSocket(const std::string& path) {
  const auto fail = [&path](absl::string_view call) {
    return SyscallError(errno, "oci.console", call, path,
                        Reason::kConsoleSocketFailed);
  };
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.ok()) return fail("socket");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  // sun_path is short: longer names go through a descriptor of the socket.
  UniqueFd handle;
  std::string name = path;
  if (name.size() >= sizeof(address.sun_path)) {
    handle.Reset(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!handle.ok()) return fail("open");
    name = absl::StrCat("/proc/self/fd/", handle.get());
  }
  memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (connect(fd.get(), reinterpret_cast<struct sockaddr*>(&address),
              sizeof(address)) != 0) {
    return fail("connect");
  }
  return fd;
}

absl::StatusOr<ConsolePair> MakeConsolePair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return SyscallError(errno, "oci.console", "socketpair");
  }
  return ConsolePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<UniqueFd> ReceiveTerminal(int socket) {
  char data[256];
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {.iov_base = data, .iov_len = sizeof(data)};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
  ssize_t n;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return SyscallError(errno, "oci.console", "recvmsg");
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (n == 0 || header == nullptr || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return MakeError(
        absl::StatusCode::kUnavailable,
        "no terminal came through the console socket",
        {.reason = Reason::kConsoleSocketFailed, .operation = "oci.console"});
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

std::optional<TerminalSize> ReadTerminalSize(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return TerminalSize{size.ws_row, size.ws_col};
}

void WriteTerminalSize(int fd, TerminalSize size) {
  const struct winsize window = {.ws_row = size.rows, .ws_col = size.columns};
  ioctl(fd, TIOCSWINSZ, &window);
}

absl::Status RelayProcess(const ForegroundProcess& process) {
  if (process.master < 0) return Relay(process).Run();
  if (const auto size = ReadTerminalSize(STDIN_FILENO)) {
    WriteTerminalSize(process.master, *size);
  }
  fcntl(process.master, F_SETFL, fcntl(process.master, F_GETFL) | O_NONBLOCK);
  const RawMode raw(STDIN_FILENO);
  return Relay(process).Run();
}

}  // namespace containerkit::container
