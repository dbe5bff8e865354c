// T10 of docs/security.md: what hostile layers take of the host's memory. Each
// is unpacked by a process of its own, whose peak is the kernel's figure.
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/layer_unpacker.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_test_util.h"
#include "lib/store/zstd_window.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kBlock = 128 << 10;

uint64_t PeakBytes() {
  const std::string text =
      sys::ReadFileAt(AT_FDCWD, "/proc/self/status", 1 << 16).value_or("");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t kib = 0;
    if (words.size() == 3 && words[0] == "VmHWM:" &&
        absl::SimpleAtoi(words[1], &kib)) {
      return kib << 10;
    }
  }
  return 0;
}

// A zstd frame of a tar with one file of `mib` MiB, made as it is asked for: a
// header that wants a window of `window`, a power of two, then blocks. The
// first 5 MiB are stored, so that threads unpack it; a repeated byte after
// that.
class Frame {
 public:
  Frame(uint64_t window, uint64_t mib) {
    std::string tar = TarBuilder().File("f", "").Build().substr(0, 512);
    SetSize(tar, mib * kMiB);
    int log = 0;
    while ((uint64_t{1} << log) < window) ++log;
    head_ = std::string("\x28\xb5\x2f\xfd\x00", 5);
    head_.push_back(static_cast<char>((log - 10) << 3));
    AddBlock(tar, /*last=*/false);
    blocks_ = mib * kMiB / kBlock;
  }

  // Empty at the end.
  std::string Next() {
    std::string bytes = std::exchange(head_, {});
    if (at_ == blocks_ + 1) return bytes;
    if (at_ == blocks_) {
      AddBlock(std::string(1024, '\0'), /*last=*/true);
    } else if (at_ < 5 * kMiB / kBlock) {
      AddBlock(std::string(kBlock, 'x'), /*last=*/false);
    } else {
      AddHeader(kBlock, 1, /*last=*/false);
      head_.push_back('x');
    }
    ++at_;
    return bytes + std::exchange(head_, {});
  }

 private:
  // The size in a tar header, and the sum of its bytes.
  static void SetSize(std::string& header, uint64_t size) {
    char field[13];
    snprintf(field, sizeof field, "%011llo", static_cast<long long>(size));
    header.replace(124, 12, field, 12);
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    snprintf(field, sizeof field, "%06o", sum);
    header.replace(148, 7, field, 7);
  }
  void AddHeader(uint64_t size, uint64_t type, bool last) {
    const uint64_t word = size << 3 | type << 1 | (last ? 1 : 0);
    for (int i = 0; i < 3; ++i) {
      head_.push_back(static_cast<char>(word >> (8 * i)));
    }
  }
  void AddBlock(const std::string& bytes, bool last) {
    AddHeader(bytes.size(), 0, last);
    head_ += bytes;
  }

  std::string head_;
  uint64_t blocks_ = 0;
  uint64_t at_ = 0;
};

