// What each kind of archive entry becomes. Hostile ones are in
// layer_writer_attack_test.cc.
#include "lib/store/layer_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/layer_writer_test_util.h"
#include "lib/store/tar_test_util.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {
namespace {

using LayerWriterTest = LayerWriterFixture;

// Collects what it is given.
class FakeSink final : public OwnershipSink {
 public:
  absl::StatusOr<uint64_t> Apply(const sys::RootDir&,
                                 const OwnedEntries& entries) override {
    for (const auto& [path, entry] : entries) {
      seen.push_back(absl::StrCat(path, " ", entry.uid, ":", entry.gid));
      modes.push_back(entry.mode);
    }
    return 1;
  }
  std::vector<std::string> seen;
  std::vector<mode_t> modes;
};

TEST_F(LayerWriterTest, WritesFilesWithExactModesAndTimes) {
  ASSERT_TRUE(Unpack(TarBuilder()
                         .Dir("d", 01777)
                         .File("d/f", "hello", 0666)
                         .File("d/suid", "x", 06755)
                         .File("none", "x", 0)
                         .Symlink("d/s", "../f")
                         .Hardlink("h", "d/f"))
                  .ok());
  EXPECT_EQ(Read("d/f"), "hello");
  EXPECT_EQ(Mode("d"), S_IFDIR | 01777u);
  EXPECT_EQ(Mode("d/f"), S_IFREG | 0666u);
  EXPECT_EQ(Mode("d/suid"), S_IFREG | 06755u);
  EXPECT_EQ(Mode("none"), S_IFREG | 0u);
  EXPECT_EQ(root().ReadLink("d/s").value(), "../f");
  EXPECT_EQ(Stat("h").st_ino, Stat("d/f").st_ino);
  for (const char* path : {"d", "d/f", "d/s"}) {
    EXPECT_EQ(Stat(path).st_mtim.tv_sec, 1000000000) << path;
  }
  EXPECT_EQ(writer_->stats().entry_count, 6u);
  EXPECT_EQ(writer_->stats().file_bytes, 7u);
}

TEST_F(LayerWriterTest, ModesDoNotDependOnTheUmask) {
  for (const mode_t mask : {0077, 0000, 0777}) {
    const mode_t old = umask(mask);
    const absl::Status status =
        Unpack(TarBuilder().File("f", "", 0666).Dir("d", 0777));
    umask(old);
    if (mask == 0777 && geteuid() != 0) continue;
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Mode("f"), S_IFREG | 0666u) << mask;
    EXPECT_EQ(Mode("d"), S_IFDIR | 0777u) << mask;
    Reset();
  }
}

TEST_F(LayerWriterTest, MakesWhatIsMissingAboveAnEntry) {
  ASSERT_TRUE(Unpack(TarBuilder().File("a/b/c", "x").Dir("a", 0700)).ok());
  EXPECT_EQ(Mode("a/b"), S_IFDIR | 0755u);
  EXPECT_EQ(Mode("a"), S_IFDIR | 0700u);
  EXPECT_EQ(Mode(""), S_IFDIR | 0755u);
}

TEST_F(LayerWriterTest, SetsTheRootsAttributes) {
  ASSERT_TRUE(Unpack(TarBuilder().Dir("./", 0711).File("./f", "")).ok());
  EXPECT_EQ(Mode(""), S_IFDIR | 0711u);
  EXPECT_EQ(Stat("").st_mtim.tv_sec, 1000000000);
}

