// The rows of `ck stats`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_STATS_ROWS_H_
#define CONTAINERKIT_EXAMPLES_CLI_STATS_ROWS_H_

#include "containerkit/container.h"
#include "examples/cli/list_format.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

const ListSpec& StatsListSpec();

// The share of one processor that was used between two readings, in per cent.
double CpuPercent(const ContainerStats& before, const ContainerStats& after);

// `after` null: the container does not run, or was not read yet.
nlohmann::json StatsRow(const ContainerInfo& info, const ContainerStats* before,
                        const ContainerStats* after, bool truncate);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_STATS_ROWS_H_
