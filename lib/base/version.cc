#include "containerkit/version.h"

#include <algorithm>

namespace containerkit {
namespace {

// docs/features.md has a row for each.
constexpr absl::string_view kFeatures[] = {
    "container.attach", "container.copy",  "container.exec",
    "container.health", "container.logs",  "container.restart",
    "container.scope",  "container.stats", "container.update",
    "image.import",     "image.load",      "image.pull",
    "oci.runtime",      "runtime.cgroup1", "runtime.cgroup2",
    "runtime.rootless", "runtime.seccomp", "store.check",
};

}  // namespace

absl::string_view Version() noexcept { return "0.1.0"; }

bool HasFeature(absl::string_view name) noexcept {
  return std::find(std::begin(kFeatures), std::end(kFeatures), name) !=
         std::end(kFeatures);
}

}  // namespace containerkit
