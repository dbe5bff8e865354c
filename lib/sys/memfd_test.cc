#include "lib/sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace containerkit::sys {
namespace {

TEST(MemfdTest, HoldsItsContentAndRefusesChanges) {
  const auto fd = MakeSealedMemfd("test", "content", MemfdUse::kData);
  ASSERT_TRUE(fd.ok()) << fd.status();
  char buffer[16];
  ASSERT_EQ(pread(fd->get(), buffer, sizeof buffer, 0), 7);
  EXPECT_EQ(std::string(buffer, 7), "content");
  EXPECT_EQ(pwrite(fd->get(), "X", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(MemfdTest, ExecutableOneHasTheMode) {
  const auto fd = MakeSealedMemfd("test", "#!", MemfdUse::kExecutable);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(faccessat(fd->get(), "", X_OK, AT_EMPTY_PATH), 0);
}

}  // namespace
}  // namespace containerkit::sys
