// Sealed memory files: bytes that another process can trust not to change.
#ifndef CONTAINERKIT_LIB_SYS_MEMFD_H_
#define CONTAINERKIT_LIB_SYS_MEMFD_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace containerkit::sys {

enum class MemfdUse { kData, kExecutable };

// A memory file with `content` that can neither be written nor resized any
// more. `name` (up to 249 bytes) is what /proc shows.
//
// Errors: UNIMPLEMENTED / kKernelUnsupported without memfd_create(2);
//   PERMISSION_DENIED where the sysctl vm.memfd_noexec forbids an executable
//   one; RESOURCE_EXHAUSTED without memory or descriptors.
// Thread-safe. Privileges: none.
absl::StatusOr<UniqueFd> MakeSealedMemfd(const char* name,
                                         absl::string_view content,
                                         MemfdUse use);

}  // namespace containerkit::sys

#endif  // CONTAINERKIT_LIB_SYS_MEMFD_H_
