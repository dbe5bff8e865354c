// Garbage collection: what no image, container or lease refers to goes.
#ifndef CONTAINERKIT_LIB_STORE_GARBAGE_H_
#define CONTAINERKIT_LIB_STORE_GARBAGE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/store/store.h"

namespace containerkit::store {

struct GarbageOptions {
  // Half-pulled blobs that nobody has touched for so long lose their chance
  // to be resumed.
  absl::Duration max_partial_age = absl::Hours(24 * 7);
  // How long to go on removing files. What is left is invisible already and
  // goes with the next Open() or collection.
  absl::Duration removal_budget = absl::InfiniteDuration();
  // As if the budget had run out, but with an error.
  CancelToken cancel;
};

struct GarbageResult {
  uint64_t layers = 0;
  uint64_t blobs = 0;
  uint64_t partial_blobs = 0;
  uint64_t container_dirs = 0;
  uint64_t dead_leases = 0;
  // Apparent bytes of the layers and blobs that went.
  uint64_t freed_bytes = 0;
  // False: `removal_budget` ran out.
  bool trash_is_empty = true;
};

// Collects garbage. Safe beside pulls, creates and other collections, in this
// and other processes: marking and the renames into trash/ happen in write
// transactions, of at most 64 removals each, so nobody waits long.
//
// Errors: as Metadata::Write(); as rename(2); CANCELLED. What was collected
// before the error stays collected. Thread-safe.
absl::StatusOr<GarbageResult> CollectGarbage(
    Store& store, const GarbageOptions& options = {});

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_GARBAGE_H_
