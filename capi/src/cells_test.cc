#include "capi/src/cells.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::capi {
namespace {

// Counts its own destructions.
struct Thing {
  explicit Thing(std::atomic<int>* count) : gone(count) {}
  ~Thing() { ++*gone; }
  std::atomic<int>* gone;
};

void* MakeThing(std::atomic<int>* gone, Tag tag = Tag::kString) {
  return NewCell(tag, new Thing(gone),
                 [](void* p) { delete static_cast<Thing*>(p); });
}

TEST(Cells, LastReferenceDestroys) {
  std::atomic<int> gone{0};
  void* handle = MakeThing(&gone);
  EXPECT_NE(PinCell(handle, Tag::kString), nullptr);
  UnpinCell(handle, Tag::kString);
  EXPECT_EQ(gone, 0);
  UnpinCell(handle, Tag::kString);
  EXPECT_EQ(gone, 1);
}

TEST(Cells, StaleHandleIsRefusedAndNotReleasedTwice) {
  std::atomic<int> gone{0};
  void* handle = MakeThing(&gone);
  UnpinCell(handle, Tag::kString);
  EXPECT_EQ(PinCell(handle, Tag::kString), nullptr);
  UnpinCell(handle, Tag::kString);
  EXPECT_EQ(gone, 1);
}

TEST(Cells, OtherTypesAreRefused) {
  std::atomic<int> gone{0};
  void* handle = MakeThing(&gone, Tag::kEngine);
  EXPECT_EQ(PinCell(handle, Tag::kContainer), nullptr);
  UnpinCell(handle, Tag::kContainer);
  EXPECT_EQ(gone, 0);
  UnpinCell(handle, Tag::kEngine);
  EXPECT_EQ(gone, 1);
}

TEST(Cells, GarbageIsRefusedWithoutReadingIt) {
  std::atomic<int> gone{0};
  void* handle = MakeThing(&gone);
  EXPECT_EQ(PinCell(nullptr, Tag::kString), nullptr);
  EXPECT_EQ(PinCell(reinterpret_cast<void*>(8), Tag::kString), nullptr);
  EXPECT_EQ(PinCell(reinterpret_cast<void*>(~uintptr_t{0}), Tag::kString),
            nullptr);
  EXPECT_EQ(PinCell(&gone, Tag::kString), nullptr);
  EXPECT_EQ(PinCell(static_cast<char*>(handle) + 1, Tag::kString), nullptr);
  UnpinCell(&gone, Tag::kString);
  UnpinCell(handle, Tag::kString);
}

TEST(Cells, ReleasedCellIsReusedLate) {
  std::atomic<int> gone{0};
  void* first = MakeThing(&gone);
  UnpinCell(first, Tag::kString);
  for (int i = 0; i < 1000; ++i) {
    void* other = MakeThing(&gone);
    EXPECT_NE(other, first);
    UnpinCell(other, Tag::kString);
  }
}

TEST(Cells, ManyLiveHandlesAreDistinct) {
  std::atomic<int> gone{0};
  const size_t before = LiveCells();
  std::set<void*> handles;
  for (int i = 0; i < 10000; ++i) handles.insert(MakeThing(&gone));
  EXPECT_EQ(handles.size(), 10000u);
  EXPECT_EQ(LiveCells(), before + 10000);
  for (void* handle : handles) UnpinCell(handle, Tag::kString);
  EXPECT_EQ(gone, 10000);
  EXPECT_EQ(LiveCells(), before);
}

TEST(Cells, ThreadsNeverShareACell) {
  std::atomic<int> gone{0};
  const size_t before = LiveCells();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        auto* thing = new Thing(&gone);
        void* handle = NewCell(Tag::kString, thing,
                               [](void* p) { delete static_cast<Thing*>(p); });
        if (PinCell(handle, Tag::kString) != thing) ++wrong;
        UnpinCell(handle, Tag::kString);
        UnpinCell(handle, Tag::kString);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(gone, 40000);
  EXPECT_EQ(LiveCells(), before);
}

}  // namespace
}  // namespace containerkit::capi
