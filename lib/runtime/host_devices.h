// Device nodes of the host, looked up for a container that asks for them.
#ifndef CONTAINERKIT_LIB_RUNTIME_HOST_DEVICES_H_
#define CONTAINERKIT_LIB_RUNTIME_HOST_DEVICES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/container_config.h"

namespace containerkit::runtime {

// A node of the host and what it becomes in the container.
struct HostDevice {
  std::string host_path;
  oci::Device device;  // its `path` is the container's
  std::string access = "rwm";
};

struct BlockDevice {
  std::string path;
  int64_t major = 0;
  int64_t minor = 0;
};

// The nodes behind --device, in order; directories stand for all nodes in
// them and below.
//
// Errors: INVALID_ARGUMENT / kDeviceInvalid for a path that is no device, for
//         access letters other than "rwm"; NOT_FOUND / kDeviceInvalid for a
//         path that is not there.
absl::StatusOr<std::vector<HostDevice>> ResolveDevices(
    const std::vector<DeviceConfig>& devices);

// All nodes in /dev, without terminals and what every container has of its
// own (pts, shm, mqueue, fd).
// Errors: as opendir(3).
absl::StatusOr<std::vector<HostDevice>> AllHostDevices();

// Numbers of the disks that a config limits.
// Errors: as ResolveDevices().
absl::StatusOr<std::vector<BlockDevice>> ResolveBlockDevices(
    const ResourceConfig& resources);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_HOST_DEVICES_H_
