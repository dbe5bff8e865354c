/* Versions and features. */
#ifndef CONTAINERKIT_C_VERSION_H_
#define CONTAINERKIT_C_VERSION_H_

#include "containerkit/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The library's version, "0.1.0"; static storage. Thread-safe.
 *  @since 0.1 */
CK_EXPORT const char* ck_version(void);

/** The newest CK_API_* that the library has, e.g. CK_API_0_1. Thread-safe.
 *  @since 0.1 */
CK_EXPORT uint32_t ck_abi_version(void);

/** 1 when the library has the feature of docs/features.md, e.g.
 *  "runtime.seccomp"; 0 for NULL and for names it does not know.
 *  Thread-safe. @since 0.1 */
CK_EXPORT uint8_t ck_has_feature(const char* name);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_VERSION_H_ */
