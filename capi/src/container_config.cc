#include "capi/src/container_config.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "capi/src/enums.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"
#include "capi/src/resources.h"
#include "capi/src/strings.h"

using ::containerkit::BindMountConfig;
using ::containerkit::ContainerConfig;
using ::containerkit::HealthConfig;
using ::containerkit::InvalidArgument;
using ::containerkit::LogConfig;
using ::containerkit::MountPropagation;
using ::containerkit::NamespaceChoice;
using ::containerkit::Reason;
using ::containerkit::ResourceConfig;
using ::containerkit::RestartConfig;
using ::containerkit::SeccompChoice;
using ::containerkit::TmpfsMountConfig;
using ::containerkit::UserNamespaceChoice;
using ::containerkit::capi::CheckString;
using ::containerkit::capi::CheckStrings;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToDuration;
using ::containerkit::capi::ToEnum;
using ::containerkit::capi::ToList;
using ::containerkit::capi::ToString;

CK_DEFINE_OPTIONS(ck_container_config_create_options,
                  CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_config_add_bind_options,
                  CK_CONTAINER_CONFIG_ADD_BIND_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_config_add_tmpfs_options,
                  CK_CONTAINER_CONFIG_ADD_TMPFS_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_config_set_health_options,
                  CK_CONTAINER_CONFIG_SET_HEALTH_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_config_set_log_options,
                  CK_CONTAINER_CONFIG_SET_LOG_OPTIONS_INIT)

#define CK_SAME(name, value) static_assert(static_cast<int>(value) == (name))
CK_SAME(CK_PROPAGATION_RPRIVATE, MountPropagation::kRprivate);
CK_SAME(CK_PROPAGATION_PRIVATE, MountPropagation::kPrivate);
CK_SAME(CK_PROPAGATION_RSHARED, MountPropagation::kRshared);
CK_SAME(CK_PROPAGATION_SHARED, MountPropagation::kShared);
CK_SAME(CK_PROPAGATION_RSLAVE, MountPropagation::kRslave);
CK_SAME(CK_PROPAGATION_SLAVE, MountPropagation::kSlave);
CK_SAME(CK_RECURSIVE_ENABLED, BindMountConfig::Recursive::kEnabled);
CK_SAME(CK_RECURSIVE_DISABLED, BindMountConfig::Recursive::kDisabled);
CK_SAME(CK_RECURSIVE_WRITABLE, BindMountConfig::Recursive::kWritable);
CK_SAME(CK_RECURSIVE_READONLY, BindMountConfig::Recursive::kReadonly);
CK_SAME(CK_NAMESPACE_FROM_DEFAULT, NamespaceChoice::Kind::kDefault);
CK_SAME(CK_NAMESPACE_FROM_PRIVATE, NamespaceChoice::Kind::kPrivate);
CK_SAME(CK_NAMESPACE_FROM_SHAREABLE, NamespaceChoice::Kind::kShareable);
CK_SAME(CK_NAMESPACE_FROM_HOST, NamespaceChoice::Kind::kHost);
CK_SAME(CK_NAMESPACE_FROM_CONTAINER, NamespaceChoice::Kind::kContainer);
CK_SAME(CK_NAMESPACE_FROM_NONE, NamespaceChoice::Kind::kNone);
CK_SAME(CK_USERNS_DEFAULT, UserNamespaceChoice::Kind::kDefault);
CK_SAME(CK_USERNS_HOST, UserNamespaceChoice::Kind::kHost);
CK_SAME(CK_USERNS_AUTO, UserNamespaceChoice::Kind::kAuto);
CK_SAME(CK_USERNS_MAPPED, UserNamespaceChoice::Kind::kMapped);
CK_SAME(CK_SECCOMP_DEFAULT, SeccompChoice::Kind::kDefault);
CK_SAME(CK_SECCOMP_BUILTIN, SeccompChoice::Kind::kBuiltin);
CK_SAME(CK_SECCOMP_UNCONFINED, SeccompChoice::Kind::kUnconfined);
CK_SAME(CK_SECCOMP_CUSTOM, SeccompChoice::Kind::kCustom);
CK_SAME(CK_RESTART_NO, RestartConfig::Policy::kNo);
CK_SAME(CK_RESTART_ON_FAILURE, RestartConfig::Policy::kOnFailure);
CK_SAME(CK_RESTART_ALWAYS, RestartConfig::Policy::kAlways);
CK_SAME(CK_RESTART_UNLESS_STOPPED, RestartConfig::Policy::kUnlessStopped);
CK_SAME(CK_LOG_DRIVER_JSON_FILE, LogConfig::Driver::kJsonFile);
CK_SAME(CK_LOG_DRIVER_NONE, LogConfig::Driver::kNone);
#undef CK_SAME

