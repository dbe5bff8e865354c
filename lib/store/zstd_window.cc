#include "lib/store/zstd_window.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(5);
constexpr absl::string_view kMagic("\x28\xb5\x2f\xfd", 4);

Mutex mutex;
uint64_t taken ABSL_GUARDED_BY(mutex) = 0;

// One that waits, on its own stack.
struct Waiter {
  Waiter* behind = nullptr;
};
Waiter* first ABSL_GUARDED_BY(mutex) = nullptr;

void Join(Waiter* waiter) {
  const MutexLock lock(&mutex);
  Waiter** end = &first;
  while (*end != nullptr) end = &(*end)->behind;
  *end = waiter;
}

void LeaveLocked(const Waiter* waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
  Waiter** at = &first;
  while (*at != waiter) at = &(*at)->behind;
  *at = waiter->behind;
}

void Leave(const Waiter* waiter) {
  const MutexLock lock(&mutex);
  LeaveLocked(waiter);
}

// Only whose turn it is: those that need less would keep it waiting.
bool TryTake(const Waiter* waiter, uint64_t bytes) {
  const MutexLock lock(&mutex);
  if (first != waiter || bytes > kMaxWindowBytes - taken) return false;
  LeaveLocked(waiter);
  taken += bytes;
  return true;
}

void GiveBack(uint64_t bytes) {
  const MutexLock lock(&mutex);
  taken -= bytes;
}

}  // namespace

std::optional<uint64_t> ZstdWindowBytes(absl::string_view head) {
  if (head.substr(0, kMagic.size()) != kMagic.substr(0, head.size())) return 0;
  if (head.size() <= kMagic.size()) return std::nullopt;
  const auto byte = [head](size_t at) {
    return static_cast<uint64_t>(static_cast<uint8_t>(head[at]));
  };
  size_t at = kMagic.size();
  const uint64_t descriptor = byte(at++);
  const bool single_segment = (descriptor & 0x20) != 0;
  if (!single_segment) {
    if (head.size() <= at) return std::nullopt;
    const uint64_t base = uint64_t{1} << (10 + (byte(at) >> 3));
    return base + base / 8 * (byte(at) & 7);
  }
  // The whole content is the window: its size follows the dictionary's id.
  constexpr size_t kIdBytes[] = {0, 1, 2, 4};
  at += kIdBytes[descriptor & 3];
  const size_t size_bytes = size_t{1} << (descriptor >> 6);
  if (head.size() < at + size_bytes) return std::nullopt;
  uint64_t size = size_bytes == 2 ? 256 : 0;
  for (size_t i = 0; i < size_bytes; ++i) size += byte(at + i) << (8 * i);
  return size;
}

WindowShare::~WindowShare() { GiveBack(bytes_); }

absl::Status WindowShare::Reserve(uint64_t bytes,
                                  const std::function<absl::Status()>& check) {
  if (bytes <= kUsualWindowBytes || bytes <= bytes_) return absl::OkStatus();
  // All at once: two that keep a part and want more would wait for each other.
  GiveBack(std::exchange(bytes_, 0));
  Waiter waiter;
  Join(&waiter);
  while (!TryTake(&waiter, bytes)) {
    const absl::Status status = check ? check() : absl::OkStatus();
    if (!status.ok()) {
      Leave(&waiter);
      return status;
    }
    absl::SleepFor(kPause);
  }
  bytes_ = bytes;
  return absl::OkStatus();
}

}  // namespace containerkit::store
