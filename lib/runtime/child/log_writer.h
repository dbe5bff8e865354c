// The container's log: Docker's json-file format, rotated by size.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_LOG_WRITER_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_LOG_WRITER_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {

// Turns a stream's bytes into lines {"log":"...\n","stream":"stdout",
// "time":"..."}. A line of more than kLongestLine bytes is split, as Docker
// does: parts but the last have no "\n". Buffers exist only once something
// was written.
class LogWriter {
 public:
  static constexpr size_t kLongestLine = 16 * 1024;

  // Opens log.json in the directory (borrowed; stays open). -errno.
  long Open(int directory, uint64_t max_bytes, uint32_t max_files);
  bool open() const { return fd_ >= 0; }

  // Trust: `data` is what the container printed.
  void Write(bool is_stderr, const char* data, size_t size,
             int64_t realtime_ns);

  // Writes lines that have no end yet; at the end of the streams.
  void Finish(int64_t realtime_ns);

 private:
  static constexpr size_t kMostRecord = kLongestLine * 6 + 128;
  static constexpr size_t kRoom = 128 * 1024;

  struct Buffers {
    char partial[2][kLongestLine];
    char out[kRoom];
  };

  void AddRecord(bool is_stderr, const char* line, size_t size, bool newline,
                 Str time);
  void Flush();
  void Rotate();
  void OpenFile(int flags);

  int directory_ = -1;
  int fd_ = -1;
  uint64_t max_bytes_ = 0;
  uint32_t max_files_ = 1;
  uint64_t file_size_ = 0;
  Buffers* buffers_ = nullptr;
  size_t partial_size_[2] = {0, 0};
  size_t out_size_ = 0;
};

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_LOG_WRITER_H_