namespace {

ContainerConfig ToConfig(const ck_container_config_create_options& o) {
  ContainerConfig config;
  config.image = ToString(o.image);
  config.name = ToString(o.name);
  config.platform = ToString(o.platform);
  config.user = ToString(o.user);
  config.working_dir = ToString(o.working_dir);
  config.stop_signal = ToString(o.stop_signal);
  if (o.stop_timeout_ns != CK_TIMEOUT_DEFAULT) {
    config.stop_timeout = ToDuration(o.stop_timeout_ns);
  }
  config.hostname = ToString(o.hostname);
  config.domainname = ToString(o.domainname);
  config.cgroup_parent = ToString(o.cgroup_parent);
  if (o.shm_size_bytes != 0) config.shm_size_bytes = o.shm_size_bytes;
  if (o.has_oom_score_adj) config.oom_score_adj = o.oom_score_adj;
  config.console_rows = o.console_rows;
  config.console_columns = o.console_columns;
  config.tty = o.tty != 0;
  config.open_stdin = o.open_stdin != 0;
  config.stdin_once = o.stdin_once != 0;
  config.init = o.init != 0;
  config.readonly_root = o.readonly_root != 0;
  config.auto_remove = o.auto_remove != 0;
  config.security.no_new_privileges = o.no_new_privileges != 0;
  return config;
}

// The body of a function that changes the config and takes one string.
template <typename F>
ck_status WithString(ck_container_config* self, const char* text,
                     const char* name, ck_error** err, F&& change) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(text, name));
    change(*config, text);
    return absl::OkStatus();
  });
}

// The same with a name and a value.
template <typename F>
ck_status WithPair(ck_container_config* self, const char* name,
                   const char* value, ck_error** err, F&& change) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_RETURN_IF_ERROR(CheckString(value, "value"));
    change(*config, name, value);
    return absl::OkStatus();
  });
}

// The same with a list.
template <typename F>
ck_status WithList(ck_container_config* self, const char* const* list,
                   size_t count, const char* name, ck_error** err, F&& change) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckStrings(list, count, name));
    change(*config, ToList(list, count));
    return absl::OkStatus();
  });
}

}  // namespace

CK_DEFINE_HANDLE(ck_container_config)

ck_status ck_container_config_create(
    const ck_container_config_create_options* options,
    ck_container_config** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_config_create_options o,
                        Adopt(options));
    *out = NewHandle<ck_container_config>(
        std::make_unique<ContainerConfig>(ToConfig(o)));
    return absl::OkStatus();
  });
}

ck_status ck_container_config_set_entrypoint(ck_container_config* self,
                                             const char* const* arguments,
                                             size_t count, ck_error** err) {
  return WithList(self, arguments, count, "arguments", err,
                  [](auto& config, auto list) { config.entrypoint = list; });
}

ck_status ck_container_config_set_command(ck_container_config* self,
                                          const char* const* arguments,
                                          size_t count, ck_error** err) {
  return WithList(self, arguments, count, "arguments", err,
                  [](auto& config, auto list) { config.cmd = list; });
}

ck_status ck_container_config_add_env(ck_container_config* self,
                                      const char* assignment, ck_error** err) {
  return WithString(
      self, assignment, "assignment", err,
      [](auto& config, const char* text) { config.env.push_back(text); });
}

ck_status ck_container_config_set_label(ck_container_config* self,
                                        const char* name, const char* value,
                                        ck_error** err) {
  return WithPair(
      self, name, value, err,
      [](auto& config, const char* n, const char* v) { config.labels[n] = v; });
}

