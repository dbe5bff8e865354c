#include "lib/container/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/container/log_reader_line.h"
#include "lib/sys/directory_watch.h"

namespace containerkit::container {

namespace {

constexpr char kOperation[] = "container.read_log";
constexpr char kName[] = "log.json";
constexpr size_t kBlockBytes = 256 << 10;
// The monitor cuts output at 16 KiB; escaped that is at most six times as
// much. A longer line is damage.
constexpr size_t kMaxLineBytes = 1 << 20;
constexpr int kMaxFiles = 256;
// How often `running` is asked when no file changes: a monitor that was
// killed writes nothing any more.
constexpr absl::Duration kAskEvery = absl::Milliseconds(250);

struct LogFile {
  UniqueFd fd;
  dev_t device = 0;
  ino_t inode = 0;

  bool Is(const LogFile& other) const {
    return device == other.device && inode == other.inode;
  }
};

absl::StatusOr<std::optional<LogFile>> OpenOne(int directory_fd, int index) {
  const std::string name = index == 0 ? kName : absl::StrCat(kName, ".", index);
  LogFile file;
  file.fd = UniqueFd(openat(directory_fd, name.c_str(),
                            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.fd.ok()) {
    if (errno == ENOENT) return std::optional<LogFile>();
    return SyscallError(errno, kOperation, "open", name);
  }
  struct stat st;
  if (fstat(file.fd.get(), &st) != 0) {
    return SyscallError(errno, kOperation, "fstat", name);
  }
  file.device = st.st_dev;
  file.inode = st.st_ino;
  return std::optional<LogFile>(std::move(file));
}

// All files, oldest first.
absl::StatusOr<std::vector<LogFile>> OpenAll(int directory_fd) {
  for (;;) {
    std::vector<LogFile> files;
    bool rotated = false;
    for (int i = 0; i < kMaxFiles && !rotated; ++i) {
      CK_ASSIGN_OR_RETURN(std::optional<LogFile> file,
                          OpenOne(directory_fd, i));
      if (!file.has_value()) {
        // Between the two renames of a rotation there is no log.json.
        if (i == 0) continue;
        break;
      }
      // A file met twice has moved to the next name meanwhile.
      rotated = !files.empty() && file->Is(files.back());
      files.push_back(*std::move(file));
    }
    if (rotated) continue;
    std::reverse(files.begin(), files.end());
    return files;
  }
}

absl::StatusOr<size_t> ReadAt(int fd, char* buffer, size_t size,
                              int64_t offset) {
  for (;;) {
    const ssize_t n = pread(fd, buffer, size, offset);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return SyscallError(errno, kOperation, "pread", kName);
  }
}

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
  absl::StatusOr<int64_t> Find(const LogFile& file, bool newest) {
    struct stat st;
    if (fstat(file.fd.get(), &st) != 0) {
      return SyscallError(errno, kOperation, "fstat", kName);
    }
    if (newest && left_ == 0) {
      done_ = true;
      return EndOfLastLine(file, st.st_size);
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
                          ReadAt(file.fd.get(), block.data(), size, begin));
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
  absl::StatusOr<int64_t> EndOfLastLine(const LogFile& file, int64_t size) {
    std::string block(kBlockBytes, '\0');
    while (size > 0) {
      const int64_t begin = std::max<int64_t>(0, size - kBlockBytes);
      CK_ASSIGN_OR_RETURN(const size_t got, ReadAt(file.fd.get(), block.data(),
                                                   size - begin, begin));
      const size_t newline = absl::string_view(block.data(), got).rfind('\n');
      if (newline != absl::string_view::npos) return begin + newline + 1;
      size = begin;
    }
    return 0;
  }

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

// One call of ReadLogs().
class Reader {
 public:
  Reader(int directory_fd, const LogOptions& options,
         const std::function<bool()>& running,
         const std::function<bool(const Output&)>& sink)
      : directory_fd_(directory_fd),
        options_(options),
        selection_(options),
        running_(running),
        sink_(sink),
        buffer_(kBlockBytes, '\0') {}

  absl::Status Run() {
    // Watching first: what happens after this is seen.
    std::optional<sys::DirectoryWatch> watch;
    if (options_.follow) watch = sys::DirectoryWatch::Create(directory_fd_);
    CK_ASSIGN_OR_RETURN(files_, OpenAll(directory_fd_));
    CK_RETURN_IF_ERROR(SkipToTail());
    for (;;) {
      CK_RETURN_IF_ERROR(CheckCancelled(options_.cancel, kOperation));
      const bool more = options_.follow && absl::Now() <= options_.until &&
                        running_ != nullptr && running_();
      CK_RETURN_IF_ERROR(ReadAllFiles());
      if (stopped_ || !more) return absl::OkStatus();
      watch->Wait(std::min(kAskEvery, options_.until - absl::Now()),
                  options_.cancel.fd(), -1, [](absl::string_view name) {
                    return absl::StartsWith(name, kName) || name == "state";
                  });
    }
  }

 private:
  absl::Status SkipToTail() {
    if (options_.tail < 0) return SkipOld();
    TailFinder finder(selection_, options_.tail);
    for (size_t i = files_.size(); i-- > 0;) {
      CK_ASSIGN_OR_RETURN(offset_,
                          finder.Find(files_[i], i + 1 == files_.size()));
      if (!finder.done()) continue;
      files_.erase(files_.begin(), files_.begin() + i);
      break;
    }
    return absl::OkStatus();
  }

  // Leaves out rotated files whose last line is older than `since`.
  absl::Status SkipOld() {
    size_t old = 0;
    for (; old + 1 < files_.size(); ++old) {
      struct stat st;
      if (fstat(files_[old].fd.get(), &st) != 0) {
        return SyscallError(errno, kOperation, "fstat", kName);
      }
      // The line's time is taken before it is written.
      if (absl::TimeFromTimespec(st.st_mtim) >= options_.since) break;
    }
    files_.erase(files_.begin(), files_.begin() + old);
    return absl::OkStatus();
  }

  // To the end of the newest file.
  absl::Status ReadAllFiles() {
    for (;;) {
      if (files_.empty()) {
        CK_ASSIGN_OR_RETURN(files_, OpenAll(directory_fd_));
        StartFile();
        if (files_.empty()) return absl::OkStatus();
      }
      CK_RETURN_IF_ERROR(ReadFile());
      if (stopped_) return absl::OkStatus();
      if (files_.size() == 1) {
        CK_ASSIGN_OR_RETURN(const bool rotated, FindRotated());
        if (!rotated) return absl::OkStatus();
        // Nobody writes to it any more, but it may have grown since.
        CK_RETURN_IF_ERROR(ReadFile());
        if (stopped_) return absl::OkStatus();
      }
      files_.erase(files_.begin());
      StartFile();
    }
  }

  void StartFile() {
    offset_ = 0;
    held_ = 0;
    skipping_ = false;
  }

  // Opens what is newer than the only file left; false if nothing is.
  absl::StatusOr<bool> FindRotated() {
    struct stat st;
    if (fstatat(directory_fd_, kName, &st, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return false;
      return SyscallError(errno, kOperation, "fstat", kName);
    }
    if (st.st_dev == files_[0].device && st.st_ino == files_[0].inode) {
      return false;
    }
    CK_ASSIGN_OR_RETURN(std::vector<LogFile> all, OpenAll(directory_fd_));
    // Not among them: rotated away, so all of them are newer.
    size_t next = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].Is(files_[0])) next = i + 1;
    }
    if (next == all.size()) return false;
    for (; next < all.size(); ++next) files_.push_back(std::move(all[next]));
    return true;
  }

  // To the end of the oldest file left.
  absl::Status ReadFile() {
    const int fd = files_[0].fd.get();
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size < offset_) StartFile();  // truncated
    for (;;) {
      CK_ASSIGN_OR_RETURN(
          const size_t got,
          ReadAt(fd, buffer_.data() + held_, buffer_.size() - held_, offset_));
      if (got == 0) return absl::OkStatus();
      offset_ += got;
      Deliver(got);
      if (stopped_) return absl::OkStatus();
      CK_RETURN_IF_ERROR(CheckCancelled(options_.cancel, kOperation));
    }
  }

