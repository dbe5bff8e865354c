/* containerkit for C: a container engine inside this process.
 *
 *   ck_engine* engine = NULL;
 *   ck_error* err = NULL;
 *   if (ck_engine_open(NULL, &engine, &err) != CK_OK)
 *     printf("%s\n", ck_error_message(err));
 *
 * Rules that every function obeys (docs/abi.md says why):
 *
 *  1. Shape: ck_status ck_object_verb(self, inputs..., options, out..., err).
 *     `options` may be NULL: defaults. `err` may be NULL: not interested.
 *  2. CK_OK is 0. A value that you do not know is an error.
 *  3. On failure `*err` is a ck_error to release, and every `*out` is NULL (it
 *     may stay NULL when there is no memory for it). On success it is NULL.
 *  4. Handles are counted: ck_x_retain() adds one, ck_x_release() takes one
 *     off, NULL is fine. `out` gives you one count. What is const and answered
 *     by an accessor is borrowed: it lives as long as what it was asked of,
 *     unless you retain it. A container is removed, a handle is released.
 *     A call with NULL, a released handle or one of another type answers
 *     CK_INVALID_ARGUMENT; an accessor answers 0, "" or NULL.
 *  5. Options: CK_X_OPTIONS_INIT or ck_x_options_init() fills in the size and
 *     the defaults; change what you need. A library that does not know a field
 *     that you set answers CK_UNIMPLEMENTED.
 *  6. Strings are NUL-terminated UTF-8, paths raw bytes; arguments are borrowed
 *     for the call, answers never NULL unless said so. Nothing that malloc()
 *     made crosses the border.
 *  7. Callbacks take `user_data`; `user_data_release` is called exactly once,
 *     also when the call fails. A non-zero answer ends the call: CK_CANCELLED,
 *     ck_error_callback_code(). They may call the library and release handles;
 *     they must not throw nor longjmp out.
 *  8. Times and time-outs are nanoseconds, sizes bytes. CK_FOREVER is -1.
 *  9. Thread-safe unless the declaration says Exclusive(self): one thread at a
 *     time. After fork() a child may only exec.
 * 10. Link with -lcontainerkit (pkg-config containerkit_c). Symbols are added,
 *     never changed, within one soname. */
#ifndef CONTAINERKIT_CONTAINERKIT_C_H_
#define CONTAINERKIT_CONTAINERKIT_C_H_

/* clang-format off */
#include "containerkit/c/base.h"
#include "containerkit/c/reasons.h"
#include "containerkit/c/version.h"
#include "containerkit/c/error.h"
#include "containerkit/c/cancel.h"
#include "containerkit/c/strings.h"
#include "containerkit/c/engine.h"
#include "containerkit/c/event.h"
#include "containerkit/c/image.h"
#include "containerkit/c/resources.h"
#include "containerkit/c/container_config.h"
#include "containerkit/c/container_info.h"
#include "containerkit/c/container.h"
#include "containerkit/c/scope.h"
#include "containerkit/c/session.h"
/* clang-format on */

#endif /* CONTAINERKIT_CONTAINERKIT_C_H_ */
