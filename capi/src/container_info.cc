#include "capi/src/container_info.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/src/engine.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"

namespace containerkit::capi {

Owned<ck_container_info> MakeContainerInfo(ContainerInfo info) {
  auto payload = std::make_unique<ContainerInfoPayload>();
  payload->state_name = std::string(ContainerStateName(info.state));
  payload->command = MakeStringList(std::move(info.command));
  payload->labels = MakeStringMap(std::move(info.labels));
  payload->warnings = MakeStringList(std::move(info.warnings));
  payload->info = std::move(info);
  return Owned<ck_container_info>(
      NewHandle<ck_container_info>(std::move(payload)));
}

Owned<ck_process_table> MakeProcessTable(ProcessTable table) {
  auto payload = std::make_unique<ProcessTablePayload>();
  payload->titles = MakeStringList(std::move(table.titles));
  for (std::vector<std::string>& row : table.rows) {
    payload->rows.push_back(MakeStringList(std::move(row)));
  }
  return Owned<ck_process_table>(
      NewHandle<ck_process_table>(std::move(payload)));
}

}  // namespace containerkit::capi

using ::containerkit::ContainerInfo;
using ::containerkit::ContainerListOptions;
using ::containerkit::ContainerState;
using ::containerkit::HealthState;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::ContainerListPayload;
using ::containerkit::capi::FiltersOf;
using ::containerkit::capi::Guard;
using ::containerkit::capi::MakeContainerInfo;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToUnixNs;

#define CK_SAME(name, value) static_assert(static_cast<int>(value) == (name))
CK_SAME(CK_CONTAINER_CREATED, ContainerState::kCreated);
CK_SAME(CK_CONTAINER_RUNNING, ContainerState::kRunning);
CK_SAME(CK_CONTAINER_PAUSED, ContainerState::kPaused);
CK_SAME(CK_CONTAINER_RESTARTING, ContainerState::kRestarting);
CK_SAME(CK_CONTAINER_EXITED, ContainerState::kExited);
CK_SAME(CK_CONTAINER_DEAD, ContainerState::kDead);
CK_SAME(CK_HEALTH_NONE, HealthState::kNone);
CK_SAME(CK_HEALTH_STARTING, HealthState::kStarting);
CK_SAME(CK_HEALTH_HEALTHY, HealthState::kHealthy);
CK_SAME(CK_HEALTH_UNHEALTHY, HealthState::kUnhealthy);
#undef CK_SAME

CK_DEFINE_OPTIONS(ck_container_list_query_options,
                  CK_CONTAINER_LIST_QUERY_OPTIONS_INIT)

CK_DEFINE_HANDLE(ck_container_info)
CK_DEFINE_STRING(ck_container_info, id, p.info.id)
CK_DEFINE_STRING(ck_container_info, name, p.info.name)
CK_DEFINE_STRING(ck_container_info, image_id, p.info.image_id)
CK_DEFINE_STRING(ck_container_info, image, p.info.image)
CK_DEFINE_VALUE(ck_container_info, state, int32_t,
                static_cast<int32_t>(p.info.state))
CK_DEFINE_STRING(ck_container_info, state_name, p.state_name)
CK_DEFINE_VALUE(ck_container_info, health, int32_t,
                static_cast<int32_t>(p.info.health))
CK_DEFINE_VALUE(ck_container_info, health_failing_streak, int32_t,
                p.info.health_failing_streak)
CK_DEFINE_VALUE(ck_container_info, pid, int32_t, p.info.pid)
CK_DEFINE_VALUE(ck_container_info, exit_code, int32_t, p.info.exit.code)
CK_DEFINE_VALUE(ck_container_info, oom_killed, uint8_t,
                p.info.exit.oom_killed ? 1 : 0)
CK_DEFINE_STRING(ck_container_info, error, p.info.error)
CK_DEFINE_VALUE(ck_container_info, created_ns, int64_t,
                ToUnixNs(p.info.created))
CK_DEFINE_VALUE(ck_container_info, started_ns, int64_t,
                ToUnixNs(p.info.started))
CK_DEFINE_VALUE(ck_container_info, finished_ns, int64_t,
                ToUnixNs(p.info.finished))
CK_DEFINE_VALUE(ck_container_info, restart_count, uint32_t,
                p.info.restart_count)
