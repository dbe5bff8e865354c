#include "lib/container/oci_stats.h"

#include "nlohmann/json.hpp"

namespace containerkit::container {

std::string OciStatsDocument(const std::string& id,
                             const sys::CgroupStats& stats) {
  using Json = nlohmann::ordered_json;
  const Json cpu = {{"usage",
                     {{"total", stats.cpu_usage_ns},
                      {"kernel", stats.cpu_system_ns},
                      {"user", stats.cpu_user_ns}}},
                    {"throttling",
                     {{"periods", stats.cpu_periods},
                      {"throttledPeriods", stats.cpu_throttled_periods},
                      {"throttledTime", stats.cpu_throttled_ns}}}};
  const Json memory = {{"cache", stats.memory_cache_bytes},
                       {"usage",
                        {{"limit", stats.memory_limit_bytes},
                         {"usage", stats.memory_raw_usage_bytes},
                         {"max", stats.memory_max_usage_bytes},
                         {"failcnt", stats.memory_fail_count}}}};
  Json pids = {{"current", stats.pids_current}};
  if (stats.pids_limit != 0) pids["limit"] = stats.pids_limit;
  const Json block_io = {
      {"ioServiceBytesRecursive",
       {{{"op", "Read"}, {"value", stats.block_read_bytes}},
        {{"op", "Write"}, {"value", stats.block_write_bytes}}}}};
  const Json document = {{"type", "stats"},
                         {"id", id},
                         {"data",
                          {{"cpu", cpu},
                           {"memory", memory},
                           {"pids", pids},
                           {"blkio", block_io}}}};
  return document.dump();
}

}  // namespace containerkit::container
