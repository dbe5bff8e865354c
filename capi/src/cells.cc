#include "capi/src/cells.h"

#include <atomic>
#include <new>

namespace containerkit::capi {
namespace {

// state: the tag in the upper half, the number of references in the lower.
struct Cell {
  std::atomic<uint64_t> state{0};
  void* payload = nullptr;
  void (*destroy)(void*) = nullptr;
};

constexpr uint64_t kRefMask = 0xffffffff;
constexpr size_t kSlabBytes = 64 << 10;
constexpr size_t kCellsPerSlab = kSlabBytes / sizeof(Cell);
constexpr size_t kMaxSlabs = 4096;
constexpr size_t kIndexSize = 2 * kMaxSlabs;
// How long to look for a free cell before a slab is added.
constexpr size_t kProbes = 64;

struct alignas(kSlabBytes) Slab {
  Cell cells[kCellsPerSlab];
};

// All constant-initialised: loading the library runs nothing.
constinit std::atomic<Slab*> g_slabs[kMaxSlabs] = {};
constinit std::atomic<size_t> g_slab_count{0};
// Open addressing by address; entries are only ever added.
constinit std::atomic<uintptr_t> g_index[kIndexSize] = {};
constinit std::atomic<uint64_t> g_cursor{0};
constinit std::atomic<size_t> g_live{0};

uint64_t State(Tag tag, uint64_t refs) {
  return (static_cast<uint64_t>(tag) << 32) | refs;
}

size_t Hash(uintptr_t slab) { return (slab / kSlabBytes * 0x9e3779b1u) >> 7; }

bool IsSlab(uintptr_t address) {
  for (size_t i = 0; i < kIndexSize; ++i) {
    const uintptr_t entry = g_index[(Hash(address) + i) % kIndexSize].load(
        std::memory_order_acquire);
    if (entry == address) return true;
    if (entry == 0) return false;
  }
  return false;
}

// The cell that a handle names, if it is one of ours.
Cell* FindCell(const void* handle) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(handle);
  const uintptr_t slab = address & ~(kSlabBytes - 1);
  if (slab == 0 || !IsSlab(slab)) return nullptr;
  const size_t offset = address - slab;
  if (offset % sizeof(Cell) != 0 || offset / sizeof(Cell) >= kCellsPerSlab) {
    return nullptr;
  }
  return &reinterpret_cast<Slab*>(slab)->cells[offset / sizeof(Cell)];
}

void AddSlab() {
  // 10 million live handles are a leak of the host's.
  if (g_slab_count.load() >= kMaxSlabs) throw std::bad_alloc();
  Slab* slab = new Slab;
  const uintptr_t address = reinterpret_cast<uintptr_t>(slab);
  for (size_t i = 0; i < kIndexSize; ++i) {
    uintptr_t empty = 0;
    if (g_index[(Hash(address) + i) % kIndexSize].compare_exchange_strong(
            empty, address, std::memory_order_acq_rel)) {
      break;
    }
  }
  for (size_t i = g_slab_count.load(); i < kMaxSlabs; ++i) {
    Slab* none = nullptr;
    if (g_slabs[i].compare_exchange_strong(none, slab)) {
      size_t count = i;
      while (count <= i && !g_slab_count.compare_exchange_weak(count, i + 1)) {
      }
      return;
    }
  }
  // Threads raced for the last slots: the slab stays known and unused.
  throw std::bad_alloc();
}

// A free cell, now dying so that nobody else takes or finds it; or nullptr.
Cell* Claim() {
  const size_t slabs = g_slab_count.load(std::memory_order_acquire);
  if (slabs == 0) return nullptr;
  const size_t total = slabs * kCellsPerSlab;
  for (size_t i = 0; i < kProbes; ++i) {
    const size_t at = g_cursor.fetch_add(1, std::memory_order_relaxed) % total;
    Slab* slab = g_slabs[at / kCellsPerSlab].load(std::memory_order_acquire);
    if (slab == nullptr) continue;
    Cell& cell = slab->cells[at % kCellsPerSlab];
    uint64_t free = 0;
    if (cell.state.compare_exchange_strong(free, State(Tag::kDying, 0),
                                           std::memory_order_acq_rel)) {
      return &cell;
    }
  }
  return nullptr;
}

// On unload: slabs go when nobody can hold a handle any more. At the end of a
// process other threads may, and then the kernel is quick enough.
__attribute__((destructor)) void FreeSlabs() {
  if (g_live.load() != 0) return;
  for (std::atomic<uintptr_t>& entry : g_index) entry.store(0);
  g_slab_count.store(0);
  for (std::atomic<Slab*>& slab : g_slabs) {
    delete slab.exchange(nullptr);
  }
}

}  // namespace

void* NewCell(Tag tag, void* payload, void (*destroy)(void*)) {
  Cell* cell = Claim();
  while (cell == nullptr) {
    AddSlab();
    cell = Claim();
  }
  cell->payload = payload;
  cell->destroy = destroy;
  g_live.fetch_add(1, std::memory_order_relaxed);
  cell->state.store(State(tag, 1), std::memory_order_release);
  return cell;
}

void* PinCell(const void* handle, Tag tag) noexcept {
  Cell* cell = FindCell(handle);
  if (cell == nullptr) return nullptr;
  uint64_t state = cell->state.load(std::memory_order_acquire);
  do {
    if (state >> 32 != static_cast<uint64_t>(tag)) return nullptr;
    if ((state & kRefMask) == kRefMask) return nullptr;
  } while (!cell->state.compare_exchange_weak(state, state + 1,
                                              std::memory_order_acq_rel));
  return cell->payload;
}

void UnpinCell(const void* handle, Tag tag) noexcept {
  Cell* cell = FindCell(handle);
  if (cell == nullptr) return;
  uint64_t state = cell->state.load(std::memory_order_acquire);
  uint64_t next;
  do {
    if (state >> 32 != static_cast<uint64_t>(tag)) return;
    next = (state & kRefMask) == 1 ? State(Tag::kDying, 0) : state - 1;
  } while (!cell->state.compare_exchange_weak(state, next,
                                              std::memory_order_acq_rel));
  if (next != State(Tag::kDying, 0)) return;
  cell->destroy(cell->payload);
  cell->payload = nullptr;
  g_live.fetch_sub(1, std::memory_order_relaxed);
  cell->state.store(0, std::memory_order_release);
}

size_t LiveCells() noexcept { return g_live.load(); }

}  // namespace containerkit::capi
