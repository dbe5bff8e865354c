#include "capi/src/scope.h"

#include <memory>
#include <utility>

#include "capi/src/engine.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"

using ::containerkit::Scope;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;

CK_DEFINE_OPTIONS(ck_scope_create_options, CK_SCOPE_CREATE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_scope_end_options, CK_SCOPE_END_OPTIONS_INIT)

CK_DEFINE_HANDLE(ck_scope)

ck_status ck_scope_create(ck_engine* engine,
                          const ck_scope_create_options* options,
                          ck_scope** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_ASSIGN_OR_RETURN(Scope scope, pinned->NewScope());
    *out = NewHandle<ck_scope>(std::make_unique<Scope>(std::move(scope)));
    return absl::OkStatus();
  });
}

CK_DEFINE_STRING(ck_scope, id, p.id())

ck_status ck_scope_end(ck_scope* self, const ck_scope_end_options* options,
                       ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_scope> scope, Pin(self));
    return scope->Close();
  });
}
