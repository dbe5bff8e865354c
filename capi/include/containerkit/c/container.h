/* Containers: processes in a box of their own. */
#ifndef CONTAINERKIT_C_CONTAINER_H_
#define CONTAINERKIT_C_CONTAINER_H_

#include "containerkit/c/container_info.h"
#include "containerkit/c/image.h"
#include "containerkit/c/scope.h"
#include "containerkit/c/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A handle to one container. The last one to go does not remove it, nor stop
 * it. Calls on a removed one answer CK_NOT_FOUND /
 * CK_REASON_CONTAINER_NOT_FOUND. */
typedef struct ck_container ck_container;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_container* ck_container_retain(const ck_container* self);
CK_EXPORT void ck_container_release(const ck_container* self);

typedef struct ck_container_create_options {
  size_t struct_size; /* set by CK_CONTAINER_CREATE_OPTIONS_INIT */
  ck_scope* scope;    /* that it belongs to; NULL: none */
  uint64_t reserved;  /* must be 0 */
} ck_container_create_options;
#define CK_CONTAINER_CREATE_OPTIONS_INIT \
  { sizeof(ck_container_create_options), NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_create_options_init(
    ck_container_create_options* options, size_t size);

/** Makes a container; it does not run yet. Errors: CK_NOT_FOUND /
 *  CK_REASON_IMAGE_NOT_FOUND; CK_ALREADY_EXISTS / CK_REASON_NAME_IN_USE;
 *  CK_INVALID_ARGUMENT with a reason that names the field. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status
ck_container_create(ck_engine* engine, const ck_container_config* config,
                    const ck_container_create_options* options,
                    ck_container** out, ck_error** err);

typedef struct ck_container_find_options {
  size_t struct_size; /* set by CK_CONTAINER_FIND_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_container_find_options;
#define CK_CONTAINER_FIND_OPTIONS_INIT \
  { sizeof(ck_container_find_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_find_options_init(
    ck_container_find_options* options, size_t size);

/** By id, unique prefix of an id, or name. Errors: CK_NOT_FOUND /
 *  CK_REASON_CONTAINER_NOT_FOUND. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_find(ck_engine* engine, const char* name,
                                      const ck_container_find_options* options,
                                      ck_container** out, ck_error** err);

/** 64 hex digits; lives as long as the handle. Thread-safe. @since 0.1 */
CK_EXPORT const char* ck_container_id(const ck_container* self);

typedef struct ck_container_start_options {
  size_t struct_size; /* set by CK_CONTAINER_START_OPTIONS_INIT */
  /* Descriptors that become the container's own stdin, stdout and stderr;
   * duplicated; -1: none. Exclude `attach` and a terminal; what goes there is
   * not logged. */
  int32_t stdin_fd;
  int32_t stdout_fd;
  int32_t stderr_fd;
  uint16_t rows; /* size of the terminal, if it has one */
  uint16_t columns;
  const ck_cancel* cancel;
  uint8_t attach; /* 1: a session from the first byte on, in `out` */
  uint8_t attach_stdin;
  uint8_t reserved[6]; /* must be 0 */
} ck_container_start_options;
#define CK_CONTAINER_START_OPTIONS_INIT                                     \
  {                                                                         \
    sizeof(ck_container_start_options), -1, -1, -1, 0, 0, NULL, 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_start_options_init(
    ck_container_start_options* options, size_t size);

/** Starts it; returns when its program was executed. `out` is set only with
 *  `attach`, else it may be NULL.
 *
 *  Errors: CK_FAILED_PRECONDITION / CK_REASON_ALREADY_STARTED; CK_NOT_FOUND /
 *  CK_REASON_COMMAND_NOT_FOUND (docker's 127); CK_PERMISSION_DENIED /
 *  CK_REASON_COMMAND_NOT_EXECUTABLE (126); CK_REASON_USER_NOT_FOUND,
 *  _MOUNT_SOURCE_MISSING, _CGROUP_FAILED, ...: ck_error_operation() names the
 *  step. Blocks for some milliseconds. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_start(
    ck_container* self, const ck_container_start_options* options,
    ck_session** out, ck_error** err);

typedef struct ck_container_stop_options {
  size_t struct_size; /* set by CK_CONTAINER_STOP_OPTIONS_INIT */
  /* Grace before SIGKILL; CK_TIMEOUT_DEFAULT: the container's, else 10 s;
   * CK_FOREVER: never killed. */
  int64_t timeout_ns;
  int32_t signal;    /* 0: the container's, else SIGTERM */
  uint32_t reserved; /* must be 0 */
  /* Ends the wait, not what was asked for: the container that got its signal
   * still ends, at the latest after timeout_ns. NULL: none. */
  const ck_cancel* cancel;
} ck_container_stop_options;
#define CK_CONTAINER_STOP_OPTIONS_INIT \
  { sizeof(ck_container_stop_options), CK_TIMEOUT_DEFAULT, 0, 0, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_stop_options_init(
    ck_container_stop_options* options, size_t size);

/** Sends the signal, waits, then kills. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_ALREADY_STOPPED; CK_DEADLINE_EXCEEDED if it survived the kill;
 *  CK_CANCELLED.
 *  Blocks up to timeout_ns + 5 s. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_stop(ck_container* self,
                                      const ck_container_stop_options* options,
                                      ck_error** err);

typedef struct ck_container_restart_options {
  size_t struct_size; /* set by CK_CONTAINER_RESTART_OPTIONS_INIT */
  int64_t timeout_ns; /* as of ck_container_stop() */
  int32_t signal;
  uint32_t reserved; /* must be 0 */
  /* As of ck_container_stop(); it is not started then. NULL: none. */
  const ck_cancel* cancel;
} ck_container_restart_options;
#define CK_CONTAINER_RESTART_OPTIONS_INIT \
  { sizeof(ck_container_restart_options), CK_TIMEOUT_DEFAULT, 0, 0, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_restart_options_init(
    ck_container_restart_options* options, size_t size);

/** Stops it if it runs, then starts it. Others may act on it until it has
 *  stopped; where one of them starts it first, that is the outcome. Errors: as
 *  ck_container_stop() and ck_container_start(). Blocks. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_restart(
    ck_container* self, const ck_container_restart_options* options,
    ck_error** err);

typedef struct ck_container_kill_options {
  size_t struct_size; /* set by CK_CONTAINER_KILL_OPTIONS_INIT */
  int32_t signal;     /* 0: SIGKILL */
  uint32_t reserved;  /* must be 0 */
} ck_container_kill_options;
#define CK_CONTAINER_KILL_OPTIONS_INIT \
  { sizeof(ck_container_kill_options), 0, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_kill_options_init(
    ck_container_kill_options* options, size_t size);

/** Signals its first process. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_NOT_RUNNING. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_kill(ck_container* self,
                                      const ck_container_kill_options* options,
                                      ck_error** err);

typedef struct ck_container_pause_options {
  size_t struct_size; /* set by CK_CONTAINER_PAUSE_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_container_pause_options;
#define CK_CONTAINER_PAUSE_OPTIONS_INIT \
  { sizeof(ck_container_pause_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_pause_options_init(
    ck_container_pause_options* options, size_t size);

/** Freezes its processes, and lets them go on. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_NOT_RUNNING, _CONTAINER_PAUSED, _NOT_PAUSED. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status
ck_container_pause(ck_container* self,
                   const ck_container_pause_options* options, ck_error** err);
CK_EXPORT ck_status
ck_container_unpause(ck_container* self,
                     const ck_container_pause_options* options, ck_error** err);

#define CK_WAIT_NOT_RUNNING 0
#define CK_WAIT_NEXT_EXIT 1
#define CK_WAIT_REMOVED 2

typedef struct ck_container_wait_options {
  size_t struct_size; /* set by CK_CONTAINER_WAIT_OPTIONS_INIT */
  int64_t timeout_ns; /* 0: only look */
  int32_t condition;
  uint32_t reserved; /* must be 0 */
  const ck_cancel* cancel;
} ck_container_wait_options;
#define CK_CONTAINER_WAIT_OPTIONS_INIT                                     \
  {                                                                        \
    sizeof(ck_container_wait_options), CK_FOREVER, CK_WAIT_NOT_RUNNING, 0, \
        NULL                                                               \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_wait_options_init(
    ck_container_wait_options* options, size_t size);

/** Waits; answers the exit code (128 + N when signal N ended it) and whether
 * the kernel ran out of memory for it; both may be NULL. Errors:
 *  CK_DEADLINE_EXCEEDED / CK_REASON_TIMEOUT; CK_CANCELLED. Blocks.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_wait(ck_container* self,
                                      const ck_container_wait_options* options,
                                      int32_t* exit_code, uint8_t* oom_killed,
                                      ck_error** err);

typedef struct ck_container_remove_options {
  size_t struct_size;  /* set by CK_CONTAINER_REMOVE_OPTIONS_INIT */
  uint8_t force;       /* 1: kill it first */
  uint8_t volumes;     /* 1: its anonymous volumes too */
  uint8_t reserved[6]; /* must be 0 */
} ck_container_remove_options;
#define CK_CONTAINER_REMOVE_OPTIONS_INIT             \
  {                                                  \
    sizeof(ck_container_remove_options), 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_remove_options_init(
    ck_container_remove_options* options, size_t size);

/** Removes the container, not the handle. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_CONTAINER_RUNNING without force. Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_container_remove(ck_container* self,
                    const ck_container_remove_options* options, ck_error** err);

typedef struct ck_container_rename_options {
  size_t struct_size; /* set by CK_CONTAINER_RENAME_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_container_rename_options;
#define CK_CONTAINER_RENAME_OPTIONS_INIT \
  { sizeof(ck_container_rename_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_rename_options_init(
    ck_container_rename_options* options, size_t size);

/** Errors: CK_ALREADY_EXISTS / CK_REASON_NAME_IN_USE; CK_INVALID_ARGUMENT /
 *  CK_REASON_INVALID_NAME. Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_container_rename(ck_container* self, const char* name,
                    const ck_container_rename_options* options, ck_error** err);

typedef struct ck_container_inspect_options {
  size_t struct_size;  /* set by CK_CONTAINER_INSPECT_OPTIONS_INIT */
  uint8_t size;        /* 1: JSON with the sizes of its files */
  uint8_t reserved[7]; /* must be 0 */
} ck_container_inspect_options;
#define CK_CONTAINER_INSPECT_OPTIONS_INIT          \
  {                                                \
    sizeof(ck_container_inspect_options), 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_inspect_options_init(
    ck_container_inspect_options* options, size_t size);

/** Takes a snapshot; or the answer of Docker's GET /containers/{id}/json.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_inspect(
    ck_container* self, const ck_container_inspect_options* options,
    ck_container_info** out, ck_error** err);
CK_EXPORT ck_status ck_container_inspect_json(
    ck_container* self, const ck_container_inspect_options* options,
    ck_string** out, ck_error** err);

typedef struct ck_container_attach_options {
  size_t struct_size; /* set by CK_CONTAINER_ATTACH_OPTIONS_INIT */
  uint8_t stdin_stream;
  uint8_t stdout_stream;
  uint8_t stderr_stream;
  uint8_t reserved[5]; /* must be 0 */
} ck_container_attach_options;
#define CK_CONTAINER_ATTACH_OPTIONS_INIT                \
  {                                                     \
    sizeof(ck_container_attach_options), 0, 1, 1, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_attach_options_init(
    ck_container_attach_options* options, size_t size);

/** Joins its streams. Errors: CK_FAILED_PRECONDITION / CK_REASON_NOT_RUNNING.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_attach(
    ck_container* self, const ck_container_attach_options* options,
    ck_session** out, ck_error** err);

typedef struct ck_container_exec_options {
  size_t struct_size;     /* set by CK_CONTAINER_EXEC_OPTIONS_INIT */
  const char* const* env; /* "NAME=value", added to the container's */
  size_t env_count;
  const char* user;        /* NULL: the container's */
  const char* working_dir; /* NULL: the container's */
  const ck_cancel* cancel;
  /* As in ck_container_start_options. */
  int32_t stdin_fd;
  int32_t stdout_fd;
  int32_t stderr_fd;
  uint16_t rows;
  uint16_t columns;
  uint8_t tty;
  uint8_t stdin_stream;
  uint8_t privileged;
  uint8_t detach;      /* 1: no streams; output is discarded */
  uint8_t reserved[4]; /* must be 0 */
} ck_container_exec_options;
#define CK_CONTAINER_EXEC_OPTIONS_INIT                                        \
  {                                                                           \
    sizeof(ck_container_exec_options), NULL, 0, NULL, NULL, NULL, -1, -1, -1, \
        0, 0, 0, 0, 0, 0, {                                                   \
      0                                                                       \
    }                                                                         \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_exec_options_init(
    ck_container_exec_options* options, size_t size);

/** Runs one more process inside. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_NOT_RUNNING, _CONTAINER_PAUSED, and those of ck_container_start().
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_exec(ck_container* self,
                                      const char* const* command, size_t count,
                                      const ck_container_exec_options* options,
                                      ck_session** out, ck_error** err);

typedef struct ck_container_logs_options {
  size_t struct_size; /* set by CK_CONTAINER_LOGS_OPTIONS_INIT */
  int64_t tail;       /* last N lines; negative: all */
  int64_t since_ns;   /* since 1970; 0: from the start */
  int64_t until_ns;   /* since 1970; 0: to the end */
  const ck_cancel* cancel;
  uint8_t stdout_stream;
  uint8_t stderr_stream;
  uint8_t follow;      /* 1: until the container ends */
  uint8_t reserved[5]; /* must be 0 */
} ck_container_logs_options;
#define CK_CONTAINER_LOGS_OPTIONS_INIT                                \
  {                                                                   \
    sizeof(ck_container_logs_options), -1, 0, 0, NULL, 1, 1, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_logs_options_init(
    ck_container_logs_options* options, size_t size);

/** Gives the log to `output`, line by line (lines longer than 16 KiB in parts).
 *  Errors: CK_FAILED_PRECONDITION / CK_REASON_LOG_UNAVAILABLE for log driver
 *  "none"; CK_CANCELLED. Blocks. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_logs(ck_container* self,
                                      const ck_container_logs_options* options,
                                      ck_output_fn output, void* user_data,
                                      ck_release_fn user_data_release,
                                      ck_error** err);

typedef struct ck_container_read_stats_options {
  size_t struct_size; /* set by CK_CONTAINER_READ_STATS_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_container_read_stats_options;
#define CK_CONTAINER_READ_STATS_OPTIONS_INIT \
  { sizeof(ck_container_read_stats_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_read_stats_options_init(
    ck_container_read_stats_options* options, size_t size);

/** One reading. Errors: CK_FAILED_PRECONDITION / CK_REASON_NOT_RUNNING.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_read_stats(
    ck_container* self, const ck_container_read_stats_options* options,
    ck_container_stats** out, ck_error** err);

typedef struct ck_container_top_options {
  size_t struct_size;         /* set by CK_CONTAINER_TOP_OPTIONS_INIT */
  const char* const* columns; /* ps -o names; NULL: ps -ef's columns */
  size_t columns_count;
  uint64_t reserved; /* must be 0 */
} ck_container_top_options;
#define CK_CONTAINER_TOP_OPTIONS_INIT \
  { sizeof(ck_container_top_options), NULL, 0, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_top_options_init(ck_container_top_options* options,
                                             size_t size);

/** Its processes. Errors: as ck_container_read_stats(). Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_top(ck_container* self,
                                     const ck_container_top_options* options,
                                     ck_process_table** out, ck_error** err);

typedef struct ck_container_copy_out_options {
  size_t struct_size;      /* set by CK_CONTAINER_COPY_OUT_OPTIONS_INIT */
  uint64_t reserved;       /* must be 0 */
  const ck_cancel* cancel; /* NULL: none */
} ck_container_copy_out_options;
#define CK_CONTAINER_COPY_OUT_OPTIONS_INIT \
  { sizeof(ck_container_copy_out_options), 0, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_copy_out_options_init(
    ck_container_copy_out_options* options, size_t size);

/** Writes what is at `path` as a tar to a descriptor, which stays the caller's;
 *  whether the container runs or not. Errors: CK_NOT_FOUND /
 *  CK_REASON_PATH_NOT_FOUND; CK_CANCELLED. Blocks on the descriptor.
 * Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_copy_out(
    ck_container* self, const char* path, int32_t archive_fd,
    const ck_container_copy_out_options* options, ck_error** err);

typedef struct ck_container_copy_in_options {
  size_t struct_size; /* set by CK_CONTAINER_COPY_IN_OPTIONS_INIT */
  uint8_t no_overwrite_dir_non_dir;
  /* 1: as `docker cp -a`, all belongs to the container's user, if one was
   * configured; else owners are the archive's. */
  uint8_t copy_uid_gid;
  uint8_t reserved[6]; /* must be 0 */
  /* What was unpacked until then stays. NULL: none. */
  const ck_cancel* cancel;
} ck_container_copy_in_options;
#define CK_CONTAINER_COPY_IN_OPTIONS_INIT \
  { sizeof(ck_container_copy_in_options), 0, 0, {0}, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_copy_in_options_init(
    ck_container_copy_in_options* options, size_t size);

/** Unpacks a tar (plain, gzip or zstd) from a descriptor, which stays the
 *  caller's, into the directory `path`. Errors: CK_NOT_FOUND /
 *  CK_REASON_PATH_NOT_FOUND; CK_INVALID_ARGUMENT / CK_REASON_NOT_A_DIRECTORY;
 *  CK_PERMISSION_DENIED where `path` may not be written; CK_CANCELLED. Blocks
 *  on the descriptor. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_container_copy_in(
    ck_container* self, const char* path, int32_t archive_fd,
    const ck_container_copy_in_options* options, ck_error** err);

typedef struct ck_container_stat_path_options {
  size_t struct_size; /* set by CK_CONTAINER_STAT_PATH_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
} ck_container_stat_path_options;
#define CK_CONTAINER_STAT_PATH_OPTIONS_INIT \
  { sizeof(ck_container_stat_path_options), 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_stat_path_options_init(
    ck_container_stat_path_options* options, size_t size);

/** What is at `path`. Errors: CK_NOT_FOUND / CK_REASON_PATH_NOT_FOUND.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_container_stat_path(ck_container* self, const char* path,
                       const ck_container_stat_path_options* options,
                       ck_path_stat** out, ck_error** err);

typedef struct ck_container_update_options {
  size_t struct_size;            /* set by CK_CONTAINER_UPDATE_OPTIONS_INIT */
  const ck_resources* resources; /* NULL: as they were */
  int32_t restart_policy;        /* CK_RESTART_*, if has_restart_policy */
  uint32_t restart_max_retries;
  uint8_t has_restart_policy;
  uint8_t reserved[7]; /* must be 0 */
} ck_container_update_options;
#define CK_CONTAINER_UPDATE_OPTIONS_INIT                      \
  {                                                           \
    sizeof(ck_container_update_options), NULL, 0, 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_update_options_init(
    ck_container_update_options* options, size_t size);

/** Changes limits and the restart policy of a live container. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_status
ck_container_update(ck_container* self,
                    const ck_container_update_options* options, ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_CONTAINER_H_ */
