// Reading tar archives (ustar, PAX, GNU): libarchive with nothing but tar.
#ifndef CONTAINERKIT_LIB_STORE_TAR_READER_H_
#define CONTAINERKIT_LIB_STORE_TAR_READER_H_

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct archive;

namespace containerkit::store {

// Where an archive comes from.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, valid until the next call; empty at the end.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

// One member. Names and link targets are raw bytes, as the archive has them:
// hostile until proven otherwise.
struct TarEntry {
  enum class Type {
    kFile,
    kDirectory,
    kSymlink,
    kHardlink,
    kCharDevice,
    kBlockDevice,
    kFifo,
  };
  Type type = Type::kFile;
  std::string path;
  // Of symlinks and hardlinks.
  std::string link_target;
  // Permission bits with set-id and sticky bits.
  mode_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  // Of files: bytes, holes included.
  uint64_t size = 0;
  timespec mtime = {};
  dev_t device = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// Strict: what libarchive only warns of is an error here, for two programs
// that read one archive differently are an attack. Names are never converted
// between character sets, whatever the locale of the process.
//
// One thread at a time.
class TarReader {
 public:
  // `source` must outlive the reader.
  static absl::StatusOr<std::unique_ptr<TarReader>> Open(ByteSource* source);
  ~TarReader();

  // The next entry: true; end of the archive: false. An empty source is an
  // archive without entries.
  //
  // Trust: hostile bytes.
  // Errors: DATA_LOSS / kArchiveCorrupt; INVALID_ARGUMENT /
  //         kArchiveEntryRefused for a type or number that is none;
  //         RESOURCE_EXHAUSTED / kLimitExceeded for headers (with long names
  //         and sparse maps) above 8 MiB; those of the source.
  absl::StatusOr<bool> Next(TarEntry& entry);

  // The next piece of the entry's content and where it belongs; false at its
  // end. Gaps are holes. `bytes` is valid until the next call.
  //
  // Errors: DATA_LOSS / kArchiveCorrupt; those of the source.
  absl::StatusOr<bool> ReadData(absl::string_view& bytes, uint64_t& offset);

 private:
  struct Free {
    void operator()(archive* a) const;
  };
  explicit TarReader(ByteSource* source) : source_(source) {}
  static ssize_t ReadCallback(archive* a, void* client, const void** buffer);
  absl::Status Fail();
  absl::Status SkipContent();

  ByteSource* source_;
  absl::Status source_status_;
  bool in_entry_ = false;
  bool in_header_ = false;
  // Handed out during this Next().
  uint64_t header_bytes_ = 0;
  std::unique_ptr<archive, Free> archive_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_TAR_READER_H_
