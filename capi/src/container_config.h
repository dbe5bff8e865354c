// What is behind a ck_container_config.
#ifndef CONTAINERKIT_CAPI_SRC_CONTAINER_CONFIG_H_
#define CONTAINERKIT_CAPI_SRC_CONTAINER_CONFIG_H_

#include "capi/src/handle.h"
#include "containerkit/c/container_config.h"
#include "containerkit/container_config.h"

namespace containerkit::capi {

CK_HANDLE_TRAITS(ck_container_config, ContainerConfig, kContainerConfig);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CONTAINER_CONFIG_H_