  // Delivers the whole lines of the `got` new bytes and keeps what is left.
  void Deliver(size_t got) {
    const char* line = buffer_.data();
    const char* fresh = line + held_;
    const char* const end = fresh + got;
    while (fresh != end) {
      const auto* newline =
          static_cast<const char*>(memchr(fresh, '\n', end - fresh));
      if (newline == nullptr) break;
      if (!skipping_) {
        Take(absl::string_view(line, newline - line));
        if (stopped_) return;
      }
      skipping_ = false;
      line = fresh = newline + 1;
    }
    held_ = end - line;
    if (skipping_ || held_ > kMaxLineBytes) {
      skipping_ = true;
      held_ = 0;
      return;
    }
    memmove(buffer_.data(), line, held_);
    if (held_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  }

  void Take(absl::string_view text) {
    if (!ParseLogLine(text, &line_)) return;
    if (line_.time_ns > selection_.until_ns) {
      stopped_ = true;
      return;
    }
    if (!selection_.Has(line_)) return;
    stopped_ = !sink_({.stream = line_.stream,
                       .data = line_.text,
                       .time = absl::FromUnixNanos(line_.time_ns)});
  }

  const int directory_fd_;
  const LogOptions& options_;
  const Selection selection_;
  const std::function<bool()>& running_;
  const std::function<bool(const Output&)>& sink_;

  std::vector<LogFile> files_;  // oldest first; the first one is being read
  int64_t offset_ = 0;          // in files_[0], behind what is in buffer_
  std::string buffer_;
  size_t held_ = 0;        // bytes of an unfinished line in buffer_
  bool skipping_ = false;  // inside a line that is too long
  bool stopped_ = false;
  LogLine line_;
};

}  // namespace

absl::Status ReadLogs(int directory_fd, const LogOptions& options,
                      const std::function<bool()>& running,
                      const std::function<bool(const Output&)>& sink) {
  return Reader(directory_fd, options, running, sink).Run();
}

}  // namespace containerkit::container
