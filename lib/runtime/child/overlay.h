// The root file system as an overlay of layers.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_OVERLAY_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_OVERLAY_H_

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

// RootOverlay and RootOverlayMapped.
long StepRootOverlay(Child& child, const StepView& step);

// The detached overlay of a RootOverlay or RootOverlayMapped step, made by the
// monitor; -errno.
long PrepareOverlay(const StepView& step);
long PrepareMapped(const StepView& step, SharedPage& shared);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_OVERLAY_H_
