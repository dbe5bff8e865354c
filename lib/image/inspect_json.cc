#include "lib/image/inspect_json.h"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "lib/base/json.h"
#include "nlohmann/json.hpp"

namespace containerkit::image {
namespace {

using Json = nlohmann::json;

// Docker's nil slices and maps are null, not empty.
Json ListOrNull(const std::vector<std::string>& list) {
  return list.empty() ? Json() : Json(list);
}

Json ListOrNull(const std::optional<std::vector<std::string>>& list) {
  return list.has_value() ? Json(*list) : Json();
}

Json SetOrNull(const std::set<std::string>& keys) {
  if (keys.empty()) return Json();
  Json object = Json::object();
  for (const std::string& key : keys) object[key] = Json::object();
  return object;
}

Json RunConfig(const oci::ImageRunConfig& config) {
  Json out = {{"Hostname", ""},
              {"Domainname", ""},
              {"User", config.user},
              {"AttachStdin", false},
              {"AttachStdout", false},
              {"AttachStderr", false},
              {"Tty", false},
              {"OpenStdin", false},
              {"StdinOnce", false},
              {"Env", ListOrNull(config.env)},
              {"Cmd", ListOrNull(config.cmd)},
              {"Image", ""},
              {"Volumes", SetOrNull(config.volumes)},
              {"WorkingDir", config.working_dir},
              {"Entrypoint", ListOrNull(config.entrypoint)},
              {"OnBuild", ListOrNull(config.on_build)},
              {"Labels", config.labels.empty() ? Json() : Json(config.labels)}};
  if (!config.exposed_ports.empty()) {
    out["ExposedPorts"] = SetOrNull(config.exposed_ports);
  }
  if (!config.stop_signal.empty()) out["StopSignal"] = config.stop_signal;
  if (!config.shell.empty()) out["Shell"] = config.shell;
  if (config.healthcheck.has_value()) {
    const oci::ImageHealthcheck& check = *config.healthcheck;
    Json health = {{"Test", check.test}};
    if (check.interval_ns != 0) health["Interval"] = check.interval_ns;
    if (check.timeout_ns != 0) health["Timeout"] = check.timeout_ns;
    if (check.start_period_ns != 0) {
      health["StartPeriod"] = check.start_period_ns;
    }
    if (check.start_interval_ns != 0) {
      health["StartInterval"] = check.start_interval_ns;
    }
    if (check.retries != 0) health["Retries"] = check.retries;
    out["Healthcheck"] = std::move(health);
  }
  return out;
}

Json GraphDriver(const std::vector<std::string>& lower_paths) {
  Json data = Json::object();
  if (!lower_paths.empty()) {
    data["UpperDir"] = lower_paths[0];
    const std::vector<std::string> rest(lower_paths.begin() + 1,
                                        lower_paths.end());
    if (!rest.empty()) data["LowerDir"] = absl::StrJoin(rest, ":");
  }
  return {{"Name", "overlay2"}, {"Data", std::move(data)}};
}

}  // namespace

std::string ImageInspectJson(const InspectInput& input) {
  const ImageInfo& info = input.info;
  const oci::ImageConfig& config = input.config;
  Json out = {
      {"Id", info.summary.id},
      {"RepoTags", info.summary.repo_tags},
      {"RepoDigests", info.summary.repo_digests},
      {"Parent", ""},
      {"Comment", config.history.empty() ? "" : config.history.back().comment},
      {"Created", config.created},
      {"Container", ""},
      {"DockerVersion", ""},
      {"Author", config.author},
      {"Config", RunConfig(config.config)},
      {"Architecture", config.architecture},
      {"Os", config.os},
      {"Size", info.summary.size_bytes},
      {"VirtualSize", info.summary.size_bytes},
      {"GraphDriver", GraphDriver(input.lower_paths)},
      {"RootFS", {{"Type", "layers"}, {"Layers", info.layers}}},
      {"Metadata",
       {{"LastTagTime", input.last_tag_time.empty() ? "0001-01-01T00:00:00Z"
                                                    : input.last_tag_time}}}};
  if (!config.variant.empty()) out["Variant"] = config.variant;
  if (!config.os_version.empty()) out["OsVersion"] = config.os_version;
  return DumpJson(out);
}

}  // namespace containerkit::image
