#include "lib/oci/manifest.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/media_type.h"
#include "nlohmann/json.hpp"

namespace containerkit::oci {
namespace {

using Json = nlohmann::json;

constexpr char kParse[] = "manifest.parse";
constexpr char kAttestation[] = "vnd.docker.reference.type";

absl::Status Bad(absl::string_view message) {
  return InvalidArgument(Reason::kManifestInvalid, kParse, message);
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 100)), "\"");
}

Platform ReadPlatform(const JsonNode& node) {
  return {.os = node.Get("os").String(),
          .architecture = node.Get("architecture").String(),
          .variant = node.Get("variant").String(),
          .os_version = node.Get("os.version").String(),
          .os_features = node.Get("os.features").Strings()};
}

Descriptor ReadDescriptor(const JsonNode& node) {
  Descriptor descriptor;
  if (!node.present()) {
    node.Fail("missing descriptor");
    return descriptor;
  }
  descriptor.media_type = node.Get("mediaType").RequiredString();
  const JsonNode digest = node.Get("digest");
  absl::StatusOr<Digest> parsed = Digest::Parse(digest.String());
  if (parsed.ok()) {
    descriptor.digest = *std::move(parsed);
  } else {
    digest.Fail(parsed.status());
  }
  const JsonNode size = node.Get("size");
  if (!size.present()) size.Fail("missing");
  descriptor.size_bytes = size.Uint64();
  if (descriptor.size_bytes > std::numeric_limits<int64_t>::max()) {
    size.Fail("integer out of range");
  }
  descriptor.urls = node.Get("urls").Strings();
  descriptor.annotations = node.Get("annotations").StringMap();
  descriptor.artifact_type = node.Get("artifactType").String();
  const JsonNode platform = node.Get("platform");
  if (platform.present()) descriptor.platform = ReadPlatform(platform);
  return descriptor;
}

absl::StatusOr<std::vector<Descriptor>> ReadDescriptors(const JsonNode& node,
                                                        size_t limit) {
  const std::vector<JsonNode> elements = node.Elements();
  if (elements.size() > limit) {
    return InvalidArgument(
        Reason::kLimitExceeded, kParse,
        absl::StrCat("manifest has more than ", limit, " ", node.Path()));
  }
  std::vector<Descriptor> descriptors;
  for (const JsonNode& element : elements) {
    descriptors.push_back(ReadDescriptor(element));
  }
  return descriptors;
}

// What the outside and the text say together, by the rules of
// GHSA-77vh-xpmg-72qh.
absl::StatusOr<DocumentKind> DecideKind(const JsonNode& root,
                                        absl::string_view content_type) {
  const std::string inner = root.Get("mediaType").String();
  const DocumentKind outer_kind = ClassifyDocument(content_type);
  const DocumentKind inner_kind = ClassifyDocument(inner);
  const bool schema1 = outer_kind == DocumentKind::kSchema1 ||
                       inner_kind == DocumentKind::kSchema1 ||
                       root.Get("schemaVersion").Int64(2) == 1;
  if (schema1) {
    return MakeError(absl::StatusCode::kUnimplemented,
                     "Docker image manifest version 2, schema 1 is not "
                     "supported",
                     {.reason = Reason::kMediaTypeUnsupported,
                      .operation = kParse,
                      .hint = "push the image again with a current Docker, or "
                              "convert it with skopeo copy --format v2s2"});
  }
  const absl::string_view outer = absl::StripAsciiWhitespace(
      content_type.substr(0, content_type.find(';')));
  if (!inner.empty() && outer_kind != DocumentKind::kUnspecific &&
      absl::AsciiStrToLower(inner) != absl::AsciiStrToLower(outer)) {
    return Bad(absl::StrCat("media type is ", Quoted(inner),
                            " inside the manifest and ", Quoted(outer),
                            " outside"));
  }
  const bool outer_decides = outer_kind != DocumentKind::kUnspecific;
  DocumentKind kind = outer_decides ? outer_kind : inner_kind;
  if (kind == DocumentKind::kUnspecific && inner.empty()) {
    kind = root.Get("manifests").present() ? DocumentKind::kIndex
                                           : DocumentKind::kManifest;
  }
  if (kind != DocumentKind::kManifest && kind != DocumentKind::kIndex) {
    return Unimplemented(
        Reason::kMediaTypeUnsupported, kParse,
        absl::StrCat("media type ", Quoted(outer_decides ? outer : inner),
                     " is neither an image manifest nor an index"));
  }
  return kind;
}

