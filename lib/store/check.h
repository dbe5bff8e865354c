// The store's fsck: what is damaged, what crashes left, and its repair.
#ifndef CONTAINERKIT_LIB_STORE_CHECK_H_
#define CONTAINERKIT_LIB_STORE_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "lib/store/store.h"

namespace containerkit::store {

enum class FindingKind {
  // Damage: something that was promised is not there or not right.
  kDatabaseDamaged,
  kDamagedBlob,
  kMissingBlob,
  kMissingLayer,
  kDanglingReference,
  kMissingImage,
  // Leftovers of crashes: they take space and harm nobody.
  kOrphanLayer,
  kOrphanContainerDir,
  kDeadLease,
  kDeadTemp,
  kPartialBlob,
  kTrash,
  kUnknownFile,
};

// "missing-blob" and so on; stable.
absl::string_view FindingName(FindingKind kind);
bool IsDamage(FindingKind kind);

struct Finding {
  FindingKind kind;
  // Digest, reference, container id or file name.
  std::string object;
  // A sentence for people.
  std::string message;
  bool repaired = false;
};

struct CheckOptions {
  // Repair what can be: leftovers go; an image that lacks a blob or a layer
  // goes, so that pulling it again mends it (it stays, hidden, while a
  // container uses it); damaged blobs go. Containers are never touched.
  bool repair = false;
  // Read and hash every blob.
  bool verify_blobs = true;
  // Ends the check; what was repaired stays so.
  CancelToken cancel;
};

struct CheckReport {
  std::vector<Finding> findings;
  // No damage, or all of it repaired. Leftovers do not count.
  bool ok() const;
};

// Looks through the whole store. May run beside everything else; what others
// are in the middle of is not a finding.
//
// Errors: when the check itself cannot go on (as Metadata::Read()); CANCELLED.
// Thread-safe. Reads all blobs: takes a second for each 1.5 GB.
absl::StatusOr<CheckReport> CheckStore(Store& store,
                                       const CheckOptions& options = {});

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_CHECK_H_
