// Mounts that show other owners than their file system has.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_

#include "lib/runtime/child/wire_reader.h"

namespace containerkit::runtime::child {

// A descriptor of a new user namespace with these maps (lines of uid_map).
long MakeUserNamespace(Str uids, Str gids);

// Gives a detached mount, or the tree of it, the id maps of a user namespace.
// Needs CAP_SYS_ADMIN where the file system was mounted. `source` names it in
// the failure.
long MapIds(int mount, int user, bool recursive, const char* source);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_MAP_IDS_H_
