/* The engine: an open state root. */
#ifndef CONTAINERKIT_C_ENGINE_H_
#define CONTAINERKIT_C_ENGINE_H_

#include "containerkit/c/cancel.h"
#include "containerkit/c/container_config.h"
#include "containerkit/c/strings.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CK_LOG_DEBUG 0
#define CK_LOG_INFO 1
#define CK_LOG_WARNING 2
#define CK_LOG_ERROR 3

/** Where the library says what it does. From any thread, also from several at
 *  once; must not call the library. `message` is valid during the call. */
typedef void (*ck_log_fn)(void* user_data, int32_t level, const char* message);

/** An open state root. When the last handle to it and to all that was made from
 *  it is released the engine closes: no thread, descriptor or helper process
 *  stays. Containers without a scope go on.
 *
 *  Several processes, and several engines in one process, may share a root.
 *  After fork() the child's calls answer CK_FAILED_PRECONDITION /
 *  CK_REASON_FORKED; exec is fine. */
typedef struct ck_engine ck_engine;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_engine* ck_engine_retain(const ck_engine* self);
CK_EXPORT void ck_engine_release(const ck_engine* self);

typedef struct ck_engine_open_options {
  size_t struct_size; /* set by CK_ENGINE_OPEN_OPTIONS_INIT */
  /* NULL: /var/lib/containerkit for root, else $XDG_DATA_HOME/containerkit. */
  const char* root;
  const char* docker_config; /* Docker's config.json; NULL: anonymous */
  /* <dir>/<host>/{ca.crt,client.cert,client.key}; NULL: the system's CAs. */
  const char* certs_dir;
  /* "host:port" that may be spoken to by plain http or with an unknown
   * certificate. Loopback needs no entry. */
  const char* const* insecure_registries;
  size_t insecure_registries_count;
  const char* const* registry_mirrors; /* base URLs before Docker Hub */
  size_t registry_mirrors_count;
  ck_log_fn log; /* NULL: silence */
  void* log_user_data;
  ck_release_fn log_user_data_release;
  /* 1: root and docker_config that are NULL come from CK_ROOT,
   * DOCKER_CONFIG, HOME and XDG_DATA_HOME, proxies for registries from
   * HTTP_PROXY, HTTPS_PROXY and NO_PROXY in capital or small letters. Read
   * during the call, never later. Where they say nothing, and with 0:
   * proxies.default of docker_config. */
  uint8_t use_environment;
  uint8_t reserved[7]; /* must be 0 */
} ck_engine_open_options;
#define CK_ENGINE_OPEN_OPTIONS_INIT                                           \
  {                                                                           \
    sizeof(ck_engine_open_options), NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, \
        NULL, NULL, 0, {                                                      \
      0                                                                       \
    }                                                                         \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_open_options_init(ck_engine_open_options* options,
                                           size_t size);

/** Opens, and if need be makes, the state root; puts in order what a crash left
 *  there. Errors: CK_PERMISSION_DENIED; CK_FAILED_PRECONDITION /
 *  CK_REASON_STORE_VERSION for a root of a newer version; CK_DATA_LOSS /
 *  CK_REASON_STORE_CORRUPT. Blocks on disk. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_engine_open(const ck_engine_open_options* options,
                                   ck_engine** out, ck_error** err);

/** What the engine and the machine are; a snapshot. */
typedef struct ck_engine_info ck_engine_info;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_engine_info* ck_engine_info_retain(const ck_engine_info* self);
CK_EXPORT void ck_engine_info_release(const ck_engine_info* self);

typedef struct ck_engine_inspect_options {
  size_t struct_size; /* set by CK_ENGINE_INSPECT_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_engine_inspect_options;
#define CK_ENGINE_INSPECT_OPTIONS_INIT \
  { sizeof(ck_engine_inspect_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_inspect_options_init(
    ck_engine_inspect_options* options, size_t size);

/** Takes a snapshot. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_engine_inspect(ck_engine* self,
                                      const ck_engine_inspect_options* options,
                                      ck_engine_info** out, ck_error** err);

/** Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_engine_info_root(const ck_engine_info* self);
CK_EXPORT uint8_t ck_engine_info_rootless(const ck_engine_info* self);
/** 1 or 2; 1 also for the hybrid layout. Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_engine_info_cgroup_version(const ck_engine_info* self);
CK_EXPORT const char* ck_engine_info_kernel_version(const ck_engine_info* self);
CK_EXPORT const char* ck_engine_info_operating_system(
    const ck_engine_info* self);
CK_EXPORT const char* ck_engine_info_architecture(const ck_engine_info* self);
CK_EXPORT const char* ck_engine_info_storage_driver(const ck_engine_info* self);
CK_EXPORT const ck_string_list* ck_engine_info_security_options(
    const ck_engine_info* self);
CK_EXPORT int64_t ck_engine_info_containers(const ck_engine_info* self);
CK_EXPORT int64_t ck_engine_info_containers_running(const ck_engine_info* self);
CK_EXPORT int64_t ck_engine_info_containers_paused(const ck_engine_info* self);
CK_EXPORT int64_t ck_engine_info_containers_stopped(const ck_engine_info* self);
CK_EXPORT int64_t ck_engine_info_images(const ck_engine_info* self);
CK_EXPORT int32_t ck_engine_info_cpus(const ck_engine_info* self);
CK_EXPORT uint64_t ck_engine_info_memory_bytes(const ck_engine_info* self);
CK_EXPORT const ck_string_list* ck_engine_info_warnings(
    const ck_engine_info* self);
/** The answer of Docker's GET /info. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_engine_info_json(const ck_engine_info* self);

typedef struct ck_engine_dry_run_options {
  size_t struct_size; /* set by CK_ENGINE_DRY_RUN_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_engine_dry_run_options;
#define CK_ENGINE_DRY_RUN_OPTIONS_INIT \
  { sizeof(ck_engine_dry_run_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_dry_run_options_init(
    ck_engine_dry_run_options* options, size_t size);

/** The steps that starting `config` would take, one a line; nothing runs.
 *  Errors: as ck_container_create(). Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_engine_dry_run(ck_engine* self,
                                      const ck_container_config* config,
                                      const ck_engine_dry_run_options* options,
                                      ck_string** out, ck_error** err);

/** What ck_engine_check_store() found wrong, in order. */
typedef struct ck_store_report ck_store_report;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_store_report* ck_store_report_retain(const ck_store_report* self);
CK_EXPORT void ck_store_report_release(const ck_store_report* self);

typedef struct ck_engine_check_store_options {
  size_t struct_size;  /* set by CK_ENGINE_CHECK_STORE_OPTIONS_INIT */
  uint8_t repair;      /* 1: mend or remove what is broken */
  uint8_t reserved[7]; /* must be 0 */
  /* What was mended until then stays mended. NULL: none. */
  const ck_cancel* cancel;
} ck_engine_check_store_options;
#define CK_ENGINE_CHECK_STORE_OPTIONS_INIT \
  { sizeof(ck_engine_check_store_options), 0, {0}, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_check_store_options_init(
    ck_engine_check_store_options* options, size_t size);

/** Verifies the state root: reads every blob. Nothing found is CK_OK with an
 *  empty report. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_engine_check_store(
    ck_engine* self, const ck_engine_check_store_options* options,
    ck_store_report** out, ck_error** err);

/** How many findings. Thread-safe. @since 0.1 */
CK_EXPORT size_t ck_store_report_size(const ck_store_report* self);
/** "blob", "layer", "container", ...; id or path; what is wrong with it; 1 when
 *  it was repaired. NULL or 0 beyond the end. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_store_report_kind_at(const ck_store_report* self,
                                              size_t index);
CK_EXPORT const char* ck_store_report_object_at(const ck_store_report* self,
                                                size_t index);
CK_EXPORT const char* ck_store_report_problem_at(const ck_store_report* self,
                                                 size_t index);
/** 0: a leftover that the next garbage collection takes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT uint8_t ck_store_report_damage_at(const ck_store_report* self,
                                            size_t index);
/** Thread-safe. @since 0.1 */
CK_EXPORT uint8_t ck_store_report_repaired_at(const ck_store_report* self,
                                              size_t index);

/** What ck_engine_prune() removed. */
typedef struct ck_prune_report ck_prune_report;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_prune_report* ck_prune_report_retain(const ck_prune_report* self);
CK_EXPORT void ck_prune_report_release(const ck_prune_report* self);

typedef struct ck_engine_prune_options {
  size_t struct_size;  /* set by CK_ENGINE_PRUNE_OPTIONS_INIT */
  uint8_t all_images;  /* 1: all unused images, not only unnamed ones */
  uint8_t dry_run;     /* 1: only say what would go */
  uint8_t reserved[6]; /* must be 0 */
  /* What is gone by then stays gone. NULL: none. */
  const ck_cancel* cancel;
} ck_engine_prune_options;
#define CK_ENGINE_PRUNE_OPTIONS_INIT \
  { sizeof(ck_engine_prune_options), 0, 0, {0}, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_engine_prune_options_init(ck_engine_prune_options* options,
                                            size_t size);

/** Removes stopped containers, then images that none needs. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_engine_prune(ck_engine* self,
                                    const ck_engine_prune_options* options,
                                    ck_prune_report** out, ck_error** err);

/** Ids of containers; names taken off; ids of images. Thread-safe.
 *  @since 0.1 */
CK_EXPORT const ck_string_list* ck_prune_report_containers(
    const ck_prune_report* self);
CK_EXPORT const ck_string_list* ck_prune_report_untagged(
    const ck_prune_report* self);
CK_EXPORT const ck_string_list* ck_prune_report_deleted(
    const ck_prune_report* self);
CK_EXPORT uint64_t ck_prune_report_reclaimed_bytes(const ck_prune_report* self);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_ENGINE_H_ */
