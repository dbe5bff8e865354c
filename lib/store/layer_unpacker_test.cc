#include "lib/store/layer_unpacker.h"

#include <fcntl.h>
#include <isa-l.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_test_util.h"

namespace containerkit::store {
namespace {

std::string Gzip(const std::string& bytes) {
  std::string out(bytes.size() + 1024, '\0');
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<uint8_t*>(&out[0]);
  stream.avail_out = static_cast<uint32_t>(out.size());
  EXPECT_EQ(isal_deflate_stateless(&stream), COMP_OK);
  out.resize(stream.total_out);
  return out;
}

std::string Zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t n =
      ZSTD_compress(&out[0], out.size(), bytes.data(), bytes.size(), 1);
  EXPECT_FALSE(ZSTD_isError(n));
  out.resize(n);
  return out;
}

// One frame with a window of 2^`window_log` bytes.
std::string ZstdFrame(absl::string_view bytes, int window_log) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_outBuffer to = {out.data(), out.size(), 0};
  // As a stream, for else the header tells the size of the content instead.
  ZSTD_inBuffer from = {bytes.data(), bytes.size(), 0};
  EXPECT_FALSE(
      ZSTD_isError(ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue)));
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

// About `kib` KiB in files of 3 KiB.
std::string SomeTar(int kib) {
  TarBuilder tar;
  tar.Dir("d");
  uint64_t random = 1;
  for (int i = 0; i < kib / 4; ++i) {
    std::string content;
    while (content.size() < 3000) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      absl::StrAppend(&content, random >> 20);
    }
    tar.File(absl::StrCat("d/f", i), content.substr(0, 3000));
  }
  return tar.Build();
}

class LayerUnpackerTest : public StoreTest {
 protected:
  absl::StatusOr<LayerRecord> Unpack(const std::string& bytes,
                                     LayerUnpackerOptions options = {},
                                     size_t piece = 100000) {
    CK_ASSIGN_OR_RETURN(Lease lease, store_->NewLease());
    CK_ASSIGN_OR_RETURN(const auto unpacker,
                        LayerUnpacker::Start(*store_, lease, options));
    for (size_t at = 0; at < bytes.size(); at += piece) {
      CK_RETURN_IF_ERROR(
          unpacker->Write(absl::string_view(bytes).substr(at, piece)));
    }
    return unpacker->Finish();
  }

  std::string PathOf(const Digest& diff_id) const {
    return absl::StrCat(root(), "/", Layout::LayerPath(diff_id), "/fs");
  }

