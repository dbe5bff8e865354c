/* What went wrong, as data. docs/errors.md lists the reasons. */
#ifndef CONTAINERKIT_C_ERROR_H_
#define CONTAINERKIT_C_ERROR_H_

#include "containerkit/c/base.h"
#include "containerkit/c/reasons.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Why a call failed. Immutable. Every accessor answers 0 or "" for NULL;
 * strings live as long as the error. */
typedef struct ck_error ck_error;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_error* ck_error_retain(const ck_error* self);
CK_EXPORT void ck_error_release(const ck_error* self);

/** One of CK_INVALID_ARGUMENT, ...: what the caller can do. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_error_code(const ck_error* self);

/** One of CK_REASON_*: what happened; and its name, "NameInUse".
 *  Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_error_reason(const ck_error* self);
CK_EXPORT const char* ck_error_reason_name(const ck_error* self);

/** errno of the failed system call, 0 when none was involved. Thread-safe.
 *  @since 0.1 */
CK_EXPORT int32_t ck_error_errno(const ck_error* self);

/** For people: "start container 4f2a: open(/nope): No such file or
 *  directory". Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_error_message(const ck_error* self);

/** "<component>.<action>", e.g. "mount.overlay". Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_error_operation(const ck_error* self);

/** What it was about: "container", "image", ... and which. Thread-safe.
 *  @since 0.1 */
CK_EXPORT const char* ck_error_object_kind(const ck_error* self);
CK_EXPORT const char* ck_error_object_id(const ck_error* self);

/** File or URL concerned, raw bytes. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_error_path(const ck_error* self);

/** What to do about it, a sentence. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_error_hint(const ck_error* self);

/** 1 when the same call may succeed later. Thread-safe. @since 0.1 */
CK_EXPORT uint8_t ck_error_retryable(const ck_error* self);

/** The non-zero answer of the callback that ended the call. Thread-safe.
 *  @since 0.1 */
CK_EXPORT int32_t ck_error_callback_code(const ck_error* self);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_ERROR_H_ */
