#include "lib/image/loader.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/cancel.h"
#include "lib/base/digest.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/image/image_commit.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"
#include "lib/store/layer_unpacker.h"

namespace containerkit::image {
namespace {

constexpr char kLoad[] = "image.load";
constexpr size_t kMaxSaveManifestBytes = 1 << 20;
constexpr size_t kMaxImages = 1000;
constexpr char kContainerdName[] = "io.containerd.image.name";

std::string BlobName(const Digest& digest) {
  return absl::StrCat("blobs/", digest.algorithm_name(), "/", digest.hex());
}

// A layer that has to be unpacked.
struct WantedLayer {
  Digest diff_id;
  // Of the bytes in the archive; empty in a docker-archive.
  Digest blob_digest;
};

// Unpacks members as they come.
class LayerSink final : public MemberSink {
 public:
  LayerSink(store::Store& store, store::Lease& lease,
            const store::LayerWriterOptions& writer_options,
            const std::function<void(absl::string_view)>& on_warning,
            const std::map<std::string, WantedLayer>& layers,
            const CancelToken& cancel)
      : store_(store),
        lease_(lease),
        writer_options_(writer_options),
        on_warning_(on_warning),
        cancel_(cancel),
        layers_(layers) {}

  absl::Status Begin(const std::string& name) override {
    layer_ = &layers_.at(name);
    if (!layer_->blob_digest.empty()) {
      hasher_ = Hasher(layer_->blob_digest.algorithm());
    }
    store::LayerUnpackerOptions options;
    options.diff_id = layer_->diff_id;
    options.sync = store::LayerSync::kLater;
    options.cancel = &cancel_;
    options.writer = writer_options_;
    CK_ASSIGN_OR_RETURN(unpacker_,
                        store::LayerUnpacker::Start(store_, lease_, options));
    return absl::OkStatus();
  }

  absl::Status Write(absl::string_view bytes) override {
    if (!layer_->blob_digest.empty()) hasher_.Update(bytes);
    CK_RETURN_IF_ERROR(unpacker_->Write(bytes)) << Name();
    return absl::OkStatus();
  }

  absl::Status End() override {
    if (!layer_->blob_digest.empty()) {
      const Digest got = hasher_.Finish();
      if (got != layer_->blob_digest) {
        unpacker_.reset();
        return MakeError(absl::StatusCode::kDataLoss,
                         absl::StrCat(Name(), ": blob has digest ", got.str(),
                                      ", not ", layer_->blob_digest.str()),
                         {.reason = Reason::kDigestMismatch,
                          .operation = kLoad,
                          .object_kind = "blob",
                          .object_id = layer_->blob_digest.str()});
      }
    }
    CK_ASSIGN_OR_RETURN(const store::LayerRecord record, unpacker_->Finish(),
                        Name());
    unpacker_.reset();
    TellWarnings(record, layer_->diff_id.short_hex(), on_warning_);
    return absl::OkStatus();
  }

 private:
  std::string Name() const {
    return absl::StrCat("layer ", layer_->diff_id.short_hex());
  }
  store::Store& store_;
  store::Lease& lease_;
  const store::LayerWriterOptions& writer_options_;
  const std::function<void(absl::string_view)>& on_warning_;
  const CancelToken& cancel_;
  const std::map<std::string, WantedLayer>& layers_;
  const WantedLayer* layer_ = nullptr;
  Hasher hasher_;
  std::unique_ptr<store::LayerUnpacker> unpacker_;
};

class Loader {
 public:
  Loader(store::Store& store, ImageArchive& archive,
         const store::LayerWriterOptions& writer_options,
         const std::function<void(absl::string_view)>& on_warning,
         const CancelToken& cancel,
         const std::optional<oci::Platform>& platform)
      : store_(store),
        archive_(archive),
        writer_options_(writer_options),
        on_warning_(on_warning),
        cancel_(cancel),
        only_(platform),
        platform_(platform.value_or(oci::HostPlatform())) {}

