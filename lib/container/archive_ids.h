// Owners inside and outside a container's user namespace.
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_IDS_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_IDS_H_

#include <cstdint>
#include <vector>

#include "containerkit/container_config.h"

namespace containerkit::container {

// Owners of the container as they are on the host; empty maps: the same.
// Archives have the container's. Ids that the map does not know become 65534,
// the kernel's nobody.
struct ArchiveIds {
  std::vector<UserNamespaceChoice::Range> uid_map;
  std::vector<UserNamespaceChoice::Range> gid_map;
};

// An id of the container as the host counts it, and back. 65534 where the map
// does not know it; an empty map changes nothing.
uint32_t ToHostId(const std::vector<UserNamespaceChoice::Range>& map,
                  uint32_t id);
uint32_t ToContainerId(const std::vector<UserNamespaceChoice::Range>& map,
                       uint32_t id);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_IDS_H_
