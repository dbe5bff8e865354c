#include "capi/src/container.h"

#include <signal.h>

#include <memory>
#include <string>
#include <utility>

#include "capi/src/cancel.h"
#include "capi/src/container_config.h"
#include "capi/src/container_info.h"
#include "capi/src/engine.h"
#include "capi/src/enums.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"
#include "capi/src/resources.h"
#include "capi/src/scope.h"
#include "capi/src/session.h"
#include "capi/src/strings.h"

using ::containerkit::CancelToken;
using ::containerkit::Container;
using ::containerkit::ContainerInfo;
using ::containerkit::ContainerStats;
using ::containerkit::ContainerUpdate;
using ::containerkit::CopyInOptions;
using ::containerkit::ExitStatus;
using ::containerkit::PathStat;
using ::containerkit::ProcessTable;
using ::containerkit::RestartConfig;
using ::containerkit::StopOptions;
using ::containerkit::WaitCondition;
using ::containerkit::WaitOptions;
using ::containerkit::capi::CheckString;
using ::containerkit::capi::CheckStrings;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::MakeContainerInfo;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::MakeProcessTable;
using ::containerkit::capi::MakeString;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToDuration;
using ::containerkit::capi::ToEnum;
using ::containerkit::capi::TokenOf;
using ::containerkit::capi::ToList;

static_assert(static_cast<int>(WaitCondition::kNotRunning) ==
              CK_WAIT_NOT_RUNNING);
static_assert(static_cast<int>(WaitCondition::kNextExit) == CK_WAIT_NEXT_EXIT);
static_assert(static_cast<int>(WaitCondition::kRemoved) == CK_WAIT_REMOVED);

CK_DEFINE_OPTIONS(ck_container_create_options, CK_CONTAINER_CREATE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_find_options, CK_CONTAINER_FIND_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_stop_options, CK_CONTAINER_STOP_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_restart_options,
                  CK_CONTAINER_RESTART_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_kill_options, CK_CONTAINER_KILL_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_pause_options, CK_CONTAINER_PAUSE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_wait_options, CK_CONTAINER_WAIT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_remove_options, CK_CONTAINER_REMOVE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_rename_options, CK_CONTAINER_RENAME_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_inspect_options,
                  CK_CONTAINER_INSPECT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_read_stats_options,
                  CK_CONTAINER_READ_STATS_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_top_options, CK_CONTAINER_TOP_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_copy_out_options,
                  CK_CONTAINER_COPY_OUT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_copy_in_options,
                  CK_CONTAINER_COPY_IN_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_stat_path_options,
                  CK_CONTAINER_STAT_PATH_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_update_options, CK_CONTAINER_UPDATE_OPTIONS_INIT)

namespace {

// Of ck_container_stop() and ck_container_restart(), whose options are alike.
template <typename T>
absl::StatusOr<StopOptions> ToStop(const T& o) {
  StopOptions stop;
  if (o.timeout_ns != CK_TIMEOUT_DEFAULT) {
    stop.timeout = ToDuration(o.timeout_ns);
  }
  stop.signal = o.signal;
  CK_ASSIGN_OR_RETURN(stop.cancel, TokenOf(o.cancel));
  return stop;
}

}  // namespace

CK_DEFINE_HANDLE(ck_container)
CK_DEFINE_STRING(ck_container, id, p.id())

ck_status ck_container_create(ck_engine* engine,
                              const ck_container_config* config,
                              const ck_container_create_options* options,
                              ck_container** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_create_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> wanted, Pin(config));
    absl::StatusOr<Container> made;
    if (o.scope == nullptr) {
      made = pinned->Create(*wanted);
    } else {
      CK_ASSIGN_OR_RETURN(Pinned<ck_scope> scope, Pin(o.scope));
      made = scope->Create(*wanted);
    }
    CK_ASSIGN_OR_RETURN(Container container, std::move(made));
    *out = NewHandle<ck_container>(
        std::make_unique<Container>(std::move(container)));
    return absl::OkStatus();
  });
}

ck_status ck_container_find(ck_engine* engine, const char* name,
                            const ck_container_find_options* options,
                            ck_container** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_ASSIGN_OR_RETURN(Container container, pinned->GetContainer(name));
    *out = NewHandle<ck_container>(
        std::make_unique<Container>(std::move(container)));
    return absl::OkStatus();
  });
}

ck_status ck_container_stop(ck_container* self,
                            const ck_container_stop_options* options,
                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_stop_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_ASSIGN_OR_RETURN(const StopOptions stop, ToStop(o));
    return container->Stop(stop);
  });
}

ck_status ck_container_restart(ck_container* self,
                               const ck_container_restart_options* options,
                               ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_restart_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_ASSIGN_OR_RETURN(const StopOptions stop, ToStop(o));
    return container->Restart(stop);
  });
}

