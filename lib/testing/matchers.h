// gtest matchers for absl::Status, named as later Abseil releases name them.
#ifndef CONTAINERKIT_LIB_TESTING_MATCHERS_H_
#define CONTAINERKIT_LIB_TESTING_MATCHERS_H_

#include <ostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::testing {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// Code and reason: what callers switch on.
MATCHER_P2(StatusIs, code, reason, "") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString() << " (reason "
                   << ReasonName(GetReason(status)) << ")";
  return status.code() == code && GetReason(status) == reason;
}

}  // namespace containerkit::testing

#define CK_EXPECT_OK(expr) EXPECT_THAT((expr), ::containerkit::testing::IsOk())
#define CK_ASSERT_OK(expr) ASSERT_THAT((expr), ::containerkit::testing::IsOk())

// CK_ASSERT_OK_AND_ASSIGN(auto fd, Open(path)).
#define CK_ASSERT_OK_AND_ASSIGN(lhs, expr) \
  CK_ASSERT_OK_AND_ASSIGN_IMPL_(CK_CONCAT_(ck_test_, __LINE__), lhs, expr)
#define CK_ASSERT_OK_AND_ASSIGN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                  \
  CK_ASSERT_OK(tmp);                                  \
  lhs = *std::move(tmp)

#endif  // CONTAINERKIT_LIB_TESTING_MATCHERS_H_
