// What `events --stats` prints.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_STATS_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_STATS_H_

#include <string>

#include "lib/sys/cgroup.h"

namespace containerkit::container {

// runc's document, on one line, with the members that we count.
std::string OciStatsDocument(const std::string& id,
                             const sys::CgroupStats& stats);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_STATS_H_
