#include "lib/container/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/container/archive_paths.h"
#include "lib/container/archive_tar_writer.h"
#include "lib/store/tar_reader.h"
#include "lib/store/tar_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/sys/root_dir.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using store::TarBuilder;
using store::TarEntry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(CopyPathTest, TakesPathsApartAsDocker) {
  const struct {
    const char *text, *path, *name;
    bool directory;
  } kCases[] = {
      {"/", "/", "/", true},         {"", "/", "/", true},
      {"/.", "/", "/", true},        {"etc", "/etc", "etc", false},
      {"/a//b/", "/a/b", "b", true}, {"/a/b/.", "/a/b", ".", true},
      {"/a/../b", "/b", "b", false}, {"../../x", "/x", "x", false},
      {"/a/..", "/", "/", true},     {"/a/b.", "/a/b.", "b.", false},
  };
  for (const auto& one : kCases) {
    const internal::CopyPath path = internal::ParseCopyPath(one.text);
    EXPECT_EQ(path.path, one.path) << one.text;
    EXPECT_EQ(path.name, one.name) << one.text;
    EXPECT_EQ(path.directory, one.directory) << one.text;
  }
}

TEST(CopyPathTest, EntryNamesStayInside) {
  EXPECT_EQ(internal::CleanEntryName("./a/./b//c/"), "a/b/c");
  EXPECT_EQ(internal::CleanEntryName("/a/../b"), "b");
  EXPECT_EQ(internal::CleanEntryName("./"), "");
  EXPECT_EQ(internal::CleanEntryName(".."), std::nullopt);
  EXPECT_EQ(internal::CleanEntryName("a/../../b"), std::nullopt);
}

TEST(CopyPathTest, MapsIds) {
  const std::vector<UserNamespaceChoice::Range> map = {{0, 1000, 1},
                                                       {1, 100000, 65535}};
  EXPECT_EQ(ToHostId(map, 0), 1000);
  EXPECT_EQ(ToHostId(map, 5), 100004);
  EXPECT_EQ(ToHostId(map, 70000), 65534);
  EXPECT_EQ(ToContainerId(map, 1000), 0);
  EXPECT_EQ(ToContainerId(map, 100004), 5);
  EXPECT_EQ(ToContainerId(map, 7), 65534);
  EXPECT_EQ(ToHostId({}, 7), 7);
}

// Bytes of an archive, one piece.
class StringSource : public store::ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<absl::string_view> Next() override {
    return std::exchange(done_, true) ? absl::string_view()
                                      : absl::string_view(bytes_);
  }

 private:
  std::string bytes_;
  bool done_ = false;
};

struct Member {
  TarEntry entry;
  std::string content;
};

std::vector<Member> Parse(const std::string& archive) {
  StringSource source(archive);
  auto reader = store::TarReader::Open(&source);
  CK_EXPECT_OK(reader);
  std::vector<Member> members;
  for (;;) {
    Member member;
    const auto more = (*reader)->Next(member.entry);
    CK_EXPECT_OK(more);
    if (!more.ok() || !*more) return members;
    absl::string_view bytes;
    uint64_t offset = 0;
    while (member.entry.type == TarEntry::Type::kFile &&
           (*reader)->ReadData(bytes, offset).value_or(false)) {
      member.content.resize(offset, '\0');
      member.content.append(bytes.data(), bytes.size());
    }
    members.push_back(std::move(member));
  }
}

