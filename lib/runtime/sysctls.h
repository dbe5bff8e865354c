// Which sysctls a container may set: only those of namespaces of its own.
#ifndef CONTAINERKIT_LIB_RUNTIME_SYSCTLS_H_
#define CONTAINERKIT_LIB_RUNTIME_SYSCTLS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// The namespaces that are not the host's.
struct SysctlScope {
  bool own_ipc = false;
  bool own_network = false;
  bool own_uts = false;
  bool own_user = false;
};

// Checks one setting; `key` with dots or slashes ("net.ipv4.ip_forward",
// "net/ipv4/conf/eth0.1/forwarding").
//
// Trust: key and value may come from a stranger's spec; separators, dots
// that climb and control characters are refused (security.md R23).
// Errors: INVALID_ARGUMENT / kSysctlRefused.
absl::Status CheckSysctl(absl::string_view key, absl::string_view value,
                         const SysctlScope& scope);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SYSCTLS_H_
