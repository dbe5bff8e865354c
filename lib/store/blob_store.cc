#include "lib/store/blob_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::store {
namespace {

constexpr char kWrite[] = "store.write_blob";
constexpr char kRead[] = "store.read_blob";
constexpr size_t kBufferBytes = 1 << 20;

absl::Status BlobError(absl::StatusCode code, Reason reason,
                       absl::string_view operation, absl::string_view message,
                       const Digest& digest, bool retryable = false) {
  return MakeError(code, message,
                   {.reason = reason,
                    .operation = std::string(operation),
                    .object_kind = "blob",
                    .object_id = digest.str(),
                    .retryable = retryable});
}

std::string BlobName(const Digest& digest) { return std::string(digest.hex()); }

std::string PartialName(const Digest& digest) {
  return absl::StrCat(digest.algorithm_name(), "-", digest.hex());
}

// Feeds all of `fd` from offset 0 on to `consumer`.
absl::Status ForEachChunk(
    int fd, uint64_t size,
    absl::FunctionRef<absl::Status(absl::string_view)> consumer) {
  const auto buffer = std::make_unique<char[]>(kBufferBytes);
  uint64_t at = 0;
  while (at < size) {
    const size_t want = std::min<uint64_t>(kBufferBytes, size - at);
    const ssize_t n = pread(fd, buffer.get(), want, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kRead, "pread");
    if (n == 0) break;
    CK_RETURN_IF_ERROR(
        consumer(absl::string_view(buffer.get(), static_cast<size_t>(n))));
    at += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace

BlobWriter::~BlobWriter() {
  if (!fd_.ok()) return;
  const bool resumable = !options_.digest.empty() && offset_ > 0;
  if (!resumable && layout_->CheckProcess().ok()) Discard();
}

void BlobWriter::Discard() {
  if (!fd_.ok()) return;
  unlinkat(layout_->ingest_fd(), name_.c_str(), 0);
  sys::UnlockFd(fd_.get());
  fd_.Reset();
}

absl::Status BlobWriter::Replay(
    absl::FunctionRef<absl::Status(absl::string_view)> consumer) {
  const uint64_t size = std::exchange(unhashed_, 0);
  return ForEachChunk(fd_.get(), size, [&](absl::string_view chunk) {
    hasher_.Update(chunk);
    return consumer(chunk);
  });
}

absl::Status BlobWriter::Restart() {
  if (ftruncate(fd_.get(), 0) != 0 || lseek(fd_.get(), 0, SEEK_SET) != 0) {
    return SyscallError(errno, kWrite, "ftruncate", name_);
  }
  offset_ = 0;
  unhashed_ = 0;
  resumed_ = false;
  hasher_.Finish();
  return absl::OkStatus();
}

absl::Status BlobWriter::Append(absl::string_view bytes) {
  if (!fd_.ok()) return InternalError(kWrite, "write to a finished blob");
  if (unhashed_ > 0) {
    CK_RETURN_IF_ERROR(
        Replay([](absl::string_view) { return absl::OkStatus(); }));
  }
  if (options_.size_bytes.has_value() &&
      bytes.size() > *options_.size_bytes - offset_) {
    Discard();
    return BlobError(absl::StatusCode::kDataLoss, Reason::kSizeMismatch, kWrite,
                     absl::StrCat("blob has more than the announced ",
                                  *options_.size_bytes, " bytes"),
                     options_.digest);
  }
  const absl::Status written = sys::WriteAll(fd_.get(), bytes);
  if (!written.ok()) {
    // Part of it may be in the file; without the space it is of no use.
    Discard();
    return WithObject(Prefix(written, "write blob"), "blob",
                      options_.digest.str());
  }
  hasher_.Update(bytes);
  offset_ += bytes.size();
  return absl::OkStatus();
}

absl::StatusOr<Digest> BlobWriter::Finish() {
  if (!fd_.ok()) return InternalError(kWrite, "commit of a finished blob");
  if (unhashed_ > 0) {
    CK_RETURN_IF_ERROR(
        Replay([](absl::string_view) { return absl::OkStatus(); }));
  }
  if (options_.size_bytes.has_value() && offset_ < *options_.size_bytes) {
    fd_.Reset();
    return BlobError(absl::StatusCode::kDataLoss, Reason::kSizeMismatch, kWrite,
                     absl::StrCat("blob ends after ", offset_, " of ",
                                  *options_.size_bytes, " bytes"),
                     options_.digest, /*retryable=*/true);
  }
  Digest digest = hasher_.Finish();
  if (options_.digest.empty() || digest == options_.digest) return digest;
  Discard();
  return BlobError(absl::StatusCode::kDataLoss, Reason::kDigestMismatch, kWrite,
                   absl::StrCat("blob has digest ", digest.str(), ", not ",
                                options_.digest.str()),
                   options_.digest, resumed_);
}

absl::StatusOr<VerifiedBlob> BlobWriter::Commit() {
  if (complete_.has_value()) return *complete_;
  CK_ASSIGN_OR_RETURN(Digest digest, Finish());
  if (options_.digest.empty()) {
    CK_RETURN_IF_ERROR(lease_->Protect({digest}, {}));
  }
  const int blobs_fd = layout_->blobs_fd(digest.algorithm());
  if (fchmod(fd_.get(), 0400) != 0) {
    return SyscallError(errno, kWrite, "fchmod", name_);
  }
  if (options_.durable && fdatasync(fd_.get()) != 0) {
    const int error = errno;
    // What the page cache says about this file can no longer be believed.
    Discard();
    return SyscallError(error, kWrite, "fdatasync", name_);
  }
  if (renameat(layout_->ingest_fd(), name_.c_str(), blobs_fd,
               BlobName(digest).c_str()) != 0) {
    const int error = errno;
    Discard();
    return SyscallError(error, kWrite, "rename", name_);
  }
  sys::UnlockFd(fd_.get());
  fd_.Reset();
  if (options_.durable) {
    CK_RETURN_IF_ERROR(sys::SyncFd(blobs_fd));
  }
  return VerifiedBlob(std::move(digest), offset_);
}

absl::Status BlobWriter::Verify() {
  if (complete_.has_value()) return absl::OkStatus();
  return Finish().status();
}

absl::Status BlobWriter::VerifyAndDiscard() {
  if (complete_.has_value()) return absl::OkStatus();
  CK_RETURN_IF_ERROR(Finish().status());
  Discard();
  return absl::OkStatus();
}

absl::StatusOr<VerifiedBlob> BlobStore::Find(const Digest& digest) const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  struct stat info;
  if (!digest.empty() &&
      fstatat(layout_->blobs_fd(digest.algorithm()), BlobName(digest).c_str(),
              &info, AT_SYMLINK_NOFOLLOW) == 0) {
    return VerifiedBlob(digest, static_cast<uint64_t>(info.st_size));
  }
  return BlobError(absl::StatusCode::kNotFound, Reason::kBlobNotFound, kRead,
                   absl::StrCat("no such blob: ", digest.str()), digest);
}

absl::StatusOr<UniqueFd> BlobStore::Open(const Digest& digest) const {
  CK_RETURN_IF_ERROR(Find(digest).status());
  return sys::OpenAt(layout_->blobs_fd(digest.algorithm()), BlobName(digest),
                     O_RDONLY | O_NOFOLLOW);
}

absl::StatusOr<std::string> BlobStore::Read(const Digest& digest,
                                            size_t max_bytes) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, Open(digest));
  CK_ASSIGN_OR_RETURN(std::string bytes, sys::ReadFd(fd.get(), max_bytes),
                      "read blob ", digest.str());
  Hasher hasher(digest.algorithm());
  hasher.Update(bytes);
  if (hasher.Finish() == digest) return bytes;
  return BlobError(absl::StatusCode::kDataLoss, Reason::kDigestMismatch, kRead,
                   absl::StrCat("blob is damaged: ", digest.str()), digest);
}

