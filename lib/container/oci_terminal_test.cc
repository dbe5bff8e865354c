#include "lib/container/oci_terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;

// Sends `fd` through `socket`; with fd -1 a plain byte.
void Send(int socket, int fd) {
  char byte = 'x';
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  ASSERT_EQ(sendmsg(socket, &message, 0), 1);
}

UniqueFd OpenPty() {
  UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  EXPECT_TRUE(master.ok());
  return master;
}

TEST(OciTerminalTest, ReceivesATerminalWithItsSize) {
  CK_ASSERT_OK_AND_ASSIGN(const ConsolePair pair, MakeConsolePair());
  const UniqueFd master = OpenPty();
  WriteTerminalSize(master.get(), {.rows = 33, .columns = 77});
  Send(pair.theirs.get(), master.get());
  CK_ASSERT_OK_AND_ASSIGN(const UniqueFd received,
                          ReceiveTerminal(pair.ours.get()));
  EXPECT_NE(fcntl(received.get(), F_GETFD) & FD_CLOEXEC, 0);
  const std::optional<TerminalSize> size = ReadTerminalSize(received.get());
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(size->rows, 33);
  EXPECT_EQ(size->columns, 77);
}

TEST(OciTerminalTest, NothingOrAByteIsNoTerminal) {
  CK_ASSERT_OK_AND_ASSIGN(ConsolePair pair, MakeConsolePair());
  Send(pair.theirs.get(), -1);
  EXPECT_THAT(
      ReceiveTerminal(pair.ours.get()),
      StatusIs(absl::StatusCode::kUnavailable, Reason::kConsoleSocketFailed));
  pair.theirs.Reset();
  EXPECT_THAT(
      ReceiveTerminal(pair.ours.get()),
      StatusIs(absl::StatusCode::kUnavailable, Reason::kConsoleSocketFailed));
}

TEST(OciTerminalTest, ConnectsToNamesLongerThanSunPath) {
  std::string base = absl::StrCat(::testing::TempDir(), "/consoleXXXXXX");
  ASSERT_NE(mkdtemp(base.data()), nullptr);
  const std::string directory = absl::StrCat(base, "/", std::string(150, 'd'));
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  const UniqueFd handle(open(directory.c_str(), O_PATH | O_CLOEXEC));
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/s",
           handle.get());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<struct sockaddr*>(&address),
                 sizeof(address)),
            0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const std::string path = absl::StrCat(directory, "/s");
  CK_EXPECT_OK(ConnectConsoleSocket(path));
  EXPECT_THAT(
      ConnectConsoleSocket(absl::StrCat(path, "-not")),
      StatusIs(absl::StatusCode::kNotFound, Reason::kConsoleSocketFailed));
  unlink(path.c_str());
  rmdir(directory.c_str());
  rmdir(base.c_str());
}

TEST(OciTerminalTest, RelayEndsWithTheProcess) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reader(fds[0]), writer(fds[1]);
  ASSERT_EQ(write(writer.get(), "12", 2), 2);
  int events = 0;
  ForegroundProcess process;
  process.events_fd = reader.get();
  process.on_event = [&]() -> absl::StatusOr<bool> {
    char byte;
    EXPECT_EQ(read(reader.get(), &byte, 1), 1);
    return ++events == 2;
  };
  CK_EXPECT_OK(RelayProcess(process));
  EXPECT_EQ(events, 2);
}

}  // namespace
}  // namespace containerkit::container
