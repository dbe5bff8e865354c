#include "lib/image/testing/image_maker.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/json.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "nlohmann/json.hpp"

namespace containerkit::image::testing {
namespace {

using registry::testing::ServerRequest;
using registry::testing::ServerResponse;

void PutOctal(char* field, size_t size, uint64_t value) {
  snprintf(field, size, "%0*llo", static_cast<int>(size - 1),
           static_cast<unsigned long long>(value));
}

bool HasContent(const TarMember& member) {
  return member.type == '0' || member.type == 'L' || member.type == 'K';
}

std::string Header(const TarMember& member) {
  std::string block(512, '\0');
  char* const h = block.data();
  memcpy(h, member.name.data(), std::min<size_t>(member.name.size(), 100));
  PutOctal(h + 100, 8, member.type == '5' ? 0755 : 0644);
  PutOctal(h + 108, 8, 0);
  PutOctal(h + 116, 8, 0);
  PutOctal(h + 124, 12, HasContent(member) ? member.content.size() : 0);
  PutOctal(h + 136, 12, 1700000000);
  memset(h + 148, ' ', 8);
  h[156] = member.type;
  memcpy(h + 157, member.link.data(),
         std::min<size_t>(member.link.size(), 100));
  memcpy(h + 257, "ustar\00000", 8);
  if (member.type == '3') {
    PutOctal(h + 329, 8, 1);
    PutOctal(h + 337, 8, 3);
  }
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  snprintf(h + 148, 8, "%06o", sum);
  return block;
}

}  // namespace

std::string MakeTar(const std::vector<TarMember>& members) {
  std::string tar;
  for (const TarMember& member : members) {
    tar += Header(member);
    if (!HasContent(member)) continue;
    tar += member.content;
    tar.resize((tar.size() + 511) / 512 * 512, '\0');
  }
  tar.append(1024, '\0');
  return tar;
}

std::string Noise(size_t size, uint32_t seed) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

std::string Gzip(absl::string_view bytes) {
  std::string out(bytes.size() + bytes.size() / 8 + 4096, '\0');
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<uint32_t>(out.size());
  if (isal_deflate_stateless(&stream) != COMP_OK) abort();
  out.resize(stream.total_out);
  return out;
}

std::string Zstd(absl::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t n =
      ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1);
  if (ZSTD_isError(n) != 0) abort();
  out.resize(n);
  return out;
}

std::string ZstdLong(absl::string_view bytes) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_outBuffer to = {out.data(), out.size(), 0};
  // As a stream, whose end the first call does not know, nor the header tell.
  ZSTD_inBuffer from = {bytes.data(), bytes.size(), 0};
  if (ZSTD_isError(
          ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue)) != 0 ||
      ZSTD_compressStream2(context, &to, &from, ZSTD_e_end) != 0) {
    abort();
  }
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

TestImage MakeImage(const std::vector<TestLayer>& layers,
                    const oci::ImageConfig& base) {
  TestImage image;
  image.config = base;
  if (image.config.os.empty()) image.config.os = "linux";
  if (image.config.architecture.empty()) {
    image.config.architecture = oci::HostPlatform().architecture;
  }
  if (image.config.created.empty()) {
    image.config.created = "2024-05-01T10:00:00Z";
  }
  for (const TestLayer& layer : layers) {
    const bool gzip = layer.compression == "gzip";
    const bool zstd_long = layer.compression == "zstd-long";
    const bool zstd = layer.compression == "zstd" || zstd_long;
    const std::string blob = gzip        ? Gzip(layer.tar)
                             : zstd_long ? ZstdLong(layer.tar)
                             : zstd      ? Zstd(layer.tar)
                                         : layer.tar;
    image.tars.push_back(layer.tar);
    image.config.diff_ids.push_back(Sha256::Of(layer.tar));
    image.layers.push_back({.media_type = gzip   ? oci::kOciLayerGzip
                                          : zstd ? oci::kOciLayerZstd
                                                 : oci::kOciLayer,
                            .digest = Sha256::Of(blob),
                            .size_bytes = blob.size()});
    image.blobs[image.layers.back().digest.str()] = blob;
  }
  image.config_bytes = oci::SerializeImageConfig(image.config);
  const Digest config = Sha256::Of(image.config_bytes);
  image.blobs[config.str()] = image.config_bytes;
  oci::Manifest manifest;
  manifest.media_type = oci::kOciManifest;
  manifest.config = {.media_type = oci::kOciConfig,
                     .digest = config,
                     .size_bytes = image.config_bytes.size()};
  manifest.layers = image.layers;
  image.manifest_bytes = oci::SerializeManifest(manifest);
  image.manifest = {.media_type = oci::kOciManifest,
                    .digest = Sha256::Of(image.manifest_bytes),
                    .size_bytes = image.manifest_bytes.size()};
  return image;
}

