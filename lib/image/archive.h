// The members of an image archive: a tar file, or an OCI layout directory.
#ifndef CONTAINERKIT_LIB_IMAGE_ARCHIVE_H_
#define CONTAINERKIT_LIB_IMAGE_ARCHIVE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "lib/base/unique_fd.h"
#include "lib/store/store.h"

namespace containerkit::image {

// Takes members one after the other.
class MemberSink {
 public:
  virtual ~MemberSink() = default;
  virtual absl::Status Begin(const std::string& name) = 0;
  virtual absl::Status Write(absl::string_view bytes) = 0;
  virtual absl::Status End() = 0;
};

// Members are only looked up by name in memory, or below one directory with
// fixed names: no name of an archive ever becomes a path.
//
// One thread at a time.
class ImageArchive {
 public:
  virtual ~ImageArchive() = default;

  // The member that `name` is or links to; "" when there is none.
  virtual std::string Find(const std::string& name) = 0;

  // A whole small member.
  //
  // Errors: INVALID_ARGUMENT / kArchiveCorrupt when there is none;
  //         RESOURCE_EXHAUSTED / kLimitExceeded.
  virtual absl::StatusOr<std::string> Read(const std::string& name,
                                           size_t max_bytes) = 0;

  // Gives members, named as Find() does, to `sink`, in any order.
  //
  // Errors: those of the sink; as Read().
  virtual absl::Status Stream(const std::set<std::string>& names,
                              MemberSink& sink) = 0;
};

// Opens an archive that is read from `fd` (borrowed): tar, plain or with gzip
// or zstd. What is not a plain file is first copied into an unnamed temporary
// file of the store.
//
// Trust: any bytes. Refused: names that are absolute or have "..", two members
// of one name, devices, more than 200,000 members, names and links of more than
// 4095 bytes, a stream that exceeds StreamLimits.
// Errors: DATA_LOSS / kArchiveCorrupt; INVALID_ARGUMENT / kUnsafePath,
//         kArchiveEntryRefused; RESOURCE_EXHAUSTED / kLimitExceeded,
//         kDiskFull; CANCELLED / kCancelled.
absl::StatusOr<std::unique_ptr<ImageArchive>> OpenTarArchive(
    store::Store& store, int fd, const CancelToken& cancel);

// Opens an OCI layout directory.
//
// Errors: as open(2).
absl::StatusOr<std::unique_ptr<ImageArchive>> OpenDirArchive(
    const std::string& path, const CancelToken& cancel);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_ARCHIVE_H_
