// A compressed layer stream -> an unpacked, verified, visible layer.
#ifndef CONTAINERKIT_LIB_STORE_LAYER_UNPACKER_H_
#define CONTAINERKIT_LIB_STORE_LAYER_UNPACKER_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "lib/base/digest.h"
#include "lib/store/decompressor.h"
#include "lib/store/layer_writer.h"
#include "lib/store/records.pb.h"
#include "lib/store/store.h"
#include "lib/store/stream_limits.h"

namespace containerkit::store {

enum class LayerSync {
  // On the disk when Finish() returns (one syncfs), if the store is durable.
  kNow,
  // Visible at once, but dropped by the next boot unless Store::SyncLayers()
  // ran: for images of several layers, which then need one syncfs in all.
  kLater,
};

struct LayerUnpackerOptions {
  // Digest of the uncompressed tar that Finish() demands. Empty: any; the
  // result tells.
  Digest diff_id;
  // Unset: by the first bytes. A caller with a media type may insist.
  std::optional<Compression> compression;
  LayerSync sync = LayerSync::kNow;
  // Ends a wait for other layers with large windows (decompressor.h); it must
  // outlive the unpacker. Null: only the unpacker's end does.
  const CancelToken* cancel = nullptr;
  // Limits on what a stream may grow to; see LayerWriterOptions for more.
  StreamLimits limits;
  LayerWriterOptions writer;
};

// Inflates, hashes, parses and writes in one pass over bounded buffers (about
// 10 MiB, and what decompressor.h says), on three threads of its own, which end
// with it; a layer that has at most 4 MiB compressed is unpacked by the thread
// that calls Finish(). One with a large zstd window is taken in whole first.
//
//   CK_ASSIGN_OR_RETURN(auto unpacker,
//                       LayerUnpacker::Start(store, lease, {.diff_id = d}));
//   while (...) CK_RETURN_IF_ERROR(unpacker->Write(bytes));
//   CK_ASSIGN_OR_RETURN(LayerRecord layer, unpacker->Finish());
//
// Nothing is visible before Finish() has verified the digest; an unpacker that
// is destroyed, or whose process dies, leaves at most a temporary directory
// that the next Store::Open() or garbage collection removes.
//
// One thread at a time; several unpackers run side by side. Must not outlive
// its Store and Lease.
class LayerUnpacker {
 public:
  // Makes the place to unpack to. `lease` protects the layer when `diff_id` is
  // given here; otherwise Finish() protects it before it becomes visible.
  //
  // Privileges: none. As root, owners, devices and capabilities are kept.
  static absl::StatusOr<std::unique_ptr<LayerUnpacker>> Start(
      Store& store, Lease& lease, const LayerUnpackerOptions& options);

  LayerUnpacker(const LayerUnpacker&) = delete;
  LayerUnpacker& operator=(const LayerUnpacker&) = delete;
  // Stops, and removes what was written.
  ~LayerUnpacker();

  // Takes the next bytes of the (compressed) stream. Waits while the disk is
  // behind.
  //
  // Trust: hostile bytes.
  // Errors: DATA_LOSS / kArchiveCorrupt; INVALID_ARGUMENT / kUnsafePath,
  //         kArchiveEntryRefused; RESOURCE_EXHAUSTED / kLimitExceeded,
  //         kDiskFull. Every later call gives the same error.
  absl::Status Write(absl::string_view bytes);

  // Ends the stream, verifies it and makes the layer visible. When another
  // process was faster, its layer stays and this one is dropped.
  //
  // Errors: as Write(); DATA_LOSS / kDiffIdMismatch.
  absl::StatusOr<LayerRecord> Finish();

 private:
  class Pipeline;
  explicit LayerUnpacker(std::unique_ptr<Pipeline> pipeline);
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LAYER_UNPACKER_H_
