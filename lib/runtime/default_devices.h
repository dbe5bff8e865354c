// The device nodes that every container has, and the rules for all others.
#ifndef CONTAINERKIT_LIB_RUNTIME_DEFAULT_DEVICES_H_
#define CONTAINERKIT_LIB_RUNTIME_DEFAULT_DEVICES_H_

#include <vector>

#include "lib/oci/runtime_spec.h"
#include "lib/sys/cgroup_resources.h"

namespace containerkit::runtime {

// null, zero, full, random, urandom, tty (config-linux.md, "Default Devices").
const std::vector<oci::Device>& DefaultDevices();

// Everything denied but the default devices, ptys and mknod.
const std::vector<sys::CgroupDeviceRule>& DefaultDeviceRules();

// The rules of a spec with what the runtime always adds: everything is denied
// first, and the default devices are allowed last.
std::vector<sys::CgroupDeviceRule> EffectiveDeviceRules(
    const std::vector<sys::CgroupDeviceRule>& spec_rules);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_DEFAULT_DEVICES_H_
