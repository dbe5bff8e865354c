// Leases: what holds blobs and layers before an image refers to them.
#ifndef CONTAINERKIT_LIB_STORE_LEASE_H_
#define CONTAINERKIT_LIB_STORE_LEASE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"
#include "lib/store/layout.h"
#include "lib/store/metadata.h"

namespace containerkit::store {

// While a Lease lives, garbage collection (by any process) spares what it
// protects. It is backed by a lock: when its process dies in any way, the
// protection ends. A pull takes one, protects what the manifest names, writes
// or finds each piece, and lets go after PutImage() has committed.
//
// Protect first, then look whether it is there: what Protect() covers and
// BlobStore::Find() or Txn::GetLayer() then find cannot go away.
//
// Must not outlive its Store. Move-only. Protect() is thread-safe.
class Lease {
 public:
  // Use Store::NewLease().
  static absl::StatusOr<Lease> Create(const Layout* layout, Metadata* metadata);

  Lease(Lease&& other) noexcept
      : layout_(other.layout_),
        metadata_(std::exchange(other.metadata_, nullptr)),
        id_(std::move(other.id_)),
        fd_(std::move(other.fd_)) {}
  Lease& operator=(Lease&&) = delete;
  // Releases it; a failure only leaves a dead lease for the next collection.
  ~Lease() { Release().IgnoreError(); }

  // Protects blobs and layers, present or still to come. One transaction.
  //
  // Errors: as Metadata::Write().
  absl::Status Protect(absl::Span<const Digest> blobs,
                       absl::Span<const Digest> layers);

  // Ends the protection. Idempotent.
  absl::Status Release();

  const std::string& id() const { return id_; }

 private:
  Lease(const Layout* layout, Metadata* metadata, std::string id, UniqueFd fd)
      : layout_(layout),
        metadata_(metadata),
        id_(std::move(id)),
        fd_(std::move(fd)) {}

  const Layout* layout_;
  Metadata* metadata_;
  std::string id_;
  UniqueFd fd_;
};

// Kinds of lease_items, as stored.
enum class LeaseItemKind : int { kBlob = 0, kLayer = 1 };

// Removes the leases whose owner is dead: rows, files. Returns how many.
absl::StatusOr<int> RemoveDeadLeases(const Layout& layout, Metadata& metadata);

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LEASE_H_
