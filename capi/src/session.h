// What is behind a ck_session.
#ifndef CONTAINERKIT_CAPI_SRC_SESSION_H_
#define CONTAINERKIT_CAPI_SRC_SESSION_H_

#include <atomic>

#include "capi/src/handle.h"
#include "containerkit/c/session.h"
#include "containerkit/container.h"

namespace containerkit::capi {

struct SessionPayload {
  Session session;
  // One reader at a time.
  std::atomic<bool> reading{false};
};
CK_HANDLE_TRAITS(ck_session, SessionPayload, kSession);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_SESSION_H_
