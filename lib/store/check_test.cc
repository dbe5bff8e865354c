#include "lib/store/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/layer_unpacker.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_test_util.h"

namespace containerkit::store {
namespace {

class CheckTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    Lease lease = store_->NewLease().value();
    const auto config = store_->blobs().Put(lease, "config", {}, false);
    const auto manifest = store_->blobs().Put(lease, "manifest", {}, false);
    auto unpacker = LayerUnpacker::Start(*store_, lease, {}).value();
    ASSERT_TRUE(unpacker->Write(TarBuilder().File("f", "x").Build()).ok());
    const auto layer = unpacker->Finish();
    ASSERT_TRUE(config.ok() && manifest.ok() && layer.ok());
    image_.set_id(config->digest().str());
    image_.mutable_config()->set_digest(config->digest().str());
    image_.mutable_manifest()->set_digest(manifest->digest().str());
    image_.add_layers()->set_diff_id(layer->diff_id());
    ReferenceRecord reference;
    reference.set_name("name");
    reference.set_image_id(image_.id());
    ASSERT_TRUE(store_
                    ->Transaction([&](Txn& txn) -> absl::Status {
                      CK_RETURN_IF_ERROR(txn.PutImage(image_));
                      return txn.PutReference(reference);
                    })
                    .ok());
  }

  std::set<std::string> Findings(bool repair = false) {
    const auto report = CheckStore(*store_, {.repair = repair});
    EXPECT_TRUE(report.ok()) << report.status();
    std::set<std::string> names;
    if (!report.ok()) return names;
    last_ = *report;
    for (const Finding& finding : report->findings) {
      names.insert(std::string(FindingName(finding.kind)));
    }
    return names;
  }
  // Repairs, and sees that nothing but `may_stay` is left.
  void RepairAndExpectClean(const std::set<std::string>& may_stay = {}) {
    Findings(/*repair=*/true);
    EXPECT_EQ(Findings(), may_stay);
  }
  std::string BlobPath(const std::string& digest) const {
    return absl::StrCat(root(), "/blobs/sha256/", digest.substr(7));
  }
  std::string LayerDir() const {
    return absl::StrCat(
        root(), "/",
        Layout::LayerPath(Digest::Parse(image_.layers(0).diff_id()).value()));
  }

  ImageRecord image_;
  CheckReport last_;
};

using Names = std::set<std::string>;

TEST_F(CheckTest, FindsNothingInAGoodStore) {
  EXPECT_EQ(Findings(), Names{});
  EXPECT_TRUE(last_.ok());
}

TEST_F(CheckTest, FindsAndMendsDamagedAndMissingBlobs) {
  const std::string path = BlobPath(image_.config().digest());
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  ASSERT_TRUE(
      sys::WriteAll(sys::OpenAt(AT_FDCWD, path, O_WRONLY)->get(), "X").ok());
  EXPECT_EQ(Findings(), Names{"damaged-blob"});
  EXPECT_FALSE(last_.ok());
  Findings(/*repair=*/true);
  EXPECT_TRUE(last_.ok());
  RepairAndExpectClean();
  EXPECT_TRUE(absl::IsNotFound(store_->Read(
      [&](const Txn& txn) { return txn.GetReference("name").status(); })));
}

TEST_F(CheckTest, FindsAMissingManifestAndLayer) {
  ASSERT_EQ(unlink(BlobPath(image_.manifest().digest()).c_str()), 0);
  EXPECT_EQ(Findings(), Names{"missing-blob"});
  ASSERT_TRUE(sys::RemoveTreeAt(AT_FDCWD, LayerDir()).ok());
  EXPECT_EQ(Findings(), (Names{"missing-blob", "missing-layer"}));
  RepairAndExpectClean();
}

TEST_F(CheckTest, NeverTouchesContainers) {
  ASSERT_TRUE(store_
                  ->Transaction([&](Txn& txn) {
                    return txn.InsertContainer({.id = "c",
                                                .name = "c",
                                                .image_id = image_.id(),
                                                .record = "r"});
                  })
                  .ok());
  ASSERT_TRUE(store_->snapshots().Prepare("c", {}).ok());
  ASSERT_TRUE(sys::RemoveTreeAt(AT_FDCWD, LayerDir()).ok());
  RepairAndExpectClean();
  EXPECT_TRUE(
      store_
          ->Read([](const Txn& txn) { return txn.GetContainer("c").status(); })
          .ok());
  EXPECT_EQ(List("containers").size(), 1u);
}

TEST_F(CheckTest, FindsDanglingRows) {
  ASSERT_TRUE(store_
                  ->Transaction([&](Txn& txn) -> absl::Status {
                    CK_RETURN_IF_ERROR(txn.InsertContainer(
                        {.id = "c", .name = "c", .image_id = image_.id()}));
                    return txn.database().Exec("DELETE FROM images");
                  })
                  .ok());
  EXPECT_EQ(Findings(), (Names{"dangling-reference", "missing-image"}));
  RepairAndExpectClean({"missing-image"});
}

