#include "lib/container/archive_ids.h"

#include <cstdint>
#include <vector>

namespace containerkit::container {
namespace {

constexpr uint32_t kNobody = 65534;

}  // namespace

uint32_t ToHostId(const std::vector<UserNamespaceChoice::Range>& map,
                  uint32_t id) {
  if (map.empty()) return id;
  for (const UserNamespaceChoice::Range& range : map) {
    if (id - range.container_id < range.size && id >= range.container_id) {
      return range.host_id + (id - range.container_id);
    }
  }
  return kNobody;
}

uint32_t ToContainerId(const std::vector<UserNamespaceChoice::Range>& map,
                       uint32_t id) {
  if (map.empty()) return id;
  for (const UserNamespaceChoice::Range& range : map) {
    if (id - range.host_id < range.size && id >= range.host_id) {
      return range.container_id + (id - range.host_id);
    }
  }
  return kNobody;
}

}  // namespace containerkit::container
