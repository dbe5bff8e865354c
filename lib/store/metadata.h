// The metadata database of a store: transactions between threads and
// processes.
#ifndef CONTAINERKIT_LIB_STORE_METADATA_H_
#define CONTAINERKIT_LIB_STORE_METADATA_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/store/database.h"
#include "lib/store/layout.h"
#include "lib/store/txn.h"

namespace containerkit::store {

enum class Durability {
  // Survives the death of any process; a power cut may undo it, never tear
  // it. No waiting for the disk.
  kProcess,
  // Survives a power cut once the call has returned (one fsync).
  kPower,
};

// Thread-safe. Lock order: write.lock (flock, between processes) inside
// mutex_ (between threads); nothing else is locked while both are held.
class Metadata {
 public:
  // Opens or makes the database in `layout`, which must outlive this.
  //
  // Errors: FAILED_PRECONDITION / kStoreVersion for a newer schema;
  //         UNAVAILABLE / kStoreBusy; DATA_LOSS / kStoreCorrupt.
  static absl::StatusOr<std::unique_ptr<Metadata>> Open(
      const Layout* layout, absl::Duration lock_timeout);
  ~Metadata();

  // Runs `fn` in one atomic, isolated transaction: committed when it returns
  // OK, undone otherwise; what `fn` returned is returned. Writers of all
  // processes come one after the other, so `fn` should only compute and call
  // Txn's methods. It must not start another transaction on this store.
  //
  // Errors: those of `fn`; UNAVAILABLE / kStoreBusy (naming the process that
  //         holds the lock) after the lock time-out; FAILED_PRECONDITION /
  //         kForked; RESOURCE_EXHAUSTED / kDiskFull: nothing was changed.
  absl::Status Write(absl::FunctionRef<absl::Status(Txn&)> fn,
                     Durability durability = Durability::kProcess)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Write() for transactions that make room: removing containers, images,
  // garbage. On a full disk it gives up the store's reserve (1 MiB) and runs
  // `fn` once more, so `fn` must be able to run twice.
  absl::Status Reclaim(absl::FunctionRef<absl::Status(Txn&)> fn);

  // Runs `fn` on one consistent state; never waits for a writer.
  //
  // Errors: those of `fn`; kForked; kStoreBusy while another process recovers
  //         the database.
  absl::Status Read(absl::FunctionRef<absl::Status(const Txn&)> fn)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Metadata(const Layout* layout, absl::Duration lock_timeout)
      : layout_(layout), lock_timeout_(lock_timeout) {}

  absl::Status CheckThread() const;
  absl::Status Compact() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Migrate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunLocked(absl::FunctionRef<absl::Status(Txn&)> fn,
                         bool writable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Layout* const layout_;
  const absl::Duration lock_timeout_;
  Mutex mutex_;
  std::unique_ptr<Database> database_ ABSL_GUARDED_BY(mutex_);
  UniqueFd write_lock_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_METADATA_H_
