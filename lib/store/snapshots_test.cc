#include "lib/store/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/layer_unpacker.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_test_util.h"
#include "lib/sys/root_dir.h"
#include "lib/testing/require.h"

namespace containerkit::store {
namespace {

using ::testing::UnorderedElementsAre;

class SnapshotsTest : public StoreTest {
 protected:
  Digest PutLayer(const TarBuilder& tar) {
    Lease lease = store_->NewLease().value();
    auto unpacker = LayerUnpacker::Start(*store_, lease, {}).value();
    EXPECT_TRUE(unpacker->Write(tar.Build()).ok());
    const auto layer = unpacker->Finish();
    EXPECT_TRUE(layer.ok()) << layer.status();
    return Digest::Parse(layer->diff_id()).value();
  }
  const Snapshots& snapshots() const { return store_->snapshots(); }
};

TEST_F(SnapshotsTest, PreparesOnceAndRemovesAtOnce) {
  const Digest base = PutLayer(TarBuilder().File("f", "1"));
  const Digest top = PutLayer(TarBuilder().Dir("./", 01711));
  const auto snapshot = snapshots().Prepare("c1", {base, top});
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->lower_paths,
            (std::vector<std::string>{
                absl::StrCat(root(), "/", Layout::LayerPath(top), "/fs"),
                absl::StrCat(root(), "/", Layout::LayerPath(base), "/fs"),
                root() + "/base"}));
  struct stat info;
  ASSERT_EQ(stat(snapshot->upper_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, S_IFDIR | 01711u);  // As the image's root.
  ASSERT_EQ(stat(snapshot->work_path.c_str(), &info), 0);
  // Again: what the container wrote stays.
  ASSERT_EQ(mkdir((snapshot->upper_path + "/mine").c_str(), 0700), 0);
  ASSERT_TRUE(snapshots().Prepare("c1", {base, top}).ok());
  EXPECT_EQ(List("containers/c1/upper"), std::vector<std::string>{"mine"});

  EXPECT_TRUE(snapshots().Remove("c1").ok());
  EXPECT_TRUE(List("containers").empty());
  EXPECT_TRUE(snapshots().Remove("c1").ok());
  // Closing the store waits for the janitor.
  store_.reset();
  EXPECT_TRUE(List("trash").empty());
}

TEST_F(SnapshotsTest, BelowTheLayersIsWhatIsMountedOn) {
  const auto snapshot = snapshots().Prepare("c", {});
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->lower_paths, std::vector<std::string>{root() + "/base"});
  EXPECT_THAT(List("base"), UnorderedElementsAre("dev", "etc", "proc", "sys"));
  EXPECT_THAT(List("base/etc"),
              UnorderedElementsAre("hostname", "hosts", "resolv.conf"));
}

TEST_F(SnapshotsTest, RefusesUnsafeIdsAndMissingLayers) {
  for (const char* id : {"", ".", "..", "a/b", "../x", ".hidden", "a b"}) {
    const auto snapshot = snapshots().Prepare(id, {});
    EXPECT_EQ(snapshot.status().code(), absl::StatusCode::kInvalidArgument)
        << id;
    EXPECT_FALSE(snapshots().Remove(id).ok()) << id;
  }
  EXPECT_EQ(GetReason(snapshots().Prepare("c", {Sha256::Of("x")}).status()),
            Reason::kLayerNotFound);
}

// An overlay of the snapshot, detached: closing the descriptor unmounts it.
absl::StatusOr<UniqueFd> Mount(const Snapshot& snapshot) {
  const auto set = [](int fs, const char* key, const std::string& path) {
    // fsconfig(2) takes 255 bytes; a descriptor's name is short.
    const UniqueFd dir(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key,
                   absl::StrCat("/proc/self/fd/", dir.get()).c_str(), 0);
  };
  const UniqueFd fs(
      static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!fs.ok()) return SyscallError(errno, "test", "fsopen");
  for (const std::string& lower : snapshot.lower_paths) {
    if (set(fs.get(), "lowerdir+", lower) != 0) {
      return SyscallError(errno, "test", "fsconfig", lower);
    }
  }
  if (set(fs.get(), "upperdir", snapshot.upper_path) != 0 ||
      set(fs.get(), "workdir", snapshot.work_path) != 0 ||
      syscall(SYS_fsconfig, fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr,
              0) != 0) {
    return SyscallError(errno, "test", "fsconfig");
  }
  UniqueFd mount(
      static_cast<int>(syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount.ok()) return SyscallError(errno, "test", "fsmount");
  return mount;
}

// Since Linux 6.7.
bool HasLowerdirPlus() {
  utsname kernel;
  int major = 0;
  int minor = 0;
  return uname(&kernel) == 0 &&
         sscanf(kernel.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 7));
}

TEST_F(SnapshotsTest, MountsOneHundredAndTwentyLayers) {
  CK_REQUIRE("root");
  std::vector<Digest> layers;
  for (int i = 0; i < 120; ++i) {
    TarBuilder tar;
    tar.File(absl::StrCat("f", i), absl::StrCat(i))
        .File("common", absl::StrCat(i))
        .File(absl::StrCat("d", i % 3, "/f", i), "");
    // Every layer hides a file of the one below it.
    if (i > 0) tar.File(absl::StrCat(".wh.f", i - 1), "");
    if (i == 60) tar.File("d0/.wh..wh..opq", "");
    layers.push_back(PutLayer(tar));
  }
  const auto snapshot = snapshots().Prepare("c", layers);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->lower_paths.size(), 121u);
  auto mount = Mount(*snapshot);
  if (!mount.ok() && !HasLowerdirPlus()) {
    GTEST_SKIP() << "the kernel has no lowerdir+";
  }
  ASSERT_TRUE(mount.ok()) << mount.status();
  auto root = sys::RootDir::Adopt(*std::move(mount));
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->ReadSmallFile("common", 10).value(), "119");
  auto names = sys::ListDirAt(root->fd(), ".").value();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"common", "d0", "d1", "d2", "dev",
                                             "etc", "f119", "proc", "sys"}));
  // d0 begins afresh at layer 60; d1 is merged from all.
  EXPECT_EQ(sys::ListDirAt(root->fd(), "d0")->size(), 20u);
  EXPECT_EQ(sys::ListDirAt(root->fd(), "d1")->size(), 40u);
  EXPECT_TRUE(root->CreateFile("d1/new", 0644).ok());
  EXPECT_TRUE(root->Unlink("common").ok());
  EXPECT_EQ(List("containers/c/upper").size(), 2u);
}

}  // namespace
}  // namespace containerkit::store
