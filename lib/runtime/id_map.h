// Maps of user namespaces.
#ifndef CONTAINERKIT_LIB_RUNTIME_ID_MAP_H_
#define CONTAINERKIT_LIB_RUNTIME_ID_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime {

// The maps as the kernel reads them, and who may write them.
struct PlannedIdMap {
  std::string uid_map;  // lines "inside outside count\n"
  std::string gid_map;
  IdMapMode mode = kIdMapDirect;
};

// Errors: INVALID_ARGUMENT / kIdMapInvalid for maps that are empty, overlap,
//         overflow or have more than 340 lines; FAILED_PRECONDITION /
//         kIdMapInvalid for maps that we may not write and newuidmap(1) is
//         missing.
absl::StatusOr<PlannedIdMap> PlanIdMap(const std::vector<oci::IdMapping>& uids,
                                       const std::vector<oci::IdMapping>& gids,
                                       const HostFacts& facts);

// True if the maps are one id each, our own, and we are not privileged: then
// the kernel asks that setgroups(2) is given up.
bool IsSingleIdMap(const std::vector<oci::IdMapping>& uids,
                   const std::vector<oci::IdMapping>& gids,
                   const HostFacts& facts);

// Whether the namespace that has these maps has the user's ids; without them
// it has any. Groups count only where setgroups(2) is not given up.
//
// Errors: INVALID_ARGUMENT / kIdMapInvalid; object_id is the id.
absl::Status CheckUserIsMapped(const oci::ProcessUser& user,
                               const std::vector<oci::IdMapping>& uids,
                               const std::vector<oci::IdMapping>& gids,
                               const HostFacts& facts);

// The maps that a rootless container gets by default: root is us, the others
// come from our subordinate ranges; us alone where there are none, or no
// newuidmap(1).
struct DefaultIdMaps {
  std::vector<oci::IdMapping> uids;
  std::vector<oci::IdMapping> gids;
};
DefaultIdMaps RootlessIdMaps(const HostFacts& facts);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_ID_MAP_H_
