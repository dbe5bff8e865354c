#include "lib/engine/engine_info.h"

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "containerkit/version.h"
#include "lib/sys/file_util.h"
#include "nlohmann/json.hpp"

namespace containerkit::engine {
namespace {

// PRETTY_NAME of os-release(5), as docker shows it.
std::string OperatingSystem() {
  const std::string text =
      sys::ReadFileAt(AT_FDCWD, "/etc/os-release", 1 << 16).value_or("");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "PRETTY_NAME=")) continue;
    absl::ConsumePrefix(&line, "\"");
    absl::ConsumeSuffix(&line, "\"");
    return std::string(line);
  }
  return "Linux";
}

nlohmann::json Json(const EngineInfo& info, const std::string& hostname) {
  return {{"ID", info.root},
          {"Containers", info.containers},
          {"ContainersRunning", info.containers_running},
          {"ContainersPaused", info.containers_paused},
          {"ContainersStopped", info.containers_stopped},
          {"Images", info.images},
          {"Driver", info.storage_driver},
          {"DockerRootDir", info.root},
          {"KernelVersion", info.kernel_version},
          {"OperatingSystem", info.operating_system},
          {"OSType", "linux"},
          {"Architecture", info.architecture},
          {"NCPU", info.cpus},
          {"MemTotal", info.memory_bytes},
          {"Name", hostname},
          {"ServerVersion", std::string(Version())},
          {"CgroupDriver", "cgroupfs"},
          {"CgroupVersion", absl::StrCat(info.cgroup_version)},
          {"SecurityOptions", info.security_options},
          {"LoggingDriver", "json-file"},
          {"DefaultRuntime", "containerkit"},
          {"Swarm", {{"LocalNodeState", "inactive"}}},
          {"Labels", nlohmann::json::array()},
          {"Warnings", info.warnings}};
}

}  // namespace

void DescribeHost(const runtime::HostFacts& facts, EngineInfo& info) {
  info.rootless = !facts.privileged();
  info.cgroup_version = facts.cgroups.mode == sys::CgroupMode::kUnified ? 2 : 1;
  utsname host{};
  uname(&host);
  info.kernel_version = host.release;
  info.architecture = host.machine;
  info.operating_system = OperatingSystem();
  info.storage_driver = "overlay2";
  if (facts.seccomp) {
    info.security_options.push_back("name=seccomp,profile=builtin");
  }
  if (info.rootless) info.security_options.push_back("name=rootless");
  if (info.cgroup_version == 2) {
    info.security_options.push_back("name=cgroupns");
  }
  info.cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo memory {};
  sysinfo(&memory);
  info.memory_bytes = static_cast<uint64_t>(memory.totalram) * memory.mem_unit;
  if (facts.cgroups.mode == sys::CgroupMode::kNone) {
    info.warnings.push_back(
        "no cgroup hierarchy is mounted: limits, pause and stats fail");
  }
  if (info.rootless && facts.subuids.empty()) {
    info.warnings.push_back(
        "no range in /etc/subuid: images run with one user id");
  }
  info.json =
      Json(info, host.nodename)
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace containerkit::engine
