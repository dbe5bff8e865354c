// Cells: what a C handle points at.
//
// A handle is the address of a cell, and cells stay in the library for as long
// as it is loaded. So a call can tell a live handle from NULL, a released one,
// one of another type, one of a second copy of the library and from plain
// garbage, without reading memory that is not ours. Cells are reused as late
// as possible; a handle that is used long after its release may meet a later
// object of the same type.
//
// Lock-free throughout: a child of fork() finds no lock held by a thread that
// it does not have.
#ifndef CONTAINERKIT_CAPI_SRC_CELLS_H_
#define CONTAINERKIT_CAPI_SRC_CELLS_H_

#include <cstddef>
#include <cstdint>

namespace containerkit::capi {

// The type of an object behind a handle. Not part of the ABI.
enum class Tag : uint16_t {
  kFree = 0,
  kDying,
  kError,
  kCancel,
  kString,
  kStringList,
  kStringMap,
  kFilters,
  kEngine,
  kEngineInfo,
  kStoreReport,
  kPruneReport,
  kEvent,
  kScope,
  kImageInfo,
  kPullProgress,
  kImageList,
  kImageHistory,
  kImageRemoval,
  kResources,
  kContainerConfig,
  kContainer,
  kContainerInfo,
  kContainerList,
  kContainerStats,
  kProcessTable,
  kPathStat,
  kSession,
};

// Makes a cell with one reference that owns `payload`; `destroy` frees it when
// the last reference goes. Throws std::bad_alloc, and has then not taken the
// payload.
void* NewCell(Tag tag, void* payload, void (*destroy)(void*));

// Adds a reference to a live cell of the type and returns its payload; nullptr
// for anything else. Safe for any value of `handle`.
void* PinCell(const void* handle, Tag tag) noexcept;

// Takes one reference off; nothing for anything but a live cell of the type.
void UnpinCell(const void* handle, Tag tag) noexcept;

// How many cells are live; for tests of leaks.
size_t LiveCells() noexcept;

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CELLS_H_
