// C01, C05 and T03 with every race won by the attacker: copying out of a root,
// into it, and unpacking a layer, while two of its names are exchanged before
// each system call that resolves a path in it (swap_driver.h).
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/store/tar_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/testing/require.h"
#include "tests/attack/host_oracle.h"
#include "tests/attack/swap_driver.h"

namespace containerkit::attack {
namespace {

using store::TarBuilder;

struct Attack {
  std::string name;
  std::vector<std::string> command;  // verb, then what follows the root
  std::string input;
  std::string one;     // in the root; exchanged with "evil" beside it
  std::string target;  // of the link "evil"
};

class ArchiveSwapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    path_ = "/tmp/ck-attack-XXXXXX";
    ASSERT_NE(mkdtemp(path_.data()), nullptr);
    program_ = absl::StrCat(getcwd(nullptr, 0), "/tests/attack/archive_victim");
    ASSERT_EQ(mkdir(Host().c_str(), 0755), 0);
    canary_ = std::make_unique<Canary>(Host());
  }
  void TearDown() override {
    canary_.reset();
    if (!path_.empty()) sys::RemoveTreeAt(AT_FDCWD, path_).IgnoreError();
  }

  std::string Root() const { return path_ + "/root"; }
  std::string Host() const { return path_ + "/host"; }