// In whatever order, a directory has the attributes of its last entry, and
// what is not listed keeps its own.
TEST_F(LayerWriterTest, DirectoriesKeepTheirTimesAndModes) {
  const TarMember d = {.path = "d", .type = '5', .mode = 02550, .mtime = 7};
  TarMember other = d;
  other.mtime = 5;
  const TarMember e = {.path = "d/e", .type = '5', .mode = 0500, .mtime = 9};
  const auto file = [](const std::string& path) {
    return TarMember{.path = path};
  };
  const std::vector<std::vector<TarMember>> orders = {
      {d, e, file("d/e/f"), file("d/g")},
      {file("d/e/f"), file("d/g"), e, d},
      {file("d/e/f"), d, file("d/g"), e},
      {d, file("x/y/z"), e, file("x/y"), file("d/e/f"), file("x/1"),
       file("d/g"), file("d/e/f")},
      {other, e, file("d/e/f"), d, file("d/g")},
      {d,
       e,
       file("x"),
       {.path = "l", .type = '2', .link = "d/e"},
       file("l/f"),
       file("x"),
       file("d/g")},
      {d,
       e,
       file("x"),
       {.path = "d/e/f", .type = '1', .link = "x"},
       {.path = "d/g", .type = '1', .link = "d/e/f"}},
      {d, e, file("d/e/f"), file("d/g/h"), file("x"), file("d/g")}};
  const auto check = [&](bool) {
    for (size_t i = 0; i < orders.size(); ++i) {
      TarBuilder tar;
      for (const TarMember& member : orders[i]) tar.Add(member);
      const absl::Status status = Unpack(tar);
      EXPECT_TRUE(status.ok()) << i << ": " << status;
      EXPECT_EQ(Mode("d"), S_IFDIR | 02550u) << i;
      EXPECT_EQ(Mode("d/e"), S_IFDIR | 0500u) << i;
      EXPECT_EQ(Stat("d").st_mtim.tv_sec, 7) << i;
      EXPECT_EQ(Stat("d/e").st_mtim.tv_sec, 9) << i;
      EXPECT_TRUE(S_ISREG(Mode("d/e/f"))) << i;
      EXPECT_TRUE(S_ISREG(Mode("d/g"))) << i;
      EXPECT_TRUE(sys::RemoveTreeAt(root().fd(), "d").ok());
      EXPECT_TRUE(sys::RemoveTreeAt(root().fd(), "x").ok());
      EXPECT_TRUE(sys::RemoveTreeAt(root().fd(), "l").ok());
    }
    return !HasFailure();
  };
  check(false);
  AsUser(check);
}

// Without root a directory stays passable as long as entries may come.
TEST_F(LayerWriterTest, DirectoriesWithoutPermissionsCanBeFilled) {
  AsUser([this](bool with_sink) {
    FakeSink sink;
    if (with_sink) options_.ownership_sink = &sink;
    const absl::Status status = Unpack(TarBuilder()
                                           .Dir("d", 0)
                                           .Dir("d/e", 0600)
                                           .Dir("d/listed", 0)
                                           .Dir("d/listed", 0711)
                                           .Dir("d/gone", 0)
                                           .Dir("d/gone/x", 0)
                                           .Dir("d/gone0", 0600)
                                           .File("d/gone", "")
                                           .File("x", "1")
                                           .Symlink("l", "d/e")
                                           .File("l/f", "2")
                                           .Hardlink("h", "d/e/f")
                                           .Dir("./", 0600));
    EXPECT_TRUE(status.ok()) << status;
    if (with_sink) {
      return Read("h") == "2" &&
             sink.seen == std::vector<std::string>{"d/gone0 0:0", "d/e 0:0",
                                                   "d 0:0", " 0:0"} &&
             sink.modes == std::vector<mode_t>{S_IFDIR | 0600, S_IFDIR | 0600,
                                               S_IFDIR, S_IFDIR | 0600};
    }
    struct stat top;
    if (fstat(root().fd(), &top) != 0 || top.st_mode != (S_IFDIR | 0600)) {
      return false;
    }
    if (fchmodat(base_.get(), "layer", 0700, 0) != 0 || Mode("d") != S_IFDIR ||
        fchmodat(root().fd(), "d", 0700, 0) != 0) {
      return false;
    }
    return Read("h") == "2" && Mode("d/e") == (S_IFDIR | 0600u) &&
           Mode("d/gone0") == (S_IFDIR | 0600u) &&
           Mode("d/listed") == (S_IFDIR | 0711u);
  });
}

// More than the writer has descriptors for.
TEST_F(LayerWriterTest, DeepDirectoriesAreLeftOneByOne) {
  const int depth = 500;
  std::string path;
  TarBuilder tar;
  std::vector<std::string> dirs;
  for (int i = 0; i < depth; ++i) {
    absl::StrAppend(&path, i == 0 ? "" : "/", "d");
    dirs.push_back(path);
    tar.Add({.path = "x",
             .type = '5',
             .mode = 0555,
             .mtime = 1000 + i,
             .pax = {{"path", path}}});
  }
  for (int i = depth; --i >= 0;) {
    tar.Add({.path = "x", .pax = {{"path", dirs[i] + "/f"}}});
    tar.File("d/other", "");
  }
  ASSERT_TRUE(Unpack(tar).ok());
  for (int i = 0; i < depth; ++i) {
    EXPECT_EQ(Mode(dirs[i]), S_IFDIR | 0555u) << i;
    EXPECT_EQ(Stat(dirs[i]).st_mtim.tv_sec, 1000 + i);
    EXPECT_TRUE(S_ISREG(Mode(dirs[i] + "/f"))) << i;
  }
}

