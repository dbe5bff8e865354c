#include "lib/store/garbage.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/check.h"
#include "lib/store/layer_unpacker.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_test_util.h"

namespace containerkit::store {
namespace {

class GarbageTest : public StoreTest {
 protected:
  // Unpacks a layer of one file and returns its record.
  static absl::StatusOr<LayerRecord> PutLayer(Store& store, Lease& lease,
                                              const std::string& seed) {
    CK_ASSIGN_OR_RETURN(auto unpacker, LayerUnpacker::Start(store, lease, {}));
    CK_RETURN_IF_ERROR(unpacker->Write(TarBuilder().File("f", seed).Build()));
    return unpacker->Finish();
  }

  // A whole image as a pull makes it.
  static absl::StatusOr<ImageRecord> PutImage(Store& store,
                                              const std::string& seed) {
    CK_ASSIGN_OR_RETURN(Lease lease, store.NewLease());
    CK_ASSIGN_OR_RETURN(const VerifiedBlob config,
                        store.blobs().Put(lease, "config " + seed, {}, false));
    CK_ASSIGN_OR_RETURN(
        const VerifiedBlob manifest,
        store.blobs().Put(lease, "manifest " + seed, {}, false));
    CK_ASSIGN_OR_RETURN(const LayerRecord layer, PutLayer(store, lease, seed));
    ImageRecord image;
    image.set_id(config.digest().str());
    image.mutable_config()->set_digest(config.digest().str());
    image.mutable_manifest()->set_digest(manifest.digest().str());
    image.add_layers()->set_diff_id(layer.diff_id());
    CK_RETURN_IF_ERROR(
        store.Transaction([&image](Txn& txn) { return txn.PutImage(image); }));
    return image;
  }

