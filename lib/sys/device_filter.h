// Device rules of cgroup v2: a BPF_PROG_TYPE_CGROUP_DEVICE program.
#ifndef CONTAINERKIT_LIB_SYS_DEVICE_FILTER_H_
#define CONTAINERKIT_LIB_SYS_DEVICE_FILTER_H_

#include <string>
#include <vector>

#include "lib/sys/cgroup_resources.h"

namespace containerkit::sys {

// The program, an array of struct bpf_insn. It allows an access if the last
// rule that is about the device and about each wanted right (read, write,
// mknod) allows it; what no rule is about is denied.
std::string DeviceFilterProgram(const std::vector<CgroupDeviceRule>& rules);

// True if `rules` allow everything, so that no program is needed.
bool AllowsAllDevices(const std::vector<CgroupDeviceRule>& rules);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_DEVICE_FILTER_H_
