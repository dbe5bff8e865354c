#include "lib/sys/root_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"

namespace containerkit::sys {
namespace {

// base/canary is outside, base/root is the root.
class RootDirTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* base = getenv("TEST_TMPDIR");
    path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/ck-root-XXXXXX");
    ASSERT_NE(mkdtemp(&path_[0]), nullptr);
    base_ = sys::OpenAt(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY).value();
    ASSERT_TRUE(AtomicWriteFileAt(base_.get(), "canary", "secret").ok());
    ASSERT_TRUE(MakeDirAt(base_.get(), "root", 0755).ok());
    auto root = RootDir::Open(path_ + "/root");
    ASSERT_TRUE(root.ok());
    root_.emplace(*std::move(root));
  }
  void TearDown() override {
    EXPECT_EQ(ReadFileAt(base_.get(), "canary", 100).value(), "secret");
    EXPECT_EQ(ListDirAt(base_.get(), ".").value().size(), 2u);
    EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_).ok());
  }
  void Put(const std::string& path, absl::string_view bytes) {
    auto fd = root_->CreateFile(path, 0644);
    ASSERT_TRUE(fd.ok()) << fd.status();
    ASSERT_TRUE(WriteAll(fd->get(), bytes).ok());
  }

  std::string path_;
  UniqueFd base_;
  std::optional<RootDir> root_;
};

TEST_F(RootDirTest, KeepsEveryPathInside) {
  Put("canary", "inside");
  ASSERT_TRUE(root_->Symlink("/", "abs").ok());
  ASSERT_TRUE(root_->Symlink("../../../..", "up").ok());
  ASSERT_TRUE(root_->Symlink("../canary", "leaf").ok());
  for (const char* path :
       {"canary", "/canary", "../canary", "/../../canary", "abs/canary",
        "up/canary", "up/abs/../canary", "leaf", "//./canary"}) {
    EXPECT_EQ(root_->ReadSmallFile(path, 100).value_or("?"), "inside") << path;
  }
}

TEST_F(RootDirTest, RefusesMagicLinksAndNul) {
  auto proc = RootDir::Open("/proc");
  ASSERT_TRUE(proc.ok());
  EXPECT_EQ(
      proc->ReadSmallFile("self/root/etc/passwd", 1 << 20).status().code(),
      absl::ErrnoToStatusCode(ELOOP));
  EXPECT_EQ(GetReason(root_->OpenPath(absl::string_view("a\0b", 3)).status()),
            Reason::kUnsafePath);
}

TEST_F(RootDirTest, ParentEndsInAName) {
  for (const char* path : {"", "/", ".", "..", "a/..", "a/.", "//"}) {
    const auto parent = root_->OpenParent(path);
    EXPECT_EQ(parent.status().code(), absl::StatusCode::kInvalidArgument)
        << path;
    EXPECT_EQ(GetReason(parent.status()), Reason::kUnsafePath) << path;
  }
  EXPECT_EQ(root_->OpenParent("/x//").value().name, "x");
}

TEST_F(RootDirTest, MakesDirectoriesThroughLinksInside) {
  ASSERT_TRUE(root_->MkdirAll("real/deep", {.mode = 0777}).ok());
  ASSERT_TRUE(root_->Symlink("/real", "link").ok());
  ASSERT_TRUE(root_->MkdirAll("link/a/../b/c", {.mode = 01750}).ok());
  EXPECT_EQ(root_->Stat("real/b/c")->st_mode & 07777, 01750u);
  EXPECT_EQ(root_->Stat("real/deep")->st_mode & 07777, 0777u);
  ASSERT_TRUE(root_->Symlink("/nowhere", "dangling").ok());
  EXPECT_EQ(root_->MkdirAll("dangling/x").status().code(),
            absl::StatusCode::kNotFound);
  Put("file", "");
  EXPECT_FALSE(root_->MkdirAll("file/x").ok());
}

TEST_F(RootDirTest, CreatesOnlyWhatIsNew) {
  ASSERT_TRUE(root_->Symlink("../canary", "trap").ok());
  EXPECT_EQ(root_->CreateFile("trap", 0644).status().code(),
            absl::StatusCode::kAlreadyExists);
  auto fd = root_->CreateFile("f", 04755);
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(root_->Stat("f")->st_mode & 07777, 04755u);
}

