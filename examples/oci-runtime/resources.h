// `update`'s flags as the runtime spec's linux.resources.
#ifndef CONTAINERKIT_EXAMPLES_OCI_RUNTIME_RESOURCES_H_
#define CONTAINERKIT_EXAMPLES_OCI_RUNTIME_RESOURCES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ck_oci {

// As they stand on the command line; empty: not given.
struct ResourceFlags {
  std::string blkio_weight;
  std::string cpu_period;
  std::string cpu_quota;
  std::string cpu_burst;
  std::string cpu_shares;
  std::string cpu_rt_period;
  std::string cpu_rt_runtime;
  std::string cpu_idle;
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::string memory;
  std::string memory_reservation;
  std::string memory_swap;
  std::string kernel_memory;
  std::string kernel_memory_tcp;
  std::string pids_limit;
};

// A JSON object with what was given.
//
// Errors: INVALID_ARGUMENT naming the flag.
absl::StatusOr<std::string> ResourcesJson(const ResourceFlags& flags);

// "64m", "1.5G", "1024", "-1"; units are powers of 1024.
//
// Errors: INVALID_ARGUMENT.
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

}  // namespace ck_oci

#endif  // CONTAINERKIT_EXAMPLES_OCI_RUNTIME_RESOURCES_H_
