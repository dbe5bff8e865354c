#include "lib/base/status.h"

#include <errno.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace containerkit {
namespace {

absl::Status Leaf() { return SyscallError(ENOENT, "mount.bind", "open", "/x"); }

absl::StatusOr<int> Value() { return Leaf(); }

absl::Status Middle() {
  CK_ASSIGN_OR_RETURN(const int value, Value(), "mount volume ", "v1");
  return value == 0 ? absl::OkStatus() : absl::UnknownError("unreachable");
}

absl::StatusOr<std::string> Top() {
  CK_RETURN_IF_ERROR(Middle()) << "start container " << 42;
  return std::string("unreachable");
}

TEST(StatusTest, KeepsCodeAndDetailThroughPrefixes) {
  const absl::Status status = Top().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "start container 42: mount volume v1: open(/x): No such file or "
            "directory");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, Reason::kSystemCall);
  EXPECT_EQ(detail->os_errno, ENOENT);
  EXPECT_EQ(detail->operation, "mount.bind");
  EXPECT_EQ(detail->path, "/x");
}

TEST(StatusTest, DiskFullHasItsOwnReason) {
  const absl::Status status = SyscallError(ENOSPC, "store.write", "write", "f");
  EXPECT_EQ(GetReason(status), Reason::kDiskFull);
  EXPECT_FALSE(GetErrorDetail(status)->hint.empty());
}

TEST(StatusTest, FirstErrorWinsAndLaterOnesAreAppended) {
  const absl::Status both =
      FirstError(Leaf(), SyscallError(EBUSY, "cgroup.remove", "rmdir", "/c"));
  EXPECT_EQ(both.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(both)->os_errno, ENOENT);
  EXPECT_NE(both.message().find("; also: rmdir(/c)"), std::string::npos);
}

TEST(StatusTest, ObjectIsNamedOnce) {
  absl::Status status = WithObject(Leaf(), "volume", "v1");
  status = WithObject(status, "container", "c1");
  EXPECT_EQ(GetErrorDetail(status)->object_kind, "volume");
  EXPECT_EQ(GetErrorDetail(status)->object_id, "v1");
}

// A damaged record may call an object anything.
TEST(StatusTest, ObjectsWithAnyBytesKeepTheReason) {
  const absl::Status status = WithObject(Leaf(), "image", "a\xff");
  EXPECT_EQ(GetErrorDetail(status)->object_id, "a\xff");
  EXPECT_EQ(GetReason(status), GetReason(Leaf()));
}

TEST(StatusTest, ForeignStatusHasNoDetail) {
  EXPECT_FALSE(GetErrorDetail(absl::InternalError("x")).has_value());
  EXPECT_EQ(GetReason(absl::OkStatus()), Reason::kUnspecified);
}

TEST(ReasonTest, NamesItself) {
  EXPECT_EQ(ReasonName(Reason::kNameInUse), "NameInUse");
  EXPECT_EQ(ReasonName(static_cast<Reason>(-7)), "Unknown");
}

}  // namespace
}  // namespace containerkit
