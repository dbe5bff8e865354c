#include "lib/oci/media_type.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace containerkit::oci {
namespace {

// "Type/Sub; charset=x" as "type/sub".
std::string Essence(absl::string_view media_type) {
  const absl::string_view bare = media_type.substr(0, media_type.find(';'));
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(bare));
}

}  // namespace

DocumentKind ClassifyDocument(absl::string_view media_type) {
  const std::string type = Essence(media_type);
  if (type == kOciManifest || type == kDockerManifest) {
    return DocumentKind::kManifest;
  }
  if (type == kOciIndex || type == kDockerManifestList) {
    return DocumentKind::kIndex;
  }
  if (absl::StartsWith(type,
                       "application/vnd.docker.distribution.manifest.v1+")) {
    return DocumentKind::kSchema1;
  }
  if (type.empty() || type == "application/json" || type == "text/plain" ||
      type == "application/octet-stream") {
    return DocumentKind::kUnspecific;
  }
  return DocumentKind::kOther;
}

bool IsImageConfig(absl::string_view media_type) {
  const std::string type = Essence(media_type);
  // Registries of 2015 stored configs as plain bytes.
  return type == kOciConfig || type == kDockerConfig ||
         type == "application/octet-stream";
}

std::optional<LayerType> ParseLayerType(absl::string_view media_type) {
  const std::string essence = Essence(media_type);
  absl::string_view type = essence;
  LayerType layer;
  if (absl::ConsumePrefix(&type, "application/vnd.docker.image.rootfs.")) {
    layer.foreign = absl::ConsumePrefix(&type, "foreign.");
    if (!absl::ConsumePrefix(&type, "diff.tar")) return std::nullopt;
    if (!type.empty() && type[0] != '.') return std::nullopt;
  } else if (absl::ConsumePrefix(&type, "application/vnd.oci.image.layer.")) {
    layer.foreign = absl::ConsumePrefix(&type, "nondistributable.");
    if (!absl::ConsumePrefix(&type, "v1.tar")) return std::nullopt;
    if (!type.empty() && type[0] != '+') return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (type.empty()) return layer;
  type.remove_prefix(1);
  if (type == "gzip") {
    layer.compression = Compression::kGzip;
  } else if (type == "zstd") {
    layer.compression = Compression::kZstd;
  } else {
    return std::nullopt;
  }
  return layer;
}

}  // namespace containerkit::oci