  // No layer, no temporary file, no lease.
  void ExpectNothingLeft(const std::string& what = "") {
    for (const char* dir : {"tmp", "trash", "layers/sha256", "leases"}) {
      EXPECT_TRUE(List(dir).empty()) << dir << " " << what;
    }
    std::vector<LayerRecord> layers;
    ASSERT_TRUE(store_
                    ->Read([&](const Txn& txn) -> absl::Status {
                      CK_ASSIGN_OR_RETURN(layers, txn.ListLayers());
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_TRUE(layers.empty()) << what;
  }
};

TEST_F(LayerUnpackerTest, UnpacksPlainGzipAndZstd) {
  const std::string tar = SomeTar(3000);
  const Digest diff_id = Sha256::Of(tar);
  for (const std::string& bytes :
       {tar, Gzip(tar), Zstd(tar),
        Gzip(tar.substr(0, 99999)) + Gzip(tar.substr(99999)),
        Zstd(tar.substr(0, 5)) + Zstd(tar.substr(5)),
        Gzip(tar) + std::string(512, '\0')}) {
    for (const size_t piece : {size_t{1000}, size_t{1} << 20}) {
      const auto layer = Unpack(bytes, {.diff_id = diff_id}, piece);
      ASSERT_TRUE(layer.ok()) << layer.status();
      EXPECT_EQ(layer->diff_id(), diff_id.str());
      EXPECT_EQ(layer->tar_bytes(), tar.size());
      EXPECT_EQ(layer->entry_count(), 751u);
      EXPECT_EQ(layer->size_bytes(), 750u * 3000);
      struct stat info;
      ASSERT_EQ(stat((PathOf(diff_id) + "/d/f749").c_str(), &info), 0);
      EXPECT_EQ(info.st_size, 3000);
      EXPECT_TRUE(store_->FindLayer(diff_id).ok());
      EXPECT_TRUE(List("tmp").empty());
      // Next round from scratch.
      ASSERT_TRUE(
          store_
              ->Transaction([&](Txn& txn) { return txn.RemoveLayer(diff_id); })
              .ok());
      ASSERT_TRUE(store_->layout()
                      .MoveToTrash(store_->layout().layers_fd(
                                       Digest::Algorithm::kSha256),
                                   std::string(diff_id.hex()))
                      .value());
    }
  }
}

// 40 files of 200 KiB that cannot be compressed.
std::string LargeTar() {
  TarBuilder tar;
  uint64_t random = 1;
  for (int i = 0; i < 40; ++i) {
    std::string content(200 << 10, '\0');
    for (char& c : content) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      c = static_cast<char>(random >> 56);
    }
    tar.File(absl::StrCat("f", i), content);
  }
  return tar.Build();
}

// Up to 4 MiB are unpacked in Finish(), more by threads.
TEST_F(LayerUnpackerTest, LargeLayersUnpackLikeSmallOnes) {
  constexpr size_t kSmall = 4 << 20;
  const std::string part = SomeTar(100);
  const std::string large = LargeTar();
  ASSERT_LT(part.size(), kSmall);
  ASSERT_GT(Gzip(large).size(), kSmall + (1 << 20));
  const auto padded = [&](size_t size) {
    return part + std::string(size - part.size(), '\0');
  };
  for (const auto& [tar, bytes] :
       {std::pair(padded(kSmall), padded(kSmall)),
        std::pair(padded(kSmall + 1), padded(kSmall + 1)),
        std::pair(padded(kSmall << 2), padded(kSmall << 2)),
        std::pair(large, large), std::pair(large, Gzip(large)),
        std::pair(large + std::string(1 << 20, '\0'),
                  Zstd(large) + Zstd(std::string(1 << 20, '\0')))}) {
    const auto layer = Unpack(bytes);
    ASSERT_TRUE(layer.ok()) << layer.status();
    EXPECT_EQ(layer->diff_id(), Sha256::Of(tar).str());
    EXPECT_EQ(layer->tar_bytes(), tar.size());
  }
  EXPECT_EQ(GetReason(Unpack(Gzip(large).substr(0, 5 << 20)).status()),
            Reason::kArchiveCorrupt);
  EXPECT_TRUE(List("tmp").empty());
}

TEST_F(LayerUnpackerTest, TakesAnEmptyLayer) {
  for (const std::string& bytes : {std::string(1024, '\0'), std::string()}) {
    const auto layer = Unpack(bytes);
    ASSERT_TRUE(layer.ok()) << layer.status();
    EXPECT_EQ(layer->diff_id(), Sha256::Of(bytes).str());
    EXPECT_EQ(layer->entry_count(), 0u);
  }
}

TEST_F(LayerUnpackerTest, RefusesAnotherDiffId) {
  const auto layer =
      Unpack(Gzip(SomeTar(100)), {.diff_id = Sha256::Of("something else")});
  EXPECT_EQ(layer.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(GetReason(layer.status()), Reason::kDiffIdMismatch);
  ExpectNothingLeft();
}

// T11: cut at every 512 bytes, plain and compressed; no wait for what does not
// come, and nothing left.
TEST_F(LayerUnpackerTest, TruncationIsAnErrorAtEveryBlock) {
  const std::string tar = SomeTar(24);
  const std::string gzip = Gzip(tar);
  const std::string zstd = Zstd(tar);
  const Digest diff_id = Sha256::Of(tar);
  for (const auto& [bytes, compressed] :
       {std::pair(&tar, false), std::pair(&gzip, true),
        std::pair(&zstd, true)}) {
    for (size_t size = 0; size < bytes->size(); size += 512) {
      const auto layer = Unpack(bytes->substr(0, size), {.diff_id = diff_id});
      ASSERT_EQ(layer.status().code(), absl::StatusCode::kDataLoss) << size;
      const Reason reason = GetReason(layer.status());
      ASSERT_TRUE(
          reason == Reason::kArchiveCorrupt ||
          (reason == Reason::kDiffIdMismatch && (!compressed || size == 0)))
          << size << " " << layer.status();
    }
  }
  ExpectNothingLeft();
}

TEST_F(LayerUnpackerTest, FlippedBitsAreErrors) {
  const std::string tar = SomeTar(64);
  for (const std::string& good : {tar, Gzip(tar), Zstd(tar)}) {
    for (size_t at = 0; at < good.size(); at += good.size() / 16 + 1) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      const auto layer = Unpack(bad, {.diff_id = Sha256::Of(tar)});
      // gzip's header has bytes without a meaning.
      if (layer.ok() && at < 10) continue;
      EXPECT_FALSE(layer.ok()) << at;
    }
  }
}

// `tar` in one frame for each of `window_logs`.
std::string Frames(const std::string& tar,
                   const std::vector<int>& window_logs) {
  std::string bytes;
  const size_t part = tar.size() / window_logs.size() + 1;
  for (size_t i = 0; i < window_logs.size(); ++i) {
    bytes += ZstdFrame(absl::string_view(tar).substr(part * i, part),
                       window_logs[i]);
    // And one to skip.
    bytes += std::string("\x50\x2a\x4d\x18\x02\0\0\0xx", 10);
  }
  return bytes;
}

TEST_F(LayerUnpackerTest, FramesMayHaveDifferentWindows) {
  for (const std::string& tar : {SomeTar(3000), LargeTar()}) {
    for (const std::vector<int>& window_logs :
         std::vector<std::vector<int>>{{17, 27, 24, 10, 25, 27, 23},
                                       {27, 17},
                                       {24, 25, 26, 27},
                                       {23, 23, 23, 24}}) {
      const auto layer = Unpack(Frames(tar, window_logs));
      ASSERT_TRUE(layer.ok()) << layer.status();
      EXPECT_EQ(layer->diff_id(), Sha256::Of(tar).str());
      // Damage behind the first large window is told, too.
      std::string bad = Frames(tar, window_logs);
      bad.resize(bad.size() - 100);
      EXPECT_EQ(GetReason(Unpack(bad).status()), Reason::kArchiveCorrupt);
    }
  }
  EXPECT_TRUE(List("tmp").empty());
}

// Each wants more than what the others leave, again and again.
TEST_F(LayerUnpackerTest, LayersWithManyWindowsDoNotBlockEachOther) {
  const std::string tar = LargeTar();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::string own = tar + std::string(512 * i, '\0');
      const auto layer =
          Unpack(Frames(own, {24, 25 + i % 3, 27, 25, 26, 27, 24, 27}));
      ASSERT_TRUE(layer.ok()) << layer.status();
      EXPECT_EQ(layer->diff_id(), Sha256::Of(own).str());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// While its caller is slow, a layer keeps nobody from a large window.
TEST_F(LayerUnpackerTest, ASlowLayerKeepsNoLargeWindow) {
  const std::string tar = LargeTar();
  const std::string bytes = Frames(tar, {17, 27});
  const std::string other = tar + std::string(512, '\0');
  auto lease = store_->NewLease();
  ASSERT_TRUE(lease.ok());
  auto slow = LayerUnpacker::Start(*store_, *lease, {});
  ASSERT_TRUE(slow.ok());
  ASSERT_TRUE((*slow)->Write(absl::string_view(bytes).substr(0, 7 << 20)).ok());
  const CancelToken done;
  const CancelToken over;
  std::thread watchdog([&] {
    if (CancellableSleep(done, absl::Seconds(30), "test").ok()) over.Cancel();
  });
  const auto layer = Unpack(Frames(other, {27}), {.cancel = &over});
  done.Cancel();
  watchdog.join();
  ASSERT_TRUE(layer.ok()) << layer.status();
  ASSERT_TRUE((*slow)->Write(absl::string_view(bytes).substr(7 << 20)).ok());
  const auto finished = (*slow)->Finish();
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->diff_id(), Sha256::Of(tar).str());
  // What is taken in whole has a limit, and goes with the unpacker.
  const std::string skipped = ZstdFrame(SomeTar(100), 27) +
                              std::string("\x50\x2a\x4d\x18\0\0\x80\0", 8) +
                              std::string(8 << 20, 'x');
  EXPECT_TRUE(Unpack(skipped).ok());
  EXPECT_EQ(
      GetReason(Unpack(skipped, {.limits = {.max_bytes = 6 << 20}}).status()),
      Reason::kLimitExceeded);
  auto dropped = LayerUnpacker::Start(*store_, *lease, {});
  ASSERT_TRUE((*dropped)->Write(bytes.substr(0, 7 << 20)).ok());
  dropped->reset();
  EXPECT_TRUE(List("tmp").empty());
}

TEST_F(LayerUnpackerTest, LimitsStopBombs) {
  // 300 MiB of zero bytes in about 10 KiB of zstd.
  TarBuilder tar;
  tar.File("zeros", std::string(300 << 20, '\0'));
  const std::string bomb = Zstd(tar.Build());
  ASSERT_LT(bomb.size(), 100u << 10);
  auto layer = Unpack(bomb);
  EXPECT_EQ(layer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetReason(layer.status()), Reason::kLimitExceeded);
  layer = Unpack(Zstd(SomeTar(2000)), {.limits = {.max_bytes = 1 << 20}});
  EXPECT_EQ(GetReason(layer.status()), Reason::kLimitExceeded);
  // A window that would take 2 GiB of memory.
  const std::string wide("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  EXPECT_EQ(GetReason(Unpack(wide).status()), Reason::kLimitExceeded);
  ExpectNothingLeft();
}

TEST_F(LayerUnpackerTest, ReportsTheFirstErrorFromThenOn) {
  auto lease = store_->NewLease();
  ASSERT_TRUE(lease.ok());
  auto unpacker = LayerUnpacker::Start(*store_, *lease, {}).value();
  const std::string bad =
      TarBuilder().File("../x", "").Build() + std::string(64 << 20, '\0');
  absl::Status status;
  for (size_t at = 0; status.ok() && at < bad.size(); at += 1 << 20) {
    status = unpacker->Write(absl::string_view(bad).substr(at, 1 << 20));
  }
  EXPECT_EQ(GetReason(status), Reason::kUnsafePath) << status;
  EXPECT_EQ(GetReason(unpacker->Finish().status()), Reason::kUnsafePath);
  unpacker.reset();
  EXPECT_TRUE(List("tmp").empty());
}

TEST_F(LayerUnpackerTest, DestructionInTheMiddleLeavesNothing) {
  const std::string tar = LargeTar();
  for (const size_t size : {2 << 20, 6 << 20}) {
    auto lease = store_->NewLease();
    ASSERT_TRUE(lease.ok());
    auto unpacker = LayerUnpacker::Start(*store_, *lease, {}).value();
    ASSERT_TRUE(unpacker->Write(tar.substr(0, size)).ok());
    EXPECT_EQ(List("tmp").size(), 1u);
  }
  ExpectNothingLeft();
}

TEST_F(LayerUnpackerTest, KilledInTheMiddleIsClearedByTheNextOpen) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    auto store = Store::Open(root(), {.durable = false});
    auto lease = (*store)->NewLease();
    auto unpacker = LayerUnpacker::Start(**store, *lease, {});
    const absl::Status status =
        (*unpacker)->Write(SomeTar(20000).substr(0, 12 << 20));
    if (write(ready[1], "", 1) == 1 && status.ok()) pause();
    _exit(1);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  close(ready[1]);
  EXPECT_EQ(List("tmp").size(), 1u);
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  Reopen();
  // Open() spends little time; what is left is in the trash.
  EXPECT_TRUE(List("tmp").empty());
  ASSERT_TRUE(store_->layout().EmptyTrash(absl::InfiniteDuration()).ok());
  ExpectNothingLeft();
}

TEST_F(LayerUnpackerTest, ManyUnpackersOfOneLayerAgree) {
  const std::string bytes = Gzip(SomeTar(1000));
  std::vector<absl::Status> results(4);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([&] { result = Unpack(bytes).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(List("layers/sha256").size(), 1u);
  EXPECT_TRUE(List("tmp").empty());
}

TEST_F(LayerUnpackerTest, WaitsForTheDiskNowOrLater) {
  Reopen({.durable = true});
  const auto unsynced = [this] {
    int64_t count = -1;
    EXPECT_TRUE(store_
                    ->Read([&](const Txn& txn) -> absl::Status {
                      CK_ASSIGN_OR_RETURN(
                          Statement row,
                          txn.database().Prepare("SELECT count(*) FROM layers"
                                                 " WHERE boot_id IS NOT NULL"));
                      CK_RETURN_IF_ERROR(row.Run());
                      count = row.Int(0);
                      return absl::OkStatus();
                    })
                    .ok());
    return count;
  };
  ASSERT_TRUE(Unpack(SomeTar(10), {.sync = LayerSync::kLater}).ok());
  ASSERT_TRUE(Unpack(SomeTar(20), {.sync = LayerSync::kLater}).ok());
  EXPECT_EQ(unsynced(), 2);
  ASSERT_TRUE(Unpack(SomeTar(30), {.sync = LayerSync::kNow}).ok());
  EXPECT_EQ(unsynced(), 0);
}

// F07: the disk is full at each of several points.
TEST_F(LayerUnpackerTest, FullDiskIsAnErrorAndFreesWhatWasTaken) {
  const std::string mount_point = temp_.path() + "/small";
  ASSERT_TRUE(sys::MakeDirAt(AT_FDCWD, mount_point, 0700).ok());
  if (mount("ck-test", mount_point.c_str(), "tmpfs", 0, "size=4m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  store_.reset();
  auto store = Store::Open(mount_point + "/state", {.durable = false});
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  for (const int kib : {8000, 5000, 4500}) {
    const auto layer = Unpack(Gzip(SomeTar(kib)));
    EXPECT_EQ(layer.status().code(), absl::StatusCode::kResourceExhausted)
        << kib << " " << layer.status();
    EXPECT_EQ(GetReason(layer.status()), Reason::kDiskFull) << kib;
    const auto state = mount_point + "/state/";
    for (const char* dir : {"tmp", "trash", "layers/sha256"}) {
      EXPECT_TRUE(sys::ListDirAt(AT_FDCWD, state + dir).value().empty());
    }
  }
  // The space is there again.
  EXPECT_TRUE(Unpack(Gzip(SomeTar(1000))).ok());
  store_.reset();
  EXPECT_EQ(umount2(mount_point.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace containerkit::store
