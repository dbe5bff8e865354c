#include "lib/container/container_manager.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/container/container_manager_internal.h"
#include "lib/container/docker_json.h"
#include "lib/container/random_name.h"
#include "lib/container/scope_id.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

constexpr size_t kCacheLimit = 4096;

// Docker's grammar: [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 255 here, for the
// name becomes a host name and part of messages.
absl::Status CheckName(const std::string& name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  };
  if (name.size() >= 2 && name.size() <= 255 && absl::ascii_isalnum(name[0]) &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      Reason::kInvalidName, "container.name",
      absl::StrCat("invalid container name (", absl::CHexEscape(name),
                   "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
}

// As docker: "/name" is the name.
std::string WithoutSlash(const std::string& name) {
  return absl::StartsWith(name, "/") ? name.substr(1) : name;
}

// Not: between two runs.
bool HasEnded(const runtime::ProcessSnapshot& process) {
  return process.state == runtime::ProcessState::kExited ||
         process.state == runtime::ProcessState::kLost;
}

}  // namespace

// Docker's JSON, in which the config is kept, has no other strings.
absl::StatusOr<std::string> CheckedJson(const ContainerConfig& config) {
  const nlohmann::json value = ConfigToJsonValue(config);
  CK_RETURN_IF_ERROR(CheckJsonText(value, "container.config"));
  return DumpJson(value);
}

absl::Status NotRunningError(const std::string& id) {
  return WithObject(
      FailedPrecondition(Reason::kNotRunning, "container.process",
                         absl::StrCat("container ", id.substr(0, kShortId),
                                      " is not running")),
      "container", id);
}

ContainerManager::ContainerManager(Environment environment)
    : env_(std::move(environment)) {}

ContainerManager::~ContainerManager() = default;

absl::StatusOr<std::shared_ptr<const ContainerManager::Loaded>>
ContainerManager::Load(const std::string& id) {
  store::ContainerRow row;
  CK_RETURN_IF_ERROR(env_.store->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(row, txn.GetContainer(id));
    return absl::OkStatus();
  }));
  const MutexLock lock(&mutex_);
  std::shared_ptr<const Loaded>& cached = cache_[id];
  if (cached != nullptr && cached->row.record == row.record &&
      cached->row.name == row.name) {
    return cached;
  }
  auto loaded = std::make_shared<Loaded>();
  if (!loaded->record.ParseFromString(row.record)) {
    return WithObject(MakeError(absl::StatusCode::kDataLoss,
                                "the container's record cannot be read",
                                {.reason = Reason::kStoreCorrupt,
                                 .operation = "container.load"}),
                      "container", id);
  }
  CK_ASSIGN_OR_RETURN(loaded->config,
                      ConfigFromJson(loaded->record.config_json()),
                      "container ", id);
  CK_ASSIGN_OR_RETURN(loaded->image,
                      oci::ParseImageConfig(loaded->record.image_config_json()),
                      "container ", id);
  loaded->row = std::move(row);
  if (cache_.size() > kCacheLimit) cache_.clear();
  return cache_[id] = std::move(loaded);
}

absl::StatusOr<UniqueFd> ContainerManager::OpenDirectory(
    const std::string& id) {
  absl::StatusOr<UniqueFd> directory = env_.store->snapshots().FindDir(id);
  for (int i = 0; i < 10 && !directory.ok(); ++i) {
    // Taken away under our hands, with the container or to be made again.
    CK_RETURN_IF_ERROR(Load(id).status());
    directory = env_.store->snapshots().OpenDir(id);
  }
  return directory;
}

absl::StatusOr<ContainerManager::Locked> ContainerManager::Lock(
    const std::string& id, const CancelToken& cancel) {
  constexpr absl::Duration kLongestStart = absl::Seconds(30);
  Locked locked;
  // A descriptor of its own: the monitor gets copies of the other one.
  CK_ASSIGN_OR_RETURN(locked.lock, OpenDirectory(id));
  CK_RETURN_IF_ERROR(sys::LockFd(locked.lock.get(), sys::LockMode::kExclusive,
                                 kLongestStart, id, &cancel));
  // Whoever held the lock may have removed it.
  CK_ASSIGN_OR_RETURN(locked.container, Load(id));
  return locked;
}