absl::StatusOr<std::unique_ptr<BlobWriter>> BlobStore::NewWriter(
    Lease& lease, BlobWriterOptions options) const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  auto writer = std::unique_ptr<BlobWriter>(
      new BlobWriter(layout_, &lease, std::move(options)));
  const Digest& digest = writer->options_.digest;
  if (digest.empty()) {
    CK_ASSIGN_OR_RETURN(TempEntry entry,
                        MakeTempFile(layout_->ingest_fd(), "anon-"));
    writer->name_ = std::move(entry.name);
    writer->fd_ = std::move(entry.fd);
    return writer;
  }
  CK_RETURN_IF_ERROR(lease.Protect({digest}, {}));
  writer->name_ = PartialName(digest);
  const absl::Time deadline = absl::Now() + writer->options_.lock_timeout;
  for (;;) {
    if (absl::StatusOr<VerifiedBlob> blob = Find(digest); blob.ok()) {
      writer->complete_ = *std::move(blob);
      writer->offset_ = writer->complete_->size_bytes();
      return writer;
    }
    CK_ASSIGN_OR_RETURN(UniqueFd fd,
                        sys::OpenAt(layout_->ingest_fd(), writer->name_,
                                    O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    CK_RETURN_IF_ERROR(sys::LockFd(fd.get(), sys::LockMode::kExclusive,
                                   deadline - absl::Now(), writer->name_));
    if (!NameIsCurrent(layout_->ingest_fd(), writer->name_, fd.get())) {
      continue;  // Committed or discarded while this waited.
    }
    if (Find(digest).ok()) {
      // Committed between our look and our file.
      unlinkat(layout_->ingest_fd(), writer->name_.c_str(), 0);
      continue;
    }
    writer->fd_ = std::move(fd);
    break;
  }
  struct stat info;
  if (fstat(writer->fd_.get(), &info) != 0) {
    return SyscallError(errno, kWrite, "fstat", writer->name_);
  }
  writer->offset_ = writer->unhashed_ = static_cast<uint64_t>(info.st_size);
  writer->resumed_ = writer->offset_ > 0;
  const std::optional<uint64_t>& size = writer->options_.size_bytes;
  if (size.has_value() && writer->offset_ > *size) {
    CK_RETURN_IF_ERROR(writer->Restart());
  }
  if (lseek(writer->fd_.get(), 0, SEEK_END) < 0) {
    return SyscallError(errno, kWrite, "lseek", writer->name_);
  }
  return writer;
}

absl::StatusOr<VerifiedBlob> BlobStore::Put(Lease& lease,
                                            absl::string_view bytes,
                                            const Digest& digest,
                                            bool durable) const {
  BlobWriterOptions options{
      .digest = digest.empty() ? Sha256::Of(bytes) : digest,
      .size_bytes = bytes.size(),
      .durable = durable};
  CK_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer,
                      NewWriter(lease, std::move(options)));
  if (writer->complete()) return writer->Commit();
  // All bytes are at hand: nothing is gained by trusting an older half.
  if (writer->offset() > 0) {
    CK_RETURN_IF_ERROR(writer->Restart());
  }
  CK_RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Commit();
}

