#include "lib/sys/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {
namespace {

TEST(SocketTest, CarriesBytesAndDescriptors) {
  auto pair = MakeSocketPair();
  ASSERT_TRUE(pair.ok()) << pair.status();
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const std::vector<int> fds = {null, null};
  ASSERT_TRUE(SendPacket(pair->first.get(), "hello", fds).ok());
  char data[16];
  iovec iov{data, sizeof data};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(recvmsg(pair->second.get(), &message, MSG_CMSG_CLOEXEC), 5);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->cmsg_len, CMSG_LEN(2 * sizeof(int)));
  int got[2];
  std::memcpy(got, CMSG_DATA(header), sizeof got);
  for (const int fd : got) close(fd);
  close(null);
}

TEST(SocketTest, ClosedPeerIsUnavailable) {
  auto pair = MakeSocketPair();
  ASSERT_TRUE(pair.ok()) << pair.status();
  pair->second.Reset();
  const absl::Status status = SendPacket(pair->first.get(), "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(GetReason(status), Reason::kSystemCall);
}

TEST(SocketTest, ConnectsBelowLongDirectories) {
  std::string base = ::testing::TempDir() + "/ck_socket_XXXXXX";
  ASSERT_NE(mkdtemp(base.data()), nullptr);
  std::string path = base + "/" + std::string(200, 'd');
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  const UniqueFd directory(open(path.c_str(), O_PATH | O_CLOEXEC));
  const auto missing = ConnectInDirectory(directory.get(), "s");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name =
      "/proc/self/fd/" + std::to_string(directory.get()) + "/s";
  std::memcpy(address.sun_path, name.data(), name.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address),
            0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  EXPECT_TRUE(ConnectInDirectory(directory.get(), "s").ok());
  unlink((path + "/s").c_str());
  rmdir(path.c_str());
  rmdir(base.c_str());
}

}  // namespace
}  // namespace containerkit::sys
