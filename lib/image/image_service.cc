#include "lib/image/image_service.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/image/archive.h"
#include "lib/image/catalog.h"
#include "lib/image/config_changes.h"
#include "lib/image/image_commit.h"
#include "lib/image/loader.h"
#include "lib/image/puller.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"
#include "lib/registry/credentials.h"
#include "lib/registry/transport.h"
#include "lib/store/layer_unpacker.h"
#include "lib/sys/file_util.h"

namespace containerkit::image {
namespace {

constexpr char kImport[] = "image.import";
constexpr size_t kBufferBytes = 1 << 20;
// Notices of registries that one call passes on.
constexpr size_t kMaxNotices = 32;

// Unpacks a root file system from `fd`, whatever its digest.
absl::StatusOr<store::LayerRecord> UnpackFrom(
    store::Store& store, store::Lease& lease, int fd,
    const store::LayerWriterOptions& writer, const CancelToken& cancel) {
  store::LayerUnpackerOptions options;
  options.sync = store::LayerSync::kLater;
  options.cancel = &cancel;
  options.writer = writer;
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<store::LayerUnpacker> unpacker,
                      store::LayerUnpacker::Start(store, lease, options));
  const auto buffer = std::make_unique<char[]>(kBufferBytes);
  while (true) {
    CK_RETURN_IF_ERROR(WaitReadable(cancel, fd, kImport));
    const ssize_t n = read(fd, buffer.get(), kBufferBytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kImport, "read");
    if (n == 0) return unpacker->Finish();
    CK_RETURN_IF_ERROR(unpacker->Write(
        absl::string_view(buffer.get(), static_cast<size_t>(n))));
  }
}

// `sink`, which is told each text once. Thread-safe if `sink` is.
std::function<void(absl::string_view)> OncePerText(
    const std::function<void(absl::string_view)>& sink) {
  if (sink == nullptr) return nullptr;
  struct Told {
    Mutex mu;
    std::set<std::string> texts ABSL_GUARDED_BY(mu);
  };
  return [sink, told = std::make_shared<Told>()](absl::string_view text) {
    {
      const MutexLock lock(&told->mu);
      if (told->texts.size() >= kMaxNotices ||
          !told->texts.emplace(text).second) {
        return;
      }
    }
    sink(text);
  };
}

// Before the layer is there: its diff id is as long as any other.
absl::Status CheckConfigSize(oci::ImageConfig config) {
  config.diff_ids = {Sha256::Of("")};
  const size_t size = oci::SerializeImageConfig(config).size();
  if (size <= oci::kMaxImageConfigBytes) return absl::OkStatus();
  return InvalidArgument(
      Reason::kLimitExceeded, kImport,
      absl::StrCat("the image's config would have ", size, " bytes, more than ",
                   oci::kMaxImageConfigBytes,
                   ": give fewer changes or a shorter message"));
}

ImageServiceOptions WithStore(ImageServiceOptions options,
                              const store::Store& store) {
  options.writer.user_xattrs = store.user_xattrs();
  return options;
}

}  // namespace

ImageService::ImageService(store::Store* store, ImageServiceOptions options)
    : store_(store),
      options_(WithStore(std::move(options), *store)),
      client_(options_.registry) {}

absl::StatusOr<registry::CallOptions> ImageService::CallFor(
    const oci::ImageRef& ref,
    const std::optional<RegistryCredentials>& credentials,
    const CancelToken& cancel, absl::Status& helper_error) const {
  registry::CallOptions call;
  call.cancel = cancel;
  call.on_warning = OncePerText(options_.on_warning);
  call.on_rate_limit = OncePerText(options_.on_rate_limit);
  if (credentials.has_value()) {
    call.credentials =
        registry::Credentials{.username = credentials->username,
                              .password = credentials->password,
                              .identity_token = credentials->identity_token};
  }
  if (options_.docker_config_path.empty()) return call;
  absl::StatusOr<registry::DockerConfig> loaded =
      registry::DockerConfig::Load(options_.docker_config_path);
  if (!loaded.ok()) {
    if (!credentials.has_value()) return loaded.status();
    // The call brings what it needs; headers and proxies may be missing.
    if (call.on_warning != nullptr) call.on_warning(loaded.status().message());
    return call;
  }
  const registry::DockerConfig& config = *loaded;
  call.http_headers = config.http_headers();
  call.proxies = config.proxies();
  if (credentials.has_value()) return call;
  auto found = config.Lookup(ref.domain(), cancel);
  if (found.ok()) {
    call.credentials = *std::move(found);
  } else if (GetReason(found.status()) == Reason::kCredentialHelperFailed) {
    helper_error = found.status();
  } else {
    return found.status();
  }
  return call;
}

