// What is behind a ck_scope.
#ifndef CONTAINERKIT_CAPI_SRC_SCOPE_H_
#define CONTAINERKIT_CAPI_SRC_SCOPE_H_

#include "capi/src/handle.h"
#include "containerkit/c/scope.h"
#include "containerkit/engine.h"

namespace containerkit::capi {

CK_HANDLE_TRAITS(ck_scope, Scope, kScope);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_SCOPE_H_
