#include "examples/cli/copy_plan.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

// "directory|name" or the error.
std::string Plan(const CopySource& source, const CopyTarget& target) {
  const auto plan = PlanCopy(source, target);
  if (!plan.ok()) return std::string(plan.status().message());
  return absl::StrCat(plan->directory, "|", plan->name);
}

const CopySource kFile = {.path = "/a/file"};
const CopySource kDir = {.path = "/a/dir", .is_directory = true};
const CopySource kContent = {.path = "/a/dir/.", .is_directory = true};

TEST(CopyPlanTest, Arguments) {
  EXPECT_EQ(ParseCopyArgument("c:/x").container, "c");
  EXPECT_EQ(ParseCopyArgument("c:/x").path, "/x");
  EXPECT_EQ(ParseCopyArgument("c:").path, "");
  EXPECT_EQ(ParseCopyArgument("./c:x").container, "");
  EXPECT_EQ(ParseCopyArgument("/c:x").path, "/c:x");
  EXPECT_EQ(ParseCopyArgument("file").path, "file");
  EXPECT_EQ(ParseCopyArgument("-").path, "-");
}

TEST(CopyPlanTest, CleansPaths) {
  EXPECT_EQ(CleanPath("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(CleanPath("/../.."), "/");
  EXPECT_EQ(CleanPath("../a/.."), "..");
  EXPECT_EQ(CleanPath(""), ".");
}

TEST(CopyPlanTest, Splits) {
  EXPECT_EQ(SplitDirectoryEntry("/a/b").directory, "/a/");
  EXPECT_EQ(SplitDirectoryEntry("/a/b/").base, "b");
  EXPECT_EQ(SplitDirectoryEntry("/a/.").base, ".");
  EXPECT_EQ(SplitDirectoryEntry("/a/.").directory, "/a/");
  EXPECT_EQ(SplitDirectoryEntry("a").directory, "");
  EXPECT_EQ(SplitDirectoryEntry("/.").base, ".");
}

TEST(CopyPlanTest, FileRules) {
  EXPECT_EQ(Plan(kFile, {"/new"}), "/|new");
  EXPECT_EQ(Plan(kFile, {"/b/new"}), "/b/|new");
  EXPECT_EQ(Plan(kFile, {"new"}), ".|new");
  EXPECT_EQ(Plan(kFile, {"/new/"}), "no such directory");
  EXPECT_EQ(Plan(kFile, {"/old", true, false}), "/|old");
  EXPECT_EQ(Plan(kFile, {"/d", true, true}), "/d|file");
  EXPECT_EQ(Plan(kFile, {"/old/", true, false}), "not a directory");
}

TEST(CopyPlanTest, DirectoryRules) {
  EXPECT_EQ(Plan(kDir, {"/new"}), "/|new");
  EXPECT_EQ(Plan(kDir, {"/new/"}), "/|new");
  EXPECT_EQ(Plan(kDir, {"/file", true, false}), "cannot copy directory");
  EXPECT_EQ(Plan(kDir, {"/d", true, true}), "/d|dir");
  EXPECT_EQ(Plan(kContent, {"/d", true, true}), "/d|.");
  EXPECT_EQ(Plan(kContent, {"/new"}), "/|new");
}

TEST(CopyPlanTest, FollowedLinksKeepTheirName) {
  const CopySource link = {.path = "/real", .rebase_name = "link"};
  EXPECT_EQ(Plan(link, {"/d", true, true}), "/d|link");
  EXPECT_EQ(Plan(link, {"/new"}), "/|new");
}

TEST(CopyPlanTest, RebasesEntries) {
  EXPECT_EQ(RebaseEntry("dir/x", "dir", "new"), "new/x");
  EXPECT_EQ(RebaseEntry("dir", "dir", "new"), "new");
  EXPECT_EQ(RebaseEntry("dirt/x", "dir", "new"), "dirt/x");
  EXPECT_EQ(RebaseEntry("./x", ".", "new"), "new/x");
  EXPECT_EQ(RebaseEntry(".x", ".", "new"), ".x");
}

}  // namespace
}  // namespace containerkit::cli
