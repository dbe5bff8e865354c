/* Strings, lists and maps that calls answer with, and filters. Immutable; what
 * they give out lives as long as they do. */
#ifndef CONTAINERKIT_C_STRINGS_H_
#define CONTAINERKIT_C_STRINGS_H_

#include "containerkit/c/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Some text, NUL-terminated; may have NULs of its own. */
typedef struct ck_string ck_string;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_string* ck_string_retain(const ck_string* self);
CK_EXPORT void ck_string_release(const ck_string* self);

/** The text ("" for NULL) and its length in bytes. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_string_data(const ck_string* self);
CK_EXPORT size_t ck_string_size(const ck_string* self);

/** Strings in order. */
typedef struct ck_string_list ck_string_list;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_string_list* ck_string_list_retain(const ck_string_list* self);
CK_EXPORT void ck_string_list_release(const ck_string_list* self);

/** How many, and the one at `index`; NULL beyond the end. Thread-safe.
 *  @since 0.1 */
CK_EXPORT size_t ck_string_list_size(const ck_string_list* self);
CK_EXPORT const char* ck_string_list_at(const ck_string_list* self,
                                        size_t index);

/** Names with values, sorted by name. */
typedef struct ck_string_map ck_string_map;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_string_map* ck_string_map_retain(const ck_string_map* self);
CK_EXPORT void ck_string_map_release(const ck_string_map* self);

/** How many; the name and the value at `index`, NULL beyond the end; the value
 *  of a name, NULL when it is absent. Thread-safe. @since 0.1 */
CK_EXPORT size_t ck_string_map_size(const ck_string_map* self);
CK_EXPORT const char* ck_string_map_name_at(const ck_string_map* self,
                                            size_t index);
CK_EXPORT const char* ck_string_map_value_at(const ck_string_map* self,
                                             size_t index);
CK_EXPORT const char* ck_string_map_get(const ck_string_map* self,
                                        const char* name);

/** Docker's filters, e.g. label=tier=db: values of one name are alternatives,
 *  names add up. */
typedef struct ck_filters ck_filters;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_filters* ck_filters_retain(const ck_filters* self);
CK_EXPORT void ck_filters_release(const ck_filters* self);

/** Makes an empty one. Errors: CK_RESOURCE_EXHAUSTED. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_filters_create(ck_filters** out, ck_error** err);

/** Adds one; the call that uses it says whether it knows the name.
 *  Errors: CK_INVALID_ARGUMENT for NULL. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_filters_add(ck_filters* self, const char* name,
                                   const char* value, ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_STRINGS_H_ */
