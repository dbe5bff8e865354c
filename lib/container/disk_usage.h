// Bytes below a directory.
#ifndef CONTAINERKIT_LIB_CONTAINER_DISK_USAGE_H_
#define CONTAINERKIT_LIB_CONTAINER_DISK_USAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace containerkit::container {

// The apparent size of the regular files below `path`, hard links counted
// each time, no link followed. A missing directory has no bytes.
//
// Errors: as open(2) and getdents64(2); what vanishes meanwhile is skipped.
absl::StatusOr<uint64_t> DiskUsage(const std::string& path);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_DISK_USAGE_H_