ck_status ck_container_config_set_annotation(ck_container_config* self,
                                             const char* name,
                                             const char* value,
                                             ck_error** err) {
  return WithPair(self, name, value, err,
                  [](auto& config, const char* n, const char* v) {
                    config.annotations[n] = v;
                  });
}

ck_status ck_container_config_set_sysctl(ck_container_config* self,
                                         const char* name, const char* value,
                                         ck_error** err) {
  return WithPair(self, name, value, err,
                  [](auto& config, const char* n, const char* v) {
                    config.sysctls[n] = v;
                  });
}

ck_status ck_container_config_add_group(ck_container_config* self,
                                        const char* group, ck_error** err) {
  return WithString(
      self, group, "group", err,
      [](auto& config, const char* text) { config.group_add.push_back(text); });
}

ck_status ck_container_config_add_exposed_port(ck_container_config* self,
                                               const char* port,
                                               ck_error** err) {
  return WithString(self, port, "port", err,
                    [](auto& config, const char* text) {
                      config.exposed_ports.push_back(text);
                    });
}

ck_status ck_container_config_add_ulimit(ck_container_config* self,
                                         const char* name, int64_t soft,
                                         int64_t hard, ck_error** err) {
  return WithString(
      self, name, "name", err, [&](auto& config, const char* text) {
        config.ulimits.push_back({.name = text, .soft = soft, .hard = hard});
      });
}

ck_status ck_container_config_add_bind(
    ck_container_config* self, const char* source, const char* target,
    const ck_container_config_add_bind_options* options, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_config_add_bind_options o,
                        Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(source, "source"));
    CK_RETURN_IF_ERROR(CheckString(target, "target"));
    CK_RETURN_IF_ERROR(
        CheckStrings(o.mount_options, o.mount_options_count, "mount_options"));
    BindMountConfig bind;
    bind.source = source;
    bind.target = target;
    bind.readonly = o.readonly != 0;
    bind.create_source = o.create_source != 0;
    CK_ASSIGN_OR_RETURN(
        bind.propagation,
        ToEnum(o.propagation, MountPropagation::kSlave, "propagation"));
    CK_ASSIGN_OR_RETURN(
        bind.recursive,
        ToEnum(o.recursive, BindMountConfig::Recursive::kReadonly,
               "recursive"));
    bind.options = ToList(o.mount_options, o.mount_options_count);
    config->binds.push_back(std::move(bind));
    return absl::OkStatus();
  });
}

ck_status ck_container_config_add_tmpfs(
    ck_container_config* self, const char* target,
    const ck_container_config_add_tmpfs_options* options, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_config_add_tmpfs_options o,
                        Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(target, "target"));
    CK_RETURN_IF_ERROR(
        CheckStrings(o.mount_options, o.mount_options_count, "mount_options"));
    TmpfsMountConfig tmpfs;
    tmpfs.target = target;
    tmpfs.readonly = o.readonly != 0;
    if (o.size_bytes != 0) tmpfs.size_bytes = o.size_bytes;
    if (o.mode != 0) tmpfs.mode = o.mode;
    tmpfs.options = ToList(o.mount_options, o.mount_options_count);
    config->tmpfs.push_back(std::move(tmpfs));
    return absl::OkStatus();
  });
}

ck_status ck_container_config_add_device(ck_container_config* self,
                                         const char* host_path,
                                         const char* container_path,
                                         const char* access, ck_error** err) {
  return WithString(self, host_path, "host_path", err,
                    [&](auto& config, const char* text) {
                      config.devices.push_back(
                          {.host_path = text,
                           .container_path = ToString(container_path),
                           .access = access == nullptr ? "rwm" : access});
                    });
}