TEST_F(LayerWriterTest, DirectoriesAreReplacedWhileTheyAreWrittenTo) {
  ASSERT_TRUE(Unpack(TarBuilder()
                         .Dir("a", 0555)
                         .Dir("a/b", 0555)
                         .File("a/b/f", "")
                         .File("a/b", "file")
                         .File("a/g", "")
                         .Symlink("a", "c")
                         .Dir("c", 0711)
                         .File("a/f", "in c")
                         .Dir("a", 0700)
                         .File("a/h", ""))
                  .ok());
  EXPECT_EQ(Names("a"), std::vector<std::string>{"h"});
  EXPECT_EQ(Mode("a"), S_IFDIR | 0700u);
  EXPECT_EQ(Stat("a").st_mtim.tv_sec, 1000000000);
  EXPECT_EQ(Read("c/f"), "in c");
  EXPECT_EQ(Stat("c").st_mtim.tv_sec, 1000000000);
}

TEST_F(LayerWriterTest, DirectoriesThatWereLeftBecomeOpaque) {
  SetUserXattrs(true);
  const auto check = [&](bool) {
    EXPECT_TRUE(Unpack(TarBuilder()
                           .Dir("d", 0555)
                           .Dir("d/e", 0555)
                           .Dir("w", 0555)
                           .File("x", "")
                           .File("d/e/.wh..wh..opq", "")
                           .File(".wh.w", "")
                           .File("x", "")
                           .Dir("d/e", 0511))
                    .ok());
    EXPECT_EQ(Xattr("d", "user.overlay.opaque"), "");
    EXPECT_EQ(Xattr("d/e", "user.overlay.opaque"), "y");
    EXPECT_EQ(Xattr("w", "user.overlay.opaque"), "y");
    EXPECT_EQ(Mode("d/e"), S_IFDIR | 0511u);
    EXPECT_EQ(Mode("w"), S_IFDIR | 0555u);
    EXPECT_EQ(Stat("w").st_mtim.tv_sec, 1000000000);
    return !HasFailure();
  };
  check(false);
  AsUser(check);
}

TEST_F(LayerWriterTest, TurnsWhiteoutsIntoOverlaysForm) {
  SetUserXattrs(true);
  ASSERT_TRUE(Unpack(TarBuilder()
                         .File("d/.wh.gone", "")
                         .File("o/.wh..wh..opq", "")
                         .File("o/new", "x")
                         .File(".wh..wh.plnk/1.2", "aufs")
                         .File(".wh..wh.aufs", ""))
                  .ok());
  EXPECT_TRUE(IsWhiteout("d/gone"));
  EXPECT_EQ(Xattr("o", "user.overlay.opaque"), "y");
  EXPECT_EQ(Xattr("d", "user.overlay.opaque"), "");
  EXPECT_EQ(Names(""), (std::vector<std::string>{"d", "o"}));
}

TEST_F(LayerWriterTest, WhiteoutsConcernOnlyLowerLayers) {
  SetUserXattrs(true);
  ASSERT_TRUE(Unpack(TarBuilder()
                         // In either order, the layer's own entry stays.
                         .File("f", "own")
                         .File(".wh.f", "")
                         .File(".wh.g", "")
                         .File("g", "own")
                         .Dir("d")
                         .File("d/x", "")
                         .File(".wh.d", "")
                         .File(".wh.e", "")
                         .Dir("e", 0700)
                         .File(".wh.i", "")
                         .File("i/x", ""))
                  .ok());
  EXPECT_EQ(Read("f"), "own");
  EXPECT_EQ(Read("g"), "own");
  for (const char* dir : {"d", "e", "i"}) {
    EXPECT_EQ(Xattr(dir, "user.overlay.opaque"), "y") << dir;
  }
  EXPECT_EQ(Mode("e"), S_IFDIR | 0700u);
}

