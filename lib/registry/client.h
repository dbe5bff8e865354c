// The distribution client: names to manifests, manifests to bytes.
#ifndef CONTAINERKIT_LIB_REGISTRY_CLIENT_H_
#define CONTAINERKIT_LIB_REGISTRY_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/digest.h"
#include "lib/base/mutex.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/registry/options.h"
#include "lib/registry/transport.h"

namespace containerkit::registry {

// A manifest's or an index's own bytes, which have the digest.
struct FetchedManifest {
  Digest digest;
  std::string media_type;
  std::string bytes;
};

// Takes the bytes of a blob in order. An error ends the download.
using BlobSink = std::function<absl::Status(absl::string_view)>;

// Talks to registries, keeping connections, tokens and what it learned.
//
// Thread-safe; starts no threads. Every call blocks on the network and ends
// within a second of its token's cancellation.
class Client {
 public:
  explicit Client(ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // What a tag stands for now: a HEAD request (Docker Hub does not count
  // them), else a GET. A reference with a digest needs no request.
  //
  // Errors: NOT_FOUND / kImageNotFound; UNAUTHENTICATED, PERMISSION_DENIED /
  //         kUnauthorized; UNAVAILABLE / kRegistryUnreachable, kRegistryError,
  //         kRateLimited, kTlsFailed; DEADLINE_EXCEEDED / kTimeout;
  //         PERMISSION_DENIED / kRedirectRefused, kAuthRealmRefused;
  //         CANCELLED / kCancelled.
  absl::StatusOr<Digest> Resolve(const oci::ImageRef& ref,
                                 const CallOptions& call = {});

  // The manifest or index of the reference's digest, or else of its tag.
  //
  // Trust: the bytes come from a registry; at most 4 MiB, and they have the
  // digest that was asked for.
  // Errors: as Resolve(); DATA_LOSS / kDigestMismatch; RESOURCE_EXHAUSTED /
  //         kLimitExceeded.
  absl::StatusOr<FetchedManifest> FetchManifest(const oci::ImageRef& ref,
                                                const CallOptions& call = {});

  // The tags of the reference's repository, in the registry's order.
  //
  // Trust: they come from a registry: at most 100 pages of 4 MiB; whether they
  // are tags at all, the caller has to see.
  // Errors: as Resolve(); UNAVAILABLE / kRegistryError for an answer that is
  //         no list; RESOURCE_EXHAUSTED / kLimitExceeded.
  absl::StatusOr<std::vector<std::string>> ListTags(
      const oci::ImageRef& ref, const CallOptions& call = {});

  // A small blob (a config), whole and verified.
  //
  // Errors: as FetchManifest(); NOT_FOUND / kBlobNotFound; DATA_LOSS /
  //         kSizeMismatch.
  absl::StatusOr<std::string> FetchBlob(const oci::ImageRef& ref,
                                        const oci::Descriptor& blob,
                                        size_t max_bytes,
                                        const CallOptions& call = {});

  // Gives the bytes of a blob from `offset` on to `sink`, exactly up to the
  // descriptor's size. A broken transfer goes on by a range request, from the
  // next server if need be; a server that knows no ranges sends again what is
  // then skipped.
  //
  // Trust: the bytes are NOT verified here: the sink has to hash them.
  // Errors: those of the sink; as FetchBlob(), without kDigestMismatch.
  absl::Status StreamBlob(const oci::ImageRef& ref, const oci::Descriptor& blob,
                          uint64_t offset, const BlobSink& sink,
                          const CallOptions& call = {});

 private:
  // Calls `fn` for one server after the other until one succeeds; the error of
  // the registry itself, which comes last, is the one returned.
  absl::Status ForEachEndpoint(
      const oci::ImageRef& ref, const CallOptions& call,
      absl::FunctionRef<absl::Status(const Endpoint&)> fn)
      ABSL_LOCKS_EXCLUDED(mu_);

  const ClientOptions options_;
  Transport transport_;
  Mutex mu_;
  // Mirrors that could not be reached, and until when they are passed over.
  std::map<std::string, absl::Time> resting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_CLIENT_H_
