// Reads a container's log: the json-file format of log.json and its rotated
// predecessors log.json.1 (newest), log.json.2, ... in the container's
// directory, as the monitor writes them.
#ifndef CONTAINERKIT_LIB_CONTAINER_LOG_READER_H_
#define CONTAINERKIT_LIB_CONTAINER_LOG_READER_H_

#include <functional>

#include "absl/status/status.h"
#include "containerkit/container.h"

namespace containerkit::container {

// Gives the lines of the log to `sink`, oldest first, until they end, `sink`
// answers false, a line is younger than `until`, or (with follow) `until` has
// passed or the container has ended for good and everything was delivered.
// Output::data has its newline unless it is a part of a longer line. `tail`
// counts whole lines of the streams that were asked for.
//
// `running` tells whether more may come: asked when the log or the state file
// changes and a few times a second. Once it is false, the log is complete.
//
// A line that the monitor is still writing, or that a crash has torn, is not
// delivered before it is whole; damaged lines are left out. Rotation during
// the call loses nothing unless every file known to it goes by between two
// reads. With `tail` only the end of the files is read.
//
// Blocks; uses no thread. One descriptor a log file, one for inotify.
// Errors: CANCELLED / kCancelled; as open(2) and read(2). A missing log is an
// empty one.
absl::Status ReadLogs(int directory_fd, const LogOptions& options,
                      const std::function<bool()>& running,
                      const std::function<bool(const Output&)>& sink);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_LOG_READER_H_
