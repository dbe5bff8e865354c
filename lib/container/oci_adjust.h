// What ck-oci adds to a process before it is planned.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_ADJUST_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_ADJUST_H_

#include <string>
#include <vector>

#include "lib/oci/runtime_spec.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::container {

// Sets HOME, where the environment has none, to the user's home in the
// passwd file below `root`, or "/".
//
// Trust: the file is the image's; it is only looked up inside `root`.
void AddHome(const std::string& root, oci::Process& process);

// Leaves out a real-time policy that the kernel would refuse: on cgroup v1
// with real-time group scheduling a new cgroup has no real-time budget unless
// the config gives it one. Runtimes that do not know process.scheduler ignore
// it, so configs that ask for it run elsewhere.
void ClampScheduler(const sys::CgroupLayout& layout,
                    const oci::Resources& resources, oci::Process& process,
                    std::vector<std::string>& warnings);

// Whether this process may make the cgroup `path` in every hierarchy: without
// root, only below what was delegated to it.
bool MayMakeCgroup(const sys::CgroupLayout& layout, const std::string& path);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_ADJUST_H_
