// What is behind a ck_resources.
#ifndef CONTAINERKIT_CAPI_SRC_RESOURCES_H_
#define CONTAINERKIT_CAPI_SRC_RESOURCES_H_

#include "capi/src/handle.h"
#include "containerkit/c/resources.h"
#include "containerkit/container_config.h"

namespace containerkit::capi {

CK_HANDLE_TRAITS(ck_resources, ResourceConfig, kResources);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_RESOURCES_H_