absl::StatusOr<ImageInfo> ImageService::Pull(absl::string_view reference,
                                             const PullOptions& options) {
  CK_ASSIGN_OR_RETURN(const oci::ImageRef ref, oci::ImageRef::Parse(reference));
  absl::Status helper_error;
  CK_ASSIGN_OR_RETURN(
      registry::CallOptions call,
      CallFor(ref, options.credentials, options.cancel, helper_error));
  Puller puller(store_, &client_, options_.writer, ref, std::move(call),
                options);
  const absl::StatusOr<std::string> id = puller.Run();
  if (!id.ok()) {
    const bool barred = GetReason(id.status()) == Reason::kUnauthorized;
    return barred && !helper_error.ok() ? FirstError(id.status(), helper_error)
                                        : id.status();
  }
  return InspectImage(*store_, *id);
}

absl::StatusOr<std::vector<std::string>> ImageService::ListTags(
    absl::string_view repository, const TagListOptions& options) {
  CK_ASSIGN_OR_RETURN(const oci::ImageRef ref,
                      oci::ImageRef::Parse(repository));
  absl::Status helper_error;
  CK_ASSIGN_OR_RETURN(
      const registry::CallOptions call,
      CallFor(ref, options.credentials, options.cancel, helper_error));
  absl::StatusOr<std::vector<std::string>> tags = client_.ListTags(ref, call);
  if (GetReason(tags.status()) == Reason::kUnauthorized && !helper_error.ok()) {
    return FirstError(tags.status(), helper_error);
  }
  return tags;
}

absl::StatusOr<std::vector<std::string>> ImageService::Load(
    const std::string& path, const ImageLoadOptions& options) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, sys::OpenAt(AT_FDCWD, path, O_RDONLY),
                      "load");
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return SyscallError(errno, "image.load", "fstat", path);
  }
  if (!S_ISDIR(info.st_mode)) return LoadFd(fd.get(), options);
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<ImageArchive> archive,
                      OpenDirArchive(path, options.cancel), "load");
  absl::StatusOr<std::vector<std::string>> loaded = LoadImages(
      *store_, *archive, options_.writer, options_.on_warning, options);
  CK_RETURN_IF_ERROR(loaded.status()) << "load";
  return loaded;
}

absl::StatusOr<std::vector<std::string>> ImageService::LoadFd(
    int fd, const ImageLoadOptions& options) {
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<ImageArchive> archive,
                      OpenTarArchive(*store_, fd, options.cancel), "load");
  absl::StatusOr<std::vector<std::string>> loaded = LoadImages(
      *store_, *archive, options_.writer, options_.on_warning, options);
  CK_RETURN_IF_ERROR(loaded.status()) << "load";
  return loaded;
}

