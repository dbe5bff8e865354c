#include "examples/cli/output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

TEST(OutputTest, PrintableShowsControlBytes) {
  EXPECT_EQ(Printable("a\n\tb"), "a\n\tb");
  EXPECT_EQ(Printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b é"), R"(\xc2\x9b é)");
  EXPECT_EQ(Printable("\x9b"
                      "2J"),
            R"(\x9b2J)");
}

TEST(OutputTest, WritesAllToANonBlockingPipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const std::string text(1 << 20, 'x');
  size_t received = 0;
  std::thread reader([&] {
    char buffer[4096];
    while (received < text.size()) {
      const ssize_t count = read(ends[0], buffer, sizeof(buffer));
      if (count > 0) received += static_cast<size_t>(count);
    }
  });
  EXPECT_TRUE(WriteAll(ends[1], text).ok());
  reader.join();
  EXPECT_EQ(received, text.size());
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(WriteAll(ends[1], "x").code(), absl::StatusCode::kUnavailable);
  close(ends[1]);
}

}  // namespace
}  // namespace containerkit::cli
