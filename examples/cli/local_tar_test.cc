#include "examples/cli/local_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "examples/cli/option_values.h"
#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

class LocalTarTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/local_tar_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  void MakeDirectory(const std::string& name) {
    ASSERT_EQ(mkdir(Path(name).c_str(), 0755), 0);
  }

  void WriteFile(const std::string& name, const std::string& text) {
    const int fd =
        open(Path(name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(write(fd, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    close(fd);
  }

  int OpenArchive(const std::string& name) {
    return open(Path(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  }

  // A tar of {name, link target or ""}; files hold "data".
  int MakeTar(const std::vector<std::pair<std::string, std::string>>& entries) {
    const int fd = OpenArchive("made.tar");
    archive* const out = archive_write_new();
    archive_write_set_format_pax(out);
    archive_write_open_fd(out, fd);
    for (const auto& [name, link] : entries) {
      archive_entry* const entry = archive_entry_new();
      archive_entry_set_pathname(entry, name.c_str());
      archive_entry_set_perm(entry, 0644);
      if (link.empty()) {
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, 4);
      } else {
        archive_entry_set_filetype(entry, AE_IFLNK);
        archive_entry_set_symlink(entry, link.c_str());
      }
      archive_write_header(out, entry);
      if (link.empty()) archive_write_data(out, "data", 4);
      archive_entry_free(entry);
    }
    archive_write_free(out);
    lseek(fd, 0, SEEK_SET);
    return fd;
  }

  std::string root_;
};

TEST_F(LocalTarTest, RoundTripUnderAnotherName) {
  MakeDirectory("src");
  MakeDirectory("src/sub");
  WriteFile("src/sub/file", "hello");
  WriteFile("src/other", "");
  ASSERT_EQ(symlink("sub/file", Path("src/link").c_str()), 0);
  ASSERT_EQ(link(Path("src/sub/file").c_str(), Path("src/hard").c_str()), 0);
  const int fd = OpenArchive("a.tar");
  const auto written = WriteLocalTar(Path("src"), "src", false, fd);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(*written, 5u);
  lseek(fd, 0, SEEK_SET);
  MakeDirectory("dst");
  const auto read = ExtractTar(fd, Path("dst"), {.from = "src", .to = "new"});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, 5u);
  close(fd);
  EXPECT_EQ(*ReadTextFile(Path("dst/new/sub/file")), "hello");
  EXPECT_EQ(*ReadTextFile(Path("dst/new/link")), "hello");
  struct stat first;
  struct stat second;
  ASSERT_EQ(stat(Path("dst/new/hard").c_str(), &first), 0);
  ASSERT_EQ(stat(Path("dst/new/sub/file").c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino);
  EXPECT_EQ(second.st_mode & 07777, 0640u);
  char target[64] = {};
  ASSERT_GT(readlink(Path("dst/new/link").c_str(), target, sizeof(target)), 0);
  EXPECT_STREQ(target, "sub/file");
}

TEST_F(LocalTarTest, FollowsTheTopLinkOnlyWhenAsked) {
  WriteFile("file", "x");
  ASSERT_EQ(symlink("file", Path("link").c_str()), 0);
  for (const bool follow : {false, true}) {
    const std::string name = follow ? "followed" : "kept";
    const int fd = OpenArchive(name + ".tar");
    ASSERT_TRUE(WriteLocalTar(Path("link"), name, follow, fd).ok());
    lseek(fd, 0, SEEK_SET);
    ASSERT_TRUE(ExtractTar(fd, root_, {.from = name, .to = name}).ok());
    close(fd);
    struct stat info;
    ASSERT_EQ(lstat(Path(name).c_str(), &info), 0);
    EXPECT_EQ(S_ISLNK(info.st_mode), !follow);
  }
}

TEST_F(LocalTarTest, NothingLeavesTheDirectory) {
  MakeDirectory("dst");
  MakeDirectory("outside");
  const int parent = MakeTar({{"../outside/evil", ""}});
  EXPECT_EQ(ExtractTar(parent, Path("dst"), {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  close(parent);
  const int link = MakeTar({{"out", Path("outside")}, {"out/evil", ""}});
  EXPECT_FALSE(ExtractTar(link, Path("dst"), {}).ok());
  close(link);
  EXPECT_NE(access(Path("outside/evil").c_str(), F_OK), 0);
  const int absolute = MakeTar({{"/abs", ""}});
  EXPECT_TRUE(ExtractTar(absolute, Path("dst"), {}).ok());
  close(absolute);
  EXPECT_EQ(*ReadTextFile(Path("dst/abs")), "data");
}

TEST_F(LocalTarTest, BrokenArchives) {
  const int fd = OpenArchive("broken");
  ASSERT_EQ(write(fd, "no tar", 6), 6);
  lseek(fd, 0, SEEK_SET);
  EXPECT_EQ(ExtractTar(fd, root_, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  close(fd);
  EXPECT_EQ(WriteLocalTar(Path("nope"), "nope", false, 2).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace containerkit::cli
