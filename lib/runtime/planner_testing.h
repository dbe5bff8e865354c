// Testonly: hosts to plan for, and short cuts.
#ifndef CONTAINERKIT_LIB_RUNTIME_PLANNER_TESTING_H_
#define CONTAINERKIT_LIB_RUNTIME_PLANNER_TESTING_H_

#include "lib/oci/image_config.h"
#include "lib/runtime/container_config.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/planner.h"
#include "lib/runtime/spec_builder.h"

namespace containerkit::runtime::testing {

// Root with all capabilities; cgroup v1 controllers beside an empty v2 mount.
HostFacts HybridHost();
// Root, cgroup v2.
HostFacts UnifiedHost();
// uid 1000 with subordinate ids, cgroup v2.
HostFacts RootlessHost();

// An image whose command is /bin/true.
oci::ImageRunConfig TrueImage();
// Inputs of container c1 with /etc files and a small passwd.
SpecInputs Inputs();
// An overlay of two layers, cgroup /containerkit/c1.
PlanOptions Options();

// Fail the test when they fail.
BuiltSpec MustBuild(const ContainerConfig& config, const HostFacts& host);
PlannedLaunch MustPlan(const BuiltSpec& built, const HostFacts& host,
                       const PlanOptions& options = Options());

}  // namespace containerkit::runtime::testing

#endif  // CONTAINERKIT_LIB_RUNTIME_PLANNER_TESTING_H_