UniqueFd Memory(const std::string& bytes = "") {
  UniqueFd fd(memfd_create("archive_test", MFD_CLOEXEC));
  CK_EXPECT_OK(sys::WriteAll(fd.get(), bytes));
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string Content(int fd) {
  lseek(fd, 0, SEEK_SET);
  return sys::ReadFd(fd, 1 << 30).value_or("");
}

TEST(TarWriterTest, KeepsWhatUstarCannot) {
  TarEntry entry;
  entry.path = absl::StrCat(std::string(200, 'd'), "/\xc3\xa9\xff");
  entry.link_target = std::string(150, 'l');
  entry.type = TarEntry::Type::kSymlink;
  entry.mode = 0777;
  entry.uid = 3000000000u;
  entry.gid = 4000000000u;
  entry.mtime = {-2, 500000000};
  TarEntry file;
  file.path = "file";
  file.mode = 06755;
  file.size = 5;
  file.mtime = {1700000000, 1};
  file.xattrs = {{"user.a", std::string("x\0\n=y", 5)}};
  const UniqueFd fd = Memory();
  TarWriter writer(fd.get(), CancelToken());
  CK_ASSERT_OK(writer.Add(entry));
  CK_ASSERT_OK(writer.Add(file));
  CK_ASSERT_OK(writer.Data("abc"));
  CK_ASSERT_OK(writer.EndData());
  CK_ASSERT_OK(writer.Add(file));
  CK_ASSERT_OK(writer.Data("abcdefgh"));
  CK_ASSERT_OK(writer.EndData());
  CK_ASSERT_OK(writer.Finish());
  const std::vector<Member> members = Parse(Content(fd.get()));
  ASSERT_EQ(members.size(), 3);
  const TarEntry& back = members[0].entry;
  EXPECT_EQ(back.path, entry.path);
  EXPECT_EQ(back.link_target, entry.link_target);
  EXPECT_EQ(back.type, entry.type);
  EXPECT_EQ(back.uid, entry.uid);
  EXPECT_EQ(back.gid, entry.gid);
  EXPECT_EQ(members[1].entry.mode, 06755);
  EXPECT_EQ(members[1].entry.mtime.tv_sec, 1700000000);
  EXPECT_EQ(members[1].entry.mtime.tv_nsec, 1);
  EXPECT_EQ(members[1].entry.xattrs, file.xattrs);
  EXPECT_EQ(members[1].content, std::string("abc\0\0", 5));
  EXPECT_EQ(members[2].content, "abcde");
}

TEST(TarWriterTest, AReaderThatWentAwayIsAnErrorNotASignal) {
  // SIGPIPE's default would end the test.
  for (const bool socket : {false, true}) {
    int ends[2];
    ASSERT_EQ(socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
                     : pipe2(ends, O_CLOEXEC),
              0);
    UniqueFd(ends[0]).Reset();
    const UniqueFd out(ends[1]);
    TarWriter writer(out.get(), CancelToken());
    const absl::Status status = writer.Finish();
    EXPECT_EQ(GetErrorDetail(status)->os_errno, EPIPE);
  }
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

class ArchiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/archiveXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
    ASSERT_EQ(mkdir(At("").c_str(), 0755), 0);
    ASSERT_EQ(mkdir(Host("").c_str(), 0755), 0);
    Write(Host("canary"), "CANARY");
    root_.emplace(*sys::RootDir::Open(At("")));
  }
  void TearDown() override {
    EXPECT_THAT(*sys::ListDirAt(AT_FDCWD, Host("")), ElementsAre("canary"));
    EXPECT_EQ(Read(Host("canary")), "CANARY");
    root_.reset();
    CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, path_));
  }

  // A path inside the container's root, and one beside it.
  std::string At(const std::string& name) const {
    return absl::StrCat(path_, "/root/", name);
  }
  std::string Host(const std::string& name) const {
    return absl::StrCat(path_, "/host/", name);
  }
  static void Write(const std::string& path, absl::string_view text) {
    UniqueFd fd(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    CK_ASSERT_OK(sys::WriteAll(fd.get(), text));
  }
  static std::string Read(const std::string& path) {
    return sys::ReadFileAt(AT_FDCWD, path, 1 << 20).value_or("(none)");
  }
  static mode_t Mode(const std::string& path) {
    struct stat st;
    return lstat(path.c_str(), &st) == 0 ? st.st_mode : 0;
  }

  std::vector<Member> Out(const std::string& path) {
    const UniqueFd fd = Memory();
    CK_EXPECT_OK(CopyOut(*root_, path, fd.get()));
    return Parse(Content(fd.get()));
  }
  std::vector<std::string> OutNames(const std::string& path) {
    std::vector<std::string> names;
    for (const Member& member : Out(path)) names.push_back(member.entry.path);
    return names;
  }
  absl::Status In(const std::string& path, const std::string& archive,
                  const CopyInOptions& options = {}) {
    const UniqueFd fd = Memory(archive);
    return CopyIn(*root_, path, fd.get(), options);
  }

  std::string path_;
  std::optional<sys::RootDir> root_;
};

