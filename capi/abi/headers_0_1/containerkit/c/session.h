/* The streams of a running process: of a container's first one, or of an
 * exec. */
#ifndef CONTAINERKIT_C_SESSION_H_
#define CONTAINERKIT_C_SESSION_H_

#include "containerkit/c/cancel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CK_STREAM_STDOUT 1
#define CK_STREAM_STDERR 2

/** Takes a chunk of output, on the thread of the call. `time_ns` is 0 but for
 *  logs. Non-zero ends the call. */
typedef int32_t (*ck_output_fn)(void* user_data, int32_t stream,
                                const void* data, size_t size, int64_t time_ns);

/** Releasing the last handle detaches; the process goes on. One thread may read
 *  while others write, resize or signal. */
typedef struct ck_session ck_session;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_session* ck_session_retain(const ck_session* self);
CK_EXPORT void ck_session_release(const ck_session* self);

typedef struct ck_session_write_options {
  size_t struct_size; /* set by CK_SESSION_WRITE_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
  /* Part of the data may have gone by then. NULL: none. */
  const ck_cancel* cancel;
} ck_session_write_options;
#define CK_SESSION_WRITE_OPTIONS_INIT \
  { sizeof(ck_session_write_options), 0, NULL }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_session_write_options_init(ck_session_write_options* options,
                                             size_t size);

/** Feeds stdin, all of it; blocks while the process does not read.
 *  Errors: CK_FAILED_PRECONDITION / CK_REASON_NOT_RUNNING,
 *  CK_REASON_UNSUPPORTED_OPTION when stdin was not asked for; CK_CANCELLED.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_session_write(ck_session* self, const void* data,
                                     size_t size,
                                     const ck_session_write_options* options,
                                     ck_error** err);

/** End of stdin. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_session_close_stdin(ck_session* self, ck_error** err);

typedef struct ck_session_read_options {
  size_t struct_size; /* set by CK_SESSION_READ_OPTIONS_INIT */
  const ck_cancel* cancel;
  uint64_t reserved; /* must be 0 */
} ck_session_read_options;
#define CK_SESSION_READ_OPTIONS_INIT \
  { sizeof(ck_session_read_options), NULL, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_session_read_options_init(ck_session_read_options* options,
                                            size_t size);

/** Gives output to `output` (NULL: discards it) until the process ended and all
 *  was delivered; then answers its exit code (128 + N when signal N ended it)
 *  and whether the kernel ran out of memory for it. Both may be NULL.
 *
 *  Errors: CK_CANCELLED; the call may be repeated. CK_FAILED_PRECONDITION while
 *  another thread reads. Blocks. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_session_read(ck_session* self,
                                    const ck_session_read_options* options,
                                    ck_output_fn output, void* user_data,
                                    ck_release_fn user_data_release,
                                    int32_t* exit_code, uint8_t* oom_killed,
                                    ck_error** err);

/** Size of the terminal. Errors: CK_FAILED_PRECONDITION /
 *  CK_REASON_NOT_RUNNING, CK_REASON_UNSUPPORTED_OPTION without a terminal.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_session_resize(ck_session* self, uint16_t rows,
                                      uint16_t columns, ck_error** err);

/** Does not wait for input that the process has not read. Errors:
 *  CK_FAILED_PRECONDITION / CK_REASON_NOT_RUNNING. Thread-safe. @since 0.1 */
CK_EXPORT ck_status ck_session_signal(ck_session* self, int32_t signal,
                                      ck_error** err);

/** The process in the host's pid namespace; 0 for NULL. Thread-safe.
 *  @since 0.1 */
CK_EXPORT int32_t ck_session_pid(const ck_session* self);

/** Readable when ck_session_read() would deliver something; the session's; -1
 *  for NULL. Thread-safe. @since 0.1 */
CK_EXPORT int32_t ck_session_poll_fd(const ck_session* self);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_SESSION_H_ */