  absl::StatusOr<std::vector<std::string>> Run() {
    CK_ASSIGN_OR_RETURN(store::Lease lease, store_.NewLease());
    if (!archive_.Find("manifest.json").empty()) {
      CK_RETURN_IF_ERROR(ReadDockerArchive(lease));
    } else if (!archive_.Find("index.json").empty()) {
      CK_RETURN_IF_ERROR(ReadLayout(lease));
    } else {
      return InvalidArgument(
          Reason::kArchiveCorrupt, kLoad,
          "neither a docker-archive (manifest.json) nor an OCI layout "
          "(index.json)");
    }
    if (only_.has_value() && images_.empty()) {
      return NotFound(
          Reason::kPlatformNotFound, kLoad,
          absl::StrCat("the archive has no image for ", only_->ToString()));
    }
    std::set<std::string> members;
    for (const auto& [name, layer] : wanted_) members.insert(name);
    LayerSink sink(store_, lease, writer_options_, on_warning_, wanted_,
                   cancel_);
    CK_RETURN_IF_ERROR(archive_.Stream(members, sink));
    std::vector<std::string> loaded;
    for (const NewImage& image : images_) {
      CK_RETURN_IF_ERROR(CheckCancelled(cancel_, kLoad));
      CK_ASSIGN_OR_RETURN(const std::string id, CommitImage(store_, image));
      for (const std::string& name : image.names) {
        CK_ASSIGN_OR_RETURN(const oci::ImageRef ref,
                            oci::ImageRef::Parse(name));
        loaded.push_back(ref.Familiar());
      }
      if (image.names.empty()) loaded.push_back(id);
    }
    return loaded;
  }

 private:
  bool IsWanted(const oci::ImageConfig& config) const {
    return !only_.has_value() ||
           oci::MatchPlatform(*only_, {.os = config.os,
                                       .architecture = config.architecture,
                                       .variant = config.variant,
                                       .os_version = "",
                                       .os_features = {}})
               .has_value();
  }

  // Notes that a layer has to be unpacked, unless it is there.
  absl::Status Want(store::Lease& lease, const std::string& member,
                    const Digest& diff_id, const Digest& blob_digest) {
    CK_RETURN_IF_ERROR(lease.Protect({}, {diff_id}));
    CK_ASSIGN_OR_RETURN(const bool have, HaveLayer(store_, diff_id));
    if (have) return absl::OkStatus();
    const std::string found = archive_.Find(member);
    if (found.empty()) return archive_.Read(member, 0).status();
    const auto [it, is_new] = wanted_.emplace(
        found, WantedLayer{.diff_id = diff_id, .blob_digest = blob_digest});
    if (is_new || it->second.diff_id == diff_id) return absl::OkStatus();
    return InvalidArgument(
        Reason::kManifestInvalid, kLoad,
        absl::StrCat("one member stands for two layers: ", diff_id.short_hex(),
                     " and ", it->second.diff_id.short_hex()));
  }

  absl::Status ReadDockerArchive(store::Lease& lease) {
    CK_ASSIGN_OR_RETURN(const std::string json,
                        archive_.Read("manifest.json", kMaxSaveManifestBytes));
    CK_ASSIGN_OR_RETURN(const JsonDocument doc,
                        JsonDocument::Parse(json, kLoad, {.max_depth = 8}),
                        "manifest.json");
    const auto entries = doc.root().Elements();
    if (entries.size() > kMaxImages) return TooMany();
    for (const JsonNode& entry : entries) {
      const std::string config = entry.Get("Config").RequiredString();
      const std::vector<std::string> tags = entry.Get("RepoTags").Strings();
      const std::vector<std::string> layers = entry.Get("Layers").Strings();
      CK_RETURN_IF_ERROR(doc.status()) << "manifest.json";
      CK_RETURN_IF_ERROR(AddDockerImage(lease, config, tags, layers));
    }
    CK_RETURN_IF_ERROR(doc.status()) << "manifest.json";
    return absl::OkStatus();
  }