TEST_F(RootDirTest, NeverOpensDevicesOrFifos) {
  ASSERT_TRUE(root_->Mknod("pipe", S_IFIFO | 0666, 0).ok());
  EXPECT_EQ(root_->Stat("pipe")->st_mode, S_IFIFO | 0666u);
  const auto read = root_->ReadSmallFile("pipe", 10);  // Would block.
  EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(read.status()), Reason::kUnsafePath);
}

TEST_F(RootDirTest, LinksRemovesAndReadsLinks) {
  Put("f", "x");
  ASSERT_TRUE(root_->Symlink("f", "s").ok());
  ASSERT_TRUE(root_->Link("s", "s2").ok());
  EXPECT_EQ(root_->ReadLink("s2").value(), "f");
  EXPECT_FALSE(root_->ReadLink("f").ok());
  ASSERT_TRUE(root_->Unlink("s").ok());
  EXPECT_EQ(root_->ReadSmallFile("f", 10).value(), "x");
  EXPECT_EQ(root_->Unlink("s").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(root_->MkdirAll("d/e/f").ok());
  EXPECT_TRUE(root_->RemoveTree("d").ok());
  EXPECT_TRUE(root_->RemoveTree("no/such").ok());
  EXPECT_EQ(root_->Stat("d").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RootDirTest, SetsMetadataThroughPathDescriptors) {
  Put("f", "x");
  ASSERT_TRUE(root_->Symlink("../canary", "s").ok());
  auto file = root_->OpenPath("f");
  auto link = root_->OpenPath("s");
  ASSERT_TRUE(file.ok() && link.ok());
  EXPECT_TRUE(ChmodFd(file->get(), 06711).ok());
  EXPECT_TRUE(SetTimesFd(file->get(), {1, 2}, {3, 4}).ok());
  EXPECT_TRUE(SetTimesFd(link->get(), {5, 0}, {6, 0}).ok());
  EXPECT_TRUE(ChownFd(link->get(), geteuid(), getegid()).ok());
  const struct stat info = root_->Stat("f").value();
  EXPECT_EQ(info.st_mode & 07777, 06711u);
  EXPECT_EQ(info.st_mtim.tv_sec, 3);
  EXPECT_EQ(info.st_mtim.tv_nsec, 4);
  EXPECT_EQ(root_->Stat("s")->st_mtim.tv_sec, 6);
  struct stat canary;
  ASSERT_EQ(fstatat(base_.get(), "canary", &canary, 0), 0);
  EXPECT_GT(canary.st_mtim.tv_sec, 1000);

  const absl::Status set = SetXattrFd(file->get(), "user.k", "value");
  if (!set.ok() && GetErrorDetail(set)->os_errno == ENOTSUP) {
    GTEST_SKIP() << "no user xattrs on the test's file system";
  }
  ASSERT_TRUE(set.ok()) << set;
  EXPECT_EQ(GetXattrFd(file->get(), "user.k").value(), "value");
  EXPECT_EQ(GetXattrFd(file->get(), "user.none").value(), std::nullopt);
  EXPECT_EQ(ListXattrsFd(file->get()).value(),
            std::vector<std::string>{"user.k"});
}

TEST_F(RootDirTest, StaysInsideWhileDirectoriesAreSwapped) {
  ASSERT_TRUE(root_->MkdirAll("a/b/c/d").ok());
  ASSERT_TRUE(root_->MkdirAll("out").ok());
  Put("canary", "inside");
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    // Moves c between two depths: "..": the classic way out.
    while (!stop) {
      renameat(root_->fd(), "a/b/c", root_->fd(), "out/c");
      renameat(root_->fd(), "out/c", root_->fd(), "a/b/c");
    }
  });
  int found = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto text = root_->ReadSmallFile("a/b/c/d/../../../../canary", 100);
    if (text.ok()) {
      EXPECT_EQ(*text, "inside");
      ++found;
    }
  }
  stop = true;
  swapper.join();
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace containerkit::sys
