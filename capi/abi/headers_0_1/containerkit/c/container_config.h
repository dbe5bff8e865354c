/* Everything that `docker run` can say about one container.
 *
 * A builder: values are checked when a container is created of it. Strings and
 * lists are copied. Functions take NULL for no argument but options. */
#ifndef CONTAINERKIT_C_CONTAINER_CONFIG_H_
#define CONTAINERKIT_C_CONTAINER_CONFIG_H_

#include "containerkit/c/resources.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a container shall be; may be used for any number of them.
 *  Exclusive: one thread at a time. */
typedef struct ck_container_config ck_container_config;

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since 0.1 */
CK_EXPORT ck_container_config* ck_container_config_retain(
    const ck_container_config* self);
CK_EXPORT void ck_container_config_release(const ck_container_config* self);

typedef struct ck_container_config_create_options {
  size_t struct_size; /* set by CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT */
  const char* image;  /* reference or id of an image in the store */
  /* [a-zA-Z0-9][a-zA-Z0-9_.-]*; NULL: an adjective and a surname. */
  const char* name;
  const char* platform; /* refused unless the image's; NULL: any */
  /* "user", "uid", "user:group", "uid:gid"; NULL: the image's, else root. */
  const char* user;
  const char* working_dir; /* absolute; NULL: the image's, else "/" */
  const char* stop_signal; /* "SIGTERM", "15"; NULL: the image's */
  /* Grace of ck_container_stop(); CK_TIMEOUT_DEFAULT: 10 s. */
  int64_t stop_timeout_ns;
  const char* hostname; /* NULL: the first 12 digits of the id */
  const char* domainname;
  const char* cgroup_parent; /* absolute in the hierarchy; NULL: ours */
  uint64_t shm_size_bytes;   /* 0: 64 MiB */
  int32_t oom_score_adj;     /* if has_oom_score_adj */
  uint32_t console_rows;     /* 0: the pty's default */
  uint32_t console_columns;
  uint8_t has_oom_score_adj;
  uint8_t tty;
  uint8_t open_stdin;
  uint8_t stdin_once;
  uint8_t init; /* 1: a reaping init is pid 1 */
  uint8_t readonly_root;
  uint8_t auto_remove; /* 1: removed when it ends */
  uint8_t no_new_privileges;
  uint8_t reserved[4]; /* must be 0 */
} ck_container_config_create_options;
#define CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT                                \
  {                                                                            \
    sizeof(ck_container_config_create_options), NULL, NULL, NULL, NULL, NULL,  \
        NULL, CK_TIMEOUT_DEFAULT, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, {                                                             \
      0                                                                        \
    }                                                                          \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_config_create_options_init(
    ck_container_config_create_options* options, size_t size);

/** Makes one of the options and defaults. Errors: CK_RESOURCE_EXHAUSTED.
 *  Thread-safe. @since 0.1 */
CK_EXPORT ck_status
ck_container_config_create(const ck_container_config_create_options* options,
                           ck_container_config** out, ck_error** err);

/** Replace the image's. An empty list clears it; a given entrypoint also clears
 *  the image's command. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_entrypoint(
    ck_container_config* self, const char* const* arguments, size_t count,
    ck_error** err);
CK_EXPORT ck_status ck_container_config_set_command(
    ck_container_config* self, const char* const* arguments, size_t count,
    ck_error** err);

/** "NAME=value" sets, "NAME" removes; later ones win, over the image's too.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_env(ck_container_config* self,
                                                const char* assignment,
                                                ck_error** err);

/** Names and values; a name once more replaces. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_label(ck_container_config* self,
                                                  const char* name,
                                                  const char* value,
                                                  ck_error** err);
CK_EXPORT ck_status
ck_container_config_set_annotation(ck_container_config* self, const char* name,
                                   const char* value, ck_error** err);
CK_EXPORT ck_status ck_container_config_set_sysctl(ck_container_config* self,
                                                   const char* name,
                                                   const char* value,
                                                   ck_error** err);

/** A supplementary group, name or number. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_group(ck_container_config* self,
                                                  const char* group,
                                                  ck_error** err);

/** "80/tcp"; recorded only. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_exposed_port(
    ck_container_config* self, const char* port, ck_error** err);

/** --ulimit: "nofile"; -1: unlimited. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_ulimit(ck_container_config* self,
                                                   const char* name,
                                                   int64_t soft, int64_t hard,
                                                   ck_error** err);

/* Mounts and devices. */

#define CK_PROPAGATION_RPRIVATE 0
#define CK_PROPAGATION_PRIVATE 1
#define CK_PROPAGATION_RSHARED 2
#define CK_PROPAGATION_SHARED 3
#define CK_PROPAGATION_RSLAVE 4
#define CK_PROPAGATION_SLAVE 5

/* How mounts below the source of a bind behave. */
#define CK_RECURSIVE_ENABLED 0  /* bound, read-only if the kernel can */
#define CK_RECURSIVE_DISABLED 1 /* not bound */
#define CK_RECURSIVE_WRITABLE 2 /* bound, only the top read-only */
#define CK_RECURSIVE_READONLY 3 /* read-only, or an error */

typedef struct ck_container_config_add_bind_options {
  size_t struct_size; /* set by CK_CONTAINER_CONFIG_ADD_BIND_OPTIONS_INIT */
  int32_t propagation;
  int32_t recursive;
  const char* const* mount_options; /* "nosuid", ... */
  size_t mount_options_count;
  uint8_t readonly;
  uint8_t create_source; /* 1: a missing source is made as a directory */
  uint8_t reserved[6];   /* must be 0 */
} ck_container_config_add_bind_options;
#define CK_CONTAINER_CONFIG_ADD_BIND_OPTIONS_INIT                          \
  {                                                                        \
    sizeof(ck_container_config_add_bind_options), CK_PROPAGATION_RPRIVATE, \
        CK_RECURSIVE_ENABLED, NULL, 0, 0, 0, {                             \
      0                                                                    \
    }                                                                      \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_config_add_bind_options_init(
    ck_container_config_add_bind_options* options, size_t size);

/** -v SOURCE:TARGET, absolute paths of the host and in the container.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_bind(
    ck_container_config* self, const char* source, const char* target,
    const ck_container_config_add_bind_options* options, ck_error** err);

typedef struct ck_container_config_add_tmpfs_options {
  size_t struct_size;  /* set by CK_CONTAINER_CONFIG_ADD_TMPFS_OPTIONS_INIT */
  uint64_t size_bytes; /* 0: half of the memory */
  const char* const* mount_options; /* besides nosuid,nodev,noexec */
  size_t mount_options_count;
  uint32_t mode; /* 0: 01777 */
  uint8_t readonly;
  uint8_t reserved[3]; /* must be 0 */
} ck_container_config_add_tmpfs_options;
#define CK_CONTAINER_CONFIG_ADD_TMPFS_OPTIONS_INIT                         \
  {                                                                        \
    sizeof(ck_container_config_add_tmpfs_options), 0, NULL, 0, 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_config_add_tmpfs_options_init(
    ck_container_config_add_tmpfs_options* options, size_t size);

/** --tmpfs TARGET. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_tmpfs(
    ck_container_config* self, const char* target,
    const ck_container_config_add_tmpfs_options* options, ck_error** err);

/** --device. `container_path` NULL: as on the host; `access` NULL: "rwm". A
 *  directory stands for all its devices. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_device(ck_container_config* self,
                                                   const char* host_path,
                                                   const char* container_path,
                                                   const char* access,
                                                   ck_error** err);

/* Namespaces. */

#define CK_NAMESPACE_NETWORK 0
#define CK_NAMESPACE_PID 1
#define CK_NAMESPACE_IPC 2
#define CK_NAMESPACE_UTS 3
#define CK_NAMESPACE_CGROUP 4

#define CK_NAMESPACE_FROM_DEFAULT 0 /* private; cgroup v1: the host's */
#define CK_NAMESPACE_FROM_PRIVATE 1
#define CK_NAMESPACE_FROM_SHAREABLE 2 /* ipc: one that others may join */
#define CK_NAMESPACE_FROM_HOST 3
#define CK_NAMESPACE_FROM_CONTAINER 4
#define CK_NAMESPACE_FROM_NONE 5 /* network: loopback; ipc: no /dev/shm */

/** Where a namespace comes from; `container` (name or id) only for
 *  CK_NAMESPACE_FROM_CONTAINER. The network's default is _NONE.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_namespace(ck_container_config* self,
                                                      int32_t which,
                                                      int32_t from,
                                                      const char* container,
                                                      ck_error** err);

#define CK_USERNS_DEFAULT 0 /* the host's when privileged, else own ranges */
#define CK_USERNS_HOST 1
#define CK_USERNS_AUTO 2   /* from /etc/subuid and /etc/subgid */
#define CK_USERNS_MAPPED 3 /* as ck_container_config_add_id_map() said */

/** Who the container's root is on the host. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_user_namespace(
    ck_container_config* self, int32_t from, ck_error** err);

#define CK_ID_USER 1
#define CK_ID_GROUP 2

/** One range of a mapped user namespace, for CK_ID_USER, CK_ID_GROUP or both.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_id_map(
    ck_container_config* self, int32_t ids, uint32_t container_id,
    uint32_t host_id, uint32_t size, ck_error** err);

/* Grants and security. */

#define CK_GRANT_PRIVILEGED 1 /* docker's --privileged */
#define CK_GRANT_HOST_PID_NAMESPACE 2
#define CK_GRANT_HOST_IPC_NAMESPACE 3
#define CK_GRANT_HOST_UTS_NAMESPACE 4
#define CK_GRANT_HOST_NETWORK 5
#define CK_GRANT_UNCONFINED_SECCOMP 6
#define CK_GRANT_UNMASKED_SYSTEM_PATHS 7
#define CK_GRANT_ALL_CAPABILITIES 8

/** Weakens the box, by name. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_allow(ck_container_config* self,
                                              int32_t grant, ck_error** err);

/** "CAP_NET_ADMIN", "net_admin" or "ALL". Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_capability(
    ck_container_config* self, const char* capability, ck_error** err);
CK_EXPORT ck_status ck_container_config_drop_capability(
    ck_container_config* self, const char* capability, ck_error** err);

#define CK_SECCOMP_DEFAULT 0 /* Docker's profile; none when privileged */
#define CK_SECCOMP_BUILTIN 1 /* Docker's profile, also when privileged */
#define CK_SECCOMP_UNCONFINED 2
#define CK_SECCOMP_CUSTOM 3

/** `profile`: JSON in Docker's format or the runtime spec's, only for
 *  CK_SECCOMP_CUSTOM. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_seccomp(ck_container_config* self,
                                                    int32_t kind,
                                                    const char* profile,
                                                    ck_error** err);

/** NULL: none; "unconfined" or a loaded profile. Exclusive(self).
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_apparmor(ck_container_config* self,
                                                     const char* profile,
                                                     ck_error** err);

/** "user:...", "role:...", "type:...", "level:..." or "disable".
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_selinux_label(
    ck_container_config* self, const char* label, ck_error** err);

/** Replace the built-in lists of paths below /proc and /sys.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_masked_paths(
    ck_container_config* self, const char* const* paths, size_t count,
    ck_error** err);
CK_EXPORT ck_status ck_container_config_set_readonly_paths(
    ck_container_config* self, const char* const* paths, size_t count,
    ck_error** err);

/** Limits, copied; NULL: none. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_resources(
    ck_container_config* self, const ck_resources* resources, ck_error** err);

/* Names in the container's network. */

/** --dns, --dns-search, --dns-option. Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_dns_server(
    ck_container_config* self, const char* address, ck_error** err);
CK_EXPORT ck_status ck_container_config_add_dns_search(
    ck_container_config* self, const char* domain, ck_error** err);
CK_EXPORT ck_status ck_container_config_add_dns_option(
    ck_container_config* self, const char* option, ck_error** err);

/** A line of /etc/hosts; `address` may be "host-gateway". Exclusive(self).
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_config_add_host(ck_container_config* self,
                                                 const char* name,
                                                 const char* address,
                                                 ck_error** err);

/* Its life. */

/** Zero: the image's, else Docker's (30 s, 30 s, 0 s, 5 s, 3). */
typedef struct ck_container_config_set_health_options {
  size_t struct_size; /* set by CK_CONTAINER_CONFIG_SET_HEALTH_OPTIONS_INIT */
  int64_t interval_ns;
  int64_t timeout_ns;
  int64_t start_period_ns;
  int64_t start_interval_ns;
  int64_t retries;
  uint8_t disabled;    /* --no-healthcheck */
  uint8_t reserved[7]; /* must be 0 */
} ck_container_config_set_health_options;
#define CK_CONTAINER_CONFIG_SET_HEALTH_OPTIONS_INIT                         \
  {                                                                         \
    sizeof(ck_container_config_set_health_options), 0, 0, 0, 0, 0, 0, { 0 } \
  }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_config_set_health_options_init(
    ck_container_config_set_health_options* options, size_t size);

/** `test`: {"CMD", arguments...} or {"CMD-SHELL", line}; empty: the image's.
 *  Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_health(
    ck_container_config* self, const char* const* test, size_t count,
    const ck_container_config_set_health_options* options, ck_error** err);

#define CK_RESTART_NO 0
#define CK_RESTART_ON_FAILURE 1
#define CK_RESTART_ALWAYS 2
#define CK_RESTART_UNLESS_STOPPED 3

/** `max_retries` only for CK_RESTART_ON_FAILURE; 0: no limit. Exclusive(self).
 *  @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_restart(ck_container_config* self,
                                                    int32_t policy,
                                                    uint32_t max_retries,
                                                    ck_error** err);

#define CK_LOG_DRIVER_JSON_FILE 0
#define CK_LOG_DRIVER_NONE 1

typedef struct ck_container_config_set_log_options {
  size_t struct_size;      /* set by CK_CONTAINER_CONFIG_SET_LOG_OPTIONS_INIT */
  uint64_t max_size_bytes; /* of one file; 0: no rotation */
  uint32_t max_files;
  uint32_t reserved; /* must be 0 */
} ck_container_config_set_log_options;
#define CK_CONTAINER_CONFIG_SET_LOG_OPTIONS_INIT \
  { sizeof(ck_container_config_set_log_options), 20971520, 5, 0 }
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since 0.1 */
CK_EXPORT void ck_container_config_set_log_options_init(
    ck_container_config_set_log_options* options, size_t size);

/** Exclusive(self). @since 0.1 */
CK_EXPORT ck_status ck_container_config_set_log(
    ck_container_config* self, int32_t driver,
    const ck_container_config_set_log_options* options, ck_error** err);

#ifdef __cplusplus
}
#endif

#endif /* CONTAINERKIT_C_CONTAINER_CONFIG_H_ */
