// Mounts that only a process in another mount namespace can make.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_MAKE_APART_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_MAKE_APART_H_

#include <stdint.h>

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

// Calls `make` in a process of its own, with namespaces of its own by
// `clone_flags`. That process shares the descriptors of this one, so what it
// opens stays open here. The descriptor that `make` returned, or -errno with
// the failure noted.
long MakeApart(SharedPage& shared, uint64_t clone_flags, long (*make)(void*),
               void* argument);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_MAKE_APART_H_
