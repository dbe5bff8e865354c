#include "lib/container/log_reader.h"

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/container/log_reader_line.h"
#include "lib/sys/directory_watch.h"
#include "lib/sys/rotated_log.h"

namespace containerkit::container {

namespace {

constexpr char kOperation[] = "container.read_log";
constexpr char kName[] = "log.json";
constexpr size_t kBlockBytes = 256 << 10;
// The monitor cuts output at 16 KiB; escaped that is at most six times as
// much. A longer line is damage.
constexpr size_t kMaxLineBytes = 1 << 20;
// How often `running` is asked when no file changes: a monitor that was
// killed writes nothing any more.
constexpr absl::Duration kAskEvery = absl::Milliseconds(250);

// What the options select.
struct Selection {
  explicit Selection(const LogOptions& options)
      : out(options.stdout_stream),
        err(options.stderr_stream),
        since_ns(ToNanos(options.since)),
        until_ns(ToNanos(options.until)) {}

  // Saturates.
  static int64_t ToNanos(absl::Time time) {
    if (time <= absl::FromUnixNanos(std::numeric_limits<int64_t>::min())) {
      return std::numeric_limits<int64_t>::min();
    }
    if (time >= absl::FromUnixNanos(std::numeric_limits<int64_t>::max())) {
      return std::numeric_limits<int64_t>::max();
    }
    return absl::ToUnixNanos(time);
  }

  bool Has(const LogLine& line) const {
    return (line.stream == Output::Stream::kStdout ? out : err) &&
           line.time_ns >= since_ns && line.time_ns <= until_ns;
  }

  bool out, err;
  int64_t since_ns, until_ns;
};

// Finds where the last N lines start, going backwards.
class TailFinder {
 public:
  TailFinder(const Selection& selection, int64_t lines)
      : selection_(selection), left_(lines) {}

  // Where to start in the file; 0 and done() false: also look in older ones.
  absl::StatusOr<int64_t> Find(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
      return SyscallError(errno, kOperation, "fstat", kName);
    }
    // rest: bytes [begin, ...) not yet looked at completely, from the start
    // of some line's middle up to the end of a line.
    std::string rest;
    int64_t begin = st.st_size;
    bool at_end = true;  // what follows the last newline is not whole
    while (begin > 0 && !done_) {
      const size_t size = std::min<int64_t>(begin, kBlockBytes);
      begin -= size;
      std::string block(size, '\0');
      CK_ASSIGN_OR_RETURN(const size_t got,
                          sys::ReadAt(fd, block.data(), size, begin));
      block.resize(got);
      rest.insert(0, block);
      size_t end = rest.size();
      if (at_end) {
        const size_t newline = rest.rfind('\n');
        if (newline == std::string::npos) {
          if (rest.size() > kMaxLineBytes) rest.clear();
          continue;
        }
        end = newline;
        at_end = false;
      } else if (end > 0) {
        --end;  // its newline
      }
      end = Backwards(rest, end, begin == 0);
      if (done_) return begin + static_cast<int64_t>(end);
      rest.resize(end);
      if (rest.size() > kMaxLineBytes) rest.resize(kMaxLineBytes);
    }
    return 0;
  }

  bool done() const { return done_; }

 private:
  // Looks at the lines of `text` before `end` (a newline's place), last one
  // first. Returns the end, newline included, of what must still be looked
  // at with more text before it, or, when done, where to start.
  size_t Backwards(absl::string_view text, size_t end, bool whole) {
    for (;;) {
      const size_t newline =
          end == 0 ? absl::string_view::npos : text.rfind('\n', end - 1);
      if (newline == absl::string_view::npos && !whole) {
        return std::min(end + 1, text.size());
      }
      const size_t start = newline == absl::string_view::npos ? 0 : newline + 1;
      if (!Take(text.substr(start, end - start))) {
        done_ = true;
        return std::min(end + 1, text.size());
      }
      if (start == 0) return 0;
      end = newline;
    }
  }

  // False if the line is not to be delivered.
  bool Take(absl::string_view text) {
    if (!ParseLogLine(text, &line_)) return true;
    if (line_.time_ns < selection_.since_ns) return false;
    if (!selection_.Has(line_)) return true;
    bool& open =
        line_.stream == Output::Stream::kStdout ? out_open_ : err_open_;
    // A part without newline belongs to the line behind it, unless nothing of
    // its stream was behind it.
    const bool starts = absl::EndsWith(line_.text, "\n") || !open;
    if (starts && left_ == 0) return false;
    if (starts) --left_;
    open = true;
    return true;
  }

  const Selection& selection_;
  int64_t left_;
  bool done_ = false;
  bool out_open_ = false, err_open_ = false;
  LogLine line_;
};

// Skips to the last `lines` lines.
absl::Status SkipToTail(const Selection& selection, int64_t lines,
                        sys::RotatedLog& log) {
  TailFinder finder(selection, lines);
  for (size_t i = log.files().size(); i-- > 0;) {
    if (lines == 0) {
      CK_ASSIGN_OR_RETURN(const int64_t end, log.EndOfLastLine(i));
      log.Skip(i, end);
      break;
    }
    CK_ASSIGN_OR_RETURN(const int64_t offset,
                        finder.Find(log.files()[i].fd.get()));
    if (!finder.done()) continue;
    log.Skip(i, offset);
    break;
  }
  return absl::OkStatus();
}

// Leaves out rotated files whose last line is older than `since`.
absl::Status SkipOld(absl::Time since, sys::RotatedLog& log) {
  size_t old = 0;
  for (; old + 1 < log.files().size(); ++old) {
    struct stat st;
    if (fstat(log.files()[old].fd.get(), &st) != 0) {
      return SyscallError(errno, kOperation, "fstat", kName);
    }
    // A line's time is taken before it is written.
    if (absl::TimeFromTimespec(st.st_mtim) >= since) break;
  }
  log.Skip(old, 0);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadLogs(int directory_fd, const LogOptions& options,
                      const std::function<bool()>& running,
                      const std::function<bool(const Output&)>& sink) {
  const Selection selection(options);
  LogLine line;
  const auto take = [&](absl::string_view text) {
    if (options.cancel.cancelled()) return false;
    if (!ParseLogLine(text, &line)) return true;
    if (line.time_ns > selection.until_ns) return false;
    if (!selection.Has(line)) return true;
    return sink({.stream = line.stream,
                 .data = line.text,
                 .time = absl::FromUnixNanos(line.time_ns)});
  };
  // Watching first: what happens after this is seen.
  std::optional<sys::DirectoryWatch> watch;
  if (options.follow) watch = sys::DirectoryWatch::Create(directory_fd);
  sys::RotatedLog log(directory_fd, kName, kMaxLineBytes);
  CK_RETURN_IF_ERROR(log.Open());
  CK_RETURN_IF_ERROR(options.tail >= 0
                         ? SkipToTail(selection, options.tail, log)
                         : SkipOld(options.since, log));
  for (;;) {
    // Asked before reading: what is read afterwards is all there will be.
    const bool more = options.follow && absl::Now() <= options.until &&
                      running != nullptr && running();
    CK_ASSIGN_OR_RETURN(const bool to_end, log.ReadLines(take));
    CK_RETURN_IF_ERROR(CheckCancelled(options.cancel, kOperation));
    if (!to_end || !more) return absl::OkStatus();
    watch->Wait(std::min(kAskEvery, options.until - absl::Now()),
                options.cancel.fd(), -1, [&log](absl::string_view name) {
                  return log.Owns(name) || name == "state";
                });
  }
}

}  // namespace containerkit::container
