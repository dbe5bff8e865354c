/* Images: what containers are made of.
 *
 * Names are references ("alpine", "localhost:5000/a/b:tag", "name@sha256:...")
 * or ids ("sha256:...", or any unique prefix of the hex digits). */
#ifndef CONTAINERKIT_C_IMAGE_H_
#define CONTAINERKIT_C_IMAGE_H_

#include "containerkit/c/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is known about one image; a snapshot. In a ck_image_list only the part
 *  up to `containers` is filled in. */
typedef struct ck_image_info ck_image_info;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_image_info* ck_image_info_retain(const ck_image_info* self);
CK_EXPORT void ck_image_info_release(const ck_image_info* self);

/** "sha256:<digest of the config>". Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_image_info_id(const ck_image_info* self);
/** "busybox:latest", ...; "busybox@sha256:...", ... Thread-safe. @since 0.1 */
CK_EXPORT const ck_string_list* ck_image_info_repo_tags(
    const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_repo_digests(
    const ck_image_info* self);
/** Nanoseconds since 1970. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_image_info_created_ns(const ck_image_info* self);
/** Of all layers, unpacked. Thread-safe. @since 0.1 */
CK_EXPORT uint64_t ck_image_info_size_bytes(const ck_image_info* self);
CK_EXPORT const ck_string_map* ck_image_info_labels(const ck_image_info* self);
/** How many containers use it. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_image_info_containers(const ck_image_info* self);

/** The image's config. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_image_info_architecture(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_os(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_variant(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_author(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_user(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_working_dir(const ck_image_info* self);
CK_EXPORT const char* ck_image_info_stop_signal(const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_env(const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_entrypoint(
    const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_command(
    const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_exposed_ports(
    const ck_image_info* self);
CK_EXPORT const ck_string_list* ck_image_info_volumes(
    const ck_image_info* self);
/** Diff ids, lowest first. Thread-safe. @since 0.1 */
CK_EXPORT const ck_string_list* ck_image_info_layers(const ck_image_info* self);
/** The answer of Docker's GET /images/{name}/json. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_image_info_json(const ck_image_info* self);

#define CK_PULL_RESOLVING 0 /* no layer yet */
#define CK_PULL_WAITING 1
#define CK_PULL_DOWNLOADING 2 /* current_bytes of total_bytes */
#define CK_PULL_EXTRACTING 3
#define CK_PULL_EXISTS 4 /* was there already */
#define CK_PULL_DONE 5
#define CK_PULL_RETRYING 6 /* message says why */

/** How far one layer, or the whole, has come. A callback's is valid during the
 *  call; retain it to keep it. */
typedef struct ck_pull_progress ck_pull_progress;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_pull_progress* ck_pull_progress_retain(
    const ck_pull_progress* self);
CK_EXPORT void ck_pull_progress_release(const ck_pull_progress* self);

/** One of CK_PULL_*. Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_pull_progress_phase(const ck_pull_progress* self);
/** First 12 hex digits of the layer's digest. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_pull_progress_layer_id(const ck_pull_progress* self);
/** `total_bytes` is 0 when unknown. Thread-safe. @since 0.1 */
CK_EXPORT uint64_t ck_pull_progress_current_bytes(const ck_pull_progress* self);
CK_EXPORT uint64_t ck_pull_progress_total_bytes(const ck_pull_progress* self);
CK_EXPORT const char* ck_pull_progress_message(const ck_pull_progress* self);

/** Takes a report; from worker threads, one call at a time. Non-zero ends the
 *  pull. May pull other images; one with a layer that this pull has not
 *  finished waits for it, and so must not be waited for here. */
typedef int32_t (*ck_pull_progress_fn)(void* user_data,
                                       const ck_pull_progress* progress);

typedef struct ck_image_pull_options {
  size_t struct_size;   /* set by CK_IMAGE_PULL_OPTIONS_INIT */
  const char* platform; /* "os/arch[/variant]"; NULL: this machine's */
  /* All NULL: what the engine's docker_config says for the registry. */
  const char* username;
  const char* password;
  const char* identity_token; /* an OAuth2 refresh token */
  ck_pull_progress_fn progress;
  void* progress_user_data;
  ck_release_fn progress_user_data_release;
  const ck_cancel* cancel;
  uint32_t parallel_layers; /* 0: 3 */
  uint32_t reserved;        /* must be 0 */
} ck_image_pull_options;
#define CK_IMAGE_PULL_OPTIONS_INIT                                           \
  {                                                                          \
    sizeof(ck_image_pull_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
        NULL, 0, 0                                                           \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_pull_options_init(ck_image_pull_options* options,
                                          size_t size);

/** Fetches an image and makes it ready to run. Layers that are there are not
 *  fetched; an interrupted download goes on where it ended.
 *
 *  Errors: CK_INVALID_ARGUMENT / CK_REASON_INVALID_REFERENCE; CK_NOT_FOUND /
 *  CK_REASON_IMAGE_NOT_FOUND, _PLATFORM_NOT_FOUND; CK_UNAUTHENTICATED;
 *  CK_UNAVAILABLE / CK_REASON_REGISTRY_UNREACHABLE, _RATE_LIMITED;
 *  CK_UNAUTHENTICATED or CK_PERMISSION_DENIED / CK_REASON_PROXY_REFUSED;
 *  CK_DATA_LOSS / CK_REASON_DIGEST_MISMATCH, ...; CK_CANCELLED;
 *  CK_RESOURCE_EXHAUSTED / CK_REASON_DISK_FULL. What a layer could not keep
 *  goes to the engine's log callback. Blocks on network and disk. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_image_pull(ck_engine* engine, const char* reference,
                                  const ck_image_pull_options* options,
                                  ck_image_info** out, ck_error** err);

typedef struct ck_image_list_tags_options {
  size_t struct_size; /* set by CK_IMAGE_LIST_TAGS_OPTIONS_INIT */
  /* All NULL: what the engine's docker_config says for the registry. */
  const char* username;
  const char* password;
  const char* identity_token; /* an OAuth2 refresh token */
  const ck_cancel* cancel;
  uint64_t reserved; /* must be 0 */
} ck_image_list_tags_options;
#define CK_IMAGE_LIST_TAGS_OPTIONS_INIT \
  { sizeof(ck_image_list_tags_options), NULL, NULL, NULL, NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_list_tags_options_init(
    ck_image_list_tags_options* options, size_t size);

/** The tags that a repository has at its registry, in the registry's order.
 *  Errors: as ck_image_pull(). Blocks on network. Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_image_list_tags(ck_engine* engine, const char* repository,
                   const ck_image_list_tags_options* options,
                   ck_string_list** out, ck_error** err);

typedef struct ck_image_load_options {
  size_t struct_size; /* set by CK_IMAGE_LOAD_OPTIONS_INIT */
  const ck_cancel* cancel;
  /* "os/arch[/variant]": only images for it. NULL: all of a docker-archive; of
   * the platforms of one image, this machine's. */
  const char* platform;
  uint64_t reserved; /* must be 0 */
} ck_image_load_options;
#define CK_IMAGE_LOAD_OPTIONS_INIT \
  { sizeof(ck_image_load_options), NULL, NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_load_options_init(ck_image_load_options* options,
                                          size_t size);

/** Reads images from a docker-archive, an OCI layout directory or an
 *  oci-archive (plain, gzip or zstd). `out`: names, or ids of unnamed images.
 *  Errors: CK_INVALID_ARGUMENT / CK_REASON_ARCHIVE_CORRUPT for a file that is
 *  no archive, _MANIFEST_INVALID; CK_DATA_LOSS / CK_REASON_ARCHIVE_CORRUPT,
 *  _DIGEST_MISMATCH for one that is damaged; CK_NOT_FOUND /
 *  CK_REASON_PLATFORM_NOT_FOUND; CK_NOT_FOUND. Blocks on disk. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_image_load(ck_engine* engine, const char* path,
                                  const ck_image_load_options* options,
                                  ck_string_list** out, ck_error** err);

/** The same from a descriptor, which stays the caller's; no directory.
 *  Blocks on it. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_image_load_fd(ck_engine* engine, int32_t archive_fd,
                                     const ck_image_load_options* options,
                                     ck_string_list** out, ck_error** err);

typedef struct ck_image_import_options {
  size_t struct_size;    /* set by CK_IMAGE_IMPORT_OPTIONS_INIT */
  const char* reference; /* "repo[:tag]"; NULL: no name */
  const char* message;
  const char* const* changes; /* Dockerfile instructions: "CMD [...]" */
  size_t changes_count;
  const char* platform; /* NULL: this machine's */
  const ck_cancel* cancel;
  uint64_t reserved; /* must be 0 */
} ck_image_import_options;
#define CK_IMAGE_IMPORT_OPTIONS_INIT \
  { sizeof(ck_image_import_options), NULL, NULL, NULL, 0, NULL, NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_import_options_init(ck_image_import_options* options,
                                            size_t size);

/** Makes an image of a root file system archive (tar, plain or compressed) read
 *  from a descriptor, which stays the caller's. `out`: its id. Errors:
 *  CK_DATA_LOSS / CK_REASON_ARCHIVE_CORRUPT; CK_INVALID_ARGUMENT /
 *  CK_REASON_INVALID_REFERENCE. Blocks
 *  on the descriptor. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_image_import(ck_engine* engine, int32_t archive_fd,
                                    const ck_image_import_options* options,
                                    ck_string** out, ck_error** err);

/** Images, newest first; a snapshot. */
typedef struct ck_image_list ck_image_list;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_image_list* ck_image_list_retain(const ck_image_list* self);
CK_EXPORT void ck_image_list_release(const ck_image_list* self);

typedef struct ck_image_list_query_options {
  size_t struct_size; /* set by CK_IMAGE_LIST_QUERY_OPTIONS_INIT */
  /* dangling, label, before, since, reference, until */
  const ck_filters* filters;
  uint8_t all;         /* 1: also unnamed ones that others build on */
  uint8_t reserved[7]; /* must be 0 */
} ck_image_list_query_options;
#define CK_IMAGE_LIST_QUERY_OPTIONS_INIT                \
  {                                                     \
    sizeof(ck_image_list_query_options), NULL, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_list_query_options_init(
    ck_image_list_query_options* options, size_t size);

/** Takes a snapshot. Errors: CK_INVALID_ARGUMENT for an unknown filter.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_image_list_query(
    ck_engine* engine, const ck_image_list_query_options* options,
    ck_image_list** out, ck_error** err);

/** How many, and the one at `index` (the list's; NULL beyond the end).
 *  Thread-safe. @since 0.1 */
CK_EXPORT size_t ck_image_list_size(const ck_image_list* self);
CK_EXPORT const ck_image_info* ck_image_list_at(const ck_image_list* self,
                                                size_t index);

typedef struct ck_image_inspect_options {
  size_t struct_size; /* set by CK_IMAGE_INSPECT_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_image_inspect_options;
#define CK_IMAGE_INSPECT_OPTIONS_INIT \
  { sizeof(ck_image_inspect_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_inspect_options_init(ck_image_inspect_options* options,
                                             size_t size);

/** Takes a snapshot. Errors: CK_NOT_FOUND / CK_REASON_IMAGE_NOT_FOUND;
 *  CK_INVALID_ARGUMENT / CK_REASON_IMAGE_AMBIGUOUS. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_image_inspect(ck_engine* engine, const char* name,
                                     const ck_image_inspect_options* options,
                                     ck_image_info** out, ck_error** err);

/** How an image came about, newest step first. */
typedef struct ck_image_history ck_image_history;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_image_history* ck_image_history_retain(
    const ck_image_history* self);
CK_EXPORT void ck_image_history_release(const ck_image_history* self);

typedef struct ck_image_read_history_options {
  size_t struct_size; /* set by CK_IMAGE_READ_HISTORY_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_image_read_history_options;
#define CK_IMAGE_READ_HISTORY_OPTIONS_INIT \
  { sizeof(ck_image_read_history_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_read_history_options_init(
    ck_image_read_history_options* options, size_t size);

/** Errors: as ck_image_inspect(). Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_image_read_history(ck_engine* engine, const char* name,
                      const ck_image_read_history_options* options,
                      ck_image_history** out, ck_error** err);

/** NULL or 0 beyond the end. Thread-safe. @since 0.1 */
CK_EXPORT size_t ck_image_history_size(const ck_image_history* self);
CK_EXPORT int64_t ck_image_history_created_ns_at(const ck_image_history* self,
                                                 size_t index);
CK_EXPORT const char* ck_image_history_created_by_at(
    const ck_image_history* self, size_t index);
CK_EXPORT const char* ck_image_history_comment_at(const ck_image_history* self,
                                                  size_t index);
CK_EXPORT uint64_t ck_image_history_size_bytes_at(const ck_image_history* self,
                                                  size_t index);
CK_EXPORT uint8_t ck_image_history_empty_layer_at(const ck_image_history* self,
                                                  size_t index);

typedef struct ck_image_tag_options {
  size_t struct_size; /* set by CK_IMAGE_TAG_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_image_tag_options;
#define CK_IMAGE_TAG_OPTIONS_INIT \
  { sizeof(ck_image_tag_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_tag_options_init(ck_image_tag_options* options,
                                         size_t size);

/** Gives the image one more name. Errors: as ck_image_inspect();
 *  CK_REASON_INVALID_REFERENCE. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_image_tag(ck_engine* engine, const char* name,
                                 const char* target,
                                 const ck_image_tag_options* options,
                                 ck_error** err);

/** What a removal did. */
typedef struct ck_image_removal ck_image_removal;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_image_removal* ck_image_removal_retain(
    const ck_image_removal* self);
CK_EXPORT void ck_image_removal_release(const ck_image_removal* self);

/** Names taken off; ids of images deleted. Thread-safe. @since 0.1 */
CK_EXPORT const ck_string_list* ck_image_removal_untagged(
    const ck_image_removal* self);
CK_EXPORT const ck_string_list* ck_image_removal_deleted(
    const ck_image_removal* self);

typedef struct ck_image_remove_options {
  size_t struct_size;  /* set by CK_IMAGE_REMOVE_OPTIONS_INIT */
  uint8_t force;       /* 1: also with several names, or stopped containers */
  uint8_t reserved[7]; /* must be 0 */
} ck_image_remove_options;
#define CK_IMAGE_REMOVE_OPTIONS_INIT          \
  {                                           \
    sizeof(ck_image_remove_options), 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_remove_options_init(ck_image_remove_options* options,
                                            size_t size);

/** Takes a name off; the image goes with its last name. `out` may be NULL.
 *  Errors: CK_NOT_FOUND; CK_FAILED_PRECONDITION / CK_REASON_IMAGE_IN_USE when a
 *  container needs it (ck_error_object_id() names one). Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_image_remove(ck_engine* engine, const char* name,
                                    const ck_image_remove_options* options,
                                    ck_image_removal** out, ck_error** err);

typedef struct ck_image_prune_options {
  size_t struct_size;  /* set by CK_IMAGE_PRUNE_OPTIONS_INIT */
  uint8_t all;         /* 1: every unused image, not only unnamed ones */
  uint8_t dry_run;     /* 1: only say what would go */
  uint8_t reserved[6]; /* must be 0 */
} ck_image_prune_options;
#define CK_IMAGE_PRUNE_OPTIONS_INIT             \
  {                                             \
    sizeof(ck_image_prune_options), 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_image_prune_options_init(ck_image_prune_options* options,
                                           size_t size);

/** Deletes images that no container needs. `out` may be NULL. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_image_prune(ck_engine* engine,
                                   const ck_image_prune_options* options,
                                   ck_image_removal** out, ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_IMAGE_H_ */
