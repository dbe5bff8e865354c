/* What calls on containers answer with: immutable snapshots. */
#ifndef CONTAINERKIT_C_CONTAINER_INFO_H_
#define CONTAINERKIT_C_CONTAINER_INFO_H_

#include "containerkit/c/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CK_CONTAINER_CREATED 0
#define CK_CONTAINER_RUNNING 1
#define CK_CONTAINER_PAUSED 2
#define CK_CONTAINER_RESTARTING 3
#define CK_CONTAINER_EXITED 4
#define CK_CONTAINER_DEAD 5 /* its monitor was killed */

#define CK_HEALTH_NONE 0
#define CK_HEALTH_STARTING 1
#define CK_HEALTH_HEALTHY 2
#define CK_HEALTH_UNHEALTHY 3

/** What is known about one container. */
typedef struct ck_container_info ck_container_info;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_container_info* ck_container_info_retain(
    const ck_container_info* self);
CK_EXPORT void ck_container_info_release(const ck_container_info* self);

/** 64 hex digits; the name without Docker's leading slash; "sha256:..."; the
 *  image as it was asked for. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_container_info_id(const ck_container_info* self);
CK_EXPORT const char* ck_container_info_name(const ck_container_info* self);
CK_EXPORT const char* ck_container_info_image_id(const ck_container_info* self);
CK_EXPORT const char* ck_container_info_image(const ck_container_info* self);

/** One of CK_CONTAINER_*, and Docker's word for it; one of CK_HEALTH_*.
 *  Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_container_info_state(const ck_container_info* self);
CK_EXPORT const char* ck_container_info_state_name(
    const ck_container_info* self);
CK_EXPORT int32_t ck_container_info_health(const ck_container_info* self);
CK_EXPORT int32_t
ck_container_info_health_failing_streak(const ck_container_info* self);

/** In the host's pid namespace; 0: not running. Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_container_info_pid(const ck_container_info* self);

/** 0..255; 128 + N when signal N ended it. And why it could not start.
 *  Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_container_info_exit_code(const ck_container_info* self);
CK_EXPORT uint8_t ck_container_info_oom_killed(const ck_container_info* self);
CK_EXPORT const char* ck_container_info_error(const ck_container_info* self);

/** Nanoseconds since 1970; 0: not yet. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_container_info_created_ns(const ck_container_info* self);
CK_EXPORT int64_t ck_container_info_started_ns(const ck_container_info* self);
CK_EXPORT int64_t ck_container_info_finished_ns(const ck_container_info* self);

/** Thread-safe. @since 0.1 */
CK_EXPORT uint32_t
ck_container_info_restart_count(const ck_container_info* self);
/** Entrypoint and arguments. Thread-safe. @since 0.1 */
CK_EXPORT const ck_string_list* ck_container_info_command(
    const ck_container_info* self);
CK_EXPORT const ck_string_map* ck_container_info_labels(
    const ck_container_info* self);
CK_EXPORT const char* ck_container_info_log_path(const ck_container_info* self);
CK_EXPORT const ck_string_list* ck_container_info_warnings(
    const ck_container_info* self);

/** Containers, newest first. */
typedef struct ck_container_list ck_container_list;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_container_list* ck_container_list_retain(
    const ck_container_list* self);
CK_EXPORT void ck_container_list_release(const ck_container_list* self);

typedef struct ck_container_list_query_options {
  size_t struct_size; /* set by CK_CONTAINER_LIST_QUERY_OPTIONS_INIT */
  /* id, name, label, status, exited, ancestor, before, since, health */
  const ck_filters* filters;
  int64_t limit;       /* the newest N, whatever their state; 0: no limit */
  uint8_t all;         /* 1: also those that do not run */
  uint8_t reserved[7]; /* must be 0 */
} ck_container_list_query_options;
#define CK_CONTAINER_LIST_QUERY_OPTIONS_INIT                   \
  {                                                            \
    sizeof(ck_container_list_query_options), NULL, 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_list_query_options_init(
    ck_container_list_query_options* options, size_t size);

/** Takes a snapshot. Errors: CK_INVALID_ARGUMENT for an unknown filter.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_list_query(
    ck_engine* engine, const ck_container_list_query_options* options,
    ck_container_list** out, ck_error** err);

/** How many, and the one at `index` (the list's; NULL beyond the end).
 *  Thread-safe. @since 0.1 */
CK_EXPORT size_t ck_container_list_size(const ck_container_list* self);
CK_EXPORT const ck_container_info* ck_container_list_at(
    const ck_container_list* self, size_t index);

/** One reading of a container's counters. */
typedef struct ck_container_stats ck_container_stats;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_container_stats* ck_container_stats_retain(
    const ck_container_stats* self);
CK_EXPORT void ck_container_stats_release(const ck_container_stats* self);

/** Nanoseconds since 1970. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_container_stats_time_ns(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_cpu_total_ns(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_cpu_user_ns(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_cpu_system_ns(const ck_container_stats* self);
/** Of all CPUs of the host, busy and idle. Thread-safe. @since 0.1 */
CK_EXPORT uint64_t
ck_container_stats_host_cpu_ns(const ck_container_stats* self);
CK_EXPORT uint32_t
ck_container_stats_online_cpus(const ck_container_stats* self);
/** Without inactive file cache. A limit of 0: unlimited. Thread-safe.
 *  @since 0.1 */
CK_EXPORT uint64_t
ck_container_stats_memory_usage_bytes(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_memory_limit_bytes(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_memory_cache_bytes(const ck_container_stats* self);
/** A limit of 0: unlimited. Thread-safe. @since 0.1 */
CK_EXPORT uint64_t
ck_container_stats_pids_current(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_pids_limit(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_block_read_bytes(const ck_container_stats* self);
CK_EXPORT uint64_t
ck_container_stats_block_write_bytes(const ck_container_stats* self);

/** The processes of a container as ps(1) shows them. */
typedef struct ck_process_table ck_process_table;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_process_table* ck_process_table_retain(
    const ck_process_table* self);
CK_EXPORT void ck_process_table_release(const ck_process_table* self);

/** Column titles; how many rows; the cells of one, NULL beyond the end.
 *  Thread-safe. @since 0.1 */
CK_EXPORT const ck_string_list* ck_process_table_titles(
    const ck_process_table* self);
CK_EXPORT size_t ck_process_table_size(const ck_process_table* self);
CK_EXPORT const ck_string_list* ck_process_table_at(
    const ck_process_table* self, size_t index);

/** What is at a path in a container. */
typedef struct ck_path_stat ck_path_stat;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_path_stat* ck_path_stat_retain(const ck_path_stat* self);
CK_EXPORT void ck_path_stat_release(const ck_path_stat* self);

/** The last part of the path; `mode` is st_mode. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_path_stat_name(const ck_path_stat* self);
CK_EXPORT uint64_t ck_path_stat_size_bytes(const ck_path_stat* self);
CK_EXPORT uint32_t ck_path_stat_mode(const ck_path_stat* self);
/** Nanoseconds since 1970. Thread-safe. @since 0.1 */
CK_EXPORT int64_t ck_path_stat_modified_ns(const ck_path_stat* self);
/** "" unless it is a symbolic link. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_path_stat_link_target(const ck_path_stat* self);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_CONTAINER_INFO_H_ */
