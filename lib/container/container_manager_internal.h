// What the parts of container_manager_*.cc share.
#ifndef CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_INTERNAL_H_
#define CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_INTERNAL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/container/archive_ids.h"
#include "lib/container/container_manager.h"
#include "lib/container/live_process.h"
#include "lib/container/record.pb.h"
#include "lib/oci/image_config.h"
#include "lib/runtime/attach_events.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/monitor_client.h"

namespace containerkit::container {

struct ContainerManager::Loaded {
  store::ContainerRow row;
  ContainerConfig config;
  oci::ImageConfig image;
  ContainerRecord record;
};

struct ContainerManager::Assembly {
  runtime::SpecInputs inputs;
  runtime::BuiltSpec built;
  runtime::PlannedLaunch planned;
  std::optional<runtime::LaunchPlan> probe;
  runtime::HealthSettings health{};
  // Held until the launch: namespaces of other containers.
  std::vector<UniqueFd> namespaces;
};

struct ContainerManager::Locked {
  UniqueFd lock;
  // As it is now that nobody else can start or remove it.
  std::shared_ptr<const Loaded> container;
};

// One run of a container, whatever is started after it.
struct ContainerManager::Run {
  runtime::MonitorClient monitor{UniqueFd()};
  FirstProcess first;
  bool over = false;  // its monitor is known to be gone
  bool own = false;   // it is `live`
  // What this engine has started of the container, this run or another one.
  std::shared_ptr<LiveProcess> live;
  // If it is not known to be this one: the events of its monitor. Not ok: that
  // does not listen yet, or no longer.
  runtime::EventStream events;
};

struct ContainerManager::Recent {
  std::shared_ptr<const Loaded> container;
  std::shared_ptr<const Assembly> assembly;
};

// What the files that name users say in an image; nullopt: it has none.
struct ContainerManager::UserFiles {
  std::optional<std::string> passwd;
  std::optional<std::string> group;
};

// The names of the files in containers/<id> that are not the monitor's.
inline constexpr char kHostsFile[] = "hosts";
inline constexpr char kHostnameFile[] = "hostname";
inline constexpr char kResolvConfFile[] = "resolv.conf";

// The config as it is stored. Errors: INVALID_ARGUMENT / kInvalidArgument for
// strings that JSON cannot hold.
absl::StatusOr<std::string> CheckedJson(const ContainerConfig& config);

absl::Status NotRunningError(const std::string& id);

// How a process ended that runs no more.
ExitStatus ExitOf(const runtime::ProcessSnapshot& process);

// The digits of an id that people see.
inline constexpr size_t kShortId = 12;

// The container's owners on the host, and the maps of its user namespace; empty
// without one, or if it is not root's.
ArchiveIds IdsOf(const ContainerRecord& record);
runtime::DefaultIdMaps MapsOf(const ContainerRecord& record);

// Makes the sources of bind mounts that are missing and wanted.
absl::Status MakeBindSources(const ContainerConfig& config);

int CpusOnline();

// Whether somebody stops it to start it again.
bool IsHeldForRestart(int directory_fd);

runtime::RestartPolicy PolicyOf(RestartConfig::Policy policy);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_CONTAINER_MANAGER_INTERNAL_H_