TEST_F(LayerWriterTest, LaterEntriesReplaceEarlierOnesOfAnyType) {
  ASSERT_TRUE(Unpack(TarBuilder()
                         .File("x", "file")
                         .Dir("x", 0700)
                         .File("x/below", "1")
                         .File("x", "file again")
                         .Symlink("x", "nowhere")
                         .Hardlink("y", "x")
                         .Dir("x", 0750)
                         .File("x/new", "2")
                         .Dir("x", 0711)
                         .File("z", "long content")
                         .File("z", "short"))
                  .ok());
  EXPECT_EQ(Mode("x"), S_IFDIR | 0711u);
  EXPECT_EQ(Names("x"), std::vector<std::string>{"new"});
  EXPECT_EQ(Read("z"), "short");
  EXPECT_EQ(root().ReadLink("y").value(), "nowhere");
}

TEST_F(LayerWriterTest, FollowsLinksOfTheArchiveInside) {
  ASSERT_TRUE(Unpack(TarBuilder()
                         .Dir("usr/lib", 0755)
                         .Symlink("lib", "usr/lib")
                         .File("lib/a", "1")
                         .Symlink("abs", "/usr")
                         .Dir("abs/lib/sub", 0700)
                         .File("abs/lib/sub/b", "2"))
                  .ok());
  EXPECT_EQ(Read("usr/lib/a"), "1");
  EXPECT_EQ(Read("usr/lib/sub/b"), "2");
  EXPECT_EQ(Mode("usr/lib/sub"), S_IFDIR | 0700u);
}

TEST_F(LayerWriterTest, ReadsLongNamesOfPaxAndGnu) {
  const std::string name = std::string(200, 'n') + "/" + std::string(255, 'm');
  const std::string target(3000, 't');
  const std::string gnu = std::string(150, 'g');
  ASSERT_TRUE(Unpack(TarBuilder()
                         .Add({.path = "short",
                               .content = "pax",
                               .pax = {{"path", name}, {"mtime", "12.5"}}})
                         .Add({.path = "s",
                               .type = '2',
                               .link = "x",
                               .pax = {{"linkpath", target}}})
                         .Add({.path = "././@LongLink",
                               .type = 'L',
                               .content = gnu + std::string(1, '\0')})
                         .File("cut", "gnu"))
                  .ok());
  EXPECT_EQ(Read(name), "pax");
  EXPECT_EQ(Stat(name).st_mtim.tv_sec, 12);
  EXPECT_EQ(Stat(name).st_mtim.tv_nsec, 500000000);
  EXPECT_EQ(root().ReadLink("s").value(), target);
  EXPECT_EQ(Read(gnu), "gnu");
}

TEST_F(LayerWriterTest, KeepsNamesByteForByteInAnyLocale) {
  // U+00E9 and "e" + U+0301 are two names; \xff is no UTF-8.
  const std::string composed = "\xc3\xa9", decomposed = "e\xcc\x81";
  for (const char* locale : {"C", "C.UTF-8"}) {
    const locale_t chosen = newlocale(LC_ALL_MASK, locale, nullptr);
    ASSERT_NE(chosen, nullptr);
    const locale_t old = uselocale(chosen);
    const absl::Status status =
        Unpack(TarBuilder()
                   .Add({.path = "a", .pax = {{"path", composed}}})
                   .Add({.path = "b", .pax = {{"path", decomposed}}})
                   .Add({.path = "c", .pax = {{"path", "\xff"}}})
                   .File("\xfe", ""));
    uselocale(old);
    freelocale(chosen);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Names(""),
              (std::vector<std::string>{decomposed, composed, "\xfe", "\xff"}));
    Reset();
  }
}

TEST_F(LayerWriterTest, KeepsHolesOfSparseFiles) {
  const std::string map = "2\n0\n3\n1048576\n3\n";
  std::string content = map + std::string(512 - map.size(), '\0') + "abcdef";
  ASSERT_TRUE(
      Unpack(TarBuilder().Add({.path = "GNUSparseFile.0/f",
                               .content = content,
                               .pax = {{"GNU.sparse.major", "1"},
                                       {"GNU.sparse.minor", "0"},
                                       {"GNU.sparse.name", "f"},
                                       {"GNU.sparse.realsize", "2097152"}}}))
          .ok());
  const std::string bytes = Read("f");
  ASSERT_EQ(bytes.size(), 2097152u);
  EXPECT_EQ(bytes.substr(0, 4), std::string("abc\0", 4));
  EXPECT_EQ(bytes.substr(1048576, 4), std::string("def\0", 4));
  EXPECT_LT(Stat("f").st_blocks * 512, 1 << 20);
}