TEST_F(ArchiveTest, StatTellsWhatThereIs) {
  Write(At("file"), "12345");
  ASSERT_EQ(mkdir(At("dir").c_str(), 0750), 0);
  ASSERT_EQ(symlink("../file", At("dir/rel").c_str()), 0);
  ASSERT_EQ(symlink("/host/canary", At("abs").c_str()), 0);
  CK_ASSERT_OK_AND_ASSIGN(PathStat stat, StatPath(*root_, "/file"));
  EXPECT_EQ(stat.name, "file");
  EXPECT_EQ(stat.size_bytes, 5);
  EXPECT_EQ(stat.mode, S_IFREG | 0644);
  EXPECT_GT(stat.modified, absl::FromUnixSeconds(1000000000));
  EXPECT_EQ(stat.link_target, "");
  CK_ASSERT_OK_AND_ASSIGN(stat, StatPath(*root_, "dir/rel"));
  EXPECT_EQ(stat.mode & S_IFMT, S_IFLNK);
  EXPECT_EQ(stat.link_target, "/file");
  CK_ASSERT_OK_AND_ASSIGN(stat, StatPath(*root_, "/abs"));
  EXPECT_EQ(stat.link_target, "/host/canary");
  CK_ASSERT_OK_AND_ASSIGN(stat, StatPath(*root_, "/"));
  EXPECT_EQ(stat.name, "/");
  EXPECT_THAT(StatPath(*root_, "/none"),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPathNotFound));
  EXPECT_THAT(StatPath(*root_, "/abs/"),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPathNotFound));
  EXPECT_THAT(StatPath(*root_, "/file/"),
              StatusIs(kInvalid, Reason::kNotADirectory));
  EXPECT_THAT(StatPath(*root_, "/file/x"),
              StatusIs(kInvalid, Reason::kNotADirectory));
}