absl::StatusOr<runtime::ProcessSnapshot> ContainerManager::Process(
    const std::string& id) {
  CK_ASSIGN_OR_RETURN(const UniqueFd directory, OpenDirectory(id));
  return runtime::ReadProcessState(directory.get());
}

absl::StatusOr<std::string> ContainerManager::Create(
    const ContainerConfig& config, const ContainerImage& image,
    const std::string& scope_id) {
  CK_RETURN_IF_ERROR(runtime::CheckCpus(config.resources, CpusOnline()));
  // Who has started one is about to start this one.
  if (env_.launcher->running() && MakesNetwork(config)) {
    env_.launcher->PrepareNetwork();
  }
  ContainerConfig stored = config;
  stored.name = WithoutSlash(config.name);
  if (!stored.name.empty()) {
    CK_RETURN_IF_ERROR(CheckName(stored.name));
  }
  CK_RETURN_IF_ERROR(ResolveContainers(stored));
  const std::string id = sys::RandomHex(32);
  auto loaded = std::make_shared<Loaded>();
  CK_ASSIGN_OR_RETURN(const std::string config_json, CheckedJson(stored));
  loaded->record.set_config_json(config_json);
  loaded->record.set_image_config_json(image.config_json);
  loaded->record.set_image_reference(image.reference);
  loaded->image = image.config;
  loaded->config = stored;
  loaded->row = {.id = id,
                 .name = stored.name,
                 .image_id = image.id,
                 .created_ns = absl::GetCurrentTimeNanos(),
                 .scope_id = scope_id,
                 .auto_remove = config.auto_remove};

  const bool takes_ids = TakesFreeIds(stored);
  CK_RETURN_IF_ERROR(AssignIds(*loaded));
  // Everything that can be wrong with the config is said now, not at start.
  CK_ASSIGN_OR_RETURN(Assembly made, Assemble(*loaded, Purpose::kLookup));
  auto assembly = std::make_shared<const Assembly>(std::move(made));
  for (const auto* warnings : {&image.warnings, &assembly->built.warnings}) {
    for (const std::string& warning : *warnings) {
      loaded->record.add_warnings(warning);
    }
  }
  loaded->row.record = loaded->record.SerializeAsString();

  const std::string assembled = takes_ids ? loaded->row.record : "";
  // A generated name may be taken: another one is as good.
  absl::Status status;
  for (int attempt = 0; attempt < 16; ++attempt) {
    if (stored.name.empty()) loaded->row.name = RandomName(attempt);
    status = env_.store->Transaction([&](store::Txn& txn) -> absl::Status {
      if (takes_ids) {
        // Somebody may have got these ids meanwhile.
        CK_RETURN_IF_ERROR(AssignFreeIds(txn, *loaded));
        loaded->row.record = loaded->record.SerializeAsString();
      }
      return txn.InsertContainer(loaded->row);
    });
    if (status.ok() || !stored.name.empty() ||
        GetReason(status) != Reason::kNameInUse) {
      break;
    }
  }
  CK_RETURN_IF_ERROR(status);
  {
    const MutexLock lock(&mutex_);
    cache_[id] = loaded;
  }
  Emit(*loaded, "create");
  for (const std::string& warning : loaded->record.warnings()) {
    if (env_.warn != nullptr) env_.warn(warning);
  }
  if (!takes_ids || loaded->row.record == assembled) {
    Remember(std::move(loaded), std::move(assembly));
  }
  return id;
}

absl::StatusOr<std::string> ContainerManager::FindId(const std::string& key) {
  std::string id;
  CK_RETURN_IF_ERROR(env_.store->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(const store::ContainerRow row,
                        txn.FindContainer(WithoutSlash(key)));
    id = row.id;
    return absl::OkStatus();
  }));
  return id;
}