  absl::Status AddDockerImage(store::Lease& lease,
                              const std::string& config_member,
                              const std::vector<std::string>& tags,
                              const std::vector<std::string>& layers) {
    CK_ASSIGN_OR_RETURN(
        const std::string bytes,
        archive_.Read(config_member, oci::kMaxImageConfigBytes));
    NewImage image;
    CK_ASSIGN_OR_RETURN(image.config, oci::ParseImageConfig(bytes));
    if (!IsWanted(image.config)) return absl::OkStatus();
    CK_RETURN_IF_ERROR(CheckConfig(image.config, layers.size()));
    image.config_digest = Sha256::Of(bytes);
    image.config_media_type = oci::kDockerConfig;
    image.config_size_bytes = bytes.size();
    for (const std::string& tag : tags) {
      CK_ASSIGN_OR_RETURN(const oci::ImageRef ref, oci::ImageRef::Parse(tag),
                          "RepoTags");
      if (ref.digest().empty()) image.names.push_back(ref.ToString());
    }
    CK_RETURN_IF_ERROR(PutBlob(lease, bytes, image.config_digest));
    for (size_t i = 0; i < layers.size(); ++i) {
      CK_RETURN_IF_ERROR(
          Want(lease, layers[i], image.config.diff_ids[i], Digest()));
    }
    images_.push_back(std::move(image));
    return absl::OkStatus();
  }

  absl::Status ReadLayout(store::Lease& lease) {
    CK_ASSIGN_OR_RETURN(const std::string json,
                        archive_.Read("index.json", oci::kMaxManifestBytes));
    CK_ASSIGN_OR_RETURN(const oci::ManifestDocument document,
                        oci::ParseManifest(json, oci::kOciIndex), "index.json");
    const auto& index = std::get<oci::Index>(document);
    if (index.manifests.size() > kMaxImages) return TooMany();
    // Entries of which one fits this machine and the others do not are the
    // platforms of one image.
    const bool one_fits = oci::SelectPlatform(index, platform_).ok();
    for (const oci::Descriptor& entry : index.manifests) {
      if (entry.annotations.contains("vnd.docker.reference.type")) continue;
      const bool other = entry.platform.has_value() &&
                         !oci::MatchPlatform(platform_, *entry.platform);
      if (other &&
          (only_.has_value() || one_fits || entry.platform->os == "unknown"))
        continue;
      CK_RETURN_IF_ERROR(AddLayoutEntry(lease, entry));
    }
    return absl::OkStatus();
  }

  // A blob of the layout that has the digest and size of its descriptor.
  absl::StatusOr<std::string> ReadBlob(const oci::Descriptor& descriptor,
                                       size_t max_bytes) {
    CK_ASSIGN_OR_RETURN(std::string bytes,
                        archive_.Read(BlobName(descriptor.digest), max_bytes));
    Hasher hasher(descriptor.digest.algorithm());
    hasher.Update(bytes);
    const Digest got = hasher.Finish();
    if (got == descriptor.digest && bytes.size() == descriptor.size_bytes) {
      return bytes;
    }
    const bool wrong = got != descriptor.digest;
    return MakeError(
        absl::StatusCode::kDataLoss,
        absl::StrCat("blob ", descriptor.digest.str(),
                     wrong ? " has another digest" : " has another size"),
        {.reason = wrong ? Reason::kDigestMismatch : Reason::kSizeMismatch,
         .operation = kLoad,
         .object_kind = "blob",
         .object_id = descriptor.digest.str()});
  }

  absl::Status AddLayoutEntry(store::Lease& lease,
                              const oci::Descriptor& entry) {
    oci::Descriptor at = entry;
    for (int depth = 0; depth <= oci::kMaxIndexDepth; ++depth) {
      CK_ASSIGN_OR_RETURN(const std::string bytes,
                          ReadBlob(at, oci::kMaxManifestBytes));
      CK_ASSIGN_OR_RETURN(const oci::ManifestDocument document,
                          oci::ParseManifest(bytes, at.media_type));
      CK_RETURN_IF_ERROR(PutBlob(lease, bytes, at.digest));
      if (const auto* index = std::get_if<oci::Index>(&document)) {
        CK_ASSIGN_OR_RETURN(at, oci::SelectPlatform(*index, platform_));
        continue;
      }
      return AddLayoutImage(lease, entry, at,
                            std::get<oci::Manifest>(document));
    }
    return TooMany();
  }

