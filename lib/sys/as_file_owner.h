// Files that are made through a mount with an id map.
#ifndef CONTAINERKIT_LIB_SYS_AS_FILE_OWNER_H_
#define CONTAINERKIT_LIB_SYS_AS_FILE_OWNER_H_

#include <sys/types.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace containerkit::sys {

// Calls `body` where new files belong to these ids, with the caller's
// capabilities, and returns what it returned. Through a mount with an id map
// the kernel lets nobody make files whose own id the map does not know
// (EOVERFLOW), whatever owner they are given next.
//
// Such ids are a thread's: `body` runs on a thread of its own (QuietThread).
//
// Errors: those of `body`; PERMISSION_DENIED / kPrivilegeMissing; as
// StartQuietThread(); INTERNAL / kInternal when `body` threw.
// Blocks as `body` does. Privileges: CAP_SETUID and CAP_SETGID.
absl::Status AsFileOwner(uid_t uid, gid_t gid,
                         absl::FunctionRef<absl::Status()> body);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_AS_FILE_OWNER_H_
