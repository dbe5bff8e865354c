#include "containerkit/c/event.h"

#include <utility>

#include "absl/time/time.h"
#include "capi/src/callback.h"
#include "capi/src/cancel.h"
#include "capi/src/engine.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"
#include "capi/src/strings.h"
#include "containerkit/events.h"

namespace containerkit::capi {
namespace {

struct EventPayload {
  EngineEvent event;
  Owned<ck_string_map> attributes;
};

}  // namespace

CK_HANDLE_TRAITS(ck_event, EventPayload, kEvent);

}  // namespace containerkit::capi

using ::containerkit::EngineEvent;
using ::containerkit::EventOptions;
using ::containerkit::capi::Callbacks;
using ::containerkit::capi::CallState;
using ::containerkit::capi::FiltersOf;
using ::containerkit::capi::Guard;
using ::containerkit::capi::LinkedCancel;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::MakeStringMap;
using ::containerkit::capi::Owned;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToUnixNs;
using ::containerkit::capi::UserData;

CK_DEFINE_OPTIONS(ck_engine_watch_options, CK_ENGINE_WATCH_OPTIONS_INIT)

CK_DEFINE_HANDLE(ck_event)
CK_DEFINE_STRING(ck_event, type, p.event.type)
CK_DEFINE_STRING(ck_event, action, p.event.action)
CK_DEFINE_STRING(ck_event, actor_id, p.event.actor_id)
CK_DEFINE_VALUE(ck_event, attributes, const ck_string_map*, p.attributes.get())
CK_DEFINE_VALUE(ck_event, time_ns, int64_t, ToUnixNs(p.event.time))
CK_DEFINE_STRING(ck_event, json, p.event.json)

ck_status ck_engine_watch(ck_engine* self,
                          const ck_engine_watch_options* options,
                          ck_event_fn event, void* user_data,
                          ck_release_fn user_data_release, ck_error** err) {
  return Guard(err, [&](CallState& call) -> absl::Status {
    const UserData data(user_data, user_data_release);
    CK_ASSIGN_OR_RETURN(const ck_engine_watch_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> engine, Pin(self));
    if (event == nullptr) {
      return containerkit::InvalidArgument(
          containerkit::Reason::kInvalidArgument, "capi.argument",
          "event is NULL");
    }
    EventOptions watched;
    if (o.since_ns != 0) watched.since = absl::FromUnixNanos(o.since_ns);
    if (o.until_ns != 0) watched.until = absl::FromUnixNanos(o.until_ns);
    CK_ASSIGN_OR_RETURN(watched.filters, FiltersOf(o.filters));
    CK_ASSIGN_OR_RETURN(LinkedCancel cancel, LinkedCancel::Create(o.cancel));
    watched.cancel = cancel.token();
    Callbacks callbacks;
    absl::Status status = engine->Events(watched, [&](const EngineEvent& e) {
      return callbacks.Run([&] {
        Owned<ck_event> handle(
            MakeHandle<ck_event>(e, MakeStringMap(e.attributes)));
        return event(data.get(), handle.get());
      });
    });
    return callbacks.Outcome(std::move(status), call);
  });
}
