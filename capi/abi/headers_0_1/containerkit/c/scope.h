/* Groups of containers that live no longer than their owner. */
#ifndef CONTAINERKIT_C_SCOPE_H_
#define CONTAINERKIT_C_SCOPE_H_

#include "containerkit/c/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/** When the last handle goes, or the process ends in any way, every container
 * of the scope is killed and removed within a second. Containers join it by
 *  ck_container_create_options.scope. */
typedef struct ck_scope ck_scope;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_scope* ck_scope_retain(const ck_scope* self);
CK_EXPORT void ck_scope_release(const ck_scope* self);

typedef struct ck_scope_create_options {
  size_t struct_size; /* set by CK_SCOPE_CREATE_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_scope_create_options;
#define CK_SCOPE_CREATE_OPTIONS_INIT \
  { sizeof(ck_scope_create_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_scope_create_options_init(ck_scope_create_options* options,
                                            size_t size);

/** Makes an empty one. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_scope_create(ck_engine* engine,
                                    const ck_scope_create_options* options,
                                    ck_scope** out, ck_error** err);

/** Lives as long as the handle. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_scope_id(const ck_scope* self);

typedef struct ck_scope_end_options {
  size_t struct_size; /* set by CK_SCOPE_END_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_scope_end_options;
#define CK_SCOPE_END_OPTIONS_INIT \
  { sizeof(ck_scope_end_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_scope_end_options_init(ck_scope_end_options* options,
                                         size_t size);

/** Ends it now and waits until everything is gone; the handle stays to be
 *  released. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_scope_end(ck_scope* self,
                                 const ck_scope_end_options* options,
                                 ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_SCOPE_H_ */