  absl::Status AddLayoutImage(store::Lease& lease, const oci::Descriptor& entry,
                              const oci::Descriptor& at,
                              const oci::Manifest& manifest) {
    // Layouts carry artifacts, too.
    if (!manifest.IsImage()) return absl::OkStatus();
    CK_ASSIGN_OR_RETURN(const std::string bytes,
                        ReadBlob(manifest.config, oci::kMaxImageConfigBytes));
    NewImage image;
    CK_ASSIGN_OR_RETURN(image.config, oci::ParseImageConfig(bytes));
    if (!IsWanted(image.config)) return absl::OkStatus();
    CK_RETURN_IF_ERROR(CheckConfig(image.config, manifest.layers.size()));
    image.config_digest = manifest.config.digest;
    image.config_media_type = manifest.config.media_type;
    image.config_size_bytes = bytes.size();
    image.layer_blobs = manifest.layers;
    image.manifest = at;
    image.target = entry;
    const std::optional<std::string> name = NameOf(entry);
    if (name.has_value()) image.names.push_back(*name);
    CK_RETURN_IF_ERROR(PutBlob(lease, bytes, image.config_digest));
    for (size_t i = 0; i < manifest.layers.size(); ++i) {
      const Digest& blob = manifest.layers[i].digest;
      CK_RETURN_IF_ERROR(
          Want(lease, BlobName(blob), image.config.diff_ids[i], blob));
    }
    images_.push_back(std::move(image));
    return absl::OkStatus();
  }

  // containerd writes the full name; others a reference, or a bare tag, which
  // names nothing.
  static std::optional<std::string> NameOf(const oci::Descriptor& entry) {
    std::string text;
    for (const char* key : {kContainerdName, oci::kRefNameAnnotation}) {
      const auto it = entry.annotations.find(key);
      if (it != entry.annotations.end() && text.empty()) text = it->second;
    }
    if (!absl::StrContains(text, "/") && !absl::StrContains(text, ":")) {
      return std::nullopt;
    }
    const absl::StatusOr<oci::ImageRef> ref = oci::ImageRef::Parse(text);
    if (!ref.ok() || !ref->digest().empty()) return std::nullopt;
    return ref->ToString();
  }

  absl::Status PutBlob(store::Lease& lease, absl::string_view bytes,
                       const Digest& digest) {
    return store_.blobs()
        .Put(lease, bytes, digest, store_.options().durable)
        .status();
  }

  static absl::Status TooMany() {
    return InvalidArgument(Reason::kLimitExceeded, kLoad,
                           "archive has too many images or nested indexes");
  }

  store::Store& store_;
  ImageArchive& archive_;
  const store::LayerWriterOptions& writer_options_;
  const std::function<void(absl::string_view)>& on_warning_;
  const CancelToken& cancel_;
  // What was asked for; what one of several platforms is chosen by.
  const std::optional<oci::Platform> only_;
  const oci::Platform platform_;
  std::map<std::string, WantedLayer> wanted_;
  std::vector<NewImage> images_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> LoadImages(
    store::Store& store, ImageArchive& archive,
    const store::LayerWriterOptions& writer_options,
    const std::function<void(absl::string_view)>& on_warning,
    const ImageLoadOptions& options) {
  std::optional<oci::Platform> platform;
  if (!options.platform.empty()) {
    CK_ASSIGN_OR_RETURN(platform, oci::ParsePlatform(options.platform));
  }
  return Loader(store, archive, writer_options, on_warning, options.cancel,
                platform)
      .Run();
}

}  // namespace containerkit::image
