#include "lib/store/store.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/store_test_util.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/lock_file.h"

// How often this process, SQLite in it, waited for the disk.
static std::atomic<int> g_syncs = 0;

extern "C" __attribute__((visibility("default"))) int fsync(int fd) {
  ++g_syncs;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

extern "C" __attribute__((visibility("default"))) int fdatasync(int fd) {
  ++g_syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace containerkit::store {
namespace {

TEST_F(StoreTest, MakesThePrivateLayout) {
  struct stat info;
  for (const char* dir : {"", "blobs", "layers", "tmp", "containers"}) {
    ASSERT_EQ(stat(absl::StrCat(root(), "/", dir).c_str(), &info), 0) << dir;
    EXPECT_EQ(info.st_mode & 07777, 0700) << dir;
  }
  EXPECT_EQ(sys::ReadFileAt(AT_FDCWD, root() + "/version", 100).value(),
            "containerkit-store 1\n");
}

// Whether chattr +T works on a directory, and is set.
bool SetTopDir(const std::string& path) {
  const auto fd = sys::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  unsigned int flags = 0;
  if (!fd.ok() || ioctl(fd->get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  flags |= FS_TOPDIR_FL;
  return ioctl(fd->get(), FS_IOC_SETFLAGS, &flags) == 0;
}

bool IsTopDir(const std::string& path) {
  const auto fd = sys::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  unsigned int flags = 0;
  return fd.ok() && ioctl(fd->get(), FS_IOC_GETFLAGS, &flags) == 0 &&
         (flags & FS_TOPDIR_FL) != 0;
}

TEST_F(StoreTest, LayersAreSpreadOverTheDisk) {
  if (!SetTopDir(temp_.path())) {
    GTEST_SKIP() << "the file system has no flag for it";
  }
  EXPECT_TRUE(IsTopDir(root() + "/tmp"));
  EXPECT_FALSE(IsTopDir(root() + "/layers"));
}

TEST_F(StoreTest, OpensOnlyWhatExistsWithoutCreate) {
  const auto store = Store::Open(temp_.path() + "/absent", {.create = false});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(access((temp_.path() + "/absent").c_str(), F_OK), 0);
}

TEST_F(StoreTest, RefusesARelativeRoot) {
  const auto store = Store::Open("state");
  EXPECT_EQ(store.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetReason(store.status()), Reason::kInvalidArgument);
}

TEST_F(StoreTest, RefusesANewerLayout) {
  store_.reset();
  auto dir = sys::OpenAt(AT_FDCWD, root(), O_RDONLY | O_DIRECTORY).value();
  ASSERT_TRUE(
      sys::AtomicWriteFileAt(dir.get(), "version", "containerkit-store 2\n")
          .ok());
  const auto newer = Store::Open(root());
  EXPECT_EQ(newer.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(newer.status()), Reason::kStoreVersion);
  ASSERT_TRUE(sys::AtomicWriteFileAt(dir.get(), "version", "garbage").ok());
  EXPECT_EQ(GetReason(Store::Open(root()).status()), Reason::kStoreCorrupt);
}

TEST_F(StoreTest, RefusesADamagedDatabase) {
  store_.reset();
  for (const char* name :
       {"metadata.db", "metadata.db-wal", "metadata.db-shm"}) {
    auto fd = sys::OpenAt(AT_FDCWD, absl::StrCat(root(), "/", name),
                          O_WRONLY | O_TRUNC | O_CREAT, 0600);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(sys::WriteAll(fd->get(), std::string(8192, 'x')).ok());
  }
  const auto store = Store::Open(root());
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(GetReason(store.status()), Reason::kStoreCorrupt);
}

TEST_F(StoreTest, IsOpenedByManyThreadsAtOnce) {
  const std::string path = temp_.path() + "/fresh/deep/root";
  std::vector<absl::Status> results(8);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back(
        [&] { result = Store::Open(path, {.durable = false}).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
}

TEST_F(StoreTest, RefusesUseAfterFork) {
  const pid_t pid = fork();
  if (pid == 0) {
    const absl::Status write =
        store_->Transaction([](Txn&) { return absl::OkStatus(); });
    const absl::Status read =
        store_->Read([](const Txn&) { return absl::OkStatus(); });
    const bool refused =
        GetReason(write) == Reason::kForked &&
        GetReason(read) == Reason::kForked &&
        GetReason(store_->NewLease().status()) == Reason::kForked &&
        GetReason(store_->blobs().Find(Sha256::Of("")).status()) ==
            Reason::kForked;
    store_.reset();
    // A child may open its own.
    _exit(refused && Store::Open(root(), {.durable = false}).ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(
      store_->Transaction([](Txn& txn) { return txn.PutValue("a/b", "c"); })
          .ok());
}

TEST_F(StoreTest, NamesTheHolderOfTheWriteLock) {
  Reopen({.durable = false, .lock_timeout = absl::Milliseconds(20)});
  auto lock =
      sys::LockFile::Acquire(store_->layout().root_fd(), "write.lock",
                             sys::LockMode::kExclusive, absl::ZeroDuration());
  ASSERT_TRUE(lock.ok());
  const absl::Status status =
      store_->Transaction([](Txn&) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetReason(status), Reason::kStoreBusy);
  EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat(getpid())))
      << status;
}

TEST_F(StoreTest, UndoesAFailedTransaction) {
  const absl::Status status = store_->Transaction([](Txn& txn) -> absl::Status {
    CK_RETURN_IF_ERROR(txn.PutValue("k", "v"));
    return absl::CancelledError("no");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(store_
                  ->Read([](const Txn& txn) -> absl::Status {
                    CK_ASSIGN_OR_RETURN(const auto value, txn.GetValue("k"));
                    EXPECT_FALSE(value.has_value());
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_F(StoreTest, RefusesNestedTransactions) {
  EXPECT_EQ(
      store_
          ->Transaction([this](Txn&) {
            return store_->Read([](const Txn&) { return absl::OkStatus(); });
          })
          .code(),
      absl::StatusCode::kInternal);
}

TEST_F(StoreTest, DropsTempsOfTheDeadAndSparesThoseOfTheLiving) {
  const pid_t pid = fork();
  if (pid == 0) {
    auto store = Store::Open(root(), {.durable = false});
    auto temp = MakeTempDir((*store)->layout().temp_fd(), "layer-");
    auto lease = (*store)->NewLease();
    auto anon = (*store)->blobs().NewWriter(*lease, {});
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto mine = MakeTempDir(store_->layout().temp_fd(), "layer-");
  ASSERT_TRUE(mine.ok());
  ASSERT_EQ(List("tmp").size(), 2u);
  ASSERT_EQ(List("ingest").size(), 1u);
  ASSERT_EQ(List("leases").size(), 1u);
  const auto other = Store::Open(root(), {.durable = false});
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(List("tmp"), std::vector<std::string>{mine->name});
  EXPECT_TRUE(List("ingest").empty());
  EXPECT_TRUE(List("leases").empty());
  // The janitor is at it; closing the store waits for a little.
  store_.reset();
  EXPECT_TRUE((*other)->layout().EmptyTrash(absl::InfiniteDuration()).value());
  EXPECT_TRUE(List("trash").empty());
}

TEST_F(StoreTest, DropsLayersThatAnotherBootDidNotSync) {
  const Digest layer = Sha256::Of("layer");
  LayerRecord record;
  record.set_diff_id(layer.str());
  ASSERT_TRUE(store_
                  ->Transaction([&](Txn& txn) {
                    return txn.PutLayer(record, "another-boot");
                  })
                  .ok());
  ASSERT_TRUE(
      sys::MakeDirAt(AT_FDCWD, root() + "/" + Layout::LayerPath(layer), 0700)
          .ok());
  Reopen();
  EXPECT_EQ(
      store_->Read([&](const Txn& txn) { return txn.GetLayer(layer).status(); })
          .code(),
      absl::StatusCode::kNotFound);
  EXPECT_TRUE(List("layers/sha256").empty());
}

TEST_F(StoreTest, SyncLayersKeepsLayersAcrossBoots) {
  Reopen({.durable = true});
  LayerRecord record;
  record.set_diff_id(Sha256::Of("layer").str());
  ASSERT_TRUE(store_
                  ->Transaction([&](Txn& txn) {
                    return txn.PutLayer(record, store_->layout().boot_id());
                  })
                  .ok());
  ASSERT_TRUE(store_->SyncLayers().ok());
  ASSERT_TRUE(store_
                  ->Read([&](const Txn& txn) -> absl::Status {
                    CK_ASSIGN_OR_RETURN(
                        Statement row,
                        txn.database().Prepare("SELECT count(*) FROM layers"
                                               " WHERE boot_id IS NULL"));
                    CK_RETURN_IF_ERROR(row.Run());
                    EXPECT_EQ(row.Int(0), 1);
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_F(StoreTest, CreateAndRemoveDoNotWaitForTheDisk) {
  constexpr int kRounds = 500;
  const absl::Time start = absl::Now();
  const int syncs = g_syncs;
  for (int i = 0; i < kRounds; ++i) {
    const ContainerRow row{.id = absl::StrCat("id", i),
                           .name = absl::StrCat("name", i),
                           .created_ns = i,
                           .record = std::string(2000, 'r')};
    ASSERT_TRUE(
        store_->Transaction([&](Txn& txn) { return txn.InsertContainer(row); })
            .ok());
    ASSERT_TRUE(store_
                    ->Transaction([&](Txn& txn) {
                      return txn.RemoveContainer(row.id).status();
                    })
                    .ok());
  }
  const absl::Duration each = (absl::Now() - start) / kRounds;
  RecordProperty("us_per_create_remove", absl::ToInt64Microseconds(each));
  // Two for each copy of the WAL into the database, and none for a commit.
  EXPECT_GT(g_syncs, syncs);
  EXPECT_LT(g_syncs - syncs, kRounds / 4);
}

}  // namespace
}  // namespace containerkit::store