  GarbageResult Collect() {
    auto result = CollectGarbage(*store_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(GarbageResult{});
  }
  absl::Status Write(absl::FunctionRef<absl::Status(Txn&)> fn) {
    return store_->Transaction(fn);
  }
};

TEST_F(GarbageTest, KeepsImagesAndCollectsWhatTheyLeave) {
  const ImageRecord image = PutImage(*store_, "a").value();
  GarbageResult result = Collect();
  EXPECT_EQ(result.blobs + result.layers + result.container_dirs, 0u);
  EXPECT_EQ(List("blobs/sha256").size(), 2u);
  EXPECT_EQ(List("layers/sha256").size(), 1u);
  ASSERT_TRUE(
      Write([&](Txn& txn) { return txn.RemoveImage(image.id()); }).ok());
  result = Collect();
  EXPECT_EQ(result.blobs, 2u);
  EXPECT_EQ(result.layers, 1u);
  EXPECT_EQ(result.freed_bytes, std::string("config amanifest aa").size());
  EXPECT_TRUE(result.trash_is_empty);
  for (const char* dir : {"blobs/sha256", "layers/sha256", "trash", "tmp"}) {
    EXPECT_TRUE(List(dir).empty()) << dir;
  }
}

TEST_F(GarbageTest, ReferencesHoldTheirTarget) {
  const ImageRecord image = PutImage(*store_, "a").value();
  std::optional<Lease> lease(store_->NewLease().value());
  const VerifiedBlob index =
      store_->blobs().Put(*lease, "index", {}, false).value();
  ReferenceRecord reference;
  reference.set_name("n");
  reference.set_image_id(image.id());
  reference.mutable_target()->set_digest(index.digest().str());
  ASSERT_TRUE(
      Write([&](Txn& txn) { return txn.PutReference(reference); }).ok());
  lease.reset();
  EXPECT_EQ(Collect().blobs, 0u);
  ASSERT_TRUE(
      Write([&](Txn& txn) { return txn.RemoveReference("n").status(); }).ok());
  EXPECT_EQ(Collect().blobs, 1u);
}

TEST_F(GarbageTest, ContainersHoldAForciblyRemovedImage) {
  const ImageRecord image = PutImage(*store_, "a").value();
  ASSERT_TRUE(Write([&](Txn& txn) -> absl::Status {
                CK_RETURN_IF_ERROR(txn.InsertContainer(
                    {.id = "c", .name = "c", .image_id = image.id()}));
                return txn.RemoveImage(image.id(), /*force=*/true);
              }).ok());
  EXPECT_EQ(Collect().layers, 0u);
  ASSERT_TRUE(
      Write([&](Txn& txn) { return txn.RemoveContainer("c").status(); }).ok());
  EXPECT_EQ(Collect().layers, 1u);
}

TEST_F(GarbageTest, LeasesHoldUntilTheyEnd) {
  std::optional<Lease> lease(store_->NewLease().value());
  ASSERT_TRUE(store_->blobs().Put(*lease, "blob", {}, false).ok());
  auto anonymous = store_->blobs().NewWriter(*lease, {.durable = false});
  ASSERT_TRUE((*anonymous)->Append("unknown digest").ok());
  ASSERT_TRUE((*anonymous)->Commit().ok());
  ASSERT_TRUE(PutLayer(*store_, *lease, "x").ok());
  GarbageResult result = Collect();
  EXPECT_EQ(result.blobs + result.layers, 0u);
  lease.reset();
  result = Collect();
  EXPECT_EQ(result.blobs, 2u);
  EXPECT_EQ(result.layers, 1u);
}

TEST_F(GarbageTest, LeasesOfTheDeadHoldNothing) {
  const pid_t pid = fork();
  if (pid == 0) {
    auto store = Store::Open(root(), {.durable = false});
    auto lease = (*store)->NewLease();
    const bool ok = (*store)->blobs().Put(*lease, "b", {}, false).ok() &&
                    PutLayer(**store, *lease, "x").ok();
    if (ok) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  const GarbageResult result = Collect();
  EXPECT_EQ(result.dead_leases, 1u);
  EXPECT_EQ(result.blobs, 1u);
  EXPECT_EQ(result.layers, 1u);
}

TEST_F(GarbageTest, CollectsOrphansOfContainersAndLayers) {
  ASSERT_TRUE(Write([](Txn& txn) {
                return txn.InsertContainer({.id = "alive", .name = "a"});
              }).ok());
  ASSERT_TRUE(store_->snapshots().Prepare("alive", {}).ok());
  ASSERT_TRUE(store_->snapshots().Prepare("dead", {}).ok());
  ASSERT_TRUE(sys::MakeDirAt(AT_FDCWD,
                             absl::StrCat(root(), "/layers/sha256/",
                                          Sha256::Of("orphan").hex()),
                             0700)
                  .ok());
  const GarbageResult result = Collect();
  EXPECT_EQ(result.container_dirs, 1u);
  EXPECT_EQ(result.layers, 1u);
  EXPECT_EQ(List("containers"), std::vector<std::string>{"alive"});
}

TEST_F(GarbageTest, KeepsPartialBlobsForAWhile) {
  std::optional<Lease> lease(store_->NewLease().value());
  const Digest digest = Sha256::Of("whole");
  auto writer = store_->blobs().NewWriter(*lease, {.digest = digest});
  ASSERT_TRUE((*writer)->Append("who").ok());
  // Held: not even with age zero.
  auto result =
      CollectGarbage(*store_, {.max_partial_age = absl::ZeroDuration()});
  EXPECT_EQ(result->partial_blobs, 0u);
  writer->reset();
  EXPECT_EQ(Collect().partial_blobs, 0u);
  result = CollectGarbage(*store_, {.max_partial_age = absl::ZeroDuration()});
  EXPECT_EQ(result->partial_blobs, 1u);
  EXPECT_TRUE(List("ingest").empty());
}

TEST_F(GarbageTest, NeverTakesWhatAPullIsAboutToUse) {
  std::atomic<bool> stop = false;
  std::vector<absl::Status> collectors(1);
  std::thread collector([&] {
    auto store = Store::Open(root(), {.durable = false}).value();
    while (!stop && collectors[0].ok()) {
      collectors[0] = CollectGarbage(*store).status();
    }
  });
  // Few seeds: the same content comes and goes.
  std::vector<std::thread> pullers;
  std::vector<absl::Status> results(2);
  for (absl::Status& result : results) {
    pullers.emplace_back([this, &result] {
      for (int i = 0; i < 40 && result.ok(); ++i) {
        const auto image = PutImage(*store_, absl::StrCat(i % 3));
        result = image.status();
        if (!result.ok()) break;
        for (const std::string& digest :
             {image->config().digest(), image->manifest().digest()}) {
          const auto blob = store_->blobs().Find(Digest::Parse(digest).value());
          if (!blob.ok()) {
            // The other puller may have removed the image since.
            const bool removed =
                absl::IsNotFound(store_->Read([&](const Txn& txn) {
                  return txn.GetImage(image->id()).status();
                }));
            if (!removed) result = blob.status();
          }
        }
        Write([&](Txn& txn) {
          return txn.RemoveImage(image->id());
        }).IgnoreError();
      }
    });
  }
  for (std::thread& puller : pullers) puller.join();
  stop = true;
  collector.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  EXPECT_TRUE(collectors[0].ok()) << collectors[0];
  const auto report = CheckStore(*store_);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok());
}

// F07: removing works at 0 bytes free.
TEST_F(GarbageTest, RemovesOnAFullDisk) {
  const std::string mount_point = temp_.path() + "/small";
  ASSERT_TRUE(sys::MakeDirAt(AT_FDCWD, mount_point, 0700).ok());
  if (mount("ck-test", mount_point.c_str(), "tmpfs", 0, "size=8m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  store_ = Store::Open(mount_point + "/state", {.durable = false}).value();
  const ImageRecord image = PutImage(*store_, "a").value();
  ASSERT_TRUE(Write([&](Txn& txn) -> absl::Status {
                for (int i = 0; i < 50; ++i) {
                  CK_RETURN_IF_ERROR(
                      txn.InsertContainer({.id = absl::StrCat("c", i),
                                           .name = absl::StrCat("c", i),
                                           .record = std::string(2000, 'r')}));
                }
                return absl::OkStatus();
              }).ok());
  const std::string filler = mount_point + "/filler";
  auto fd = sys::OpenAt(AT_FDCWD, filler, O_WRONLY | O_CREAT, 0600).value();
  const std::string zeros(4096, '\0');
  while (sys::WriteAll(fd.get(), zeros).ok()) {
  }
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string id = absl::StrCat("c", i);
    const auto remove = [&id](Txn& txn) {
      return txn.RemoveContainer(id).status();
    };
    if (const absl::Status status = Write(remove); !status.ok()) {
      ++refused;
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
      EXPECT_EQ(GetReason(status), Reason::kDiskFull) << status;
      const absl::Status reclaimed = store_->Reclaim(remove);
      EXPECT_TRUE(reclaimed.ok()) << reclaimed;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(
      store_->Reclaim([&](Txn& txn) { return txn.RemoveImage(image.id()); })
          .ok());
  EXPECT_EQ(Collect().layers, 1u);
  // With room again the reserve comes back.
  ASSERT_EQ(unlink(filler.c_str()), 0);
  fd.Reset();
  store_ = Store::Open(mount_point + "/state", {.durable = false}).value();
  EXPECT_EQ(sys::ReadFileAt(AT_FDCWD, mount_point + "/state/reserve", 2 << 20)
                ->size(),
            1u << 20);
  const auto report = CheckStore(*store_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->findings.empty());
  store_.reset();
  EXPECT_EQ(umount2(mount_point.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace containerkit::store
