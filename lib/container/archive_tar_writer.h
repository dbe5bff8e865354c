// Writes PAX tar archives.
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/cancel.h"
#include "lib/store/tar_reader.h"

namespace containerkit::container {

// POSIX.1-2001 pax interchange format, extended headers only where ustar's
// fields are too small. Not libarchive's writer: that one cannot write names
// that are not ASCII without a UTF-8 locale in force (it marks them
// "hdrcharset=BINARY"), and stores attributes twice under a keyword that GNU
// tar complains about.
//
// One thread at a time.
class TarWriter {
 public:
  // `fd` is borrowed: pipe, socket or file, blocking or not. A reader that
  // went away is EPIPE, never SIGPIPE; one that does not read is waited for
  // until `cancel`.
  TarWriter(int fd, CancelToken cancel);

  // Starts an entry; directories get their slash. Of files, `size` bytes of
  // content must follow.
  //
  // Errors: as write(2); CANCELLED.
  absl::Status Add(const store::TarEntry& entry);
  // Content; bytes beyond the announced size are dropped.
  absl::Status Data(absl::string_view bytes);
  // Ends the content; zeros stand for what is missing of it.
  absl::Status EndData();
  // Ends the archive.
  absl::Status Finish();

 private:
  absl::Status Append(absl::string_view bytes);
  absl::Status Zeros(uint64_t count);
  absl::Status Flush();
  absl::StatusOr<size_t> WriteSome(absl::string_view bytes);

  const int fd_;
  const CancelToken cancel_;
  bool socket_ = false;
  size_t at_once_;     // bytes that write(2) takes without blocking
  uint64_t left_ = 0;  // of the content
  uint64_t padding_ = 0;
  std::string buffer_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_
