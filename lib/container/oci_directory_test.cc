#include "lib/container/oci_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;

class OciDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = absl::StrCat(::testing::TempDir(), "/ociXXXXXX");
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    root_ = absl::StrCat(base_, "/deep/root");
  }
  void TearDown() override {
    EXPECT_THAT(sys::RemoveTreeAt(AT_FDCWD, base_), testing::IsOk());
  }

  static OciRecord Record() {
    OciRecord record;
    record.id = "a";
    record.bundle = "/b";
    return record;
  }

  std::string base_;
  std::string root_;
};

TEST(OciIdTest, AcceptsRuncsAlphabetOnly) {
  for (const char* id : {"a", "A-b_c.d+e", "...", "0"}) {
    CK_EXPECT_OK(CheckOciId(id));
  }
  for (const char* id : {"", ".", "..", "a/b", "a b", "\xc3\xa4", "a\n"}) {
    EXPECT_THAT(CheckOciId(id), StatusIs(absl::StatusCode::kInvalidArgument,
                                         Reason::kInvalidName));
  }
  EXPECT_THAT(
      CheckOciId(std::string(256, 'x')),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidName));
}

TEST_F(OciDirectoryTest, AnIdIsTakenFromCreateToRemove) {
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory first, OciDirectory::Create(root_, "a"));
  // Locked, though it has no state yet.
  EXPECT_THAT(OciDirectory::Create(root_, "a"),
              StatusIs(absl::StatusCode::kAlreadyExists, Reason::kNameInUse));
  CK_ASSERT_OK(first.WriteRecord(Record()));
  EXPECT_THAT(OciDirectory::Create(root_, "a"),
              StatusIs(absl::StatusCode::kAlreadyExists, Reason::kNameInUse));
  CK_ASSERT_OK(first.Remove());
  CK_EXPECT_OK(OciDirectory::Create(root_, "a"));
}

TEST_F(OciDirectoryTest, TakesOverWhatAKilledCreateLeft) {
  {
    CK_ASSERT_OK_AND_ASSIGN(OciDirectory killed,
                            OciDirectory::Create(root_, "a"));
    CK_ASSERT_OK(killed.MakeFifo());
  }
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory next, OciDirectory::Create(root_, "a"));
  EXPECT_FALSE(next.HasFifo());
  CK_EXPECT_OK(next.MakeFifo());
}

TEST_F(OciDirectoryTest, StateComesAndGoes) {
  EXPECT_THAT(
      OciDirectory::Open(root_, "a", false),
      StatusIs(absl::StatusCode::kNotFound, Reason::kContainerNotFound));
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory made, OciDirectory::Create(root_, "a"));
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory other,
                          OciDirectory::Open(root_, "a", false));
  EXPECT_THAT(other.ReadRecord(), StatusIs(absl::StatusCode::kNotFound,
                                           Reason::kContainerNotFound));
  CK_ASSERT_OK(made.WriteRecord(Record()));
  CK_ASSERT_OK(made.WriteConfig("{}"));
  CK_ASSERT_OK_AND_ASSIGN(const OciRecord read, other.ReadRecord());
  EXPECT_EQ(read, Record());
  CK_ASSERT_OK_AND_ASSIGN(const std::string config, other.ReadConfig());
  EXPECT_EQ(config, "{}");
}

TEST_F(OciDirectoryTest, FifoIsThereUntilRemoved) {
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory made, OciDirectory::Create(root_, "a"));
  CK_ASSERT_OK_AND_ASSIGN(std::optional<UniqueFd> fifo, made.OpenFifo());
  EXPECT_FALSE(fifo.has_value());
  CK_ASSERT_OK_AND_ASSIGN(const std::string path, made.MakeFifo());
  struct stat stat_buffer;
  ASSERT_EQ(stat(path.c_str(), &stat_buffer), 0);
  EXPECT_TRUE(S_ISFIFO(stat_buffer.st_mode));
  EXPECT_TRUE(made.HasFifo());
  CK_ASSERT_OK_AND_ASSIGN(fifo, made.OpenFifo());
  EXPECT_TRUE(fifo.has_value());
  made.RemoveFifo();
  EXPECT_FALSE(made.HasFifo());
}

TEST_F(OciDirectoryTest, ListsOnlyContainersWithAState) {
  CK_ASSERT_OK_AND_ASSIGN(std::vector<std::string> none,
                          OciDirectory::List(root_));
  EXPECT_TRUE(none.empty());
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory b, OciDirectory::Create(root_, "b"));
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory a, OciDirectory::Create(root_, "a"));
  CK_ASSERT_OK_AND_ASSIGN(OciDirectory c, OciDirectory::Create(root_, "c"));
  CK_ASSERT_OK(a.WriteRecord(Record()));
  CK_ASSERT_OK(b.WriteRecord(Record()));
  CK_ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names,
                          OciDirectory::List(root_));
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace containerkit::container
