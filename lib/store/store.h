// The store: everything that containerkit keeps under one state root.
//
//   CK_ASSIGN_OR_RETURN(auto store, Store::Open("/var/lib/containerkit"));
//   CK_RETURN_IF_ERROR(store->Transaction([&](Txn& txn) {
//     return txn.InsertContainer({.id = id, .name = "db", ...});
//   }));
//
// docs/state-layout.md has the on-disk form, the lock order and the order of
// writes that makes a crash harmless.
#ifndef CONTAINERKIT_LIB_STORE_STORE_H_
#define CONTAINERKIT_LIB_STORE_STORE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/store/blob_store.h"
#include "lib/store/janitor.h"
#include "lib/store/layout.h"
#include "lib/store/lease.h"
#include "lib/store/metadata.h"
#include "lib/store/snapshots.h"
#include "lib/store/txn.h"
#include "lib/sys/in_user_namespace.h"

namespace containerkit::store {

struct StoreOptions {
  // Make the state root when it is absent; else Open() answers NOT_FOUND.
  bool create = true;
  // Pulled data waits for the disk before it becomes visible. Off for state
  // roots that need not survive a power cut (tests, tmpfs).
  bool durable = true;
  // Keep the compressed form of pulled layers, for a later push.
  bool keep_layer_blobs = false;
  // Write overlay's markers as user.overlay.* for mounts with `userxattr`, as
  // rootless ones are. Unset: when not root.
  std::optional<bool> user_xattrs;
  // How to work on files that sub-ids of this user own, which a rootless
  // store has once layers keep their owners. Must outlive the store. Null:
  // there are none.
  sys::RunAsOwner run_as_owner;
  // Longest wait for a lock that another process holds.
  absl::Duration lock_timeout = absl::Seconds(30);
};

// Several processes may have one state root open, and several threads one
// Store. Holds about 15 descriptors, and a thread from the first removal on.
//
// Thread-safe. Not usable after fork(): every call answers kForked.
class Store {
 public:
  // Opens the store in the directory `root` (absolute) and takes away what
  // crashes left; unlinking goes on behind.
  //
  // Errors: as Layout::Open() and Metadata::Open().
  // Privileges: write access to `root`; as root also layers keep their owners.
  static absl::StatusOr<std::unique_ptr<Store>> Open(
      const std::string& root, const StoreOptions& options = {});

  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // One atomic change of the metadata; see Metadata::Write(). 30 to 60 us.
  absl::Status Transaction(absl::FunctionRef<absl::Status(Txn&)> fn,
                           Durability durability = Durability::kProcess) {
    return metadata_->Write(fn, durability);
  }
  // Transaction() for removals, which have to work on a full disk, too; `fn`
  // may run twice. See Metadata::Reclaim().
  absl::Status Reclaim(absl::FunctionRef<absl::Status(Txn&)> fn) {
    return metadata_->Reclaim(fn);
  }
  // One consistent look at the metadata; see Metadata::Read().
  absl::Status Read(absl::FunctionRef<absl::Status(const Txn&)> fn) {
    return metadata_->Read(fn);
  }

  // What protects new data from garbage collection; see Lease.
  absl::StatusOr<Lease> NewLease() {
    return Lease::Create(layout_.get(), metadata_.get());
  }

  const BlobStore& blobs() const { return blobs_; }
  const Snapshots& snapshots() const { return snapshots_; }

  // An unpacked layer, its directory there. Call Lease::Protect() first where
  // it matters that it stays.
  //
  // Errors: NOT_FOUND / kLayerNotFound.
  absl::StatusOr<LayerRecord> FindLayer(const Digest& diff_id);

  // Puts layers that were unpacked without waiting for the disk on the disk:
  // one syncfs(2), then they are marked as such. A pull calls it once, before
  // the transaction that adds the image. Does nothing unless `durable`.
  //
  // Errors: as syncfs(2): the layers stay marked, and a next boot drops them.
  absl::Status SyncLayers();

  const std::string& root() const { return layout_->root(); }
  const StoreOptions& options() const { return options_; }
  bool user_xattrs() const { return *options_.user_xattrs; }

  // Runs `body` where it may work on files of all owners that the store's
  // containers have.
  absl::Status RunAsOwner(absl::FunctionRef<absl::Status()> body) const {
    return layout_->RunAsOwner(body);
  }

  // Moves temporary files whose makers are dead into the trash; Open() does
  // it, too.
  absl::Status DropDeadTemps();

  // For lib/store alone.
  const Layout& layout() const { return *layout_; }
  Metadata& metadata() { return *metadata_; }

 private:
  Store(StoreOptions options, std::unique_ptr<Layout> layout,
        std::unique_ptr<Metadata> metadata);
  absl::Status Reconcile();

  StoreOptions options_;
  std::unique_ptr<Layout> layout_;
  std::unique_ptr<Metadata> metadata_;
  Janitor janitor_;
  BlobStore blobs_;
  Snapshots snapshots_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_STORE_H_
