// Hooks that the runtime itself runs: poststart and poststop. The others are
// steps of the launch plan.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_HOOKS_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_HOOKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"

namespace containerkit::container {

// Runs one hook to its end: cwd "/", `state` on stdin, output discarded but
// for the start of what it prints, which goes into the error. At the time-out
// it is killed.
//
// Errors: FAILED_PRECONDITION / kHookFailed for any end but exit status 0;
//         DEADLINE_EXCEEDED / kHookFailed at the time-out; as posix_spawn(3)
//         with kHookFailed.
// Blocks. The hook is a child of this process and is waited for by pid.
absl::Status RunHook(absl::string_view kind, const oci::Hook& hook,
                     absl::string_view state);

// Gives hooks without an environment this one, as the spec asks of POSIX
// systems; for all kinds.
void SetHookEnvironment(const std::vector<std::string>& environment,
                        oci::Hooks& hooks);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_HOOKS_H_
