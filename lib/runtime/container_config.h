// The public ContainerConfig, as the runtime's layers see it: the types are
// those of containerkit, found from containerkit::runtime by name.
#ifndef CONTAINERKIT_LIB_RUNTIME_CONTAINER_CONFIG_H_
#define CONTAINERKIT_LIB_RUNTIME_CONTAINER_CONFIG_H_

#include "containerkit/container_config.h"  // IWYU pragma: export

#endif  // CONTAINERKIT_LIB_RUNTIME_CONTAINER_CONFIG_H_