TEST_F(LayerWriterTest, TakesOverOnlyAllowedXattrs) {
  const absl::Status status = Unpack(TarBuilder().Add(
      {.path = "f",
       .content = "x",
       .pax = {{"SCHILY.xattr.user.mine", "value"},
               {"SCHILY.xattr.user.overlay.redirect", "/etc"},
               {"SCHILY.xattr.trusted.overlay.opaque", "y"},
               {"SCHILY.xattr.trusted.foo", "y"},
               {"SCHILY.xattr.security.selinux", "system_u"},
               {"SCHILY.xattr.system.posix_acl_access", "x"}}}));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(root().OpenPath("f").ok(), true);
  const auto names = sys::ListXattrsFd(root().OpenPath("f")->get()).value();
  if (names.empty() && writer_->stats().dropped_xattrs == 6) {
    GTEST_SKIP() << "no user xattrs on the test's file system";
  }
  EXPECT_EQ(names, std::vector<std::string>{"user.mine"});
  EXPECT_EQ(writer_->stats().dropped_xattrs, 5u);
}

TEST_F(LayerWriterTest, ADirectoryHasTheXattrsOfItsLastEntry) {
  const auto dir = [](const std::string& path, const std::string& name) {
    TarMember member = {.path = path, .type = '5', .mode = 0555};
    if (!name.empty()) member.pax = {{"SCHILY.xattr.user." + name, "x"}};
    return member;
  };
  const absl::Status status = Unpack(TarBuilder()
                                         .Add(dir("./", "old"))
                                         .Add(dir("d", "old"))
                                         .Add(dir("e", "only"))
                                         .Add(dir("f", "old"))
                                         .File("d/x", "")
                                         .Add(dir("d", "new"))
                                         .Add(dir("f", ""))
                                         .Add(dir("./", "new")));
  ASSERT_TRUE(status.ok()) << status;
  if (writer_->stats().dropped_xattrs > 0) {
    GTEST_SKIP() << "no user xattrs on the test's file system";
  }
  const auto names = [&](const char* path) {
    return sys::ListXattrsFd(root().OpenPath(path)->get()).value();
  };
  EXPECT_EQ(names("."), std::vector<std::string>{"user.new"});
  EXPECT_EQ(names("d"), std::vector<std::string>{"user.new"});
  EXPECT_EQ(names("e"), std::vector<std::string>{"user.only"});
  EXPECT_EQ(names("f"), std::vector<std::string>());
}

// T10: owners are remembered until the end, and have a limit in bytes.
TEST_F(LayerWriterTest, RemembersOnlySoManyOwners) {
  options_.max_remembered_bytes = 100 << 10;
  const auto unpack = [&](char type, unsigned uid) {
    TarBuilder tar;
    for (int i = 0; i < 600; ++i) {
      tar.Add({.path = absl::StrCat("x", i),
               .type = type,
               .mode = 0755,
               .uid = uid});
    }
    return GetReason(Unpack(tar));
  };
  if (geteuid() == 0) {
    EXPECT_EQ(unpack('0', 7), Reason::kUnspecified);
  }
  AsUser([&](bool with_sink) {
    FakeSink sink;
    options_.ownership_sink = with_sink ? &sink : nullptr;
    const Reason expected =
        with_sink ? Reason::kLimitExceeded : Reason::kUnspecified;
    return unpack('5', 0) == Reason::kUnspecified &&
           unpack('0', 7) == expected && unpack('5', 7) == expected;
  });
}

TEST_F(LayerWriterTest, ACapabilityOfRootsFileKeepsItsMode) {
  AsUser([this](bool with_sink) {
    FakeSink sink;
    if (with_sink) options_.ownership_sink = &sink;
    const absl::Status status = Unpack(TarBuilder().Add(
        {.path = "f",
         .mode = 0755,
         .pax = {{"SCHILY.xattr.security.capability",
                  std::string("\x01\0\0\x02", 4) + std::string(16, '\0')}}}));
    if (!status.ok() || Mode("f") != (S_IFREG | 0755u)) return false;
    return !with_sink || sink.modes == std::vector<mode_t>{S_IFREG | 0755u};
  });
}

