#include "lib/image/puller.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/oci/media_type.h"

namespace containerkit::image {
namespace {

constexpr char kPull[] = "image.pull";
constexpr absl::Duration kLockTry = absl::Milliseconds(50);
constexpr absl::Duration kReportInterval = absl::Milliseconds(100);
constexpr size_t kCopyBytes = 1 << 20;
// After an unpacker has refused a stream, so much more of it is read to see
// whether its digest is right: is the image bad, or the transfer?
constexpr uint64_t kMaxDrainBytes = 64 << 20;

// The host's signal handlers never run on a thread of ours.
std::thread StartThread(std::function<void()> body) {
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return thread;
}

// Waits until `finished`, and passes `from`'s cancellation on to `to`.
void WaitAndForward(const CancelToken& finished, const CancelToken& from,
                    const CancelToken& to) {
  while (!finished.cancelled()) {
    const bool forwarded = from.cancelled();
    if (forwarded) to.Cancel();
    pollfd fds[] = {
        {.fd = finished.fd(), .events = POLLIN, .revents = 0},
        {.fd = forwarded ? -1 : from.fd(), .events = POLLIN, .revents = 0}};
    poll(fds, 2, 500);
  }
}

// What says that the stream is wrong, not the disk or the limits.
bool IsContentError(const absl::Status& status) {
  const Reason reason = GetReason(status);
  return reason == Reason::kArchiveCorrupt ||
         reason == Reason::kArchiveEntryRefused ||
         reason == Reason::kUnsafePath || reason == Reason::kDiffIdMismatch;
}

}  // namespace

Puller::Puller(store::Store* store, registry::Client* client,
               store::LayerWriterOptions writer_options,
               const oci::ImageRef& ref, registry::CallOptions call,
               const PullOptions& options)
    : store_(store),
      client_(client),
      writer_options_(writer_options),
      ref_(ref),
      call_(std::move(call)),
      options_(options) {}

void Puller::Report(PullProgress::Phase phase, const Layer* layer,
                    absl::string_view message) {
  if (options_.progress == nullptr) return;
  PullProgress progress;
  progress.phase = phase;
  progress.message = std::string(message);
  if (layer != nullptr) {
    progress.layer_id = std::string(layer->blob.digest.short_hex());
    progress.current_bytes = layer->done_bytes;
    progress.total_bytes = layer->blob.size_bytes;
  }
  const MutexLock lock(&report_mu_);
  options_.progress(progress);
}

void Puller::ReportBytes(Layer& layer) {
  const absl::Time now = absl::Now();
  if (now - layer.last_report < kReportInterval) return;
  layer.last_report = now;
  Report(PullProgress::Phase::kDownloading, &layer);
}

registry::CallOptions Puller::Call(const Layer* layer) {
  registry::CallOptions call = call_;
  call.cancel = layer == nullptr ? options_.cancel : stop_;
  call.on_retry = [this, layer](absl::string_view why) {
    Report(PullProgress::Phase::kRetrying, layer, why);
  };
  return call;
}

absl::StatusOr<std::string> Puller::Run() {
  platform_ = oci::HostPlatform();
  if (!options_.platform.empty()) {
    CK_ASSIGN_OR_RETURN(platform_, oci::ParsePlatform(options_.platform));
  }
  CK_ASSIGN_OR_RETURN(store::Lease lease, store_->NewLease());
  absl::StatusOr<std::string> id = RunWithLease(lease);
  if (!id.ok()) {
    return WithObject(
        Prefix(id.status(), absl::StrCat("pull ", ref_.Familiar())), "image",
        ref_.ToString());
  }
  return id;
}

absl::StatusOr<Puller::Document> Puller::GetDocument(
    store::Lease& lease, const Digest& digest,
    const oci::Descriptor* expected) {
  CK_RETURN_IF_ERROR(lease.Protect({digest}, {}));
  std::string media_type;
  std::string bytes;
  auto stored = store_->blobs().Read(digest, oci::kMaxManifestBytes);
  if (stored.ok()) {
    bytes = *std::move(stored);
  } else {
    CK_ASSIGN_OR_RETURN(
        registry::FetchedManifest fetched,
        client_->FetchManifest(ref_.WithDigest(digest), Call(nullptr)));
    media_type = std::move(fetched.media_type);
    bytes = std::move(fetched.bytes);
  }
  if (expected != nullptr) {
    // The parent says what it is; the server's header must not change that.
    media_type = expected->media_type;
    if (bytes.size() != expected->size_bytes) {
      return MakeError(absl::StatusCode::kDataLoss,
                       absl::StrCat("manifest has ", bytes.size(), " bytes, ",
                                    expected->size_bytes, " announced"),
                       {.reason = Reason::kSizeMismatch,
                        .operation = kPull,
                        .object_kind = "manifest",
                        .object_id = digest.str()});
    }
  }
  CK_ASSIGN_OR_RETURN(oci::ManifestDocument content,
                      oci::ParseManifest(bytes, media_type));
  CK_RETURN_IF_ERROR(store_->blobs()
                         .Put(lease, bytes, digest, store_->options().durable)
                         .status());
  Document document = {.content = std::move(content)};
  document.descriptor.digest = digest;
  document.descriptor.size_bytes = bytes.size();
  document.descriptor.media_type = std::visit(
      [](const auto& inner) { return inner.media_type; }, document.content);
  return document;
}

absl::StatusOr<Puller::Document> Puller::FindManifest(store::Lease& lease,
                                                      const Digest& digest) {
  CK_ASSIGN_OR_RETURN(Document document, GetDocument(lease, digest, nullptr));
  for (int depth = 0; depth < oci::kMaxIndexDepth; ++depth) {
    const auto* const index = std::get_if<oci::Index>(&document.content);
    if (index == nullptr) return document;
    CK_ASSIGN_OR_RETURN(const oci::Descriptor entry,
                        oci::SelectPlatform(*index, platform_));
    CK_ASSIGN_OR_RETURN(document, GetDocument(lease, entry.digest, &entry));
  }
  return InvalidArgument(Reason::kLimitExceeded, kPull,
                         absl::StrCat("more than ", oci::kMaxIndexDepth,
                                      " indexes inside each other"));
}

absl::StatusOr<oci::ImageConfig> Puller::GetConfig(
    store::Lease& lease, const oci::Descriptor& descriptor) {
  CK_RETURN_IF_ERROR(lease.Protect({descriptor.digest}, {}));
  auto stored =
      store_->blobs().Read(descriptor.digest, oci::kMaxImageConfigBytes);
  if (stored.ok()) return oci::ParseImageConfig(*stored);
  CK_ASSIGN_OR_RETURN(
      const std::string bytes,
      client_->FetchBlob(ref_, descriptor, oci::kMaxImageConfigBytes,
                         Call(nullptr)),
      "config");
  CK_ASSIGN_OR_RETURN(oci::ImageConfig config, oci::ParseImageConfig(bytes));
  CK_RETURN_IF_ERROR(
      store_->blobs()
          .Put(lease, bytes, descriptor.digest, store_->options().durable)
          .status());
  return config;
}

absl::StatusOr<std::string> Puller::RunWithLease(store::Lease& lease) {
  Report(PullProgress::Phase::kResolving, nullptr);
  CK_ASSIGN_OR_RETURN(const Digest top_digest,
                      client_->Resolve(ref_, Call(nullptr)));
  CK_ASSIGN_OR_RETURN(const Document top,
                      GetDocument(lease, top_digest, nullptr));
  CK_ASSIGN_OR_RETURN(const Document document, FindManifest(lease, top_digest));
  const auto& manifest = std::get<oci::Manifest>(document.content);
  if (!manifest.IsImage()) {
    return Unimplemented(Reason::kMediaTypeUnsupported, kPull,
                         absl::StrCat("not a container image: config of type ",
                                      manifest.config.media_type));
  }
  NewImage image;
  CK_ASSIGN_OR_RETURN(image.config, GetConfig(lease, manifest.config));
  CK_RETURN_IF_ERROR(CheckConfig(image.config, manifest.layers.size()));
  const bool asked = !options_.platform.empty();
  if (asked &&
      !oci::MatchPlatform(platform_, {.os = image.config.os,
                                      .architecture = image.config.architecture,
                                      .variant = image.config.variant})
           .has_value()) {
    return NotFound(Reason::kPlatformNotFound, kPull,
                    absl::StrCat("image is for ", image.config.os, "/",
                                 image.config.architecture, ", not for ",
                                 platform_.ToString()));
  }
  std::vector<Layer> layers;
  std::vector<Digest> blobs;
  std::set<Digest> seen;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    blobs.push_back(manifest.layers[i].digest);
    if (!seen.insert(image.config.diff_ids[i]).second) continue;
    layers.push_back(
        {.blob = manifest.layers[i], .diff_id = image.config.diff_ids[i]});
  }
  CK_RETURN_IF_ERROR(lease.Protect(blobs, image.config.diff_ids));
  CK_RETURN_IF_ERROR(PullLayers(lease, std::move(layers)));
  image.config_digest = manifest.config.digest;
  image.config_media_type = manifest.config.media_type;
  image.config_size_bytes = manifest.config.size_bytes;
  image.layer_blobs = manifest.layers;
  image.manifest = document.descriptor;
  image.target = top.descriptor;
  if (ref_.digest().empty()) image.names.push_back(ref_.ToString());
  image.names.push_back(ref_.WithDigest(top_digest).ToString());
  return CommitImage(*store_, image);
}

