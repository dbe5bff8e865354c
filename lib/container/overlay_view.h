// The root file system of a container that does not run, as one tree.
#ifndef CONTAINERKIT_LIB_CONTAINER_OVERLAY_VIEW_H_
#define CONTAINERKIT_LIB_CONTAINER_OVERLAY_VIEW_H_

#include "absl/status/statusor.h"
#include "lib/store/snapshots.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {

// Mounts the snapshot's overlay without attaching it anywhere: no mount table
// shows it, and the kernel drops it with the last descriptor. Writes go to
// the upper directory.
//
// Errors: PERMISSION_DENIED / kPrivilegeMissing without CAP_SYS_ADMIN; as
//         fsopen(2) and fsconfig(2).
absl::StatusOr<sys::RootDir> OpenOverlayView(const store::Snapshot& snapshot,
                                             bool user_xattrs);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OVERLAY_VIEW_H_