std::vector<TarMember> LayoutMembers(
    const std::vector<std::pair<std::string, TestImage>>& images) {
  std::map<std::string, std::string> blobs;
  oci::Index index;
  index.media_type = oci::kOciIndex;
  for (const auto& [name, image] : images) {
    blobs.insert(image.blobs.begin(), image.blobs.end());
    blobs[image.manifest.digest.str()] = image.manifest_bytes;
    oci::Descriptor entry = image.manifest;
    if (!name.empty()) entry.annotations[oci::kRefNameAnnotation] = name;
    index.manifests.push_back(entry);
  }
  std::vector<TarMember> members = {
      {"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"},
      {"blobs/", "", '5'},
      {"blobs/sha256/", "", '5'}};
  for (const auto& [digest, bytes] : blobs) {
    members.push_back({absl::StrCat("blobs/sha256/", digest.substr(7)), bytes});
  }
  members.push_back({"index.json", oci::SerializeIndex(index)});
  return members;
}

std::vector<TarMember> DockerArchiveMembers(
    const std::vector<std::pair<std::string, TestImage>>& images) {
  std::map<std::string, std::string> files;
  nlohmann::json manifest = nlohmann::json::array();
  for (const auto& [name, image] : images) {
    const std::string config = absl::StrCat(image.id().substr(7), ".json");
    files[config] = image.config_bytes;
    nlohmann::json layers = nlohmann::json::array();
    for (size_t i = 0; i < image.tars.size(); ++i) {
      const std::string layer =
          absl::StrCat(image.config.diff_ids[i].hex(), "/layer.tar");
      files[layer] = image.tars[i];
      layers.push_back(layer);
    }
    nlohmann::json tags;
    if (!name.empty()) tags = nlohmann::json::array({name});
    manifest.push_back(
        {{"Config", config}, {"RepoTags", tags}, {"Layers", layers}});
  }
  std::vector<TarMember> members;
  for (const auto& [name, content] : files) members.push_back({name, content});
  members.push_back({"manifest.json", DumpJson(manifest)});
  return members;
}

TestRegistry::TestRegistry()
    : server_(
          [this](const ServerRequest& request) { return Answer(request); }) {}

void TestRegistry::Add(const std::string& path, const std::string& tag,
                       const TestImage& image) {
  AddDocument(path, tag, image.manifest_bytes, oci::kOciManifest);
  const MutexLock lock(&mu_);
  for (const auto& [digest, bytes] : image.blobs) {
    documents_[absl::StrCat("/v2/", path, "/blobs/", digest)] = {bytes, ""};
  }
}

void TestRegistry::AddDocument(const std::string& path, const std::string& tag,
                               const std::string& bytes,
                               const std::string& media_type) {
  const MutexLock lock(&mu_);
  const std::string base = absl::StrCat("/v2/", path, "/manifests/");
  documents_[absl::StrCat(base, Sha256::Of(bytes).str())] = {bytes, media_type};
  if (!tag.empty()) {
    documents_[absl::StrCat(base, tag)] = {bytes, media_type};
  }
}

void TestRegistry::SetOverride(Override override) {
  const MutexLock lock(&mu_);
  override_ = std::move(override);
}

std::vector<std::string> TestRegistry::BlobRequests() const {
  std::vector<std::string> requests;
  for (const ServerRequest& request : server_.requests()) {
    if (absl::StrContains(request.target, "/blobs/")) {
      requests.push_back(absl::StrCat(request.method, " ", request.target));
    }
  }
  return requests;
}

ServerResponse TestRegistry::Answer(const ServerRequest& request) {
  if (request.target == "/v2/") return {};
  Override override;
  Document document;
  {
    const MutexLock lock(&mu_);
    override = override_;
    const auto it = documents_.find(request.target);
    if (it != documents_.end()) document = it->second;
  }
  if (override != nullptr) {
    auto instead = override(request);
    if (instead.has_value()) return *std::move(instead);
  }
  if (document.bytes.empty()) return {.status = 404};
  ServerResponse response = {.body = document.bytes};
  if (!document.media_type.empty()) {
    response.headers.emplace("Content-Type", document.media_type);
    response.headers.emplace("Docker-Content-Digest",
                             Sha256::Of(document.bytes).str());
  }
  const auto range = request.headers.find("range");
  size_t start = 0;
  if (range != request.headers.end() &&
      absl::SimpleAtoi(range->second.substr(6, range->second.size() - 7),
                       &start) &&
      start < document.bytes.size()) {
    response.status = 206;
    response.headers.emplace(
        "Content-Range",
        absl::StrCat("bytes ", start, "-", document.bytes.size() - 1, "/",
                     document.bytes.size()));
    response.body = document.bytes.substr(start);
  }
  return response;
}

}  // namespace containerkit::image::testing
