// Owners of a layer's files in a store of an ordinary user.
#ifndef CONTAINERKIT_LIB_STORE_MAPPED_OWNERSHIP_H_
#define CONTAINERKIT_LIB_STORE_MAPPED_OWNERSHIP_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/store/layer_writer.h"
#include "lib/sys/in_user_namespace.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {

// Sets owners and capabilities where the user's sub-ids are ids.
//
// Thread-safe as `run_as_owner` is.
class MappedOwnership final : public OwnershipSink {
 public:
  explicit MappedOwnership(sys::RunAsOwner run_as_owner)
      : run_as_owner_(std::move(run_as_owner)) {}

  absl::StatusOr<uint64_t> Apply(const sys::RootDir& root,
                                 const OwnedEntries& entries) override;

 private:
  const sys::RunAsOwner run_as_owner_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_MAPPED_OWNERSHIP_H_
