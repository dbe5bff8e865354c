#include "lib/sys/quiet_thread.h"

#include <signal.h>

#include <thread>
#include <utility>

#include "gtest/gtest.h"

namespace containerkit::sys {
namespace {

TEST(QuietThreadTest, BlocksAllSignalsInTheThreadAlone) {
  sigset_t before, after, inside;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  auto thread = StartQuietThread(
      [&inside] { pthread_sigmask(SIG_SETMASK, nullptr, &inside); });
  ASSERT_TRUE(thread.ok()) << thread.status();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  thread->join();
  for (const int signal : {SIGCHLD, SIGTERM, SIGUSR1, SIGPIPE}) {
    EXPECT_EQ(sigismember(&inside, signal), 1) << signal;
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal));
  }
}

}  // namespace
}  // namespace containerkit::sys
