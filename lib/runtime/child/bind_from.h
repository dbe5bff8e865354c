// Mounts of other containers.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_BIND_FROM_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_BIND_FROM_H_

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

// The detached clone of a BindFrom step, made by the monitor; -errno. The
// mount namespace is opened once, into `kept` (-1: not yet): at a restart its
// path leads nowhere.
long PrepareBindFrom(const StepView& step, int& kept, SharedPage& shared);

long StepBindFrom(Child& child, const StepView& step);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_BIND_FROM_H_
