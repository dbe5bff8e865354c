// What is behind a ck_engine and its answers.
#ifndef CONTAINERKIT_CAPI_SRC_ENGINE_H_
#define CONTAINERKIT_CAPI_SRC_ENGINE_H_

#include <vector>

#include "capi/src/handle.h"
#include "capi/src/strings.h"
#include "containerkit/c/engine.h"
#include "containerkit/engine.h"

namespace containerkit::capi {

struct EngineInfoPayload {
  EngineInfo info;
  Owned<ck_string_list> security_options;
  Owned<ck_string_list> warnings;
};

struct PruneReportPayload {
  uint64_t reclaimed_bytes = 0;
  Owned<ck_string_list> containers;
  Owned<ck_string_list> untagged;
  Owned<ck_string_list> deleted;
};

CK_HANDLE_TRAITS(ck_engine, Engine, kEngine);
CK_HANDLE_TRAITS(ck_engine_info, EngineInfoPayload, kEngineInfo);
CK_HANDLE_TRAITS(ck_store_report, std::vector<StoreFinding>, kStoreReport);
CK_HANDLE_TRAITS(ck_prune_report, PruneReportPayload, kPruneReport);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_ENGINE_H_