absl::Status Puller::PullLayers(store::Lease& lease,
                                std::vector<Layer> layers) {
  std::vector<Layer> missing;
  for (Layer& layer : layers) {
    CK_ASSIGN_OR_RETURN(const bool have, HaveLayer(*store_, layer.diff_id));
    Report(have ? PullProgress::Phase::kExists : PullProgress::Phase::kWaiting,
           &layer);
    if (!have) missing.push_back(std::move(layer));
  }
  if (missing.empty()) return absl::OkStatus();
  // Taken from the back: the largest first, as it takes longest.
  std::stable_sort(missing.begin(), missing.end(),
                   [](const Layer& a, const Layer& b) {
                     return a.blob.size_bytes < b.blob.size_bytes;
                   });
  const size_t workers = std::clamp<size_t>(
      static_cast<size_t>(std::max(options_.parallel_layers, 1)), 1,
      std::min<size_t>(missing.size(), 64));
  {
    const MutexLock lock(&mu_);
    queue_ = std::move(missing);
  }
  const CancelToken finished;
  std::atomic<size_t> running = workers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers; ++i) {
    threads.push_back(StartThread([&] {
      Work(lease);
      if (--running == 0) finished.Cancel();
    }));
  }
  WaitAndForward(finished, options_.cancel, stop_);
  for (std::thread& thread : threads) thread.join();
  CK_RETURN_IF_ERROR(CheckCancelled(options_.cancel, kPull));
  const MutexLock lock(&mu_);
  return error_;
}

