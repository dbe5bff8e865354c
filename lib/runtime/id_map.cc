#include "lib/runtime/id_map.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/host_facts.h"

namespace containerkit::runtime {
namespace {

using Maps = std::vector<oci::IdMapping>;

// The kernel's limit (UID_GID_MAP_MAX_EXTENTS).
constexpr size_t kMaxLines = 340;

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kIdMapInvalid, "id_map.check", message);
}

// 2^32-1 is no id.
bool Overflows(uint32_t start, uint32_t size) {
  return uint64_t{start} + size > std::numeric_limits<uint32_t>::max();
}

bool Overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size) {
  return uint64_t{a} < uint64_t{b} + b_size &&
         uint64_t{b} < uint64_t{a} + a_size;
}

absl::Status Check(const Maps& maps, absl::string_view what) {
  if (maps.empty()) return Invalid(absl::StrCat(what, " is empty"));
  if (maps.size() > kMaxLines) {
    return Invalid(absl::StrCat(what, " has more than ", kMaxLines, " lines"));
  }
  for (size_t i = 0; i < maps.size(); ++i) {
    const oci::IdMapping& map = maps[i];
    if (map.size == 0) return Invalid(absl::StrCat(what, " of size 0"));
    if (Overflows(map.container_id, map.size) ||
        Overflows(map.host_id, map.size)) {
      return Invalid(absl::StrCat(what, " goes past the last id"));
    }
    for (size_t k = 0; k < i; ++k) {
      if (Overlap(map.container_id, map.size, maps[k].container_id,
                  maps[k].size) ||
          Overlap(map.host_id, map.size, maps[k].host_id, maps[k].size)) {
        return Invalid(absl::StrCat(what, " overlaps itself"));
      }
    }
  }
  return absl::OkStatus();
}

bool HasId(const Maps& maps, uint32_t id) {
  return std::any_of(maps.begin(), maps.end(), [id](const oci::IdMapping& map) {
    return id >= map.container_id && id - map.container_id < map.size;
  });
}

// "0 to 65535, 70000"
std::string Ranges(const Maps& maps) {
  return absl::StrJoin(maps, ", ", [](std::string* out, const auto& map) {
    absl::StrAppend(out, map.container_id);
    if (map.size == 1) return;
    absl::StrAppend(out, " to ", uint64_t{map.container_id} + map.size - 1);
  });
}

absl::Status CheckId(absl::string_view kind, uint32_t id, const Maps& maps,
                     const HostFacts& facts) {
  if (maps.empty() || HasId(maps, id)) return absl::OkStatus();
  const absl::string_view hint =
      facts.privileged()
          ? "choose another one, or maps that have it"
          : "choose another one, or give this user a range in /etc/subuid and "
            "/etc/subgid, and the machine newuidmap and newgidmap (uidmap)";
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("the container has no ", kind, " ", id,
                                ": its user namespace has only ", Ranges(maps)),
                   {.reason = Reason::kIdMapInvalid,
                    .operation = "id_map.user",
                    .object_kind = std::string(kind),
                    .object_id = absl::StrCat(id),
                    .hint = std::string(hint)});
}

std::string Lines(const Maps& maps) {
  std::string out;
  for (const oci::IdMapping& map : maps) {
    absl::StrAppend(&out, map.container_id, " ", map.host_id, " ", map.size,
                    "\n");
  }
  return out;
}

// `first` taken from outside; then all of `ranges`.
Maps Filled(Maps first, const std::vector<SubIdRange>& ranges) {
  uint32_t next = 0;
  for (const oci::IdMapping& map : first) next += map.size;
  for (const SubIdRange& range : ranges) {
    if (Overflows(next, range.count) || first.size() == kMaxLines) break;
    first.push_back({next, range.start, range.count});
    next += range.count;
  }
  return first;
}

}  // namespace

bool IsSingleIdMap(const Maps& uids, const Maps& gids, const HostFacts& facts) {
  return !facts.privileged() && uids.size() == 1 && gids.size() == 1 &&
         uids[0].size == 1 && gids[0].size == 1 &&
         uids[0].host_id == facts.uid && gids[0].host_id == facts.gid;
}

absl::Status CheckUserIsMapped(const oci::ProcessUser& user, const Maps& uids,
                               const Maps& gids, const HostFacts& facts) {
  CK_RETURN_IF_ERROR(CheckId("user", user.uid, uids, facts));
  CK_RETURN_IF_ERROR(CheckId("group", user.gid, gids, facts));
  if (IsSingleIdMap(uids, gids, facts)) return absl::OkStatus();
  for (const uint32_t gid : user.additional_gids) {
    CK_RETURN_IF_ERROR(CheckId("group", gid, gids, facts));
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedIdMap> PlanIdMap(const Maps& uids, const Maps& gids,
                                       const HostFacts& facts) {
  CK_RETURN_IF_ERROR(Check(uids, "linux.uidMappings"));
  CK_RETURN_IF_ERROR(Check(gids, "linux.gidMappings"));
  PlannedIdMap out;
  out.uid_map = Lines(uids);
  out.gid_map = Lines(gids);
  if (facts.privileged()) return out;
  if (IsSingleIdMap(uids, gids, facts)) {
    out.mode = kIdMapSingle;
    return out;
  }
  if (!facts.id_map_helpers) {
    return FailedPrecondition(
        Reason::kIdMapInvalid, "id_map.check",
        "mapping more than one id needs newuidmap and newgidmap (uidmap)");
  }
  out.mode = kIdMapHelper;
  return out;
}

DefaultIdMaps RootlessIdMaps(const HostFacts& facts) {
  DefaultIdMaps out;
  out.uids = {{0, facts.uid, 1}};
  out.gids = {{0, facts.gid, 1}};
  if (!facts.id_map_helpers || facts.subuids.empty() || facts.subgids.empty()) {
    return out;
  }
  out.uids = Filled(out.uids, facts.subuids);
  out.gids = Filled(out.gids, facts.subgids);
  return out;
}

}  // namespace containerkit::runtime
