#include "lib/store/mapped_ownership.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "lib/sys/in_user_namespace.h"
#include "lib/sys/root_dir.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::store {
namespace {

using testing::StatusIs;

// A user namespace whose ids 0 to 999 are 500000 to 500999 outside.
UniqueFd MakeNamespace() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return UniqueFd();
  const pid_t pid = fork();
  if (pid == 0) {
    const char made = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    (void)!write(ready[1], &made, 1);
    pause();
    _exit(0);
  }
  const UniqueFd reading(ready[0]), writing(ready[1]);
  char made = 'n';
  UniqueFd fd;
  if (read(reading.get(), &made, 1) == 1 && made == 'y') {
    for (const char* map : {"uid_map", "gid_map"}) {
      const UniqueFd file(
          open(absl::StrCat("/proc/", pid, "/", map).c_str(), O_WRONLY));
      EXPECT_TRUE(sys::WriteAll(file.get(), "0 500000 1000\n").ok());
    }
    fd.Reset(open(absl::StrCat("/proc/", pid, "/ns/user").c_str(),
                  O_RDONLY | O_CLOEXEC));
  }
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return fd;
}

class MappedOwnershipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    CK_REQUIRE("user-namespaces");
    ASSERT_NE(mkdtemp(base_.data()), nullptr);
    namespace_ = MakeNamespace();
    ASSERT_TRUE(namespace_.ok());
    ASSERT_EQ(mkdir(At("d").c_str(), 0700), 0);
    const UniqueFd file(open(At("d/f").c_str(), O_CREAT | O_WRONLY, 0600));
    ASSERT_EQ(symlink("/nowhere", At("link").c_str()), 0);
    for (const char* name : {"", "d", "d/f", "link"}) {
      ASSERT_EQ(lchown(At(name).c_str(), 500000, 500000), 0);
    }
  }
  void TearDown() override { CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, base_)); }

  std::string At(const std::string& name) const { return base_ + "/" + name; }
  struct stat Stat(const std::string& name) const {
    struct stat info = {};
    EXPECT_EQ(lstat(At(name).c_str(), &info), 0) << name;
    return info;
  }
  absl::StatusOr<uint64_t> Apply(const OwnedEntries& entries) {
    CK_ASSIGN_OR_RETURN(const sys::RootDir root, sys::RootDir::Open(base_));
    MappedOwnership sink([this](absl::FunctionRef<absl::Status()> body) {
      return sys::InUserNamespace(namespace_.get(), body);
    });
    return sink.Apply(root, entries);
  }

  std::string base_ = "/tmp/ck_mapped_ownership_XXXXXX";
  UniqueFd namespace_;
};

TEST_F(MappedOwnershipTest, SetsOwnersModesAndCapabilities) {
  // CAP_NET_BIND_SERVICE, permitted and effective (revision 2).
  const std::string capability(
      "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00",
      20);
  const auto dropped = Apply({{"link", {.uid = 3, .gid = 4, .mode = S_IFLNK}},
                              {"d/f",
                               {.uid = 1,
                                .gid = 2,
                                .mode = S_IFREG | 04711,
                                .capability = capability}},
                              {"d", {.uid = 5, .mode = S_IFDIR | 0500}},
                              {"", {.uid = 7, .mode = S_IFDIR | 0750}}});
  CK_ASSERT_OK(dropped);
  EXPECT_EQ(*dropped, 0u);
  EXPECT_EQ(Stat("link").st_uid, 500003u);
  EXPECT_EQ(Stat("link").st_gid, 500004u);
  EXPECT_EQ(Stat("d/f").st_uid, 500001u);
  EXPECT_EQ(Stat("d/f").st_gid, 500002u);
  EXPECT_EQ(Stat("d/f").st_mode, S_IFREG | 04711u);
  EXPECT_EQ(Stat("d").st_uid, 500005u);
  EXPECT_EQ(Stat("d").st_mode, S_IFDIR | 0500u);
  EXPECT_EQ(Stat("").st_uid, 500007u);
  // Revision 3, bound to the namespace's root: 20 bytes and its id.
  char value[64];
  EXPECT_EQ(
      getxattr(At("d/f").c_str(), "security.capability", value, sizeof value),
      24);
}

TEST_F(MappedOwnershipTest, CountsOwnersThatTheNamespaceHasNot) {
  const auto dropped =
      Apply({{"d/f", {.uid = 1000, .mode = S_IFREG | 0640}},
             {"d", {.uid = 9, .gid = 5000, .mode = S_IFDIR | 0700}},
             {"link", {.uid = 8, .mode = S_IFLNK}}});
  CK_ASSERT_OK(dropped);
  EXPECT_EQ(*dropped, 2u);
  EXPECT_EQ(Stat("d/f").st_uid, 500000u);
  EXPECT_EQ(Stat("d/f").st_mode, S_IFREG | 0640u);
  EXPECT_EQ(Stat("d").st_uid, 500000u);
  EXPECT_EQ(Stat("link").st_uid, 500008u);
}

TEST_F(MappedOwnershipTest, FailsForWhatIsNotThere) {
  EXPECT_THAT(Apply({{"gone", {.uid = 1}}}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
}

}  // namespace
}  // namespace containerkit::store
