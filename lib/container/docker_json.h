// ContainerConfig as the body of Docker's POST /containers/create:
//   {<Config>, "HostConfig": {...}, "Containerkit": {...}}
// where "Containerkit" has only what Docker has no field for. The state
// root's container records use the same form (docs/state-layout.md).
#ifndef CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_
#define CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"
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

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_H_