  // What the canary has too, so that a name that leads there finds something.
  void ResetRoot(const Attack& attack) {
    ASSERT_TRUE(sys::RemoveTreeAt(AT_FDCWD, Root()).ok());
    for (const char* directory : {"", "/d", "/d/dir", "/d/dir/sub"}) {
      ASSERT_EQ(mkdir((Root() + directory).c_str(), 0755), 0);
    }
    for (const char* file : {"/d/file", "/d/dir/inner", "/d/dir/sub/f"}) {
      const UniqueFd fd(
          open((Root() + file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      ASSERT_TRUE(sys::WriteAll(fd.get(), "container").ok());
    }
    ASSERT_EQ(symlink(attack.target.c_str(), Evil(attack).c_str()), 0);
  }
  std::string Evil(const Attack& attack) const {
    const std::string one = Root() + attack.one;
    return one.substr(0, one.rfind('/')) + "/evil";
  }

  std::vector<std::string> Command(const Attack& attack) const {
    std::vector<std::string> argv = {program_, attack.command[0], Root()};
    argv.insert(argv.end(), attack.command.begin() + 1, attack.command.end());
    return argv;
  }

  void Judge(const Traced& run, const HostState& before,
             const std::string& what) {
    EXPECT_FALSE(run.timed_out) << what;
    EXPECT_LE(run.exit_code, 1) << what;
    EXPECT_EQ(run.exit_code == 0, run.err.empty()) << what;
    EXPECT_FALSE(absl::StrContains(run.out, kCanaryBytes)) << what;
    EXPECT_EQ(before.DifferenceNow(), "") << what;
    EXPECT_EQ(canary_->TakeAccesses(), 0) << what;
  }

  void EveryCall(const Attack& attack) {
    int calls = 1, exchanges = 0, ran = 0;
    for (const bool back : {false, true}) {
      for (int at = back ? 1 : 0; at <= calls; ++at) {
        ResetRoot(attack);
        const HostState before = HostState::Take({Host()});
        canary_->TakeAccesses();
        const Traced run = RunTraced(
            Command(attack), {.prefix = Root(), .other_file_systems = false},
            {Root() + attack.one, Evil(attack), at, back}, attack.input);
        const std::string what = absl::StrCat(
            attack.name, ": call ", at, " (", run.at_call, ")",
            back ? " and back" : "", ": exit ", run.exit_code, " ", run.err);
        Judge(run, before, what);
        if (at == 0) {
          ASSERT_EQ(run.exit_code, 0) << what;
          calls = run.calls;
        }
        if (run.exit_code == 0) ++ran;
        exchanges += run.exchanges;
        if (HasFailure()) return;
      }
    }
    EXPECT_GT(calls, 1);
    EXPECT_GT(exchanges, 1);
    printf("%s: %d calls, %d exchanges, %d of %d runs succeeded\n",
           attack.name.c_str(), calls, exchanges, ran, 2 * calls + 1);
  }

  // Both kinds of link, at every name on the way.
  void EveryWay(Attack attack, const std::vector<std::string>& names) {
    const std::string name = attack.name;
    for (const std::string& one : names) {
      // What the canary has at the place of `one`.
      const std::string host =
          Host() + (one == "/d" ? "" : one.substr(strlen("/d")));
      for (const char* up : {"", "../../../../../../.."}) {
        attack.one = one;
        attack.target = up + host;
        attack.name = absl::StrCat(name, " ", one, *up != '\0' ? " up" : "");
        EveryCall(attack);
        if (HasFailure()) return;
      }
    }
  }

  static std::string Archive() {
    return TarBuilder()
        .Dir("d", 0777)
        .File("d/file", "evil", 0666)
        .Dir("d/dir", 0711)
        .File("d/dir/inner", "evil", 04755)
        .Symlink("d/dir/link", "inner")
        .Hardlink("d/dir/hard", "d/file")
        .Add({.path = "d/dir/sub/f",
              .content = "evil",
              .mode = 0777,
              .uid = 5,
              .gid = 5,
              .mtime = 5,
              .pax = {{"SCHILY.xattr.user.evil", "1"}}})
        .File("d/dir/sub/new/deep", "evil")
        .Build();
  }

  std::string path_;
  std::string program_;
  std::unique_ptr<Canary> canary_;
};

TEST_F(ArchiveSwapTest, C01OutHasNoByteOfTheHost) {
  EveryWay({.name = "C01 file", .command = {"out", "/d/file"}},
           {"/d", "/d/file"});
  if (HasFailure()) return;
  EveryWay({.name = "C01 tree", .command = {"out", "/d"}},
           {"/d", "/d/dir", "/d/dir/sub"});
}

TEST_F(ArchiveSwapTest, C01C05InChangesNothingOfTheHost) {
  EveryWay({.name = "C05 tree", .command = {"in", "/"}, .input = Archive()},
           {"/d", "/d/dir", "/d/dir/sub"});
  if (HasFailure()) return;
  EveryWay({.name = "C05 below",
            .command = {"in", "/d/dir"},
            .input = TarBuilder()
                         .File("inner", "evil", 0777)
                         .Dir("sub", 0777)
                         .File("sub/f", "evil", 0777)
                         .Build()},
           {"/d", "/d/dir"});
}

// Compressed archives: neither the host's nor the container's programs run.
TEST_F(ArchiveSwapTest, C04UploadsAreDecompressedInProcess) {
  const Attack attack = {
      .name = "C04", .command = {"in", "/d"}, .one = "/d", .target = Host()};
  for (const char* program : {"gzip -c", "zstd -q -c"}) {
    ResetRoot(attack);
    for (const char* name : {"/bin", "/usr", "/usr/bin"}) {
      ASSERT_EQ(mkdir((Root() + name).c_str(), 0755), 0);
    }
    for (const char* trap : {"gzip", "unpigz", "pigz", "xz", "zstd", "tar"}) {
      for (const char* place : {"/bin/", "/usr/bin/"}) {
        ASSERT_EQ(symlink((Host() + "/file").c_str(),
                          absl::StrCat(Root(), place, trap).c_str()),
                  0);
      }
    }
    const std::string plain = path_ + "/plain", packed = path_ + "/packed";
    const UniqueFd out(
        open(plain.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const std::string tar = TarBuilder().File("made", "content").Build();
    ASSERT_TRUE(sys::WriteAll(out.get(), tar).ok());
    ASSERT_EQ(
        system(absl::StrCat(program, " < ", plain, " > ", packed).c_str()), 0);
    const std::string bytes =
        sys::ReadFileAt(AT_FDCWD, packed, 1 << 20).value_or("");
    ASSERT_FALSE(bytes.empty());
    const HostState before = HostState::Take({Host()});
    canary_->TakeAccesses();
    const Traced run =
        RunTraced(Command(attack), {.prefix = Root()}, {}, bytes);
    Judge(run, before, program);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    // The program itself.
    EXPECT_EQ(run.programs, 1);
    EXPECT_EQ(
        sys::ReadFileAt(AT_FDCWD, Root() + "/d/made", 100).value_or("(none)"),
        "content");
  }
}

TEST_F(ArchiveSwapTest, T03UnpackingStaysInTheLayer) {
  EveryWay({.name = "T03",
            .command = {"unpack"},
            .input = TarBuilder()
                         .Dir("d", 0777)
                         .File("d/file", "evil", 0666)
                         .File("d/.wh.pts", "")
                         .Dir("d/dir", 0711)
                         .File("d/dir/inner", "evil", 04755)
                         .Hardlink("d/dir/hard", "d/file")
                         .Add({.path = "d/dir/sub/f",
                               .content = "evil",
                               .mode = 0777,
                               .uid = 5,
                               .gid = 5,
                               .mtime = 5,
                               .pax = {{"SCHILY.xattr.user.evil", "1"}}})
                         .File("d/dir/sub/.wh..wh..opq", "")
                         .Build()},
           {"/d", "/d/dir", "/d/dir/sub"});
}

TEST_F(ArchiveSwapTest, C01C05T03AtRandom) {
  const std::vector<Attack> attacks = {
      {.name = "out", .command = {"out", "/d"}, .one = "/d", .target = Host()},
      {.name = "in",
       .command = {"in", "/"},
       .input = Archive(),
       .one = "/d",
       .target = Host()},
      {.name = "unpack",
       .command = {"unpack"},
       .input = Archive(),
       .one = "/d/dir",
       .target = Host() + "/dir"}};
  for (const Attack& attack : attacks) {
    const absl::Time end = absl::Now() + absl::Seconds(3);
    int runs = 0;
    while (GoesOn(runs, end) && !HasFailure()) {
      ResetRoot(attack);
      const HostState before = HostState::Take({Host()});
      canary_->TakeAccesses();
      Traced run;
      {
        const RandomSwapper swapper(Root() + attack.one, Evil(attack));
        run = RunPlain(Command(attack), attack.input);
      }
      Judge(run, before, attack.name + " at random");
      ++runs;
    }
    printf("%s: %d random runs\n", attack.name.c_str(), runs);
  }
}

}  // namespace
}  // namespace containerkit::attack
