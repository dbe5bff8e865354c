// Writes PAX tar archives.
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
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
  // went away is EPIPE, never SIGPIPE.
  explicit TarWriter(int fd) : fd_(fd) {}

  // Starts an entry; directories get their slash. Of files, `size` bytes of
  // content must follow.
  //
  // Errors: as write(2).
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

  const int fd_;
  bool socket_ = true;  // until send(2) says otherwise
  uint64_t left_ = 0;   // of the content
  uint64_t padding_ = 0;
  std::string buffer_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_TAR_WRITER_H_
