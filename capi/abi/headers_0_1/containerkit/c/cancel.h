/* Ending blocking calls early. */
#ifndef CONTAINERKIT_C_CANCEL_H_
#define CONTAINERKIT_C_CANCEL_H_

#include "containerkit/c/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every call that was given it answers CK_CANCELLED within a second of
 *  ck_cancel_trigger(). Any number of calls may share one. */
typedef struct ck_cancel ck_cancel;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_cancel* ck_cancel_retain(const ck_cancel* self);
CK_EXPORT void ck_cancel_release(const ck_cancel* self);

/** Makes one. Errors: CK_RESOURCE_EXHAUSTED. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_cancel_create(ck_cancel** out, ck_error** err);

/** Ends the calls; for good, later calls end at once. Thread-safe, and the one
 *  function that a signal handler may call while somebody holds a reference.
 *  @since 0.1 */
CK_EXPORT void ck_cancel_trigger(const ck_cancel* self);

/** 1 once triggered. Thread-safe. @since 0.1 */
CK_EXPORT uint8_t ck_cancel_triggered(const ck_cancel* self);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_CANCEL_H_ */
