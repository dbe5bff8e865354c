// Seccomp profiles: Docker's default one as our own table, and Docker's JSON
// format with its conditions.
#ifndef CONTAINERKIT_LIB_RUNTIME_SECCOMP_PROFILE_H_
#define CONTAINERKIT_LIB_RUNTIME_SECCOMP_PROFILE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {

// What the conditions of a profile are about.
struct SeccompConditions {
  CapabilityMask bounding = 0;  // of the container's process
  KernelVersion kernel;
  SeccompArch native = kNativeSeccompArch;
};

// Docker's default profile, spelled out.
oci::Seccomp DefaultSeccompProfile(const SeccompConditions& conditions);

// The same, compiled. Each set of capabilities is compiled once a process; a
// later call costs a lookup.
//
// Thread-safe.
absl::StatusOr<std::shared_ptr<const SeccompProgram>> DefaultSeccompProgram(
    const SeccompConditions& conditions);

// Reads a profile in Docker's format (archMap, includes, excludes, minKernel)
// or as the runtime spec's `linux.seccomp`, which is a part of it.
//
// Trust: `json` is whatever the user handed in; capped at 4 MiB.
// Errors: INVALID_ARGUMENT / kSeccompInvalid, kInvalidJson, kLimitExceeded.
absl::StatusOr<oci::Seccomp> ParseSeccompProfile(
    absl::string_view json, const SeccompConditions& conditions);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SECCOMP_PROFILE_H_
