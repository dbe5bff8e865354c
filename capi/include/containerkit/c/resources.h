/* Limits of a container: of a new one, or as a change to a live one. */
#ifndef CONTAINERKIT_C_RESOURCES_H_
#define CONTAINERKIT_C_RESOURCES_H_

#include "containerkit/c/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A builder. Exclusive: one thread at a time. */
typedef struct ck_resources ck_resources;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_resources* ck_resources_retain(const ck_resources* self);
CK_EXPORT void ck_resources_release(const ck_resources* self);

/** Zero: no limit of our own; in an update: as it was. */
typedef struct ck_resources_create_options {
  size_t struct_size; /* set by CK_RESOURCES_CREATE_OPTIONS_INIT */
  int64_t memory_bytes;
  int64_t memory_reservation_bytes;
  /* Memory and swap together; -1: unlimited swap. 0 with memory_bytes: twice
   * memory_bytes. */
  int64_t memory_swap_bytes;
  int64_t memory_swappiness; /* 0..100, if has_memory_swappiness */
  int64_t nano_cpus;    /* --cpus in billionths; excludes quota and period */
  int64_t cpu_quota_us; /* -1: no quota */
  uint64_t cpu_period_us;
  uint64_t cpu_shares;
  int64_t cpu_realtime_runtime_us;
  uint64_t cpu_realtime_period_us;
  const char* cpuset_cpus; /* "0-3,7" */
  const char* cpuset_mems;
  int64_t pids_limit;    /* -1: unlimited */
  uint16_t blkio_weight; /* 10..1000 */
  uint8_t has_memory_swappiness;
  uint8_t oom_kill_disable;
  uint32_t reserved; /* must be 0 */
} ck_resources_create_options;
#define CK_RESOURCES_CREATE_OPTIONS_INIT                                     \
  {                                                                          \
    sizeof(ck_resources_create_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, \
        NULL, 0, 0, 0, 0, 0                                                  \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_resources_create_options_init(
    ck_resources_create_options* options, size_t size);

/** Errors: CK_RESOURCE_EXHAUSTED. Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_resources_create(const ck_resources_create_options* options,
                    ck_resources** out, ck_error** err);

#define CK_DEVICE_LIMIT_WEIGHT 0   /* 10..1000 */
#define CK_DEVICE_LIMIT_READ_BPS 1 /* bytes a second */
#define CK_DEVICE_LIMIT_WRITE_BPS 2
#define CK_DEVICE_LIMIT_READ_IOPS 3 /* operations a second */
#define CK_DEVICE_LIMIT_WRITE_IOPS 4

/** A limit for one block device, by its path on the host.
 *  Errors: CK_INVALID_ARGUMENT for a kind that is none of CK_DEVICE_LIMIT_*.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_resources_add_device_limit(ck_resources* self,
                                                  int32_t kind,
                                                  const char* device_path,
                                                  uint64_t value,
                                                  ck_error** err);

/** --device-cgroup-rule: "c 13:* rwm". Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_resources_add_device_rule(ck_resources* self,
                                                 const char* rule,
                                                 ck_error** err);

/** A cgroup v2 file and its content: "memory.high", "1G".
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_resources_set_unified(ck_resources* self,
                                             const char* file,
                                             const char* value, ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_RESOURCES_H_ */