void Puller::Fail(const absl::Status& status) {
  {
    const MutexLock lock(&mu_);
    if (error_.ok()) error_ = status;
  }
  stop_.Cancel();
}

void Puller::Work(store::Lease& lease) {
  while (!stop_.cancelled()) {
    Layer layer;
    {
      const MutexLock lock(&mu_);
      if (queue_.empty()) return;
      layer = std::move(queue_.back());
      queue_.pop_back();
    }
    const absl::Status status = PullLayer(lease, layer);
    if (status.ok()) continue;
    if (GetReason(status) == Reason::kStoreBusy) {
      // Another process has it: others first, then look again.
      const MutexLock lock(&mu_);
      queue_.insert(queue_.begin(), std::move(layer));
      continue;
    }
    Fail(Prefix(status, absl::StrCat("layer ", layer.blob.digest.short_hex())));
    return;
  }
}

absl::Status Puller::PullLayer(store::Lease& lease, Layer& layer) {
  constexpr int kAttempts = 2;
  for (int attempt = 1;; ++attempt) {
    CK_ASSIGN_OR_RETURN(const std::unique_ptr<store::BlobWriter> writer,
                        store_->blobs().NewWriter(
                            lease, {.digest = layer.blob.digest,
                                    .size_bytes = layer.blob.size_bytes,
                                    .lock_timeout = kLockTry,
                                    .durable = store_->options().durable}));
    // The one who held the lock before may have made it.
    CK_ASSIGN_OR_RETURN(const bool have, HaveLayer(*store_, layer.diff_id));
    if (have) {
      if (!writer->complete()) writer->Discard();
      Report(PullProgress::Phase::kExists, &layer);
      return absl::OkStatus();
    }
    const bool resumed = !writer->complete() && writer->offset() > 0;
    const absl::Status status = Transfer(lease, *writer, layer);
    if (status.ok()) {
      Report(PullProgress::Phase::kDone, &layer);
      return status;
    }
    // Old bytes that do not fit the new ones: once more, from the beginning.
    const bool content =
        IsContentError(status) || GetReason(status) == Reason::kDigestMismatch;
    if (content && !writer->complete()) writer->Discard();
    if (!content || !resumed || attempt == kAttempts) return status;
    Report(PullProgress::Phase::kRetrying, &layer, status.message());
  }
}