ck_status ck_container_config_set_namespace(ck_container_config* self,
                                            int32_t which, int32_t from,
                                            const char* container,
                                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    NamespaceChoice choice;
    CK_ASSIGN_OR_RETURN(choice.kind,
                        ToEnum(from, NamespaceChoice::Kind::kNone, "from"));
    const bool joins = choice.kind == NamespaceChoice::Kind::kContainer;
    if (joins) {
      CK_RETURN_IF_ERROR(CheckString(container, "container"));
      choice.container = container;
    } else if (container != nullptr) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             "a container is given, but not to be joined");
    }
    switch (which) {
      case CK_NAMESPACE_NETWORK:
        config->network = std::move(choice);
        return absl::OkStatus();
      case CK_NAMESPACE_PID:
        config->pid = std::move(choice);
        return absl::OkStatus();
      case CK_NAMESPACE_IPC:
        config->ipc = std::move(choice);
        return absl::OkStatus();
      case CK_NAMESPACE_UTS:
        config->uts = std::move(choice);
        return absl::OkStatus();
      case CK_NAMESPACE_CGROUP:
        config->cgroup = std::move(choice);
        return absl::OkStatus();
    }
    return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                           absl::StrCat("which has no value ", which));
  });
}

ck_status ck_container_config_set_user_namespace(ck_container_config* self,
                                                 int32_t from, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_ASSIGN_OR_RETURN(
        config->user_namespace.kind,
        ToEnum(from, UserNamespaceChoice::Kind::kMapped, "from"));
    return absl::OkStatus();
  });
}

ck_status ck_container_config_add_id_map(ck_container_config* self, int32_t ids,
                                         uint32_t container_id,
                                         uint32_t host_id, uint32_t size,
                                         ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    if (ids < 1 || ids > (CK_ID_USER | CK_ID_GROUP)) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             absl::StrCat("ids has no value ", ids));
    }
    const UserNamespaceChoice::Range range = {
        .container_id = container_id, .host_id = host_id, .size = size};
    if (ids & CK_ID_USER) config->user_namespace.uid_map.push_back(range);
    if (ids & CK_ID_GROUP) config->user_namespace.gid_map.push_back(range);
    return absl::OkStatus();
  });
}

ck_status ck_container_config_allow(ck_container_config* self, int32_t grant,
                                    ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    switch (grant) {
      case CK_GRANT_PRIVILEGED:
        config->Allow(containerkit::Privileged{});
        return absl::OkStatus();
      case CK_GRANT_HOST_PID_NAMESPACE:
        config->Allow(containerkit::HostPidNamespace{});
        return absl::OkStatus();
      case CK_GRANT_HOST_IPC_NAMESPACE:
        config->Allow(containerkit::HostIpcNamespace{});
        return absl::OkStatus();
      case CK_GRANT_HOST_UTS_NAMESPACE:
        config->Allow(containerkit::HostUtsNamespace{});
        return absl::OkStatus();
      case CK_GRANT_HOST_NETWORK:
        config->Allow(containerkit::HostNetwork{});
        return absl::OkStatus();
      case CK_GRANT_UNCONFINED_SECCOMP:
        config->Allow(containerkit::UnconfinedSeccomp{});
        return absl::OkStatus();
      case CK_GRANT_UNMASKED_SYSTEM_PATHS:
        config->Allow(containerkit::UnmaskedSystemPaths{});
        return absl::OkStatus();
      case CK_GRANT_ALL_CAPABILITIES:
        config->Allow(containerkit::AllCapabilities{});
        return absl::OkStatus();
    }
    return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                           absl::StrCat("grant has no value ", grant));
  });
}

ck_status ck_container_config_add_capability(ck_container_config* self,
                                             const char* capability,
                                             ck_error** err) {
  return WithString(self, capability, "capability", err,
                    [](auto& config, const char* text) {
                      config.security.cap_add.push_back(text);
                    });
}

ck_status ck_container_config_drop_capability(ck_container_config* self,
                                              const char* capability,
                                              ck_error** err) {
  return WithString(self, capability, "capability", err,
                    [](auto& config, const char* text) {
                      config.security.cap_drop.push_back(text);
                    });
}

ck_status ck_container_config_set_seccomp(ck_container_config* self,
                                          int32_t kind, const char* profile,
                                          ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    SeccompChoice choice;
    CK_ASSIGN_OR_RETURN(choice.kind,
                        ToEnum(kind, SeccompChoice::Kind::kCustom, "kind"));
    if (choice.kind == SeccompChoice::Kind::kCustom) {
      CK_RETURN_IF_ERROR(CheckString(profile, "profile"));
      choice.profile = profile;
    } else if (profile != nullptr) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             "a profile is given, but not to be used");
    }
    config->security.seccomp = std::move(choice);
    return absl::OkStatus();
  });
}