TEST_F(ArchiveTest, OutNamesStartAsDockers) {
  ASSERT_EQ(mkdir(At("a").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(At("a/b").c_str(), 0755), 0);
  Write(At("a/b/f"), "x");
  ASSERT_EQ(symlink("a", At("link").c_str()), 0);
  EXPECT_THAT(OutNames("/a/b"), ElementsAre("b/", "b/f"));
  EXPECT_THAT(OutNames("/a/b/."), ElementsAre("./", "./f"));
  EXPECT_THAT(OutNames("/a/b/f"), ElementsAre("f"));
  EXPECT_THAT(OutNames("/link"), ElementsAre("link"));
  EXPECT_THAT(OutNames("/link/"), ElementsAre("link/", "link/b/", "link/b/f"));
  EXPECT_THAT(OutNames("/"),
              ElementsAre("/", "/a/", "/a/b/", "/a/b/f", "/link"));
}

TEST_F(ArchiveTest, OutKeepsMetadataAndLinksStayLinks) {
  ASSERT_EQ(mkdir(At("d").c_str(), 0700), 0);
  Write(At("d/a"), std::string(100000, 'a'));
  ASSERT_EQ(chmod(At("d/a").c_str(), 04711), 0);
  const timespec times[2] = {{1, 0}, {1234567890, 987654321}};
  ASSERT_EQ(utimensat(AT_FDCWD, At("d/a").c_str(), times, 0), 0);
  ASSERT_EQ(link(At("d/a").c_str(), At("d/b").c_str()), 0);
  ASSERT_EQ(symlink(Host("canary").c_str(), At("d/c").c_str()), 0);
  ASSERT_EQ(mkfifo(At("d/p").c_str(), 0600), 0);
  const bool xattrs = setxattr(At("d/a").c_str(), "user.k", "v", 1, 0) == 0;
  const std::vector<Member> members = Out("/d");
  ASSERT_EQ(members.size(), 5);
  EXPECT_EQ(members[0].entry.mode, 0700);
  EXPECT_EQ(members[1].entry.path, "d/a");
  EXPECT_EQ(members[1].content, std::string(100000, 'a'));
  EXPECT_EQ(members[1].entry.mode, 04711);
  EXPECT_EQ(members[1].entry.mtime.tv_sec, 1234567890);
  EXPECT_EQ(members[1].entry.mtime.tv_nsec, 987654321);
  EXPECT_EQ(members[1].entry.xattrs.size(), xattrs ? 1 : 0);
  EXPECT_EQ(members[2].entry.type, TarEntry::Type::kHardlink);
  EXPECT_EQ(members[2].entry.link_target, "d/a");
  EXPECT_EQ(members[3].entry.type, TarEntry::Type::kSymlink);
  EXPECT_EQ(members[3].entry.link_target, Host("canary"));
  EXPECT_EQ(members[4].entry.type, TarEntry::Type::kFifo);
}

TEST_F(ArchiveTest, OutLeavesKernelViewsAndTooDeepTreesOut) {
  CK_ASSERT_OK_AND_ASSIGN(const sys::RootDir proc, sys::RootDir::Open("/"));
  const UniqueFd fd = Memory();
  CK_ASSERT_OK(CopyOut(proc, "/proc", fd.get()));
  EXPECT_EQ(Parse(Content(fd.get())).size(), 1);
  std::string path = At("deep");
  UniqueFd at(open(At("").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(mkdirat(at.get(), "deep", 0755), 0);
    at.Reset(openat(at.get(), "deep", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  EXPECT_THAT(
      CopyOut(*root_, "/deep", fd.get()),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
}

TEST_F(ArchiveTest, OutCannotBeLedToTheHost) {
  ASSERT_EQ(symlink(path_.c_str(), At("abs").c_str()), 0);
  ASSERT_EQ(symlink("../../../../../..", At("up").c_str()), 0);
  const UniqueFd fd = Memory();
  for (const std::string& path :
       {absl::StrCat("/abs/host/canary"), absl::StrCat("/up", Host("canary")),
        absl::StrCat("../../../../..", Host("canary"))}) {
    EXPECT_THAT(CopyOut(*root_, path, fd.get()),
                StatusIs(absl::StatusCode::kNotFound, Reason::kPathNotFound))
        << path;
  }
}

TEST_F(ArchiveTest, InUndoesOut) {
  ASSERT_EQ(mkdir(At("src").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(At("src/sub").c_str(), 0555), 0);
  ASSERT_EQ(mkdir(At("dst").c_str(), 0755), 0);
  Write(At("src/a"), "text");
  ASSERT_EQ(chmod(At("src/a").c_str(), 04711), 0);
  ASSERT_EQ(link(At("src/a").c_str(), At("src/b").c_str()), 0);
  ASSERT_EQ(symlink("a", At("src/c").c_str()), 0);
  const timespec times[2] = {{1, 0}, {1234567890, 987654321}};
  ASSERT_EQ(utimensat(AT_FDCWD, At("src/sub").c_str(), times, 0), 0);
  const UniqueFd fd = Memory();
  CK_ASSERT_OK(CopyOut(*root_, "/src/.", fd.get()));
  CK_ASSERT_OK(In("/dst", Content(fd.get())));
  EXPECT_EQ(Read(At("dst/a")), "text");
  EXPECT_EQ(Mode(At("dst/a")), S_IFREG | 04711);
  EXPECT_EQ(Mode(At("dst/sub")), S_IFDIR | 0555);
  EXPECT_EQ(Mode(At("dst")), S_IFDIR | 0755);
  struct stat a, b, sub;
  ASSERT_EQ(stat(At("dst/a").c_str(), &a), 0);
  ASSERT_EQ(lstat(At("dst/b").c_str(), &b), 0);
  ASSERT_EQ(stat(At("dst/sub").c_str(), &sub), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(sub.st_mtim.tv_sec, 1234567890);
  EXPECT_EQ(sub.st_mtim.tv_nsec, 987654321);
  EXPECT_EQ(Mode(At("dst/c")) & S_IFMT, S_IFLNK);
}

TEST_F(ArchiveTest, InReadsGzipZstdAndAPipe) {
  const std::string plain = TarBuilder().File("x/y", "content").Build();
  std::string zstd(ZSTD_compressBound(plain.size()), '\0');
  zstd.resize(
      ZSTD_compress(zstd.data(), zstd.size(), plain.data(), plain.size(), 1));
  // One stored block, so that no compressor is needed here.
  std::string gzip("\x1f\x8b\x08\0\0\0\0\0\0\x03\x01", 11);
  const uint16_t size = static_cast<uint16_t>(plain.size());
  ASSERT_EQ(size, plain.size());
  for (const uint16_t n : {size, static_cast<uint16_t>(~size)}) {
    gzip.push_back(static_cast<char>(n & 0xff));
    gzip.push_back(static_cast<char>(n >> 8));
  }
  uint32_t crc = ~0u;
  for (const char c : plain) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  crc = ~crc;
  gzip += plain;
  for (const uint32_t n : {crc, static_cast<uint32_t>(plain.size())}) {
    for (int i = 0; i < 4; ++i) gzip.push_back(static_cast<char>(n >> 8 * i));
  }
  for (const std::string& archive : {plain, zstd, gzip}) {
    CK_ASSERT_OK(In("/", archive));
    EXPECT_EQ(Read(At("x/y")), "content");
    ASSERT_EQ(unlink(At("x/y").c_str()), 0);
  }
  // A window of 16 MiB: the memory for such is the layers'.
  EXPECT_THAT(
      In("/", std::string("\x28\xb5\x2f\xfd\0\x70", 6)),
      StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded));
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  std::thread writer([&plain, fd = ends[1]] {
    const UniqueFd out(fd);
    for (size_t i = 0; i < plain.size(); i += 100) {
      CK_EXPECT_OK(sys::WriteAll(out.get(), plain.substr(i, 100)));
    }
    // More than a pipe holds, behind the end.
    CK_EXPECT_OK(sys::WriteAll(out.get(), std::string(200000, '\0')));
  });
  CK_EXPECT_OK(CopyIn(*root_, "/", in.get()));
  writer.join();
  EXPECT_EQ(Read(At("x/y")), "content");
}

TEST_F(ArchiveTest, InReplacesAndMerges) {
  ASSERT_EQ(mkdir(At("d").c_str(), 0755), 0);
  Write(At("d/keep"), "kept");
  Write(At("f"), "old");
  const std::string swap = TarBuilder().File("d", "file").Build();
  const std::string swap_back = TarBuilder().Dir("f").Build();
  CopyInOptions strict;
  strict.no_overwrite_dir_non_dir = true;
  EXPECT_THAT(In("/", swap, strict),
              StatusIs(kInvalid, Reason::kInvalidArgument));
  EXPECT_THAT(In("/", swap_back, strict),
              StatusIs(kInvalid, Reason::kInvalidArgument));
  EXPECT_EQ(Read(At("d/keep")), "kept");
  CK_ASSERT_OK(
      In("/", TarBuilder().Dir("d", 0700).File("f", "new").Build(), strict));
  EXPECT_EQ(Read(At("d/keep")), "kept");
  EXPECT_EQ(Mode(At("d")), S_IFDIR | 0700);
  EXPECT_EQ(Read(At("f")), "new");
  CK_ASSERT_OK(In("/", swap));
  EXPECT_EQ(Read(At("d")), "file");
  CK_ASSERT_OK(In("/", swap_back));
  EXPECT_EQ(Mode(At("f")), S_IFDIR | 0755);
}

TEST_F(ArchiveTest, InFollowsASymlinkToADirectoryInsideTheRoot) {
  ASSERT_EQ(mkdir(At("real").c_str(), 0755), 0);
  ASSERT_EQ(symlink("/real", At("link").c_str()), 0);
  CK_ASSERT_OK(In("/link", TarBuilder().File("f", "x").Build()));
  EXPECT_EQ(Read(At("real/f")), "x");
  Write(At("file"), "");
  EXPECT_THAT(In("/file", ""), StatusIs(kInvalid, Reason::kNotADirectory));
  EXPECT_THAT(In("/none", ""),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPathNotFound));
}

TEST_F(ArchiveTest, InContainsHostileArchives) {
  ASSERT_EQ(mkdir(At("dst").c_str(), 0755), 0);
  const std::string up = "../../../../../..";
  for (const std::string& archive : {
           TarBuilder().File("../evil", "x").Build(),
           TarBuilder().File("a/../../evil", "x").Build(),
           TarBuilder().Hardlink("l", "../../host/canary").Build(),
       }) {
    EXPECT_THAT(In("/dst", archive),
                StatusIs(kInvalid, Reason::kArchiveEntryRefused));
  }
  // What a link names is looked for inside; here it is not there.
  EXPECT_THAT(
      In("/dst",
         TarBuilder().Symlink("s", path_).File("s/host/evil", "x").Build()),
      StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
  // These are taken, and stay inside.
  const std::string host = Host("evil");
  CK_EXPECT_OK(
      In("/dst",
         TarBuilder()
             .Symlink("t", up)
             .Add({.path = "x", .content = "x", .pax = {{"path", "t" + host}}})
             .Build()));
  EXPECT_EQ(Read(At(host)), "x");
  CK_EXPECT_OK(In("/dst", TarBuilder()
                              .Symlink("canary", Host("canary"))
                              .File("canary", "overwritten")
                              .Build()));
  EXPECT_EQ(Read(At("dst/canary")), "overwritten");
  CK_EXPECT_OK(In(
      "/dst", TarBuilder()
                  .Add({.path = "x", .content = "y", .pax = {{"path", host}}})
                  .Build()));
  EXPECT_EQ(Read(At("dst" + host)), "y");
  // A hard link to what a link names inside gives the link, never its target.
  ASSERT_EQ(symlink(Host("canary").c_str(), At("dst/out").c_str()), 0);
  CK_EXPECT_OK(In("/dst", TarBuilder().Hardlink("hard", "out").Build()));
  EXPECT_EQ(Mode(At("dst/hard")) & S_IFMT, S_IFLNK);
}

TEST_F(ArchiveTest, InSaysWhenTheArchiveIsDamaged) {
  std::string archive = TarBuilder().File("f", std::string(5000, 'x')).Build();
  EXPECT_THAT(In("/", archive.substr(0, 1000)),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kArchiveCorrupt));
  archive[10] ^= 1;
  EXPECT_THAT(In("/", archive),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kArchiveCorrupt));
  EXPECT_THAT(In("/", "\x1f\x8b\x08garbage"),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kArchiveCorrupt));
}

TEST_F(ArchiveTest, InSetsOwnersAsDocker) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  TarBuilder builder;
  builder.Add({.path = "f", .uid = 7, .gid = 8});
  const std::string archive = builder.Build();
  const auto owner = [&] {
    struct stat st = {};
    EXPECT_EQ(stat(At("f").c_str(), &st), 0);
    return std::make_pair(st.st_uid, st.st_gid);
  };
  CopyInOptions options;
  options.owner = {{1000, 1001}};
  CK_ASSERT_OK(In("/", archive, options));
  EXPECT_EQ(owner(), std::make_pair(7u, 8u));
  options.copy_uid_gid = true;
  CK_ASSERT_OK(In("/", archive, options));
  EXPECT_EQ(owner(), std::make_pair(1000u, 1001u));
  options.owner.reset();
  options.ids.uid_map = {{0, 100000, 65536}};
  options.ids.gid_map = {{0, 200000, 65536}};
  CK_ASSERT_OK(In("/", archive, options));
  EXPECT_EQ(owner(), std::make_pair(100007u, 200008u));
  const UniqueFd fd = Memory();
  CK_ASSERT_OK(CopyOut(*root_, "/f", fd.get(), options.ids));
  EXPECT_EQ(Parse(Content(fd.get()))[0].entry.uid, 7);
  EXPECT_EQ(Parse(Content(fd.get()))[0].entry.gid, 8);
}

// C01, C05 of security.md: a container that exchanges a directory and a link
// to the host as fast as it can.
class SwapTest : public ArchiveTest,
                 public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    ArchiveTest::SetUp();
    ASSERT_EQ(mkdir(At("d").c_str(), 0755), 0);
    Write(At("d/canary"), "container");
    const std::string target = absl::StrCat(GetParam(), path_, "/host");
    ASSERT_EQ(symlink(target.c_str(), At("swap").c_str()), 0);
    swapper_ = std::thread([this] {
      const std::string a = At("d"), b = At("swap");
      while (!done_) {
        syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(),
                RENAME_EXCHANGE);
        ++swaps_;
      }
    });
  }
  void TearDown() override {
    done_ = true;
    swapper_.join();
    EXPECT_GT(swaps_, 10);
    ArchiveTest::TearDown();
  }

  std::atomic<bool> done_{false};
  std::atomic<int> swaps_{0};
  std::thread swapper_;
};

