// ContainerConfig as the body of Docker's POST /containers/create:
//   {<Config>, "HostConfig": {...}, "Containerkit": {...}}
// where "Containerkit" has only what Docker has no field for. The state
// root's container records use the same form (docs/state-layout.md).
#ifndef CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_
#define CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/container.h"
#include "containerkit/container_config.h"
#include "lib/oci/image_config.h"
#include "lib/runtime/monitor_wire.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::container {

// The config as compact JSON; members that have their default are left out.
// ConfigFromJson() gives an equal config back, but for what has no meaning: a
// `container` without Kind::kContainer, a seccomp profile without kCustom, a
// test beside `disabled`, fractions of nanoseconds, tmpfs options
// that have a member of their own ("size="). Bytes that are not UTF-8 become
// U+FFFD: who keeps the text must have refused them before.
//
// Never throws.
std::string ConfigToJson(const ContainerConfig& config);

// The same as a JSON value.
nlohmann::json ConfigToJsonValue(const ContainerConfig& config);

// Reads a create body: ours, or one that a Docker client sent. Unknown members
// are ignored, null is absent, zero means "not set" where Docker says so, and
// the old spellings work (a string for Cmd, "key:value" in SecurityOpt).
//
// Trust: `json` may come from a client of the daemon: capped, typed strictly.
// Errors: INVALID_ARGUMENT / kInvalidJson for a wrong type, kInvalidArgument
//         for a value that makes no sense, kLimitExceeded; UNIMPLEMENTED /
//         kUnsupportedOption for what must not be ignored silently (named
//         volumes, other networks, log drivers, device requests). The message
//         starts with the JSON path.
absl::StatusOr<ContainerConfig> ConfigFromJson(absl::string_view json);

// What neither the config nor ContainerInfo says.
struct InspectExtras {
  // The image's defaults, shown under the container's own as docker does.
  oci::ImageRunConfig image_config;
  // The container's directory: hosts, hostname and resolv.conf are there.
  std::string directory;
  // Empty: the first 12 digits of the id.
  std::string hostname;
  std::string storage_driver = "overlay2";
  // LowerDir, UpperDir, WorkDir, MergedDir.
  std::map<std::string, std::string> graph;
  std::vector<std::string> exec_ids;
  // Trust: the output in it is the container's.
  std::vector<runtime::HealthLogEntry> health_log;
  // Bytes of the writable layer and of everything; only with ?size=1.
  std::optional<uint64_t> size_rw_bytes;
  std::optional<uint64_t> size_root_fs_bytes;
  bool cgroup_v2 = false;
};

// The answer of Docker's GET /containers/{id}/json: one line with every
// member that its API 1.51 documents; HostConfig has Docker's defaults where
// the config says nothing. ConfigFromJson() cannot read it.
//
// Pure; never throws.
std::string InspectJson(const ContainerConfig& config,
                        const ContainerInfo& info, const InspectExtras& extras);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_