absl::Status Puller::Transfer(store::Lease& lease, store::BlobWriter& writer,
                              Layer& layer) {
  store::LayerUnpackerOptions unpack;
  unpack.diff_id = layer.diff_id;
  unpack.sync = store::LayerSync::kLater;
  unpack.cancel = &stop_;
  unpack.writer = writer_options_;
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<store::LayerUnpacker> unpacker,
                      store::LayerUnpacker::Start(*store_, lease, unpack));
  layer.done_bytes = 0;
  if (writer.complete()) {
    CK_RETURN_IF_ERROR(CopyStoredBlob(*unpacker, layer));
  } else {
    CK_RETURN_IF_ERROR(Fetch(writer, *unpacker, layer));
    if (store_->options().keep_layer_blobs) {
      CK_RETURN_IF_ERROR(writer.Commit().status());
    } else {
      CK_RETURN_IF_ERROR(writer.Verify());
    }
  }
  Report(PullProgress::Phase::kExtracting, &layer);
  CK_ASSIGN_OR_RETURN(const store::LayerRecord record, unpacker->Finish());
  TellWarnings(record, layer.blob.digest.short_hex(), call_.on_warning);
  // Only now: whoever waits for the lock then finds the layer.
  if (!writer.complete()) writer.Discard();
  return absl::OkStatus();
}

absl::Status Puller::Fetch(store::BlobWriter& writer,
                           store::LayerUnpacker& unpacker, Layer& layer) {
  absl::Status refused;
  uint64_t drained = 0;
  const auto unpack = [&](absl::string_view bytes) -> absl::Status {
    layer.done_bytes += bytes.size();
    ReportBytes(layer);
    if (refused.ok()) {
      refused = unpacker.Write(bytes);
    } else {
      drained += bytes.size();
    }
    const bool go_on =
        refused.ok() || (IsContentError(refused) && drained < kMaxDrainBytes);
    return go_on ? absl::OkStatus() : refused;
  };
  const uint64_t offset = writer.offset();
  Report(PullProgress::Phase::kDownloading, &layer);
  if (offset > 0) {
    CK_RETURN_IF_ERROR(writer.Replay(unpack)) << "resume";
  }
  const auto sink = [&](absl::string_view bytes) -> absl::Status {
    CK_RETURN_IF_ERROR(writer.Append(bytes));
    return unpack(bytes);
  };
  CK_RETURN_IF_ERROR(
      client_->StreamBlob(ref_, layer.blob, offset, sink, Call(&layer)));
  if (refused.ok()) return absl::OkStatus();
  // All bytes are here: a wrong digest explains the refusal.
  CK_RETURN_IF_ERROR(writer.VerifyAndDiscard());
  return refused;
}

absl::Status Puller::CopyStoredBlob(store::LayerUnpacker& unpacker,
                                    Layer& layer) {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd,
                      store_->blobs().Open(layer.blob.digest));
  const auto buffer = std::make_unique<char[]>(kCopyBytes);
  while (true) {
    CK_RETURN_IF_ERROR(CheckCancelled(stop_, kPull));
    const ssize_t n = read(fd.get(), buffer.get(), kCopyBytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kPull, "read");
    if (n == 0) return absl::OkStatus();
    const absl::string_view bytes(buffer.get(), static_cast<size_t>(n));
    CK_RETURN_IF_ERROR(unpacker.Write(bytes));
    layer.done_bytes += bytes.size();
    ReportBytes(layer);
  }
}

}  // namespace containerkit::image
