// What `container prune`, `image prune` and `system prune` have in common.
#ifndef CONTAINERKIT_EXAMPLES_CLI_PRUNE_H_
#define CONTAINERKIT_EXAMPLES_CLI_PRUNE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "containerkit/engine.h"

namespace containerkit::cli {

using Filters = std::multimap<std::string, std::string>;

// Removes the stopped containers that match `filters` (label, label!, until);
// with `dry_run` only says which.
absl::StatusOr<PruneReport> PruneContainers(const Engine& engine,
                                            const Filters& filters,
                                            bool dry_run);

// Removes unnamed images that no container uses, with `all` named ones too.
absl::StatusOr<PruneReport> PruneImages(const Engine& engine, bool all,
                                        const Filters& filters, bool dry_run);

// "Deleted Containers:\n...\nTotal reclaimed space: 1.2MB\n".
std::string PruneText(const PruneReport& report, bool dry_run = false);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_PRUNE_H_
