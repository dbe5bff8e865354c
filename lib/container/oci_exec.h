// `exec`: which process the options of OciRuntime::Exec() stand for.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_EXEC_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_EXEC_H_

#include "absl/status/statusor.h"
#include "containerkit/oci_runtime.h"
#include "lib/oci/runtime_spec.h"

namespace containerkit::container {

// The process of options.process_file, or `base` (that of the container's
// config) with the options laid over it: args replaced; env, additional gids
// and capabilities added; user, cwd and labels replaced where given.
//
// Errors: INVALID_ARGUMENT / kSpecInvalid, kInvalidJson, kUserNotFound (the
//         user is no number), kCapabilityUnknown; as open(2).
absl::StatusOr<oci::Process> BuildOciExecProcess(const OciExecOptions& options,
                                                 const oci::Process& base);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_EXEC_H_