ck_status ck_container_config_set_apparmor(ck_container_config* self,
                                           const char* profile,
                                           ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    config->security.apparmor_profile = ToString(profile);
    return absl::OkStatus();
  });
}

ck_status ck_container_config_add_selinux_label(ck_container_config* self,
                                                const char* label,
                                                ck_error** err) {
  return WithString(self, label, "label", err,
                    [](auto& config, const char* text) {
                      config.security.selinux_labels.push_back(text);
                    });
}

ck_status ck_container_config_set_masked_paths(ck_container_config* self,
                                               const char* const* paths,
                                               size_t count, ck_error** err) {
  return WithList(
      self, paths, count, "paths", err,
      [](auto& config, auto list) { config.security.masked_paths = list; });
}

ck_status ck_container_config_set_readonly_paths(ck_container_config* self,
                                                 const char* const* paths,
                                                 size_t count, ck_error** err) {
  return WithList(
      self, paths, count, "paths", err,
      [](auto& config, auto list) { config.security.readonly_paths = list; });
}

ck_status ck_container_config_set_resources(ck_container_config* self,
                                            const ck_resources* resources,
                                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    if (resources == nullptr) {
      config->resources = ResourceConfig();
      return absl::OkStatus();
    }
    CK_ASSIGN_OR_RETURN(Pinned<ck_resources> limits, Pin(resources));
    config->resources = *limits;
    return absl::OkStatus();
  });
}

ck_status ck_container_config_add_dns_server(ck_container_config* self,
                                             const char* address,
                                             ck_error** err) {
  return WithString(self, address, "address", err,
                    [](auto& config, const char* text) {
                      config.names.servers.push_back(text);
                    });
}

ck_status ck_container_config_add_dns_search(ck_container_config* self,
                                             const char* domain,
                                             ck_error** err) {
  return WithString(self, domain, "domain", err,
                    [](auto& config, const char* text) {
                      config.names.search.push_back(text);
                    });
}

ck_status ck_container_config_add_dns_option(ck_container_config* self,
                                             const char* option,
                                             ck_error** err) {
  return WithString(self, option, "option", err,
                    [](auto& config, const char* text) {
                      config.names.options.push_back(text);
                    });
}

ck_status ck_container_config_add_host(ck_container_config* self,
                                       const char* name, const char* address,
                                       ck_error** err) {
  return WithPair(self, name, address, err,
                  [](auto& config, const char* n, const char* v) {
                    config.names.extra_hosts.emplace_back(n, v);
                  });
}

ck_status ck_container_config_set_health(
    ck_container_config* self, const char* const* test, size_t count,
    const ck_container_config_set_health_options* options, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_config_set_health_options o,
                        Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_RETURN_IF_ERROR(CheckStrings(test, count, "test"));
    HealthConfig health;
    health.disabled = o.disabled != 0;
    health.test = ToList(test, count);
    health.interval = absl::Nanoseconds(o.interval_ns);
    health.timeout = absl::Nanoseconds(o.timeout_ns);
    health.start_period = absl::Nanoseconds(o.start_period_ns);
    health.start_interval = absl::Nanoseconds(o.start_interval_ns);
    health.retries = o.retries;
    config->health = std::move(health);
    return absl::OkStatus();
  });
}

ck_status ck_container_config_set_restart(ck_container_config* self,
                                          int32_t policy, uint32_t max_retries,
                                          ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_ASSIGN_OR_RETURN(
        const RestartConfig::Policy chosen,
        ToEnum(policy, RestartConfig::Policy::kUnlessStopped, "policy"));
    config->restart = {.policy = chosen, .max_retries = max_retries};
    return absl::OkStatus();
  });
}

ck_status ck_container_config_set_log(
    ck_container_config* self, int32_t driver,
    const ck_container_config_set_log_options* options, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_config_set_log_options o,
                        Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> config, Pin(self));
    CK_ASSIGN_OR_RETURN(const LogConfig::Driver chosen,
                        ToEnum(driver, LogConfig::Driver::kNone, "driver"));
    config->log = {.driver = chosen,
                   .max_size_bytes = o.max_size_bytes,
                   .max_files = o.max_files};
    return absl::OkStatus();
  });
}
