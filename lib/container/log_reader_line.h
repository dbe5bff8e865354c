// One line of a json-file log.
#ifndef CONTAINERKIT_LIB_CONTAINER_LOG_READER_LINE_H_
#define CONTAINERKIT_LIB_CONTAINER_LOG_READER_LINE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "containerkit/container.h"

namespace containerkit::container {

struct LogLine {
  std::string text;  // unescaped
  Output::Stream stream = Output::Stream::kStdout;
  int64_t time_ns = 0;  // since the epoch
};

// Reads one line without its newline: {"log":"...","stream":"stdout",
// "time":"2024-01-01T00:00:00.123456789Z"}, members in any order, others
// skipped. False if it is damaged; a whole record after a torn one on the
// same line is found.
//
// Trust: the text is the container's. Bytes that are not UTF-8 stay as they
// are. Reuses the memory of `line`.
bool ParseLogLine(absl::string_view text, LogLine* line);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_LOG_READER_LINE_H_
