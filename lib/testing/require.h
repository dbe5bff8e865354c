// What a test needs from the machine it runs on.
#ifndef CONTAINERKIT_LIB_TESTING_REQUIRE_H_
#define CONTAINERKIT_LIB_TESTING_REQUIRE_H_

#include <string>

#include "gtest/gtest.h"

namespace containerkit::testing {

// Why the machine lacks `capability`, or "" when it has it. Names: root,
// user-namespaces, overlay, loop-devices, cgroup-v1, cgroup-v2, or a
// program's name.
// tools/capabilities prints the same names.
std::string Lacks(const std::string& capability);

// Whether CI said (CK_MUST_HAVE) that a skip for this would hide something.
bool MustHave(const std::string& capability);

}  // namespace containerkit::testing

// Skips the test with the reason, or fails it where the machine is known to
// have the capability.
#define CK_REQUIRE(capability)                                            \
  if (const std::string why = ::containerkit::testing::Lacks(capability); \
      !why.empty()) {                                                     \
    if (::containerkit::testing::MustHave(capability)) {                  \
      FAIL() << "this machine must have " << capability << ": " << why;   \
    }                                                                     \
    GTEST_SKIP() << why;                                                  \
  }                                                                       \
  static_assert(true)

#endif  // CONTAINERKIT_LIB_TESTING_REQUIRE_H_
