// What a public Session holds.
#ifndef CONTAINERKIT_LIB_API_SESSION_IMPL_H_
#define CONTAINERKIT_LIB_API_SESSION_IMPL_H_

#include <memory>

#include "lib/container/process_session.h"
#include "lib/engine/engine_core.h"

namespace containerkit::engine {

class SessionImpl {
 public:
  // The engine stays open as long as one of its sessions.
  std::shared_ptr<EngineCore> core;
  std::unique_ptr<container::ProcessSession> process;
};

}  // namespace containerkit::engine

#endif  // CONTAINERKIT_LIB_API_SESSION_IMPL_H_
