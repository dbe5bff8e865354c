// What images, references and leases hold: the mark phase.
#ifndef CONTAINERKIT_LIB_STORE_LIVE_SET_H_
#define CONTAINERKIT_LIB_STORE_LIVE_SET_H_

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "lib/store/txn.h"

namespace containerkit::store {

// Digest texts. Containers hold their image, and so its layers.
struct LiveSet {
  absl::flat_hash_set<std::string> layers;
  absl::flat_hash_set<std::string> blobs;
};

// Errors: as Txn's methods; DATA_LOSS / kStoreCorrupt for an unreadable
// record: then nothing may be collected.
absl::StatusOr<LiveSet> FindLive(const Txn& txn);

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LIVE_SET_H_