CK_DEFINE_VALUE(ck_container_info, command, const ck_string_list*,
                p.command.get())
CK_DEFINE_VALUE(ck_container_info, labels, const ck_string_map*, p.labels.get())
CK_DEFINE_STRING(ck_container_info, log_path, p.info.log_path)
CK_DEFINE_VALUE(ck_container_info, warnings, const ck_string_list*,
                p.warnings.get())

CK_DEFINE_HANDLE(ck_container_list)

ck_status ck_container_list_query(
    ck_engine* engine, const ck_container_list_query_options* options,
    ck_container_list** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_list_query_options o,
                        Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    ContainerListOptions list;
    list.all = o.all != 0;
    list.limit = o.limit;
    CK_ASSIGN_OR_RETURN(list.filters, FiltersOf(o.filters));
    CK_ASSIGN_OR_RETURN(std::vector<ContainerInfo> containers,
                        pinned->ListContainers(list));
    ContainerListPayload payload;
    for (ContainerInfo& info : containers) {
      payload.containers.push_back(MakeContainerInfo(std::move(info)));
    }
    *out = MakeHandle<ck_container_list>(std::move(payload));
    return absl::OkStatus();
  });
}

CK_DEFINE_VALUE(ck_container_list, size, size_t, p.containers.size())

const ck_container_info* ck_container_list_at(const ck_container_list* self,
                                              size_t index) {
  Pinned<ck_container_list> list(self);
  return list.ok() && index < list->containers.size()
             ? list->containers[index].get()
             : nullptr;
}

CK_DEFINE_HANDLE(ck_container_stats)
CK_DEFINE_VALUE(ck_container_stats, time_ns, int64_t, ToUnixNs(p.time))
CK_DEFINE_VALUE(ck_container_stats, cpu_total_ns, uint64_t, p.cpu_total_ns)
CK_DEFINE_VALUE(ck_container_stats, cpu_user_ns, uint64_t, p.cpu_user_ns)
CK_DEFINE_VALUE(ck_container_stats, cpu_system_ns, uint64_t, p.cpu_system_ns)
CK_DEFINE_VALUE(ck_container_stats, host_cpu_ns, uint64_t, p.host_cpu_ns)
CK_DEFINE_VALUE(ck_container_stats, online_cpus, uint32_t, p.online_cpus)
CK_DEFINE_VALUE(ck_container_stats, memory_usage_bytes, uint64_t,
                p.memory_usage_bytes)
CK_DEFINE_VALUE(ck_container_stats, memory_limit_bytes, uint64_t,
                p.memory_limit_bytes)
CK_DEFINE_VALUE(ck_container_stats, memory_cache_bytes, uint64_t,
                p.memory_cache_bytes)
CK_DEFINE_VALUE(ck_container_stats, pids_current, uint64_t, p.pids_current)
CK_DEFINE_VALUE(ck_container_stats, pids_limit, uint64_t, p.pids_limit)
CK_DEFINE_VALUE(ck_container_stats, block_read_bytes, uint64_t,
                p.block_read_bytes)
CK_DEFINE_VALUE(ck_container_stats, block_write_bytes, uint64_t,
                p.block_write_bytes)

CK_DEFINE_HANDLE(ck_process_table)
CK_DEFINE_VALUE(ck_process_table, titles, const ck_string_list*, p.titles.get())
CK_DEFINE_VALUE(ck_process_table, size, size_t, p.rows.size())

const ck_string_list* ck_process_table_at(const ck_process_table* self,
                                          size_t index) {
  Pinned<ck_process_table> table(self);
  return table.ok() && index < table->rows.size() ? table->rows[index].get()
                                                  : nullptr;
}

CK_DEFINE_HANDLE(ck_path_stat)
CK_DEFINE_STRING(ck_path_stat, name, p.name)
CK_DEFINE_VALUE(ck_path_stat, size_bytes, uint64_t, p.size_bytes)
CK_DEFINE_VALUE(ck_path_stat, mode, uint32_t, p.mode)
CK_DEFINE_VALUE(ck_path_stat, modified_ns, int64_t, ToUnixNs(p.modified))
CK_DEFINE_STRING(ck_path_stat, link_target, p.link_target)
