#include "lib/runtime/signals.h"

#include <csignal>

#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

TEST(SignalsTest, ReadsNamesAndNumbers) {
  EXPECT_EQ(*ParseSignal("SIGTERM"), SIGTERM);
  EXPECT_EQ(*ParseSignal("TERM"), SIGTERM);
  EXPECT_EQ(*ParseSignal("sigkill"), SIGKILL);
  EXPECT_EQ(*ParseSignal("15"), 15);
  EXPECT_EQ(*ParseSignal("64"), 64);
  EXPECT_EQ(*ParseSignal("RTMIN"), 34);
  EXPECT_EQ(*ParseSignal("SIGRTMIN+3"), 37);
  EXPECT_EQ(*ParseSignal("SIGRTMAX-1"), 63);
  EXPECT_EQ(*ParseSignal("SIGCLD"), SIGCHLD);
}

TEST(SignalsTest, RefusesTheRest) {
  for (const char* text :
       {"", "0", "65", "-1", "+1", "SIG", "SIGFLY", "15x", "RTMIN-1", "RTMAX+1",
        "RTMIN+", "RTMIN+31", "RTMIN+-1", "99999999999"}) {
    const auto signal = ParseSignal(text);
    EXPECT_EQ(signal.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
    EXPECT_EQ(GetReason(signal.status()), Reason::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace containerkit::runtime
