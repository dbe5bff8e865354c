#include "lib/store/blob_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/store_test_util.h"

namespace containerkit::store {
namespace {

class BlobStoreTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    lease_.emplace(store_->NewLease().value());
  }
  void TearDown() override { lease_.reset(); }

  const BlobStore& blobs() const { return store_->blobs(); }
  std::unique_ptr<BlobWriter> Writer(BlobWriterOptions options) {
    options.durable = false;
    auto writer = blobs().NewWriter(*lease_, options);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }

  std::optional<Lease> lease_;
  const std::string bytes_ = std::string(300000, 'b') + "end";
  const Digest digest_ = Sha256::Of(bytes_);
};

TEST_F(BlobStoreTest, ShowsABlobOnlyWhenItIsWholeAndVerified) {
  auto writer = Writer({.digest = digest_, .size_bytes = bytes_.size()});
  EXPECT_EQ(writer->offset(), 0u);
  ASSERT_TRUE(writer->Append(bytes_).ok());
  EXPECT_EQ(GetReason(blobs().Find(digest_).status()), Reason::kBlobNotFound);
  const auto blob = writer->Commit();
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(blob->digest(), digest_);
  EXPECT_EQ(blob->size_bytes(), bytes_.size());
  EXPECT_EQ(blobs().Read(digest_, 1 << 20).value(), bytes_);
  EXPECT_TRUE(blobs().Verify(digest_).ok());
  EXPECT_EQ(blobs().List().value(), std::vector<Digest>{digest_});
  EXPECT_TRUE(List("ingest").empty());
  struct stat info;
  ASSERT_EQ(fstat(blobs().Open(digest_)->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0400u);
}

TEST_F(BlobStoreTest, ReadsAreCapped) {
  ASSERT_TRUE(blobs().Put(*lease_, bytes_, {}, false).ok());
  EXPECT_EQ(GetReason(blobs().Read(digest_, 1000).status()),
            Reason::kLimitExceeded);
}

// I07: wrong bytes in every form are never visible.
TEST_F(BlobStoreTest, RefusesWrongBytes) {
  auto writer = Writer({.digest = digest_});
  ASSERT_TRUE(writer->Append("other").ok());
  auto blob = writer->Commit();
  EXPECT_EQ(blob.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(GetReason(blob.status()), Reason::kDigestMismatch);
  EXPECT_FALSE(GetErrorDetail(blob.status())->retryable);
  EXPECT_TRUE(List("ingest").empty());

  writer = Writer({.digest = digest_, .size_bytes = 10});
  EXPECT_EQ(GetReason(writer->Append(bytes_)), Reason::kSizeMismatch);
  EXPECT_TRUE(List("ingest").empty());

  const absl::Status put = blobs().Put(*lease_, "x", digest_, false).status();
  EXPECT_EQ(GetReason(put), Reason::kDigestMismatch);
  EXPECT_FALSE(blobs().Find(digest_).ok());
}

TEST_F(BlobStoreTest, ResumesWhereAnotherWriterStopped) {
  {
    auto writer = Writer({.digest = digest_, .size_bytes = bytes_.size()});
    ASSERT_TRUE(writer->Append(bytes_.substr(0, 1000)).ok());
    // A commit that comes too early keeps what is there.
    const auto early = writer->Commit();
    EXPECT_EQ(GetReason(early.status()), Reason::kSizeMismatch);
    EXPECT_TRUE(GetErrorDetail(early.status())->retryable);
  }
  {
    auto writer = Writer({.digest = digest_});
    EXPECT_EQ(writer->offset(), 1000u);
    ASSERT_TRUE(writer->Append(bytes_.substr(1000, 1000)).ok());
  }
  auto writer = Writer({.digest = digest_, .size_bytes = bytes_.size()});
  EXPECT_EQ(writer->offset(), 2000u);
  std::string replayed;
  ASSERT_TRUE(writer
                  ->Replay([&](absl::string_view chunk) {
                    replayed.append(chunk.data(), chunk.size());
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(replayed, bytes_.substr(0, 2000));
  ASSERT_TRUE(writer->Append(bytes_.substr(2000)).ok());
  EXPECT_TRUE(writer->Commit().ok());
  EXPECT_EQ(blobs().Read(digest_, 1 << 20).value(), bytes_);
}

TEST_F(BlobStoreTest, AResumeOnOtherBytesFailsOnceAndStartsAfresh) {
  {
    auto writer = Writer({.digest = digest_});
    ASSERT_TRUE(writer->Append("damaged by a power cut").ok());
  }
  auto writer = Writer({.digest = digest_, .size_bytes = bytes_.size()});
  ASSERT_TRUE(writer->Append(bytes_.substr(writer->offset())).ok());
  const auto blob = writer->Commit();
  EXPECT_EQ(GetReason(blob.status()), Reason::kDigestMismatch);
  EXPECT_TRUE(GetErrorDetail(blob.status())->retryable);
  writer = Writer({.digest = digest_});
  EXPECT_EQ(writer->offset(), 0u);
  // Longer than announced: not even tried.
  ASSERT_TRUE(writer->Append(bytes_ + "more").ok());
  writer.reset();
  writer = Writer({.digest = digest_, .size_bytes = bytes_.size()});
  EXPECT_EQ(writer->offset(), 0u);
  ASSERT_TRUE(writer->Append("x").ok());
  ASSERT_TRUE(writer->Restart().ok());
  ASSERT_TRUE(writer->Append(bytes_).ok());
  EXPECT_TRUE(writer->Commit().ok());
}

TEST_F(BlobStoreTest, ResumesAfterTheWriterWasKilled) {
  const pid_t pid = fork();
  if (pid == 0) {
    auto store = Store::Open(root(), {.durable = false});
    auto lease = (*store)->NewLease();
    auto writer = (*store)->blobs().NewWriter(*lease, {.digest = digest_});
    if ((*writer)->Append(bytes_.substr(0, 4096)).ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto writer = Writer({.digest = digest_});
  EXPECT_EQ(writer->offset(), 4096u);
  ASSERT_TRUE(writer->Append(bytes_.substr(4096)).ok());
  EXPECT_TRUE(writer->Commit().ok());
}

TEST_F(BlobStoreTest, WritersOfOneBlobTakeTurns) {
  auto first = Writer({.digest = digest_});
  const auto busy = blobs().NewWriter(
      *lease_, {.digest = digest_, .lock_timeout = absl::ZeroDuration()});
  EXPECT_EQ(busy.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetReason(busy.status()), Reason::kStoreBusy);
  std::unique_ptr<BlobWriter> second;
  std::thread waiter([&] { second = Writer({.digest = digest_}); });
  ASSERT_TRUE(first->Append(bytes_).ok());
  ASSERT_TRUE(first->Commit().ok());
  waiter.join();
  EXPECT_TRUE(second->complete());
  EXPECT_EQ(second->Commit()->digest(), digest_);
}

TEST_F(BlobStoreTest, WritesBytesOfUnknownDigest) {
  auto writer = Writer({});
  ASSERT_TRUE(writer->Append(bytes_).ok());
  EXPECT_EQ(writer->Commit()->digest(), digest_);
  Writer({})->Append("dropped").IgnoreError();
  EXPECT_TRUE(List("ingest").empty());
}

TEST_F(BlobStoreTest, VerifiesWithoutKeeping) {
  auto writer = Writer({.digest = digest_});
  ASSERT_TRUE(writer->Append(bytes_).ok());
  EXPECT_TRUE(writer->VerifyAndDiscard().ok());
  EXPECT_FALSE(blobs().Find(digest_).ok());
  EXPECT_TRUE(List("ingest").empty());
  writer = Writer({.digest = digest_});
  ASSERT_TRUE(writer->Append("x").ok());
  EXPECT_EQ(GetReason(writer->VerifyAndDiscard()), Reason::kDigestMismatch);
}

TEST_F(BlobStoreTest, TellsADamagedBlob) {
  ASSERT_TRUE(blobs().Put(*lease_, bytes_, {}, false).ok());
  const std::string path =
      absl::StrCat(root(), "/blobs/sha256/", digest_.hex());
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  ASSERT_TRUE(
      sys::WriteAll(sys::OpenAt(AT_FDCWD, path, O_WRONLY)->get(), "X").ok());
  EXPECT_EQ(GetReason(blobs().Read(digest_, 1 << 20).status()),
            Reason::kDigestMismatch);
  EXPECT_EQ(GetReason(blobs().Verify(digest_)), Reason::kDigestMismatch);
}

TEST_F(BlobStoreTest, FullDiskLeavesNoPartialBlob) {
  const std::string mount_point = temp_.path() + "/small";
  ASSERT_TRUE(sys::MakeDirAt(AT_FDCWD, mount_point, 0700).ok());
  if (mount("ck-test", mount_point.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  {
    auto store = Store::Open(mount_point + "/state").value();
    auto lease = store->NewLease().value();
    const std::string big(4 << 20, 'x');
    const auto blob = store->blobs().Put(lease, big);
    EXPECT_EQ(blob.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(GetReason(blob.status()), Reason::kDiskFull);
    EXPECT_TRUE(
        sys::ListDirAt(AT_FDCWD, mount_point + "/state/ingest")->empty());
    EXPECT_TRUE(store->blobs().Put(lease, "small").ok());
  }
  EXPECT_EQ(umount2(mount_point.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace containerkit::store
