// The rows of `ck ps`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_CONTAINER_ROWS_H_
#define CONTAINERKIT_EXAMPLES_CLI_CONTAINER_ROWS_H_

#include <string>

#include "absl/time/time.h"
#include "containerkit/container.h"
#include "examples/cli/list_format.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

const ListSpec& ContainerListSpec();
// The same with a SIZE column.
const ListSpec& ContainerSizeListSpec();

// "Up 3 seconds (healthy)", "Exited (0) 5 minutes ago".
std::string ContainerStatusText(const ContainerInfo& info, absl::Time now);

// `inspect`: the container's InspectJson for Mounts, Networks and Size; null
// where those are not wanted.
nlohmann::json ContainerRow(const ContainerInfo& info,
                            const nlohmann::json& inspect, bool truncate,
                            absl::Time now);

// The first 12 digits of an id, with or without "sha256:".
std::string ShortId(absl::string_view id);

// "a=1,b=2".
std::string LabelsText(const std::map<std::string, std::string>& labels);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_CONTAINER_ROWS_H_