// Members that belong to the other kind make the text ambiguous.
absl::Status RefuseMembers(const JsonNode& root, absl::string_view kind,
                           std::initializer_list<absl::string_view> names) {
  for (const absl::string_view name : names) {
    if (root.value()->contains(std::string(name))) {
      return Bad(
          absl::StrCat("an image ", kind, " with \"", name, "\" is ambiguous"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ManifestDocument> ReadDocument(const JsonNode& root,
                                              absl::string_view content_type) {
  if (!root.is_object()) return Bad("manifest is not a JSON object");
  CK_ASSIGN_OR_RETURN(const DocumentKind kind, DecideKind(root, content_type));
  if (root.Get("schemaVersion").Int64() != 2) {
    return Bad("schemaVersion is not 2");
  }
  std::string type = root.Get("mediaType").String();
  if (kind == DocumentKind::kIndex) {
    CK_RETURN_IF_ERROR(RefuseMembers(
        root, "index", {"layers", "config", "fsLayers", "history"}));
    if (!root.Get("manifests").is_array()) {
      return Bad("an image index without \"manifests\"");
    }
    Index index;
    index.media_type = type.empty() ? kOciIndex : std::move(type);
    CK_ASSIGN_OR_RETURN(index.manifests, ReadDescriptors(root.Get("manifests"),
                                                         kMaxIndexEntries));
    index.annotations = root.Get("annotations").StringMap();
    return index;
  }
  CK_RETURN_IF_ERROR(
      RefuseMembers(root, "manifest", {"manifests", "fsLayers", "signatures"}));
  Manifest manifest;
  manifest.media_type = type.empty() ? kOciManifest : std::move(type);
  manifest.config = ReadDescriptor(root.Get("config"));
  CK_ASSIGN_OR_RETURN(manifest.layers,
                      ReadDescriptors(root.Get("layers"), kMaxImageLayers));
  manifest.annotations = root.Get("annotations").StringMap();
  manifest.artifact_type = root.Get("artifactType").String();
  return manifest;
}

Json DescriptorToJson(const Descriptor& descriptor) {
  Json out = {{"mediaType", descriptor.media_type},
              {"digest", descriptor.digest.str()},
              {"size", descriptor.size_bytes}};
  if (!descriptor.urls.empty()) out["urls"] = descriptor.urls;
  if (!descriptor.annotations.empty()) {
    out["annotations"] = descriptor.annotations;
  }
  if (!descriptor.artifact_type.empty()) {
    out["artifactType"] = descriptor.artifact_type;
  }
  if (descriptor.platform.has_value()) {
    const Platform& platform = *descriptor.platform;
    Json object = {{"os", platform.os},
                   {"architecture", platform.architecture}};
    if (!platform.variant.empty()) object["variant"] = platform.variant;
    if (!platform.os_version.empty()) {
      object["os.version"] = platform.os_version;
    }
    if (!platform.os_features.empty()) {
      object["os.features"] = platform.os_features;
    }
    out["platform"] = std::move(object);
  }
  return out;
}

Json DescriptorsToJson(const std::vector<Descriptor>& descriptors) {
  Json out = Json::array();
  for (const Descriptor& descriptor : descriptors) {
    out.push_back(DescriptorToJson(descriptor));
  }
  return out;
}

bool IsRunnableEntry(const Descriptor& entry) {
  if (entry.annotations.contains(kAttestation)) return false;
  const DocumentKind kind = ClassifyDocument(entry.media_type);
  if (kind != DocumentKind::kManifest && kind != DocumentKind::kIndex) {
    return false;
  }
  return !entry.platform.has_value() || entry.platform->os != "unknown";
}

}  // namespace

bool Manifest::IsImage() const {
  if (!IsImageConfig(config.media_type)) return false;
  for (const Descriptor& layer : layers) {
    if (!ParseLayerType(layer.media_type).has_value()) return false;
  }
  return true;
}

uint64_t Manifest::LayersSizeBytes() const {
  uint64_t sum = 0;
  for (const Descriptor& layer : layers) sum += layer.size_bytes;
  return sum;
}

absl::StatusOr<ManifestDocument> ParseManifest(absl::string_view json,
                                               absl::string_view content_type) {
  CK_ASSIGN_OR_RETURN(
      const JsonDocument doc,
      JsonDocument::Parse(json, kParse,
                          {.max_bytes = kMaxManifestBytes, .max_depth = 16}),
      "manifest");
  absl::StatusOr<ManifestDocument> document =
      ReadDocument(doc.root(), content_type);
  CK_RETURN_IF_ERROR(document.status());
  CK_RETURN_IF_ERROR(doc.status()) << "manifest";
  return document;
}

std::string SerializeManifest(const Manifest& manifest) {
  Json out = {{"schemaVersion", 2},
              {"mediaType", manifest.media_type},
              {"config", DescriptorToJson(manifest.config)},
              {"layers", DescriptorsToJson(manifest.layers)}};
  if (!manifest.annotations.empty()) out["annotations"] = manifest.annotations;
  if (!manifest.artifact_type.empty()) {
    out["artifactType"] = manifest.artifact_type;
  }
  return DumpJson(out);
}

std::string SerializeIndex(const Index& index) {
  Json out = {{"schemaVersion", 2},
              {"mediaType", index.media_type},
              {"manifests", DescriptorsToJson(index.manifests)}};
  if (!index.annotations.empty()) out["annotations"] = index.annotations;
  return DumpJson(out);
}

absl::StatusOr<Descriptor> SelectPlatform(const Index& index,
                                          const Platform& wanted) {
  const Descriptor* best = nullptr;
  int best_distance = std::numeric_limits<int>::max();
  const Descriptor* unnamed = nullptr;
  int unnamed_count = 0;
  std::vector<std::string> seen;
  for (const Descriptor& entry : index.manifests) {
    if (!IsRunnableEntry(entry)) continue;
    if (!entry.platform.has_value()) {
      if (unnamed == nullptr) unnamed = &entry;
      ++unnamed_count;
      continue;
    }
    if (seen.size() < 20) {
      seen.push_back(absl::CHexEscape(
          NormalizePlatform(*entry.platform).ToString().substr(0, 60)));
    }
    const std::optional<int> distance = MatchPlatform(wanted, *entry.platform);
    if (distance.has_value() && *distance < best_distance) {
      best = &entry;
      best_distance = *distance;
    }
  }
  if (best == nullptr && unnamed_count == 1) best = unnamed;
  if (best == nullptr) {
    return NotFound(
        Reason::kPlatformNotFound, "manifest.select_platform",
        absl::StrCat("no image for platform ",
                     NormalizePlatform(wanted).ToString(), "; there is ",
                     seen.empty() ? "none" : absl::StrJoin(seen, ", ")));
  }
  return *best;
}

}  // namespace containerkit::oci