absl::Status BlobStore::Verify(const Digest& digest,
                               const CancelToken& cancel) const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, Open(digest));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return SyscallError(errno, kRead, "fstat");
  Hasher hasher(digest.algorithm());
  CK_RETURN_IF_ERROR(ForEachChunk(fd.get(), static_cast<uint64_t>(info.st_size),
                                  [&](absl::string_view chunk) {
                                    hasher.Update(chunk);
                                    return CheckCancelled(cancel, kRead);
                                  }));
  if (hasher.Finish() == digest) return absl::OkStatus();
  return BlobError(absl::StatusCode::kDataLoss, Reason::kDigestMismatch, kRead,
                   absl::StrCat("blob is damaged: ", digest.str()), digest);
}

absl::StatusOr<std::vector<Digest>> BlobStore::List() const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  std::vector<Digest> digests;
  for (const auto& [algorithm, word] :
       {std::pair(Digest::Algorithm::kSha256, "sha256:"),
        std::pair(Digest::Algorithm::kSha512, "sha512:")}) {
    CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        sys::ListDirAt(layout_->blobs_fd(algorithm), "."));
    for (const std::string& name : names) {
      absl::StatusOr<Digest> digest = Digest::Parse(absl::StrCat(word, name));
      if (digest.ok()) digests.push_back(*std::move(digest));
    }
  }
  return digests;
}

}  // namespace containerkit::store
