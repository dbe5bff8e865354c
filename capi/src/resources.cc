#include "capi/src/resources.h"

#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"
#include "capi/src/strings.h"

using ::containerkit::InvalidArgument;
using ::containerkit::Reason;
using ::containerkit::ResourceConfig;
using ::containerkit::capi::CheckString;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToString;

CK_DEFINE_OPTIONS(ck_resources_create_options, CK_RESOURCES_CREATE_OPTIONS_INIT)

namespace {

template <typename T>
std::optional<T> UnlessZero(T value) {
  return value == 0 ? std::nullopt : std::optional<T>(value);
}

ResourceConfig ToResources(const ck_resources_create_options& o) {
  ResourceConfig r;
  r.memory_bytes = UnlessZero(o.memory_bytes);
  r.memory_reservation_bytes = UnlessZero(o.memory_reservation_bytes);
  r.memory_swap_bytes = UnlessZero(o.memory_swap_bytes);
  if (o.has_memory_swappiness) r.memory_swappiness = o.memory_swappiness;
  r.oom_kill_disable = o.oom_kill_disable != 0;
  r.nano_cpus = UnlessZero(o.nano_cpus);
  r.cpu_quota_us = UnlessZero(o.cpu_quota_us);
  r.cpu_period_us = UnlessZero(o.cpu_period_us);
  r.cpu_shares = UnlessZero(o.cpu_shares);
  r.cpu_realtime_runtime_us = UnlessZero(o.cpu_realtime_runtime_us);
  r.cpu_realtime_period_us = UnlessZero(o.cpu_realtime_period_us);
  r.cpuset_cpus = ToString(o.cpuset_cpus);
  r.cpuset_mems = ToString(o.cpuset_mems);
  r.pids_limit = UnlessZero(o.pids_limit);
  r.blkio_weight = UnlessZero(o.blkio_weight);
  return r;
}

}  // namespace

CK_DEFINE_HANDLE(ck_resources)

ck_status ck_resources_create(const ck_resources_create_options* options,
                              ck_resources** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_resources_create_options o, Adopt(options));
    *out = NewHandle<ck_resources>(
        std::make_unique<ResourceConfig>(ToResources(o)));
    return absl::OkStatus();
  });
}

ck_status ck_resources_add_device_limit(ck_resources* self, int32_t kind,
                                        const char* device_path, uint64_t value,
                                        ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_resources> resources, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(device_path, "device_path"));
    switch (kind) {
      case CK_DEVICE_LIMIT_WEIGHT:
        if (value > std::numeric_limits<uint16_t>::max()) {
          return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                                 absl::StrCat("weight ", value));
        }
        resources->blkio_weight_devices.emplace_back(
            device_path, static_cast<uint16_t>(value));
        return absl::OkStatus();
      case CK_DEVICE_LIMIT_READ_BPS:
        resources->device_read_bps.emplace_back(device_path, value);
        return absl::OkStatus();
      case CK_DEVICE_LIMIT_WRITE_BPS:
        resources->device_write_bps.emplace_back(device_path, value);
        return absl::OkStatus();
      case CK_DEVICE_LIMIT_READ_IOPS:
        resources->device_read_iops.emplace_back(device_path, value);
        return absl::OkStatus();
      case CK_DEVICE_LIMIT_WRITE_IOPS:
        resources->device_write_iops.emplace_back(device_path, value);
        return absl::OkStatus();
    }
    return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                           absl::StrCat("kind has no value ", kind));
  });
}

ck_status ck_resources_add_device_rule(ck_resources* self, const char* rule,
                                       ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_resources> resources, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(rule, "rule"));
    resources->device_rules.push_back(rule);
    return absl::OkStatus();
  });
}

ck_status ck_resources_set_unified(ck_resources* self, const char* file,
                                   const char* value, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_resources> resources, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(file, "file"));
    CK_RETURN_IF_ERROR(CheckString(value, "value"));
    resources->unified[file] = value;
    return absl::OkStatus();
  });
}