absl::StatusOr<std::vector<std::string>> ContainerManager::ListIds() {
  std::vector<std::string> ids;
  CK_RETURN_IF_ERROR(env_.store->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> rows,
                        txn.ListContainers());
    for (const store::ContainerRow& row : rows) ids.push_back(row.id);
    return absl::OkStatus();
  }));
  return ids;
}

absl::Status ContainerManager::Rename(const std::string& id,
                                      const std::string& name) {
  const std::string wanted = WithoutSlash(name);
  CK_RETURN_IF_ERROR(CheckName(wanted));
  std::string old_name;
  CK_RETURN_IF_ERROR(env_.store->Transaction([&](store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(store::ContainerRow row, txn.GetContainer(id));
    old_name = std::exchange(row.name, wanted);
    return txn.UpdateContainer(row);
  }));
  Emit(id, "rename", {{"oldName", absl::StrCat("/", old_name)}});
  return absl::OkStatus();
}

absl::Status ContainerManager::Remove(const std::string& id,
                                      const RemoveOptions& options) {
  CK_ASSIGN_OR_RETURN(const Locked locked, Lock(id));
  return RemoveLocked(locked, options);
}

absl::Status ContainerManager::RemoveLocked(const Locked& locked,
                                            const RemoveOptions& options) {
  const std::string& id = locked.container->row.id;
  CK_ASSIGN_OR_RETURN(runtime::ProcessSnapshot process, Process(id));
  if (process.monitored) {
    if (!options.force) {
      return WithObject(
          FailedPrecondition(
              Reason::kContainerRunning, "container.remove",
              absl::StrCat("cannot remove running container ",
                           id.substr(0, kShortId), ": stop it or use force")),
          "container", id);
    }
    absl::StatusOr<Run> run = SendStop(id, SIGKILL, absl::ZeroDuration());
    // It may have ended before our command came.
    if (GetReason(run.status()) != Reason::kNotRunning) {
      CK_RETURN_IF_ERROR(run.status());
      CK_RETURN_IF_ERROR(WaitUntilGone(id, *run));
    }
    CK_ASSIGN_OR_RETURN(process, Process(id));
  }
  if (process.unfinished) {
    CK_RETURN_IF_ERROR(KillLeftovers(id));
  }
  if (process.unfinished || process.untold) TellDeath(id);
  return RemoveStopped(*locked.container);
}

absl::Status ContainerManager::RemoveStopped(const Loaded& container) {
  const std::string& id = container.row.id;
  // Described before it is gone: the event names it.
  const ContainerInfo info = Describe(container, {}, false);
  bool removed = false;
  CK_RETURN_IF_ERROR(env_.store->Reclaim([&](store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(removed, txn.RemoveContainer(id));
    return absl::OkStatus();
  }));
  {
    const MutexLock lock(&mutex_);
    cache_.erase(id);
  }
  if (!removed) return absl::OkStatus();
  CK_RETURN_IF_ERROR(env_.store->snapshots().Remove(id));
  if (env_.event_sink != nullptr) {
    env_.event_sink("destroy", info, {}, absl::Now());
  }
  return absl::OkStatus();
}

bool ContainerManager::RemoveIfAsked(const std::string& id) {
  const absl::StatusOr<std::shared_ptr<const Loaded>> container = Load(id);
  if (!container.ok()) {
    return GetReason(container.status()) == Reason::kContainerNotFound;
  }
  if (!(*container)->row.auto_remove) return true;
  const absl::StatusOr<UniqueFd> directory = OpenDirectory(id);
  if (!directory.ok()) return false;
  if (!sys::TryLockFd(directory->get(), sys::LockMode::kExclusive)
           .value_or(false)) {
    return false;
  }
  const absl::StatusOr<runtime::ProcessSnapshot> process = Process(id);
  if (!process.ok()) return false;
  if (!HasEnded(*process)) return true;
  return !IsHeldForRestart(directory->get()) && RemoveStopped(**container).ok();
}

