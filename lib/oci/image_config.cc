#include "lib/oci/image_config.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "nlohmann/json.hpp"

namespace containerkit::oci {
namespace {

using Json = nlohmann::json;

constexpr char kParse[] = "image_config.parse";
// Docker shows at most 127 layers; builders write several empty lines a layer.
constexpr size_t kMaxHistory = 5000;

std::optional<ImageHealthcheck> ReadHealthcheck(const JsonNode& node) {
  if (!node.present()) return std::nullopt;
  ImageHealthcheck check;
  check.test = node.Get("Test").Strings();
  check.interval_ns = node.Get("Interval").Int64();
  check.timeout_ns = node.Get("Timeout").Int64();
  check.start_period_ns = node.Get("StartPeriod").Int64();
  check.start_interval_ns = node.Get("StartInterval").Int64();
  check.retries = node.Get("Retries").Int64();
  if (check.interval_ns < 0 || check.timeout_ns < 0 ||
      check.start_period_ns < 0 || check.start_interval_ns < 0 ||
      check.retries < 0 ||
      check.retries > std::numeric_limits<int32_t>::max()) {
    node.Fail("negative or huge health check value");
  }
  return check;
}

ImageRunConfig ReadRunConfig(const JsonNode& node) {
  ImageRunConfig config;
  if (!node.present()) return config;
  config.user = node.Get("User").String();
  config.env = node.Get("Env").Strings();
  for (const std::string& entry : config.env) {
    if (entry.empty() || entry[0] == '=') {
      node.Get("Env").Fail("entry without a name");
    }
  }
  config.entrypoint = node.Get("Entrypoint").OptionalStrings();
  config.cmd = node.Get("Cmd").OptionalStrings();
  config.working_dir = node.Get("WorkingDir").String();
  config.labels = node.Get("Labels").StringMap();
  config.exposed_ports = node.Get("ExposedPorts").Keys();
  config.volumes = node.Get("Volumes").Keys();
  for (const std::string& volume : config.volumes) {
    if (!absl::StartsWith(volume, "/")) {
      node.Get("Volumes").Fail(absl::StrCat(
          "path is not absolute: ", absl::CHexEscape(volume.substr(0, 80))));
    }
  }
  config.stop_signal = node.Get("StopSignal").String();
  config.healthcheck = ReadHealthcheck(node.Get("Healthcheck"));
  config.shell = node.Get("Shell").Strings();
  config.on_build = node.Get("OnBuild").Strings();
  config.args_escaped = node.Get("ArgsEscaped").Bool();
  return config;
}

absl::Status TooMany(absl::string_view what, size_t limit) {
  return InvalidArgument(
      Reason::kLimitExceeded, kParse,
      absl::StrCat("image config has more than ", limit, " ", what));
}

void PutIf(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}
void PutIf(Json& object, const char* key, int64_t value) {
  if (value != 0) object[key] = value;
}

Json KeysToJson(const std::set<std::string>& keys) {
  Json object = Json::object();
  for (const std::string& key : keys) object[key] = Json::object();
  return object;
}

Json RunConfigToJson(const ImageRunConfig& config) {
  Json out = Json::object();
  PutIf(out, "User", config.user);
  if (!config.env.empty()) out["Env"] = config.env;
  if (config.entrypoint.has_value()) out["Entrypoint"] = *config.entrypoint;
  if (config.cmd.has_value()) out["Cmd"] = *config.cmd;
  PutIf(out, "WorkingDir", config.working_dir);
  if (!config.labels.empty()) out["Labels"] = config.labels;
  if (!config.exposed_ports.empty()) {
    out["ExposedPorts"] = KeysToJson(config.exposed_ports);
  }
  if (!config.volumes.empty()) out["Volumes"] = KeysToJson(config.volumes);
  PutIf(out, "StopSignal", config.stop_signal);
  if (config.healthcheck.has_value()) {
    const ImageHealthcheck& check = *config.healthcheck;
    Json health = Json::object();
    if (!check.test.empty()) health["Test"] = check.test;
    PutIf(health, "Interval", check.interval_ns);
    PutIf(health, "Timeout", check.timeout_ns);
    PutIf(health, "StartPeriod", check.start_period_ns);
    PutIf(health, "StartInterval", check.start_interval_ns);
    PutIf(health, "Retries", check.retries);
    out["Healthcheck"] = std::move(health);
  }
  if (!config.shell.empty()) out["Shell"] = config.shell;
  if (!config.on_build.empty()) out["OnBuild"] = config.on_build;
  if (config.args_escaped) out["ArgsEscaped"] = true;
  return out;
}

Json HistoryToJson(const ImageHistory& history) {
  Json out = Json::object();
  PutIf(out, "created", history.created);
  PutIf(out, "created_by", history.created_by);
  PutIf(out, "author", history.author);
  PutIf(out, "comment", history.comment);
  if (history.empty_layer) out["empty_layer"] = true;
  return out;
}

absl::Status ReadLayers(const JsonNode& root, ImageConfig* config) {
  const JsonNode rootfs = root.Get("rootfs");
  const std::string type = rootfs.Get("type").String("layers");
  if (type != "layers") rootfs.Get("type").Fail("want \"layers\"");
  const auto diff_ids = rootfs.Get("diff_ids").Elements();
  if (diff_ids.size() > kMaxImageLayers) {
    return TooMany("layers", kMaxImageLayers);
  }
  for (const JsonNode& node : diff_ids) {
    absl::StatusOr<Digest> digest = Digest::Parse(node.String());
    if (!digest.ok()) {
      node.Fail(digest.status());
      break;
    }
    config->diff_ids.push_back(*std::move(digest));
  }
  const auto history = root.Get("history").Elements();
  if (history.size() > kMaxHistory) return TooMany("steps", kMaxHistory);
  for (const JsonNode& node : history) {
    config->history.push_back({.created = node.Get("created").String(),
                               .created_by = node.Get("created_by").String(),
                               .author = node.Get("author").String(),
                               .comment = node.Get("comment").String(),
                               .empty_layer = node.Get("empty_layer").Bool()});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view json) {
  CK_ASSIGN_OR_RETURN(
      const JsonDocument doc,
      JsonDocument::Parse(json, kParse, {.max_bytes = kMaxImageConfigBytes}),
      "image config");
  const JsonNode root = doc.root();
  ImageConfig config;
  config.created = root.Get("created").String();
  config.author = root.Get("author").String();
  config.architecture = root.Get("architecture").RequiredString();
  config.os = root.Get("os").RequiredString();
  config.variant = root.Get("variant").String();
  config.os_version = root.Get("os.version").String();
  config.os_features = root.Get("os.features").Strings();
  config.config = ReadRunConfig(root.Get("config"));
  CK_RETURN_IF_ERROR(ReadLayers(root, &config));
  CK_RETURN_IF_ERROR(doc.status()) << "image config";
  return config;
}

std::string SerializeImageConfig(const ImageConfig& config) {
  Json out = Json::object();
  PutIf(out, "created", config.created);
  PutIf(out, "author", config.author);
  out["architecture"] = config.architecture;
  out["os"] = config.os;
  PutIf(out, "variant", config.variant);
  PutIf(out, "os.version", config.os_version);
  if (!config.os_features.empty()) out["os.features"] = config.os_features;
  out["config"] = RunConfigToJson(config.config);
  Json diff_ids = Json::array();
  for (const Digest& digest : config.diff_ids) diff_ids.push_back(digest.str());
  out["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  if (!config.history.empty()) {
    Json history = Json::array();
    for (const ImageHistory& step : config.history) {
      history.push_back(HistoryToJson(step));
    }
    out["history"] = std::move(history);
  }
  return DumpJson(out);
}

}  // namespace containerkit::oci
