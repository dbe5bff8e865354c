// Work on files whose owners only a user namespace has.
#ifndef CONTAINERKIT_LIB_SYS_IN_USER_NAMESPACE_H_
#define CONTAINERKIT_LIB_SYS_IN_USER_NAMESPACE_H_

#include <functional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace containerkit::sys {

// Calls `body` where it has the capabilities to work on files of all ids that
// somebody's user namespace maps, and returns what it returned.
using RunAsOwner =
    std::function<absl::Status(absl::FunctionRef<absl::Status()> body)>;

// Calls `body` in the user namespace `namespace_fd`, which this user owns:
// with all capabilities there, seeing and giving ids as they are inside.
//
// setns(2) would ask for a process of one thread. So `body` runs in a child
// that shares this process's memory and descriptors, on a stack of its own (1
// MiB), while the calling thread is suspended as in vfork(2): nothing is
// copied, what `body` opens stays open here, and other threads go on. The
// child has no exit signal, so the host program never hears of it; it dies
// with this thread; signals are blocked in it.
//
// `body` may use memory, locks and descriptors as usual. It must not start
// threads, nor ask for the process's id; its current directory and mount
// namespace are its own to change, and are gone afterwards.
//
// Errors: those of `body`; as clone(2) and setns(2); INTERNAL / kInternal
//         when `body` threw or this user killed the child, which may leave
//         locks of the process held, as killing a thread would.
// Blocks as `body` does. Privileges: none.
absl::Status InUserNamespace(int namespace_fd,
                             absl::FunctionRef<absl::Status()> body);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_IN_USER_NAMESPACE_H_
