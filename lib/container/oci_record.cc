#include "lib/container/oci_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string EncodeOciRecord(const OciRecord& record) {
  Json cgroup = Json::array();
  for (const sys::CgroupDirectory& directory : record.cgroup) {
    cgroup.push_back({{"controllers", directory.controllers},
                      {"path", directory.path},
                      {"mountPoint", directory.mount_point},
                      {"v2", directory.v2}});
  }
  const Json json = {
      {"ociVersion", record.oci_version},
      {"id", record.id},
      {"bundle", record.bundle},
      {"rootfs", record.rootfs},
      {"pid", record.pid},
      {"pidStartTicks", record.pid_start_ticks},
      {"created", FormatRfc3339(record.created)},
      {"ownerUid", record.owner_uid},
      {"pidPrivate", record.pid_private},
      {"lateHooks", record.late_hooks},
      {"annotations", record.annotations},
      {"cgroup", std::move(cgroup)},
  };
  return Dump(json, -1);
}

absl::StatusOr<OciRecord> DecodeOciRecord(absl::string_view json) {
  CK_ASSIGN_OR_RETURN(JsonDocument document,
                      JsonDocument::Parse(json, "oci.read_state",
                                          {.max_bytes = kMaxOciRecordBytes}));
  const JsonNode root = document.root();
  OciRecord record;
  record.oci_version = root.Get("ociVersion").String();
  record.id = root.Get("id").RequiredString();
  record.bundle = root.Get("bundle").RequiredString();
  record.rootfs = root.Get("rootfs").String();
  record.pid = static_cast<int32_t>(root.Get("pid").Int64());
  record.pid_start_ticks = root.Get("pidStartTicks").Uint64();
  record.owner_uid = static_cast<uint32_t>(root.Get("ownerUid").Uint64());
  record.pid_private = root.Get("pidPrivate").Bool();
  record.late_hooks = root.Get("lateHooks").Bool();
  record.annotations = root.Get("annotations").StringMap();
  for (const JsonNode& node : root.Get("cgroup").Elements()) {
    sys::CgroupDirectory directory;
    directory.controllers = node.Get("controllers").Strings();
    directory.path = node.Get("path").RequiredString();
    directory.mount_point = node.Get("mountPoint").String();
    directory.v2 = node.Get("v2").Bool();
    record.cgroup.push_back(std::move(directory));
  }
  const std::string created = root.Get("created").String();
  CK_RETURN_IF_ERROR(document.status());
  CK_ASSIGN_OR_RETURN(record.created, ParseRfc3339(created));
  return record;
}

OciStateDocument HookStateDocument(const OciRecord& record,
                                   absl::string_view status) {
  const Json head = {{"ociVersion", record.oci_version},
                     {"id", record.id},
                     {"status", std::string(status)}};
  Json tail = {{"bundle", record.bundle}};
  if (!record.annotations.empty()) tail["annotations"] = record.annotations;
  OciStateDocument result;
  result.head = Dump(head, -1);
  result.head.pop_back();
  absl::StrAppend(&result.head, ",\"pid\":");
  result.tail = absl::StrCat(",", Dump(tail, -1).substr(1));
  return result;
}

std::string StateDocument(const OciRecord& record, absl::string_view status,
                          int32_t pid, absl::string_view owner) {
  Json json = {{"ociVersion", record.oci_version},
               {"id", record.id},
               {"pid", pid},
               {"status", std::string(status)},
               {"bundle", record.bundle},
               {"rootfs", record.rootfs},
               {"created", FormatRfc3339(record.created)}};
  if (!record.annotations.empty()) json["annotations"] = record.annotations;
  json["owner"] = std::string(owner);
  return Dump(json, 2);
}

}  // namespace containerkit::container