INSTANTIATE_TEST_SUITE_P(Targets, SwapTest,
                         ::testing::Values("", "../../../../../../.."));

TEST_P(SwapTest, OutNeverHasAByteOfTheHost) {
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    const UniqueFd fd = Memory();
    const char* path = i % 2 == 0 ? "/d/canary" : "/d/.";
    if (CopyOut(*root_, path, fd.get()).ok()) ++found;
    EXPECT_THAT(Content(fd.get()), Not(HasSubstr("CANARY")));
  }
  EXPECT_GT(found, 0);
}

TEST_P(SwapTest, InNeverWritesToTheHost) {
  const std::string archive = TarBuilder()
                                  .Dir("d", 0777)
                                  .File("d/canary", "evil", 0666)
                                  .File("d/sub/evil", "evil")
                                  .Build();
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    if (In("/", archive).ok()) ++done;
    if (In("/d", TarBuilder().File("evil", "evil").Build()).ok()) ++done;
    ASSERT_EQ(Read(Host("canary")), "CANARY");
    ASSERT_EQ(Mode(Host("canary")), S_IFREG | 0644);
    ASSERT_EQ(Mode(Host("")), S_IFDIR | 0755);
    // What the attacker's link was replaced by.
    struct stat st;
    if (lstat(At("swap").c_str(), &st) == 0 && S_ISDIR(st.st_mode) &&
        lstat(At("d").c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
      sys::RemoveTreeAt(AT_FDCWD, At("swap")).IgnoreError();
      ASSERT_TRUE(symlink(absl::StrCat(GetParam(), path_, "/host").c_str(),
                          At("swap").c_str()) == 0 ||
                  errno == EEXIST);
    }
  }
  EXPECT_GT(done, 0);
}

}  // namespace
}  // namespace containerkit::container
