// Mounts that show other owners than their file system has.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_

#include "lib/runtime/child/wire_reader.h"

namespace containerkit::runtime::child {

// Gives a detached mount, or the tree of it, id maps (lines of uid_map). Needs
// CAP_SYS_ADMIN where the file system was mounted.
long MapIds(int mount, Str uids, Str gids, bool recursive);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_
