// Who the users of a container are on the host.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/container/archive_ids.h"
#include "lib/container/container_manager.h"
#include "lib/container/container_manager_internal.h"
#include "lib/runtime/free_ids.h"
#include "lib/runtime/id_map.h"

namespace containerkit::container {
namespace {

using Kind = UserNamespaceChoice::Kind;
using Ranges = google::protobuf::RepeatedPtrField<IdRange>;

void AddRange(const UserNamespaceChoice::Range& range, Ranges* out) {
  IdRange* const added = out->Add();
  added->set_container_id(range.container_id);
  added->set_host_id(range.host_id);
  added->set_size(range.size);
}

std::vector<UserNamespaceChoice::Range> ToRanges(const Ranges& from) {
  std::vector<UserNamespaceChoice::Range> ranges;
  for (const IdRange& range : from) {
    ranges.push_back({range.container_id(), range.host_id(), range.size()});
  }
  return ranges;
}

std::vector<oci::IdMapping> ToMappings(const Ranges& from) {
  std::vector<oci::IdMapping> maps;
  for (const IdRange& range : from) {
    maps.push_back({range.container_id(), range.host_id(), range.size()});
  }
  return maps;
}

void AddTaken(const Ranges& from, std::vector<runtime::SubIdRange>& taken) {
  for (const IdRange& range : from) {
    taken.push_back({range.host_id(), range.size()});
  }
}

absl::Status NoIdsLeft(const char* file, uint32_t count) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat(file, " has no ", count,
                                " ids in a row for us that no container has"),
                   {.reason = Reason::kIdMapInvalid,
                    .operation = "container.ids",
                    .path = file,
                    .hint = "add a range to it, or remove containers"});
}

}  // namespace

ArchiveIds IdsOf(const ContainerRecord& record) {
  return {ToRanges(record.uid_map()), ToRanges(record.gid_map())};
}

runtime::DefaultIdMaps MapsOf(const ContainerRecord& record) {
  return {ToMappings(record.uid_map()), ToMappings(record.gid_map())};
}

uint32_t ContainerManager::CountIds(const Loaded& container) {
  const std::shared_ptr<const UserFiles> files = UserFilesOf(container);
  std::vector<std::string> users = container.config.group_add;
  users.push_back(container.config.user.empty() ? container.image.config.user
                                                : container.config.user);
  return runtime::CountNeededIds(files->passwd, files->group, users);
}

// Without root the engine's own ranges serve all containers, as podman's.
bool ContainerManager::TakesFreeIds(const ContainerConfig& config) const {
  return env_.facts->privileged() && config.user_namespace.kind == Kind::kAuto;
}

absl::Status ContainerManager::AssignIds(Loaded& container) {
  const UserNamespaceChoice& choice = container.config.user_namespace;
  if (TakesFreeIds(container.config)) {
    return env_.store->Read(
        [&](const store::Txn& txn) { return AssignFreeIds(txn, container); });
  }
  if (!env_.facts->privileged() || choice.kind != Kind::kMapped) {
    return absl::OkStatus();
  }
  for (const auto& range : choice.uid_map) {
    AddRange(range, container.record.mutable_uid_map());
  }
  for (const auto& range : choice.gid_map) {
    AddRange(range, container.record.mutable_gid_map());
  }
  return absl::OkStatus();
}

absl::Status ContainerManager::AssignFreeIds(const store::Txn& txn,
                                             Loaded& container) {
  ContainerRecord& record = container.record;
  record.clear_uid_map();
  record.clear_gid_map();
  std::vector<runtime::SubIdRange> uids;
  std::vector<runtime::SubIdRange> gids;
  CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> rows,
                      txn.ListContainers());
  for (const store::ContainerRow& row : rows) {
    ContainerRecord other;
    if (row.id == container.row.id || !other.ParseFromString(row.record)) {
      continue;
    }
    AddTaken(other.uid_map(), uids);
    AddTaken(other.gid_map(), gids);
  }
  const uint32_t count = CountIds(container);
  const std::optional<uint32_t> uid =
      runtime::FindFreeIds(env_.facts->subuids, uids, count);
  if (!uid.has_value()) return NoIdsLeft("/etc/subuid", count);
  const std::optional<uint32_t> gid =
      runtime::FindFreeIds(env_.facts->subgids, gids, count);
  if (!gid.has_value()) return NoIdsLeft("/etc/subgid", count);
  AddRange({0, *uid, count}, record.mutable_uid_map());
  AddRange({0, *gid, count}, record.mutable_gid_map());
  return absl::OkStatus();
}

absl::StatusOr<store::Snapshot> ContainerManager::PrepareSnapshot(
    const Loaded& container) {
  const ArchiveIds ids = IdsOf(container.record);
  return env_.store->snapshots().Prepare(
      container.row.id, container.image.diff_ids, [&](store::Owner owner) {
        return store::Owner{ToHostId(ids.uid_map, owner.uid),
                            ToHostId(ids.gid_map, owner.gid)};
      });
}

}  // namespace containerkit::container
