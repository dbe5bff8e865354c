// What is behind a ck_container.
#ifndef CONTAINERKIT_CAPI_SRC_CONTAINER_H_
#define CONTAINERKIT_CAPI_SRC_CONTAINER_H_

#include "capi/src/handle.h"
#include "containerkit/c/container.h"
#include "containerkit/container.h"

namespace containerkit::capi {

CK_HANDLE_TRAITS(ck_container, Container, kContainer);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CONTAINER_H_
