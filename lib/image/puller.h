// Pulling: registry -> verified, unpacked layers -> image, in one pass.
#ifndef CONTAINERKIT_LIB_IMAGE_PULLER_H_
#define CONTAINERKIT_LIB_IMAGE_PULLER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "containerkit/image.h"
#include "lib/base/mutex.h"
#include "lib/image/image_commit.h"
#include "lib/oci/manifest.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"
#include "lib/registry/transport.h"
#include "lib/store/layer_unpacker.h"
#include "lib/store/store.h"

namespace containerkit::image {

// One pull. Each layer's bytes go through one pass: from the registry into the
// hash and the partial file, and into the unpacker; nothing is visible before
// both digests are right. A broken or killed pull leaves the partial file, and
// the next one, by any process, goes on where it ends. Of several processes
// that pull one layer one works and the others wait for it.
//
// Threads: Run() blocks; up to PullOptions::parallel_layers threads fetch, and
// each unpacker has its own.
class Puller {
 public:
  Puller(store::Store* store, registry::Client* client,
         store::LayerWriterOptions writer_options, const oci::ImageRef& ref,
         registry::CallOptions call, const PullOptions& options);

  // Returns the image's id. Errors: as Images::Pull() in
  // containerkit/image.h.
  absl::StatusOr<std::string> Run();

 private:
  struct Layer {
    oci::Descriptor blob;
    Digest diff_id;
    uint64_t done_bytes = 0;
    absl::Time last_report;
  };
  // What the registry has for a digest, or the store already.
  struct Document {
    oci::Descriptor descriptor;
    oci::ManifestDocument content;
  };

  absl::StatusOr<std::string> RunWithLease(store::Lease& lease);
  absl::StatusOr<Document> GetDocument(store::Lease& lease,
                                       const Digest& digest,
                                       const oci::Descriptor* expected);
  absl::StatusOr<Document> FindManifest(store::Lease& lease,
                                        const Digest& digest);
  absl::StatusOr<oci::ImageConfig> GetConfig(store::Lease& lease,
                                             const oci::Descriptor& config);
  absl::Status PullLayers(store::Lease& lease, std::vector<Layer> layers);
  void Work(store::Lease& lease);
  absl::Status PullLayer(store::Lease& lease, Layer& layer);
  absl::Status Fetch(store::BlobWriter& writer, store::LayerUnpacker& unpacker,
                     Layer& layer);
  absl::Status Transfer(store::Lease& lease, store::BlobWriter& writer,
                        Layer& layer);
  absl::Status CopyStoredBlob(store::LayerUnpacker& unpacker, Layer& layer);

  registry::CallOptions Call(const Layer* layer);
  void Report(PullProgress::Phase phase, const Layer* layer,
              absl::string_view message = "") ABSL_LOCKS_EXCLUDED(report_mu_);
  void ReportBytes(Layer& layer);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  store::Store* const store_;
  registry::Client* const client_;
  const store::LayerWriterOptions writer_options_;
  const oci::ImageRef ref_;
  // Credentials and headers of every request.
  const registry::CallOptions call_;
  const PullOptions& options_;
  oci::Platform platform_;

  // Ends the workers' requests: the caller cancelled, or one of them failed.
  const CancelToken stop_;
  Mutex mu_;
  std::vector<Layer> queue_ ABSL_GUARDED_BY(mu_);
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Mutex report_mu_;
};

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_PULLER_H_