absl::StatusOr<std::string> ImageService::Import(
    int fd, const ImageImportOptions& options) {
  NewImage image;
  if (!options.reference.empty()) {
    CK_ASSIGN_OR_RETURN(const oci::ImageRef ref,
                        oci::ImageRef::Parse(options.reference));
    if (!ref.digest().empty()) {
      return InvalidArgument(Reason::kInvalidReference, kImport,
                             "an imported image cannot be named by digest");
    }
    image.names.push_back(ref.ToString());
  }
  oci::Platform platform = oci::HostPlatform();
  if (!options.platform.empty()) {
    CK_ASSIGN_OR_RETURN(platform, oci::ParsePlatform(options.platform));
  }
  oci::ImageConfig& config = image.config;
  if (!IsJsonText(options.message)) {
    return InvalidArgument(Reason::kInvalidArgument, kImport,
                           "the message is not UTF-8, or has a NUL");
  }
  for (const std::string& change : options.changes) {
    if (!IsJsonText(change)) {
      return InvalidArgument(Reason::kInvalidArgument, kImport,
                             absl::StrCat("change \"", absl::CHexEscape(change),
                                          "\" is not UTF-8, or has a NUL"));
    }
    CK_RETURN_IF_ERROR(ApplyChange(change, config.config));
  }
  config.architecture = platform.architecture;
  config.os = platform.os;
  config.variant = platform.variant;
  config.created = FormatRfc3339(absl::Now());
  config.history = {{.created = config.created,
                     .comment = options.message.empty() ? "Imported from -"
                                                        : options.message}};
  CK_RETURN_IF_ERROR(CheckConfigSize(config));
  CK_ASSIGN_OR_RETURN(store::Lease lease, store_->NewLease());
  CK_ASSIGN_OR_RETURN(
      const store::LayerRecord layer,
      UnpackFrom(*store_, lease, fd, options_.writer, options.cancel),
      "import");
  CK_ASSIGN_OR_RETURN(const Digest diff_id, Digest::Parse(layer.diff_id()));
  TellWarnings(layer, diff_id.short_hex(), options_.on_warning);
  config.diff_ids = {diff_id};
  const std::string bytes = oci::SerializeImageConfig(config);
  image.config_digest = Sha256::Of(bytes);
  image.config_media_type = oci::kOciConfig;
  image.config_size_bytes = bytes.size();
  CK_RETURN_IF_ERROR(
      store_->blobs()
          .Put(lease, bytes, image.config_digest, store_->options().durable)
          .status())
      << "import";
  return CommitImage(*store_, image);
}

absl::StatusOr<std::vector<ImageSummary>> ImageService::List(
    const ImageListOptions& options) const {
  return ListImages(*store_, options);
}

absl::StatusOr<ImageInfo> ImageService::Inspect(absl::string_view name) const {
  return InspectImage(*store_, name);
}

absl::StatusOr<std::vector<ImageHistoryEntry>> ImageService::History(
    absl::string_view name) const {
  return ImageHistoryOf(*store_, name);
}

absl::Status ImageService::Tag(absl::string_view name,
                               absl::string_view target) {
  return TagImage(*store_, name, target);
}

absl::StatusOr<ImageRemoval> ImageService::Remove(
    absl::string_view name, const ImageRemoveOptions& options) {
  return RemoveImage(*store_, name, options.force);
}

absl::StatusOr<ImageRemoval> ImageService::Prune(bool all, bool dry_run) {
  return PruneImages(*store_, all, dry_run);
}

absl::StatusOr<std::shared_ptr<const KnownConfig>> ImageService::ConfigOf(
    const store::ImageRecord& record) const {
  {
    const MutexLock lock(&mutex_);
    if (known_ != nullptr && known_id_ == record.id()) return known_;
  }
  auto read = std::make_shared<KnownConfig>();
  CK_ASSIGN_OR_RETURN(read->config, ReadConfig(*store_, record));
  read->json = oci::SerializeImageConfig(read->config);
  const MutexLock lock(&mutex_);
  known_id_ = record.id();
  known_ = std::move(read);
  return known_;
}

absl::StatusOr<ResolvedImage> ImageService::Resolve(
    absl::string_view name) const {
  FoundImage image;
  CK_RETURN_IF_ERROR(store_->Read([&](const store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(image, FindImage(txn, name));
    return absl::OkStatus();
  }));
  ResolvedImage resolved;
  CK_ASSIGN_OR_RETURN(resolved.config, ConfigOf(image.record));
  resolved.id = image.record.id();
  resolved.size_bytes = image.record.size_bytes();
  const absl::StatusOr<oci::ImageRef> ref =
      oci::ImageRef::Parse(image.by_reference);
  resolved.name = ref.ok() ? ref->Familiar() : resolved.id;
  return resolved;
}

}  // namespace containerkit::image
