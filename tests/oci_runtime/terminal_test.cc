// Terminals: through a console socket, and relayed to the caller's.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

// A console socket, as a shim opens one.
class ConsoleServer {
 public:
  explicit ConsoleServer(const std::string& path)
      : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    EXPECT_LT(path.size(), sizeof(address.sun_path));
    memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(
        bind(listener_.get(), reinterpret_cast<struct sockaddr*>(&address),
             sizeof(address)),
        0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
  }

  // The terminal that the runtime sent.
  UniqueFd Receive() {
    struct pollfd poll_fd = {.fd = listener_.get(), .events = POLLIN};
    if (poll(&poll_fd, 1, 5000) != 1) return UniqueFd();
    const UniqueFd peer(
        accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char data[512];
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC) <= 0) {
      return UniqueFd();
    }
    const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
      return UniqueFd();
    }
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return UniqueFd(fd);
  }

 private:
  UniqueFd listener_;
};

// Everything until `until` appears or the terminal is closed.
std::string ReadTerminal(int fd, const std::string& until) {
  std::string text;
  while (text.find(until) == std::string::npos) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, 5000) != 1) break;
    char buffer[4096];
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n <= 0) break;
    text.append(buffer, n);
  }
  return text;
}

class TerminalTest : public OciTest {};

TEST_F(TerminalTest, CreateSendsTheMasterThroughTheConsoleSocket) {
  Json config = Config(
      "tty; stty size; test -t 0 && test -t 1 && test -t 2 && "
      "echo all; exec 3</dev/tty && echo controlling");
  config["process"]["terminal"] = true;
  config["process"]["consoleSize"] = {{"height", 31}, {"width", 99}};
  WriteConfig(config);
  ConsoleServer server(Scratch("console"));
  MustOci(
      {"create", "-b", bundle(), "--console-socket", Scratch("console"), "a"});
  const UniqueFd master = server.Receive();
  ASSERT_TRUE(master.ok());
  MustOci({"start", "a"});
  const std::string text = ReadTerminal(master.get(), "controlling");
  EXPECT_THAT(text, HasSubstr("/dev/pts/0\r\n31 99\r\nall\r\ncontrolling"));
}

TEST_F(TerminalTest, ExecHasATerminalOfItsOwn) {
  RunSleeper("a");
  ConsoleServer server(Scratch("console"));
  MustOci({"exec", "-t", "-d", "--console-socket", Scratch("console"), "a",
           "sh", "-c", "read line; echo got $line"});
  const UniqueFd master = server.Receive();
  ASSERT_TRUE(master.ok());
  ASSERT_EQ(write(master.get(), "hello\n", 6), 6);
  EXPECT_THAT(ReadTerminal(master.get(), "got hello"), HasSubstr("got hello"));
}

TEST_F(TerminalTest, SocketAndTerminalGoTogether) {
  Json config = Config("true");
  WriteConfig(config);
  const Result no_terminal = Oci(
      {"create", "-b", bundle(), "--console-socket", Scratch("console"), "a"});
  EXPECT_EQ(no_terminal.code, 1);
  EXPECT_THAT(no_terminal.err, HasSubstr("console socket"));
  config["process"]["terminal"] = true;
  WriteConfig(config);
  const Result no_socket = Oci({"create", "-b", bundle(), "a"});
  EXPECT_EQ(no_socket.code, 1);
  EXPECT_THAT(no_socket.err, HasSubstr("console socket"));
  const Result nobody = Oci(
      {"create", "-b", bundle(), "--console-socket", Scratch("console"), "a"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr(Scratch("console")));
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

// Runs ck-oci on a terminal of our own.
class OnATerminal {
 public:
  OnATerminal() : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    grantpt(master_.get());
    unlockpt(master_.get());
    const struct winsize size = {.ws_row = 20, .ws_col = 60};
    ioctl(master_.get(), TIOCSWINSZ, &size);
  }
  int master() const { return master_.get(); }

  void Start(const Strings& argv) {
    const std::string name = ptsname(master_.get());
    std::vector<char*> pointers;
    for (const std::string& s : argv) {
      pointers.push_back(const_cast<char*>(s.c_str()));
    }
    pointers.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      setsid();
      const int fd = open(name.c_str(), O_RDWR);
      ioctl(fd, TIOCSCTTY, 0);
      for (int i = 0; i < 3; ++i) dup2(fd, i);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
  }
  pid_t pid() const { return pid_; }
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  UniqueFd master_;
  pid_t pid_ = 0;
};

TEST_F(TerminalTest, RunRelaysTheCallersTerminal) {
  Json config = Config(
      "stty size; read line; echo got $line; "
      "trap 'stty size; exit 6' WINCH; echo ready; "
      "while :; do sleep 0.02; done");
  config["process"]["terminal"] = true;
  WriteConfig(config);
  OnATerminal terminal;
  char* here = getcwd(nullptr, 0);
  terminal.Start({absl::StrCat(here, "/examples/oci-runtime/ck-oci"), "--root",
                  absl::StrCat(bundle(), "/../state"), "run", "-b", bundle(),
                  "a"});
  free(here);
  EXPECT_THAT(ReadTerminal(terminal.master(), "20 60"), HasSubstr("20 60"));
  ASSERT_EQ(write(terminal.master(), "words\r", 6), 6);
  EXPECT_THAT(ReadTerminal(terminal.master(), "ready"), HasSubstr("got words"));
  const struct winsize size = {.ws_row = 44, .ws_col = 111};
  ASSERT_EQ(ioctl(terminal.master(), TIOCSWINSZ, &size), 0);
  EXPECT_THAT(ReadTerminal(terminal.master(), "44 111"), HasSubstr("44 111"));
  EXPECT_EQ(terminal.Wait(), 6);
}

}  // namespace
}  // namespace containerkit::oci_test
