#include "examples/cli/container_rows.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"
#include "examples/cli/output.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

constexpr ListColumn kColumns[] = {
    {"ID", "CONTAINER ID"},
    {"Names", "NAMES"},
    {"Image", "IMAGE"},
    {"Command", "COMMAND"},
    {"CreatedAt", "CREATED AT"},
    {"RunningFor", "CREATED"},
    {"Ports", "PORTS"},
    {"State", "STATE"},
    {"Status", "STATUS"},
    {"Size", "SIZE"},
    {"Labels", "LABELS"},
    {"Mounts", "MOUNTS"},
    {"LocalVolumes", "LOCAL VOLUMES"},
    {"Networks", "NETWORKS"},
    {"Platform", "PLATFORM"},
};

constexpr ListSpec kSpec = {
    kColumns,
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t"
    "{{.Ports}}\t{{.Names}}",
    "*formatter.ContainerContext"};

constexpr ListSpec kSizeSpec = {
    kColumns,
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t"
    "{{.Ports}}\t{{.Names}}\t{{.Size}}",
    "*formatter.ContainerContext"};

constexpr size_t kCommandWidth = 20;
constexpr size_t kMountWidth = 15;

absl::string_view HealthText(HealthState health) {
  switch (health) {
    case HealthState::kNone:
      return "";
    case HealthState::kStarting:
      return " (health: starting)";
    case HealthState::kHealthy:
      return " (healthy)";
    case HealthState::kUnhealthy:
      return " (unhealthy)";
  }
  return "";
}

std::string MountsText(const Json& inspect, bool truncate) {
  std::vector<std::string> names;
  if (!inspect.is_object()) return "";
  const auto mounts = inspect.find("Mounts");
  if (mounts == inspect.end() || !mounts->is_array()) return "";
  for (const Json& mount : *mounts) {
    if (!mount.is_object()) continue;
    std::string name = mount.value("Name", mount.value("Source", ""));
    if (truncate) name = Ellipsis(name, kMountWidth);
    names.push_back(std::move(name));
  }
  return absl::StrJoin(names, ",");
}

std::string NetworksText(const Json& inspect) {
  if (!inspect.is_object()) return "";
  const Json networks =
      inspect.value("/NetworkSettings/Networks"_json_pointer, Json::object());
  std::vector<std::string> names;
  if (networks.is_object()) {
    for (const auto& [name, value] : networks.items()) names.push_back(name);
  }
  if (names.empty()) {
    return inspect.value("/HostConfig/NetworkMode"_json_pointer, "");
  }
  return absl::StrJoin(names, ",");
}

std::string PortsText(const Json& inspect) {
  if (!inspect.is_object()) return "";
  const Json ports =
      inspect.value("/Config/ExposedPorts"_json_pointer, Json::object());
  std::vector<std::string> names;
  if (ports.is_object()) {
    for (const auto& [name, value] : ports.items()) names.push_back(name);
  }
  return absl::StrJoin(names, ", ");
}

// "12B (virtual 5.6MB)".
std::string SizeText(const Json& inspect) {
  if (!inspect.is_object()) return "0B";
  const double own = inspect.value("SizeRw", 0.0);
  const double all = inspect.value("SizeRootFs", 0.0);
  const std::string text = HumanSize(own, 3);
  return all > 0 ? absl::StrCat(text, " (virtual ", HumanSize(all, 3), ")")
                 : text;
}

}  // namespace

const ListSpec& ContainerListSpec() { return kSpec; }
const ListSpec& ContainerSizeListSpec() { return kSizeSpec; }

std::string ContainerStatusText(const ContainerInfo& info, absl::Time now) {
  const auto since = [&](absl::Time then) { return HumanDuration(now - then); };
  switch (info.state) {
    case ContainerState::kCreated:
      return "Created";
    case ContainerState::kRunning:
      return absl::StrCat("Up ", since(info.started), HealthText(info.health));
    case ContainerState::kPaused:
      return absl::StrCat("Up ", since(info.started), " (Paused)");
    case ContainerState::kRestarting:
      return absl::StrCat("Restarting (", info.exit.code, ") ",
                          since(info.finished), " ago");
    case ContainerState::kExited:
      return absl::StrCat("Exited (", info.exit.code, ") ",
                          since(info.finished), " ago");
    case ContainerState::kDead:
      return "Dead";
  }
  return "";
}

std::string ShortId(absl::string_view id) {
  constexpr size_t kShort = 12;
  absl::ConsumePrefix(&id, "sha256:");
  return std::string(id.substr(0, kShort));
}

std::string LabelsText(const std::map<std::string, std::string>& labels) {
  return absl::StrJoin(labels, ",", absl::PairFormatter("="));
}

Json ContainerRow(const ContainerInfo& info, const Json& inspect, bool truncate,
                  absl::Time now) {
  std::string command = absl::StrJoin(info.command, " ");
  if (truncate) command = Ellipsis(command, kCommandWidth);
  std::string image = info.image.empty() ? "<no image>" : info.image;
  const bool is_id =
      absl::StartsWith(image, "sha256:") ||
      (image.size() == 64 && absl::StrContains(info.image_id, image));
  if (truncate && is_id) image = ShortId(image);
  Json row = {
      {"ID", truncate ? ShortId(info.id) : info.id},
      {"Names", info.name},
      {"Image", Printable(image)},
      {"Command", GoQuote(command)},
      {"CreatedAt", GoTimeString(info.created)},
      {"RunningFor", HumanAgo(info.created, now)},
      {"Ports",
       info.state == ContainerState::kRunning ? PortsText(inspect) : ""},
      {"State", std::string(ContainerStateName(info.state))},
      {"Status", ContainerStatusText(info, now)},
      {"Size", SizeText(inspect)},
      {"Labels", LabelsText(info.labels)},
      {"Mounts", MountsText(inspect, truncate)},
      {"LocalVolumes", "0"},
      {"Networks", NetworksText(inspect)},
      {"Platform", nullptr},
      {"LabelMap", info.labels},
  };
  return row;
}

}  // namespace containerkit::cli