TEST_F(LayerWriterTest, CapabilitiesForTheSinkHaveOneOfThreeSizes) {
  AsUser([this](bool) {
    FakeSink sink;
    options_.ownership_sink = &sink;
    const auto unpack = [&](size_t size) {
      return GetReason(
          Unpack(TarBuilder().Add({.path = "f",
                                   .pax = {{"SCHILY.xattr.security.capability",
                                            std::string(size, 'x')}}})));
    };
    for (const size_t size : {12, 20, 24}) {
      if (unpack(size) != Reason::kUnspecified) return false;
    }
    for (const size_t size : {1, 19, 21, 25, 200 << 10}) {
      if (unpack(size) != Reason::kArchiveEntryRefused) return false;
    }
    return true;
  });
}

TEST_F(LayerWriterTest, GivesOwnersAndCapabilitiesAsRoot) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::string caps("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  ASSERT_TRUE(
      Unpack(
          TarBuilder()
              .Add({.path = "f",
                    .content = "x",
                    .mode = 04755,
                    .uid = 12,
                    .gid = 34,
                    .pax = {{"SCHILY.xattr.security.capability", caps}}})
              .Add({.path = "d", .type = '5', .uid = 5, .gid = 6})
              .Add({.path = "s", .type = '2', .link = "f", .uid = 7, .gid = 8})
              .Add({.path = "big", .uid = 0, .pax = {{"uid", "3000000"}}}))
          .ok());
  EXPECT_EQ(Stat("f").st_uid, 12u);
  EXPECT_EQ(Stat("f").st_gid, 34u);
  EXPECT_EQ(Mode("f"), S_IFREG | 04755u);
  EXPECT_EQ(Xattr("f", "security.capability"), caps);
  EXPECT_EQ(Stat("d").st_uid, 5u);
  EXPECT_EQ(Stat("s").st_gid, 8u);
  EXPECT_EQ(Stat("big").st_uid, 3000000u);
}

TEST_F(LayerWriterTest, MakesDevicesAndFifos) {
  const absl::Status status =
      Unpack(TarBuilder()
                 .Add({.path = "null",
                       .type = '3',
                       .mode = 0666,
                       .major = 1,
                       .minor = 3})
                 .Add({.path = "disk", .type = '4', .mode = 0600, .major = 8})
                 .Add({.path = "pipe", .type = '6', .mode = 0622}));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Mode("pipe"), S_IFIFO | 0622u);
  if (writer_->stats().dropped_devices == 2) {
    GTEST_SKIP() << "no CAP_MKNOD";
  }
  EXPECT_EQ(Mode("null"), S_IFCHR | 0666u);
  EXPECT_EQ(Stat("null").st_rdev, makedev(1, 3));
  EXPECT_EQ(Mode("disk"), S_IFBLK | 0600u);
}

TEST_F(LayerWriterTest, HandsOwnersToTheSinkWhenNotRoot) {
  AsUser([this](bool with_sink) {
    FakeSink sink;
    if (with_sink) options_.ownership_sink = &sink;
    const absl::Status status =
        Unpack(TarBuilder()
                   .Add({.path = "d", .type = '5', .mode = 0555, .uid = 1})
                   .Add({.path = "d/f", .uid = 2, .gid = 3})
                   .Add({.path = "d/gone", .uid = 9})
                   .File("d/gone", "now root's")
                   .Add({.path = "own", .uid = geteuid(), .gid = getegid()})
                   .File("r", "")
                   .File("w/.wh.x", "")
                   .Add({.path = "dev", .type = '3', .major = 1}));
    if (!status.ok() || !IsWhiteout("w/x") || Mode("d") != (S_IFDIR | 0555u) ||
        writer_->stats().dropped_devices != 1) {
      return false;
    }
    if (!with_sink) return writer_->stats().dropped_owners == 4;
    return writer_->stats().dropped_owners == 1 &&
           sink.seen == std::vector<std::string>{
                            absl::StrCat("own ", geteuid(), ":", getegid()),
                            "d/f 2:3", "d 1:0"};
  });
}

}  // namespace
}  // namespace containerkit::store
