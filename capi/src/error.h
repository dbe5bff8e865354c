// What is behind a ck_error.
#ifndef CONTAINERKIT_CAPI_SRC_ERROR_H_
#define CONTAINERKIT_CAPI_SRC_ERROR_H_

#include <cstdint>
#include <string>

#include "capi/src/handle.h"
#include "containerkit/c/error.h"
#include "containerkit/status.h"

namespace containerkit::capi {

struct ErrorPayload {
  ck_status code = CK_UNKNOWN;
  std::string message;
  ErrorDetail detail;
  std::string reason_name;
  int32_t callback_code = 0;
};
CK_HANDLE_TRAITS(ck_error, ErrorPayload, kError);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_ERROR_H_
