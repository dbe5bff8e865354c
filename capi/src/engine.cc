#include "capi/src/engine.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/src/callback.h"
#include "capi/src/cancel.h"
#include "capi/src/container_config.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"

using ::containerkit::CancelToken;
using ::containerkit::Engine;
using ::containerkit::EngineInfo;
using ::containerkit::LogLevel;
using ::containerkit::PruneReport;
using ::containerkit::StoreFinding;
using ::containerkit::capi::CheckStrings;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::IsReadable;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::MakeString;
using ::containerkit::capi::MakeStringList;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::TokenOf;
using ::containerkit::capi::ToList;
using ::containerkit::capi::UserData;

static_assert(static_cast<int>(LogLevel::kDebug) == CK_LOG_DEBUG);
static_assert(static_cast<int>(LogLevel::kInfo) == CK_LOG_INFO);
static_assert(static_cast<int>(LogLevel::kWarning) == CK_LOG_WARNING);
static_assert(static_cast<int>(LogLevel::kError) == CK_LOG_ERROR);

CK_DEFINE_OPTIONS(ck_engine_open_options, CK_ENGINE_OPEN_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_engine_inspect_options, CK_ENGINE_INSPECT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_engine_dry_run_options, CK_ENGINE_DRY_RUN_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_engine_check_store_options,
                  CK_ENGINE_CHECK_STORE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_engine_prune_options, CK_ENGINE_PRUNE_OPTIONS_INIT)

namespace {

absl::StatusOr<Engine::Options> ToOptions(const ck_engine_open_options& o) {
  CK_RETURN_IF_ERROR(CheckStrings(o.insecure_registries,
                                  o.insecure_registries_count,
                                  "insecure_registries"));
  CK_RETURN_IF_ERROR(CheckStrings(o.registry_mirrors, o.registry_mirrors_count,
                                  "registry_mirrors"));
  Engine::Options options;
  if (o.use_environment) options = Engine::Options::FromEnvironment();
  if (o.root != nullptr) options.root = o.root;
  if (o.docker_config != nullptr) options.docker_config = o.docker_config;
  if (o.certs_dir != nullptr) options.certs_dir = o.certs_dir;
  options.insecure_registries =
      ToList(o.insecure_registries, o.insecure_registries_count);
  options.registry_mirrors =
      ToList(o.registry_mirrors, o.registry_mirrors_count);
  return options;
}

}  // namespace

CK_DEFINE_HANDLE(ck_engine)

ck_status ck_engine_open(const ck_engine_open_options* options, ck_engine** out,
                         ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    const bool readable =
        IsReadable(options, CK_SIZE_0_1(ck_engine_open_options));
    const auto data = std::make_shared<UserData>(
        readable ? options->log_user_data : nullptr,
        readable ? options->log_user_data_release : nullptr);
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_engine_open_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Engine::Options opened, ToOptions(o));
    if (o.log != nullptr) {
      opened.log_sink = [log = o.log, data](LogLevel level,
                                            absl::string_view message) {
        log(data->get(), static_cast<int32_t>(level),
            std::string(message).c_str());
      };
    }
    CK_ASSIGN_OR_RETURN(Engine engine, Engine::Open(opened));
    *out = NewHandle<ck_engine>(std::make_unique<Engine>(std::move(engine)));
    return absl::OkStatus();
  });
}

ck_status ck_engine_inspect(ck_engine* self,
                            const ck_engine_inspect_options* options,
                            ck_engine_info** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> engine, Pin(self));
    CK_ASSIGN_OR_RETURN(EngineInfo info, engine->Info());
    auto security = MakeStringList(std::move(info.security_options));
    auto warnings = MakeStringList(std::move(info.warnings));
    *out = MakeHandle<ck_engine_info>(std::move(info), std::move(security),
                                      std::move(warnings));
    return absl::OkStatus();
  });
}

CK_DEFINE_HANDLE(ck_engine_info)
CK_DEFINE_STRING(ck_engine_info, root, p.info.root)
CK_DEFINE_VALUE(ck_engine_info, rootless, uint8_t, p.info.rootless ? 1 : 0)
CK_DEFINE_VALUE(ck_engine_info, cgroup_version, int32_t, p.info.cgroup_version)
CK_DEFINE_STRING(ck_engine_info, kernel_version, p.info.kernel_version)
CK_DEFINE_STRING(ck_engine_info, operating_system, p.info.operating_system)
CK_DEFINE_STRING(ck_engine_info, architecture, p.info.architecture)
CK_DEFINE_STRING(ck_engine_info, storage_driver, p.info.storage_driver)
CK_DEFINE_VALUE(ck_engine_info, security_options, const ck_string_list*,
                p.security_options.get())
