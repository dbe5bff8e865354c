#include "lib/base/cancel.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace containerkit {
namespace {

TEST(CancelTokenTest, CopiesShareOneState) {
  const CancelToken token;
  const CancelToken copy = token;
  EXPECT_FALSE(copy.cancelled());
  EXPECT_TRUE(CheckCancelled(copy, "test.op").ok());
  token.Cancel();
  token.Cancel();
  EXPECT_TRUE(copy.cancelled());
  pollfd event = {.fd = copy.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&event, 1, 0), 1);
  const absl::Status status = CheckCancelled(copy, "test.op");
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(GetReason(status), Reason::kCancelled);
  EXPECT_EQ(GetErrorDetail(status)->operation, "test.op");
}

TEST(CancelTokenTest, MovedFromIsNeverCancelled) {
  CancelToken token;
  const CancelToken other = std::move(token);
  token.Cancel();  // NOLINT: the moved-from state is what is tested
  EXPECT_FALSE(token.cancelled());
  EXPECT_FALSE(other.cancelled());
}

TEST(CancellableSleepTest, EndsByTimeOrToken) {
  const CancelToken token;
  EXPECT_TRUE(CancellableSleep(token, absl::Milliseconds(2), "test").ok());
  std::thread other([&] { token.Cancel(); });
  EXPECT_EQ(CancellableSleep(token, absl::InfiniteDuration(), "test").code(),
            absl::StatusCode::kCancelled);
  other.join();
}

TEST(CancelTokenTest, EndsTheWaitForASilentPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  ASSERT_EQ(write(writing.get(), "x", 1), 1);
  CancelToken cancel;
  EXPECT_TRUE(WaitReadable(cancel, reading.get(), "test").ok());
  char byte;
  ASSERT_EQ(read(reading.get(), &byte, 1), 1);
  std::thread later([cancel] { cancel.Cancel(); });
  const absl::Status ended = WaitReadable(cancel, reading.get(), "test");
  EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(GetReason(ended), Reason::kCancelled);
  later.join();
}

}  // namespace
}  // namespace containerkit