TEST_F(CheckTest, FindsLeftoversAndUnknownFiles) {
  const Layout& layout = store_->layout();
  ASSERT_TRUE(sys::MakeDirAt(layout.temp_fd(), "dead", 0700).ok());
  ASSERT_TRUE(sys::MakeDirAt(layout.trash_fd(), "old", 0700).ok());
  ASSERT_TRUE(sys::MakeDirAt(layout.containers_fd(), "gone", 0700).ok());
  ASSERT_TRUE(sys::MakeDirAt(layout.layers_fd(Digest::Algorithm::kSha256),
                             std::string(Sha256::Of("o").hex()), 0700)
                  .ok());
  for (const char* file : {"leases/dead", "ingest/sha256-x", "README"}) {
    ASSERT_TRUE(
        sys::OpenAt(layout.root_fd(), file, O_CREAT | O_WRONLY, 0600).ok());
  }
  EXPECT_EQ(Findings(),
            (Names{"dead-temp", "trash", "orphan-container-dir", "orphan-layer",
                   "dead-lease", "partial-blob", "unknown-file"}));
  EXPECT_TRUE(last_.ok());  // Nothing of it is damage.
  RepairAndExpectClean({"unknown-file"});
}

TEST_F(CheckTest, WorkInProgressIsNoFinding) {
  Lease lease = store_->NewLease().value();
  auto unpacker = LayerUnpacker::Start(*store_, lease, {});
  auto writer =
      store_->blobs().NewWriter(lease, {.digest = Sha256::Of("coming")});
  ASSERT_TRUE(unpacker.ok() && writer.ok());
  EXPECT_EQ(Findings(/*repair=*/true), Names{});
  EXPECT_TRUE((*writer)->Append("coming").ok());
  EXPECT_TRUE((*writer)->Commit().ok());
}

// F08 in small: damage at many places of the database file is named, never a
// crash.
TEST_F(CheckTest, SurvivesADamagedDatabase) {
  ASSERT_TRUE(store_
                  ->Transaction([](Txn& txn) {
                    return txn.PutValue("k", std::string(100000, 'v'));
                  })
                  .ok());
  ASSERT_TRUE(
      store_->Read([](const Txn& txn) { return absl::OkStatus(); }).ok());
  store_.reset();
  const std::string path = root() + "/metadata.db-wal";
  const std::string good = sys::ReadFileAt(AT_FDCWD, path, 64 << 20).value();
  ASSERT_GT(good.size(), 100000u);
  for (size_t at = 0; at < good.size(); at += good.size() / 60) {
    std::string bad = good;
    for (size_t i = at; i < std::min(at + 64, bad.size()); ++i) bad[i] ^= 0x55;
    auto fd = sys::OpenAt(AT_FDCWD, path, O_WRONLY | O_TRUNC);
    ASSERT_TRUE(fd.ok() && sys::WriteAll(fd->get(), bad).ok());
    fd->Reset();
    const auto store = Store::Open(root(), {.durable = false});
    if (store.ok()) CheckStore(**store).status().IgnoreError();
  }
}

// Kills a child after 1, 2, 3 ... milliseconds of pulling and collecting; the
// store is right whatever it was doing.
TEST_F(CheckTest, IsCleanAfterKillsAtAnyTime) {
  for (int round = 0; round < 15; ++round) {
    store_.reset();  // With its thread: TSan wants none across a fork().
    const pid_t pid = fork();
    if (pid == 0) {
      auto store = Store::Open(root(), {.durable = false}).value();
      for (int i = 0;; ++i) {
        auto lease = store->NewLease();
        auto unpacker = LayerUnpacker::Start(*store, *lease, {});
        TarBuilder tar;
        for (int f = 0; f < 50; ++f) {
          tar.File(absl::StrCat("d", f, "/f"), absl::StrCat(i));
        }
        const std::string id = absl::StrCat("c", getpid(), "-", i);
        const bool ok =
            (*unpacker)->Write(tar.Build()).ok() &&
            (*unpacker)->Finish().ok() &&
            store->blobs().Put(*lease, id, {}, false).ok() &&
            store
                ->Transaction([&](Txn& txn) {
                  return txn.InsertContainer({.id = id, .name = id});
                })
                .ok() &&
            store->snapshots().Prepare(id, {}).ok() &&
            store
                ->Transaction(
                    [&](Txn& txn) { return txn.RemoveContainer(id).status(); })
                .ok() &&
            store->snapshots().Remove(id).ok();
        if (!ok) _exit(1);
      }
    }
    usleep(3000 + 2000 * round);
    kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    Reopen();
    for (const std::string& name : Findings()) {
      EXPECT_TRUE(name == "trash" || name == "orphan-layer" ||
                  name == "orphan-container-dir" || name == "partial-blob")
          << name;
    }
    EXPECT_TRUE(last_.ok());
    RepairAndExpectClean();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace containerkit::store
