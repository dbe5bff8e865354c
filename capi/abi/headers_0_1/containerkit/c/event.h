/* What happened in a state root, as Docker's events tell it. */
#ifndef CONTAINERKIT_C_EVENT_H_
#define CONTAINERKIT_C_EVENT_H_

#include "containerkit/c/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One event. A callback's event is valid during the call; retain it to keep
 * it. */
typedef struct ck_event ck_event;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_event* ck_event_retain(const ck_event* self);
CK_EXPORT void ck_event_release(const ck_event* self);

/** "container" or "image"; "create", "start", "die", "pull", ... Thread-safe.
 *  @since 0.1 */
CK_EXPORT const char* ck_event_type(const ck_event* self);
CK_EXPORT const char* ck_event_action(const ck_event* self);
CK_EXPORT const char* ck_event_actor_id(const ck_event* self);
/** "name", "image", "exitCode", ... and the object's labels. Thread-safe.
 *  @since 0.1 */
CK_EXPORT const ck_string_map* ck_event_attributes(const ck_event* self);
/** Nanoseconds since 1970. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_event_time_ns(const ck_event* self);
/** As Docker's GET /events writes it, one line without newline. Thread-safe.
 *  @since 0.1 */
CK_EXPORT const char* ck_event_json(const ck_event* self);

/** Takes an event, on the thread of the call. Non-zero ends the call. */
typedef int32_t (*ck_event_fn)(void* user_data, const ck_event* event);

typedef struct ck_engine_watch_options {
  size_t struct_size; /* set by CK_ENGINE_WATCH_OPTIONS_INIT */
  int64_t since_ns;   /* since 1970: replay from there; 0: only new ones */
  int64_t until_ns;   /* since 1970: end there; 0: no end */
  const ck_filters* filters; /* type, event, container, image, label */
  const ck_cancel* cancel;
  uint64_t reserved; /* must be 0 */
} ck_engine_watch_options;
#define CK_ENGINE_WATCH_OPTIONS_INIT \
  { sizeof(ck_engine_watch_options), 0, 0, NULL, NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_watch_options_init(ck_engine_watch_options* options,
                                            size_t size);

/** Gives events to `event` until `until_ns` passes (CK_OK), the callback
 * answers non-zero or `cancel` is triggered (CK_CANCELLED). Blocks.
 * Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_engine_watch(ck_engine* self,
                                    const ck_engine_watch_options* options,
                                    ck_event_fn event, void* user_data,
                                    ck_release_fn user_data_release,
                                    ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_EVENT_H_ */