CK_DEFINE_VALUE(ck_engine_info, containers, int64_t, p.info.containers)
CK_DEFINE_VALUE(ck_engine_info, containers_running, int64_t,
                p.info.containers_running)
CK_DEFINE_VALUE(ck_engine_info, containers_paused, int64_t,
                p.info.containers_paused)
CK_DEFINE_VALUE(ck_engine_info, containers_stopped, int64_t,
                p.info.containers_stopped)
CK_DEFINE_VALUE(ck_engine_info, images, int64_t, p.info.images)
CK_DEFINE_VALUE(ck_engine_info, cpus, int32_t, p.info.cpus)
CK_DEFINE_VALUE(ck_engine_info, memory_bytes, uint64_t, p.info.memory_bytes)
CK_DEFINE_VALUE(ck_engine_info, warnings, const ck_string_list*,
                p.warnings.get())
CK_DEFINE_STRING(ck_engine_info, json, p.info.json)

ck_status ck_engine_dry_run(ck_engine* self, const ck_container_config* config,
                            const ck_engine_dry_run_options* options,
                            ck_string** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> engine, Pin(self));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container_config> pinned, Pin(config));
    CK_ASSIGN_OR_RETURN(std::string steps, engine->DryRun(*pinned));
    *out = MakeString(std::move(steps)).release();
    return absl::OkStatus();
  });
}

ck_status ck_engine_check_store(ck_engine* self,
                                const ck_engine_check_store_options* options,
                                ck_store_report** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_engine_check_store_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> engine, Pin(self));
    CK_ASSIGN_OR_RETURN(const CancelToken cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(std::vector<StoreFinding> findings,
                        engine->CheckStore(o.repair != 0, cancel));
    *out = NewHandle<ck_store_report>(
        std::make_unique<std::vector<StoreFinding>>(std::move(findings)));
    return absl::OkStatus();
  });
}

namespace {

// A field of the finding at `index`; nullptr beyond the end.
const char* FindingText(const ck_store_report* self, size_t index,
                        std::string StoreFinding::*field) {
  Pinned<ck_store_report> report(self);
  return report.ok() && index < report->size()
             ? ((*report)[index].*field).c_str()
             : nullptr;
}

}  // namespace

CK_DEFINE_HANDLE(ck_store_report)
CK_DEFINE_VALUE(ck_store_report, size, size_t, p.size())

const char* ck_store_report_kind_at(const ck_store_report* self, size_t index) {
  return FindingText(self, index, &StoreFinding::kind);
}

const char* ck_store_report_object_at(const ck_store_report* self,
                                      size_t index) {
  return FindingText(self, index, &StoreFinding::object);
}

const char* ck_store_report_problem_at(const ck_store_report* self,
                                       size_t index) {
  return FindingText(self, index, &StoreFinding::problem);
}

uint8_t ck_store_report_damage_at(const ck_store_report* self, size_t index) {
  Pinned<ck_store_report> report(self);
  return report.ok() && index < report->size() && (*report)[index].damage;
}

uint8_t ck_store_report_repaired_at(const ck_store_report* self, size_t index) {
  Pinned<ck_store_report> report(self);
  return report.ok() && index < report->size() && (*report)[index].repaired;
}

ck_status ck_engine_prune(ck_engine* self,
                          const ck_engine_prune_options* options,
                          ck_prune_report** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    if (out != nullptr) *out = nullptr;
    CK_ASSIGN_OR_RETURN(const ck_engine_prune_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> engine, Pin(self));
    CK_ASSIGN_OR_RETURN(const CancelToken cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(
        PruneReport report,
        engine->Prune(o.all_images != 0, o.dry_run != 0, cancel));
    if (out == nullptr) return absl::OkStatus();
    *out = MakeHandle<ck_prune_report>(
        report.reclaimed_bytes, MakeStringList(std::move(report.containers)),
        MakeStringList(std::move(report.images.untagged)),
        MakeStringList(std::move(report.images.deleted)));
    return absl::OkStatus();
  });
}

CK_DEFINE_HANDLE(ck_prune_report)
CK_DEFINE_VALUE(ck_prune_report, containers, const ck_string_list*,
                p.containers.get())
CK_DEFINE_VALUE(ck_prune_report, untagged, const ck_string_list*,
                p.untagged.get())
CK_DEFINE_VALUE(ck_prune_report, deleted, const ck_string_list*,
                p.deleted.get())
CK_DEFINE_VALUE(ck_prune_report, reclaimed_bytes, uint64_t, p.reclaimed_bytes)
