// Blobs: files named by their digest, which appear only when whole and
// verified.
#ifndef CONTAINERKIT_LIB_STORE_BLOB_STORE_H_
#define CONTAINERKIT_LIB_STORE_BLOB_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"
#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"
#include "lib/store/layout.h"
#include "lib/store/lease.h"

namespace containerkit::store {

// The proof that a blob's bytes have the digest. Only BlobStore makes one.
class VerifiedBlob {
 public:
  const Digest& digest() const { return digest_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  friend class BlobStore;
  friend class BlobWriter;
  VerifiedBlob(Digest digest, uint64_t size_bytes)
      : digest_(std::move(digest)), size_bytes_(size_bytes) {}
  Digest digest_;
  uint64_t size_bytes_;
};

struct BlobWriterOptions {
  // What the bytes must hash to. Empty: any bytes; the digest is the result
  // (sha256), and nothing can be resumed.
  Digest digest;
  // How many bytes there must be, when known.
  std::optional<uint64_t> size_bytes;
  // How long to wait while another process or thread writes the same blob.
  absl::Duration lock_timeout = absl::Minutes(10);
  // Wait for the disk in Commit().
  bool durable = true;
};

// Writes one blob. With a digest in the options the bytes go to a partial
// file that outlives this object and this process: the next writer of the
// digest goes on where it ends.
//
//   CK_ASSIGN_OR_RETURN(auto writer, blobs.NewWriter(lease, {.digest = d}));
//   if (!writer->complete()) {
//     ... fetch from writer->offset() on; writer->Append(bytes) ...
//   }
//   CK_ASSIGN_OR_RETURN(VerifiedBlob blob, writer->Commit());
//
// One thread at a time. Must not outlive its Store and Lease.
class BlobWriter {
 public:
  // Keeps the partial file if there is something to resume.
  ~BlobWriter();

  // The blob is in the store already (another process was faster): Append()
  // nothing, Commit() gives it.
  bool complete() const { return complete_.has_value(); }

  // Bytes that are there. Right after NewWriter(): where to resume.
  uint64_t offset() const { return offset_; }

  // Gives the bytes that a former writer left, in order, to `consumer` (for
  // streaming into a LayerUnpacker). Without this call the first Append()
  // reads them itself, for the hash. At most once, before Append().
  //
  // Errors: those of `consumer`; as read(2).
  absl::Status Replay(
      absl::FunctionRef<absl::Status(absl::string_view)> consumer);

  // Forgets all bytes: start over at 0 (the server cannot resume).
  absl::Status Restart();

  // Errors: DATA_LOSS / kSizeMismatch for more bytes than announced; as
  // write(2). After kSizeMismatch or kDiskFull the partial file is gone.
  absl::Status Append(absl::string_view bytes);

  // Verifies size and digest and makes the blob visible under its digest:
  // data -> fdatasync -> rename -> directory fsync. The writer is then spent.
  //
  // Errors: DATA_LOSS / kDigestMismatch: the partial file is gone; retryable
  //         when some of it came from an earlier writer.
  //         DATA_LOSS / kSizeMismatch (retryable): bytes are missing; what is
  //         there stays for a resume.
  absl::StatusOr<VerifiedBlob> Commit();

  // Verifies size and digest, and keeps the lock: whoever waits for the blob
  // goes on waiting until Discard(). For layers, which have to be visible in
  // their unpacked form before another writer looks for them.
  //
  // Errors: as Commit().
  absl::Status Verify();

  // As Commit(), but the bytes are not kept: for layers, of which the store
  // keeps only the unpacked form.
  absl::Status VerifyAndDiscard();

  // Removes the partial file. The writer is then spent.
  void Discard();

 private:
  friend class BlobStore;
  BlobWriter(const Layout* layout, Lease* lease, BlobWriterOptions options)
      : layout_(layout),
        lease_(lease),
        options_(std::move(options)),
        hasher_(options_.digest.empty() ? Digest::Algorithm::kSha256
                                        : options_.digest.algorithm()) {}
  absl::StatusOr<Digest> Finish();

  const Layout* layout_;
  Lease* lease_;
  BlobWriterOptions options_;
  std::string name_;
  UniqueFd fd_;
  std::optional<VerifiedBlob> complete_;
  uint64_t offset_ = 0;
  // Bytes at the start of the file that hasher_ has not seen.
  uint64_t unhashed_ = 0;
  bool resumed_ = false;
  Hasher hasher_;
};

// Thread-safe. Must not outlive its Layout.
class BlobStore {
 public:
  explicit BlobStore(const Layout* layout) : layout_(layout) {}

  // Looks a blob up. Call Lease::Protect() first where it matters that it
  // stays.
  //
  // Errors: NOT_FOUND / kBlobNotFound; FAILED_PRECONDITION / kForked.
  absl::StatusOr<VerifiedBlob> Find(const Digest& digest) const;

  // Opens a blob for reading.
  //
  // Errors: as Find().
  absl::StatusOr<UniqueFd> Open(const Digest& digest) const;

  // The bytes of a small blob, verified once more.
  //
  // Errors: as Find(); RESOURCE_EXHAUSTED / kLimitExceeded above `max_bytes`;
  //         DATA_LOSS / kDigestMismatch for a damaged file.
  absl::StatusOr<std::string> Read(const Digest& digest,
                                   size_t max_bytes) const;

  // Starts or resumes writing a blob, which `lease` then protects.
  //
  // Trust: the bytes may be anything; nothing is visible before Commit().
  // Errors: UNAVAILABLE / kStoreBusy while another writer holds the blob.
  absl::StatusOr<std::unique_ptr<BlobWriter>> NewWriter(
      Lease& lease, BlobWriterOptions options) const;

  // Writes a small blob in one go. With `digest` it must match.
  //
  // Errors: as BlobWriter.
  absl::StatusOr<VerifiedBlob> Put(Lease& lease, absl::string_view bytes,
                                   const Digest& digest = {},
                                   bool durable = true) const;

  // Reads the whole blob and compares.
  //
  // Errors: as Find(); DATA_LOSS / kDigestMismatch; CANCELLED.
  absl::Status Verify(const Digest& digest,
                      const CancelToken& cancel = {}) const;

  absl::StatusOr<std::vector<Digest>> List() const;

 private:
  const Layout* layout_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_BLOB_STORE_H_