ck_status ck_container_kill(ck_container* self,
                            const ck_container_kill_options* options,
                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_kill_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    return container->Kill(o.signal == 0 ? SIGKILL : o.signal);
  });
}

ck_status ck_container_pause(ck_container* self,
                             const ck_container_pause_options* options,
                             ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    return container->Pause();
  });
}

ck_status ck_container_unpause(ck_container* self,
                               const ck_container_pause_options* options,
                               ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    return container->Unpause();
  });
}

ck_status ck_container_wait(ck_container* self,
                            const ck_container_wait_options* options,
                            int32_t* exit_code, uint8_t* oom_killed,
                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_wait_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    WaitOptions wait;
    CK_ASSIGN_OR_RETURN(
        wait.condition,
        ToEnum(o.condition, WaitCondition::kRemoved, "condition"));
    wait.timeout = ToDuration(o.timeout_ns);
    CK_ASSIGN_OR_RETURN(wait.cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(const ExitStatus exit, container->Wait(wait));
    if (exit_code != nullptr) *exit_code = exit.code;
    if (oom_killed != nullptr) *oom_killed = exit.oom_killed ? 1 : 0;
    return absl::OkStatus();
  });
}

ck_status ck_container_remove(ck_container* self,
                              const ck_container_remove_options* options,
                              ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_remove_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    return container->Remove(
        {.force = o.force != 0, .volumes = o.volumes != 0});
  });
}

ck_status ck_container_rename(ck_container* self, const char* name,
                              const ck_container_rename_options* options,
                              ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    return container->Rename(name);
  });
}

ck_status ck_container_inspect(ck_container* self,
                               const ck_container_inspect_options* options,
                               ck_container_info** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_ASSIGN_OR_RETURN(ContainerInfo info, container->Inspect());
    *out = MakeContainerInfo(std::move(info)).release();
    return absl::OkStatus();
  });
}

ck_status ck_container_inspect_json(ck_container* self,
                                    const ck_container_inspect_options* options,
                                    ck_string** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_inspect_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_ASSIGN_OR_RETURN(std::string json, container->InspectJson(o.size != 0));
    *out = MakeString(std::move(json)).release();
    return absl::OkStatus();
  });
}

ck_status ck_container_read_stats(
    ck_container* self, const ck_container_read_stats_options* options,
    ck_container_stats** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_ASSIGN_OR_RETURN(const ContainerStats stats, container->Stats());
    *out = MakeHandle<ck_container_stats>(stats);
    return absl::OkStatus();
  });
}

ck_status ck_container_top(ck_container* self,
                           const ck_container_top_options* options,
                           ck_process_table** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_top_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckStrings(o.columns, o.columns_count, "columns"));
    CK_ASSIGN_OR_RETURN(ProcessTable table,
                        container->Top(ToList(o.columns, o.columns_count)));
    *out = MakeProcessTable(std::move(table)).release();
    return absl::OkStatus();
  });
}

ck_status ck_container_copy_out(ck_container* self, const char* path,
                                int32_t archive_fd,
                                const ck_container_copy_out_options* options,
                                ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_copy_out_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(path, "path"));
    CK_ASSIGN_OR_RETURN(const CancelToken cancel, TokenOf(o.cancel));
    return container->CopyOut(path, archive_fd, cancel);
  });
}

ck_status ck_container_copy_in(ck_container* self, const char* path,
                               int32_t archive_fd,
                               const ck_container_copy_in_options* options,
                               ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_copy_in_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(path, "path"));
    CopyInOptions copy;
    copy.no_overwrite_dir_non_dir = o.no_overwrite_dir_non_dir != 0;
    copy.copy_uid_gid = o.copy_uid_gid != 0;
    CK_ASSIGN_OR_RETURN(copy.cancel, TokenOf(o.cancel));
    return container->CopyIn(path, archive_fd, copy);
  });
}

ck_status ck_container_stat_path(ck_container* self, const char* path,
                                 const ck_container_stat_path_options* options,
                                 ck_path_stat** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(path, "path"));
    CK_ASSIGN_OR_RETURN(PathStat stat, container->StatPath(path));
    *out = MakeHandle<ck_path_stat>(std::move(stat));
    return absl::OkStatus();
  });
}

ck_status ck_container_update(ck_container* self,
                              const ck_container_update_options* options,
                              ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_container_update_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    ContainerUpdate update;
    if (o.resources != nullptr) {
      CK_ASSIGN_OR_RETURN(Pinned<ck_resources> resources, Pin(o.resources));
      update.resources = *resources;
    }
    if (o.has_restart_policy) {
      CK_ASSIGN_OR_RETURN(
          const RestartConfig::Policy policy,
          ToEnum(o.restart_policy, RestartConfig::Policy::kUnlessStopped,
                 "restart_policy"));
      update.restart =
          RestartConfig{.policy = policy, .max_retries = o.restart_max_retries};
    }
    return container->Update(update);
  });
}
