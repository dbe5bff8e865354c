// Small read-only mounts without a file system of their own.
//
// They are directories of the container's tmpfs on /dev, below the one that
// devpts covers, so that no path leads to them. A super block costs its making
// and its end, and a place in the lists that the kernel walks when a memory
// cgroup goes, whosever it was.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_COVERED_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_COVERED_H_

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

// Makes and remembers the directory that the devpts will cover: of the tmpfs
// that this plan mounted on /dev, if it did.
void PrepareCovered(Child& child);

// A detached mount of a new directory there, mode 0755. attr: MOUNT_ATTR_*.
// -ENOENT: there is no such place.
long MountCovered(const Child& child, const char* name, uint64_t attr);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_COVERED_H_
