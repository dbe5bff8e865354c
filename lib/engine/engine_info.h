// What `docker info` says about the machine.
#ifndef CONTAINERKIT_LIB_ENGINE_ENGINE_INFO_H_
#define CONTAINERKIT_LIB_ENGINE_ENGINE_INFO_H_

#include "containerkit/engine.h"
#include "lib/runtime/host_facts.h"

namespace containerkit::engine {

// Fills in what `info` says about host and build; counts are there already.
// Then writes `info.json`.
void DescribeHost(const runtime::HostFacts& facts, EngineInfo& info);

}  // namespace containerkit::engine

#endif  // CONTAINERKIT_LIB_ENGINE_ENGINE_INFO_H_
