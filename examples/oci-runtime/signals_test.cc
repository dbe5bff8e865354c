#include "examples/oci-runtime/signals.h"

#include <signal.h>

#include "gtest/gtest.h"

namespace ck_oci {
namespace {

TEST(SignalsTest, NamesAndNumbers) {
  EXPECT_EQ(ParseSignal("9"), SIGKILL);
  EXPECT_EQ(ParseSignal("SIGKILL"), SIGKILL);
  EXPECT_EQ(ParseSignal("KILL"), SIGKILL);
  EXPECT_EQ(ParseSignal("sigterm"), SIGTERM);
  EXPECT_EQ(ParseSignal("SIGWINCH"), SIGWINCH);
  EXPECT_EQ(ParseSignal("SIGRTMIN"), 34);
  EXPECT_EQ(ParseSignal("RTMIN+3"), 37);
  EXPECT_EQ(ParseSignal("RTMAX-1"), 63);
  EXPECT_EQ(ParseSignal("64"), 64);
}

TEST(SignalsTest, RefusesTheRest) {
  for (const char* text : {"", "0", "65", "-9", "SIG", "INVALID_SIGNAL",
                           "RTMIN-1", "RTMIN+31", "9x"}) {
    EXPECT_EQ(ParseSignal(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ck_oci
