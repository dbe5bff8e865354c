/* What every header of the C API needs: linkage, status codes, time. */
#ifndef CONTAINERKIT_C_BASE_H_
#define CONTAINERKIT_C_BASE_H_

#include <stddef.h>
#include <stdint.h>

/* Symbols newer than this version are hidden from the program that defines
 * it, so that it keeps to what an old library has. */
#define CK_API_0_1 0x000100
#ifndef CK_API_TARGET
#define CK_API_TARGET CK_API_0_1
#endif
#if CK_API_TARGET < CK_API_0_1
#error "CK_API_TARGET names a version before the first release, 0.1"
#endif

#if defined(__GNUC__)
#define CK_EXPORT __attribute__((visibility("default")))
#else
#define CK_EXPORT
#endif

/** What a call answers. Values that a header does not know are errors. */
typedef int32_t ck_status;
#define CK_OK 0
#define CK_CANCELLED 1
#define CK_UNKNOWN 2
#define CK_INVALID_ARGUMENT 3
#define CK_DEADLINE_EXCEEDED 4
#define CK_NOT_FOUND 5
#define CK_ALREADY_EXISTS 6
#define CK_PERMISSION_DENIED 7
#define CK_RESOURCE_EXHAUSTED 8
#define CK_FAILED_PRECONDITION 9
#define CK_ABORTED 10
#define CK_OUT_OF_RANGE 11
#define CK_UNIMPLEMENTED 12
#define CK_INTERNAL 13
#define CK_UNAVAILABLE 14
#define CK_DATA_LOSS 15
#define CK_UNAUTHENTICATED 16

/* Values of a timeout_ns: no limit; and what the object itself says. */
#define CK_FOREVER ((int64_t)-1)
#define CK_TIMEOUT_DEFAULT ((int64_t)-2)

/** Frees what a callback was given; called exactly once, from any thread,
 *  also when the call fails. */
typedef void (*ck_release_fn)(void* user_data);

#endif /* CONTAINERKIT_C_BASE_H_ */