class UnpackMemoryTest : public StoreTest {
 protected:
  // Runs `body` with a store in a new process; its peak.
  uint64_t PeakOf(const std::function<void(Store&)>& body) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      // The peak so far was this process's parent's.
      const UniqueFd reset(open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));
      if (write(reset.get(), "5", 1) != 1) _exit(3);
      {
        auto store = Store::Open(root(), {.durable = false});
        if (!store.ok()) _exit(2);
        body(**store);
      }
      const uint64_t peak = PeakBytes();
      const bool said = write(ends[1], &peak, sizeof peak) == sizeof peak;
      fflush(stdout);
      _exit(said && !HasFailure() ? 0 : 1);
    }
    close(ends[1]);
    uint64_t peak = 0;
    EXPECT_EQ(read(ends[0], &peak, sizeof peak), ssize_t{sizeof peak});
    close(ends[0]);
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    printf("peak: %d MiB\n", static_cast<int>(peak / kMiB));
    return peak;
  }

  static absl::Status Unpack(Store& store, uint64_t window, uint64_t mib) {
    CK_ASSIGN_OR_RETURN(Lease lease, store.NewLease());
    CK_ASSIGN_OR_RETURN(const auto unpacker,
                        LayerUnpacker::Start(store, lease, {}));
    Frame frame(window, mib);
    for (std::string bytes; !(bytes = frame.Next()).empty();) {
      CK_RETURN_IF_ERROR(unpacker->Write(bytes));
    }
    CK_ASSIGN_OR_RETURN(const LayerRecord layer, unpacker->Finish());
    EXPECT_EQ(layer.size_bytes(), mib * kMiB);
    return absl::OkStatus();
  }

  // As many as a pull has side by side, none like another.
  static void UnpackThree(Store& store, uint64_t window, uint64_t mib) {
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < 3; ++i) {
      threads.emplace_back([&store, window, mib, i] {
        const absl::Status status = Unpack(store, window, mib + i);
        EXPECT_TRUE(status.ok()) << status;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(UnpackMemoryTest, LayersWithUsualWindowsTake64MiB) {
  EXPECT_LE(
      PeakOf([](Store& store) { UnpackThree(store, kUsualWindowBytes, 40); }),
      64 * kMiB);
}

TEST_F(UnpackMemoryTest, LargerWindowsHaveTheirShareTogether) {
  EXPECT_LE(
      PeakOf([](Store& store) { UnpackThree(store, kMaxWindowBytes, 136); }),
      kMaxWindowBytes + 64 * kMiB);
}

TEST_F(UnpackMemoryTest, WindowsWithoutMeasureAreRefusedByTheirHeader) {
  const auto refused = [](Store& store) {
    for (const uint64_t window : {2 * kMaxWindowBytes, uint64_t{1} << 31}) {
      const absl::Status status = Unpack(store, window, 40);
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(GetReason(status), Reason::kLimitExceeded) << status;
    }
  };
  EXPECT_LE(PeakOf(refused), 64 * kMiB);
}

// 64 MiB in frames that say nothing, and one that claims 4 GiB.
TEST_F(UnpackMemoryTest, SkippableFramesTakeNothing) {
  const auto skip = [](Store& store) {
    auto lease = store.NewLease();
    ASSERT_TRUE(lease.ok());
    const auto unpacker = LayerUnpacker::Start(store, *lease, {}).value();
    const std::string small(
        "\x50\x2a\x4d\x18\x08\0\0\0"
        "12345678",
        16);
    std::string many;
    while (many.size() < kMiB) many += small;
    for (int i = 0; i < 64; ++i) ASSERT_TRUE(unpacker->Write(many).ok());
    ASSERT_TRUE(unpacker->Write("\x5f\x2a\x4d\x18\xff\xff\xff\xff").ok());
    for (int i = 0; i < 64; ++i) ASSERT_TRUE(unpacker->Write(many).ok());
    EXPECT_EQ(GetReason(unpacker->Finish().status()), Reason::kArchiveCorrupt);
  };
  EXPECT_LE(PeakOf(skip), 64 * kMiB);
}

// Amounts of T10: a part in CI, with CK_ATTACK_FULL=1 all.
uint64_t Amount(uint64_t part, uint64_t all) {
  const char* const full = getenv("CK_ATTACK_FULL");
  return full != nullptr && full[0] == '1' ? all : part;
}

// A layer of `count` members that are made as they are needed.
absl::StatusOr<LayerRecord> UnpackMany(
    Store& store, uint64_t count,
    const std::function<TarMember(uint64_t)>& member,
    const LayerUnpackerOptions& options = {}) {
  CK_ASSIGN_OR_RETURN(Lease lease, store.NewLease());
  CK_ASSIGN_OR_RETURN(const auto unpacker,
                      LayerUnpacker::Start(store, lease, options));
  for (uint64_t i = 0; i < count;) {
    TarBuilder part;
    for (const uint64_t end = std::min(i + 100, count); i < end; ++i) {
      part.Add(member(i));
    }
    std::string bytes = part.Build();
    bytes.resize(bytes.size() - 1024);
    CK_RETURN_IF_ERROR(unpacker->Write(bytes));
  }
  CK_RETURN_IF_ERROR(unpacker->Write(std::string(1024, '\0')));
  return unpacker->Finish();
}

// 10^7 empty files: no memory for them, and an end at 4,000,000.
TEST_F(UnpackMemoryTest, ManyFilesTakeNothingAndHaveALimit) {
  const auto many = [](Store& store) {
    LayerUnpackerOptions options;
    options.writer.max_entries = Amount(20'000, options.writer.max_entries);
    const absl::StatusOr<LayerRecord> layer = UnpackMany(
        store, Amount(50'000, 10'000'000),
        [](uint64_t i) {
          return TarMember{.path = absl::StrCat("d", i / 1000, "/", i)};
        },
        options);
    EXPECT_EQ(GetReason(layer.status()), Reason::kLimitExceeded)
        << layer.status();
  };
  EXPECT_LE(PeakOf(many), 64 * kMiB);
  for (const char* dir : {"tmp", "trash"}) EXPECT_TRUE(List(dir).empty());
}

// Directories take no memory either, in whatever order they come.
TEST_F(UnpackMemoryTest, ManyDirectoriesTakeNothing) {
  const uint64_t count = Amount(60'000, 1'000'000);
  const auto many = [count](Store& store) {
    const std::string tail(80, 'n');
    const absl::StatusOr<LayerRecord> layer =
        UnpackMany(store, count, [&](uint64_t i) {
          return TarMember{
              .path = absl::StrCat("d", i % 100, "/", i / 100, tail),
              .type = '5'};
        });
    ASSERT_TRUE(layer.ok()) << layer.status();
    EXPECT_EQ(layer->entry_count(), count);
  };
  EXPECT_LE(PeakOf(many), 24 * kMiB);
}

// 10^6 attributes on directories, whose other metadata has to wait, take no
// more than on files.
TEST_F(UnpackMemoryTest, ManyAttributesTakeNothing) {
  const uint64_t count = Amount(2'000, 50'000);
  const auto many = [count](Store& store, char type) {
    const absl::StatusOr<LayerRecord> layer =
        UnpackMany(store, count, [type](uint64_t i) {
          TarMember member = {.path = absl::StrCat("d", i), .type = type};
          for (int n = 0; n < 20; ++n) {
            member.pax.emplace_back(absl::StrCat("SCHILY.xattr.user.", n),
                                    std::string(100, 'x'));
          }
          return member;
        });
    ASSERT_TRUE(layer.ok()) << layer.status();
    EXPECT_EQ(layer->entry_count(), count);
  };
  const uint64_t on_files = PeakOf([&](Store& store) { many(store, '0'); });
  EXPECT_LE(PeakOf([&](Store& store) { many(store, '5'); }),
            on_files + (1 + count / 4'000) * 2 * kMiB);
}

// An end of the pull ends the wait for the share.
TEST_F(UnpackMemoryTest, AWaitForTheShareCanBeCancelled) {
  WindowShare all;
  ASSERT_TRUE(all.Reserve(kMaxWindowBytes, {}).ok());
  auto lease = store_->NewLease();
  ASSERT_TRUE(lease.ok());
  const CancelToken cancel;
  const auto unpacker =
      LayerUnpacker::Start(*store_, *lease, {.cancel = &cancel}).value();
  Frame frame(kMaxWindowBytes, 1);
  for (std::string bytes; !(bytes = frame.Next()).empty();) {
    ASSERT_TRUE(unpacker->Write(bytes).ok());
  }
  std::thread other([&] { cancel.Cancel(); });
  EXPECT_EQ(GetReason(unpacker->Finish().status()), Reason::kCancelled);
  other.join();
}

// Whoever came first is served first, even where a later one would fit.
TEST(WindowShareTest, ServesInOrderOfArrival) {
  auto held = std::make_unique<WindowShare>();
  ASSERT_TRUE(held->Reserve(100 * kMiB, {}).ok());
  std::atomic<bool> large_waits = false;
  std::atomic<bool> small_waits = false;
  std::atomic<bool> large_served = false;
  std::thread large([&] {
    WindowShare share;
    EXPECT_TRUE(share
                    .Reserve(kMaxWindowBytes,
                             [&] {
                               large_waits = true;
                               return absl::OkStatus();
                             })
                    .ok());
    large_served = true;
  });
  while (!large_waits) absl::SleepFor(absl::Milliseconds(1));
  std::thread small([&] {
    WindowShare share;
    EXPECT_TRUE(share
                    .Reserve(16 * kMiB,
                             [&] {
                               small_waits = true;
                               return absl::OkStatus();
                             })
                    .ok());
    EXPECT_TRUE(small_waits);
    EXPECT_TRUE(large_served);
    small_waits = true;
  });
  while (!small_waits) absl::SleepFor(absl::Milliseconds(1));
  // One that gives up between them does not stop the others.
  {
    WindowShare given_up;
    EXPECT_TRUE(absl::IsCancelled(given_up.Reserve(
        16 * kMiB, [] { return absl::CancelledError("enough"); })));
  }
  held.reset();
  large.join();
  small.join();
}

TEST(ZstdWindowTest, IsReadFromTheHeader) {
  const std::string magic("\x28\xb5\x2f\xfd", 4);
  const auto bytes = [&](const std::string& rest) {
    return ZstdWindowBytes(magic + rest);
  };
  for (size_t n = 0; n <= magic.size(); ++n) {
    EXPECT_EQ(ZstdWindowBytes(magic.substr(0, n)), std::nullopt) << n;
  }
  EXPECT_EQ(bytes(std::string("\x00", 1)), std::nullopt);
  EXPECT_EQ(bytes(std::string("\x00\x00", 2)), 1024);
  EXPECT_EQ(bytes(std::string("\x00\x57", 2)), 1024 * 1024 * 15 / 8);
  EXPECT_EQ(bytes(std::string("\x00\xff", 2)), (uint64_t{1} << 41) / 8 * 15);
  // The content's size, behind a dictionary's id of 0, 1, 2 or 4 bytes.
  EXPECT_EQ(bytes("\x20\x07"), 7);
  EXPECT_EQ(bytes("\x21z"), std::nullopt);
  EXPECT_EQ(bytes("\x21z\x07"), 7);
  EXPECT_EQ(bytes(std::string("\x62zz\x01\x00", 5)), 257);
  EXPECT_EQ(bytes(std::string("\xa3zzzz\x01\x00\x00\x80", 9)), 0x80000001);
  EXPECT_EQ(bytes(std::string("\xe0\0\0\0\0\1\0\0", 8)), std::nullopt);
  EXPECT_EQ(bytes(std::string("\xe0\0\0\0\0\1\0\0\0", 9)), uint64_t{1} << 32);
  // No frame, and one to skip.
  EXPECT_EQ(ZstdWindowBytes("x"), 0);
  EXPECT_EQ(ZstdWindowBytes("\x50"), 0);
}

}  // namespace
}  // namespace containerkit::store