absl::Status ContainerManager::EndScope(const std::string& scope_id) {
  std::vector<store::ContainerRow> rows;
  CK_RETURN_IF_ERROR(env_.store->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(rows, txn.ListContainers({.scope_id = scope_id}));
    return absl::OkStatus();
  }));
  // All at once, then one by one: they die side by side.
  for (const store::ContainerRow& row : rows) {
    Kill(row.id, SIGKILL).IgnoreError();
  }
  absl::Status result;
  for (const store::ContainerRow& row : rows) {
    absl::Status removed = Remove(row.id, {.force = true});
    if (GetReason(removed) != Reason::kContainerNotFound) {
      result = FirstError(result, removed);
    }
  }
  const MutexLock lock(&mutex_);
  scopes_.erase(scope_id);
  return result;
}

absl::Status ContainerManager::Reconcile() {
  std::vector<store::ContainerRow> rows;
  CK_RETURN_IF_ERROR(env_.store->Read([&](const store::Txn& txn) {
    CK_ASSIGN_OR_RETURN(rows, txn.ListContainers());
    return absl::OkStatus();
  }));
  absl::Status result;
  for (const store::ContainerRow& row : rows) {
    absl::Status removed = RemoveIfAbandoned(row);
    if (GetReason(removed) != Reason::kContainerNotFound) {
      result = FirstError(result, removed);
    }
  }
  return result;
}

absl::Status ContainerManager::RemoveIfAbandoned(
    const store::ContainerRow& row) {
  const bool orphan = !row.scope_id.empty() && !ScopeOwnerLives(row.scope_id);
  if (!orphan && !row.auto_remove) return absl::OkStatus();
  const auto ended = [&] {
    const absl::StatusOr<runtime::ProcessSnapshot> process = Process(row.id);
    return process.ok() && (orphan || HasEnded(*process));
  };
  if (!ended()) return absl::OkStatus();
  CK_ASSIGN_OR_RETURN(const Locked locked, Lock(row.id));
  // Whoever held the lock may have started it, or is about to.
  if (!orphan && (!ended() || IsHeldForRestart(locked.lock.get()))) {
    return absl::OkStatus();
  }
  return RemoveLocked(locked, {.force = true});
}

void ContainerManager::OnEvent(const std::string& id,
                               const runtime::Event& event) {
  switch (event.type) {
    case runtime::EventType::kExited:
      Emit(id, "die", {{"exitCode", absl::StrCat(event.exit_code)}});
      if ((event.flags & runtime::kEventFinal) == 0) break;
      // Not waited for here: who holds the lock may be waiting for this very
      // event, and removes it itself or starts it again.
      if (!RemoveIfAsked(id)) {
        constexpr int kMostTries = 6000;  // a minute
        live_.TryUntilTrue([this, id, tries = 0]() mutable {
          return RemoveIfAsked(id) || ++tries == kMostTries;
        });
      }
      break;
    case runtime::EventType::kOom:
      Emit(id, "oom");
      break;
    case runtime::EventType::kStarted:
      Emit(id, "start");
      break;
    case runtime::EventType::kHealth:
      Emit(id, event.health == runtime::Health::kHealthy
                   ? "health_status: healthy"
               : event.health == runtime::Health::kUnhealthy
                   ? "health_status: unhealthy"
                   : "health_status: starting");
      break;
    default:
      break;
  }
}

void ContainerManager::Emit(
    const std::string& id, const std::string& action,
    const std::map<std::string, std::string>& attributes, absl::Time time) {
  if (env_.event_sink == nullptr) return;
  const absl::StatusOr<std::shared_ptr<const Loaded>> container = Load(id);
  if (container.ok()) Emit(**container, action, attributes, time);
}

void ContainerManager::Emit(
    const Loaded& container, const std::string& action,
    const std::map<std::string, std::string>& attributes, absl::Time time) {
  if (env_.event_sink == nullptr) return;
  env_.event_sink(action, Describe(container, {}, false), attributes, time);
}

}  // namespace containerkit::container
