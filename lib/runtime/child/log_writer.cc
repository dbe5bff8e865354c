#include "lib/runtime/child/log_writer.h"

#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

void LogWriter::OpenFile(int flags) {
  const long fd =
      OpenAt(directory_, "log.json",
             O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | flags, 0640);
  fd_ = fd < 0 ? -1 : int(fd);
  file_size_ = 0;
  struct stat stat;
  if (fd_ >= 0 && Fstat(fd_, &stat) == 0) file_size_ = uint64_t(stat.st_size);
}

long LogWriter::Open(int directory, uint64_t max_bytes, uint32_t max_files) {
  directory_ = directory;
  max_bytes_ = max_bytes;
  max_files_ = max_files == 0 ? 1 : max_files;
  const long fd = OpenAt(directory_, "log.json",
                         O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
  if (fd < 0) return fd;
  fd_ = int(fd);
  struct stat stat;
  if (Fstat(fd_, &stat) == 0) file_size_ = uint64_t(stat.st_size);
  return 0;
}

void LogWriter::Rotate() {
  constexpr uint32_t kMostFiles = 1000;
  const uint32_t files = max_files_ < kMostFiles ? max_files_ : kMostFiles;
  for (uint32_t i = files - 1; i >= 1; --i) {
    char from[32];
    char to[32];
    Text from_text(from, sizeof from);
    from_text.Add("log.json");
    if (i > 1) from_text.AddChar('.').AddInt(i - 1);
    Text(to, sizeof to).Add("log.json.").AddInt(i);
    Sys(SYS_renameat2, directory_, from, directory_, to, 0);
  }
  Close(fd_);
  OpenFile(files == 1 ? O_TRUNC : 0);
}

void LogWriter::Flush() {
  if (out_size_ == 0) return;
  // A full disk must not stop the container: what does not fit is lost.
  if (fd_ >= 0) WriteAll(fd_, buffers_->out, out_size_);
  file_size_ += out_size_;
  out_size_ = 0;
}

void LogWriter::AddRecord(bool is_stderr, const char* line, size_t size,
                          bool newline, Str time) {
  if (kRoom - out_size_ < kMostRecord) Flush();
  char* const start = buffers_->out + out_size_;
  char* at = start;
  const auto add = [&at](const char* text, size_t length) {
    memcpy(at, text, length);
    at += length;
  };
  add("{\"log\":\"", 8);
  at += EscapeJson(line, size, at);
  if (newline) add("\\n", 2);
  add("\",\"stream\":\"", 12);
  add(is_stderr ? "stderr" : "stdout", 6);
  add("\",\"time\":\"", 10);
  add(time.data, time.size);
  add("\"}\n", 3);
  const size_t length = size_t(at - start);
  const uint64_t before = file_size_ + out_size_;
  if (max_bytes_ != 0 && before != 0 && before + length > max_bytes_) {
    Flush();
    Rotate();
    memmove(buffers_->out, start, length);
  }
  out_size_ += length;
}

void LogWriter::Write(bool is_stderr, const char* data, size_t size,
                      int64_t realtime_ns) {
  if (buffers_ == nullptr) {
    buffers_ = static_cast<Buffers*>(AllocatePages(sizeof(Buffers)));
    if (buffers_ == nullptr) return;
  }
  char time[40];
  Text time_text(time, sizeof time);
  AddTime(time_text, realtime_ns);
  const Str now{time, uint32_t(time_text.size())};
  char* const partial = buffers_->partial[is_stderr];
  size_t& kept = partial_size_[is_stderr];
  while (size > 0) {
    size_t length = 0;
    const size_t most = kLongestLine - kept;
    while (length < size && length < most && data[length] != '\n') ++length;
    const bool newline = length < size && length < most;
    const bool whole = newline || length == most;
    if (whole && kept == 0) {
      AddRecord(is_stderr, data, length, newline, now);
    } else {
      memcpy(partial + kept, data, length);
      kept += length;
      if (whole) {
        AddRecord(is_stderr, partial, kept, newline, now);
        kept = 0;
      }
    }
    data += length + (newline ? 1 : 0);
    size -= length + (newline ? 1 : 0);
  }
  Flush();
}

void LogWriter::Finish(int64_t realtime_ns) {
  for (int i = 0; i < 2; ++i) {
    if (partial_size_[i] == 0) continue;
    char time[40];
    Text time_text(time, sizeof time);
    AddTime(time_text, realtime_ns);
    AddRecord(i == 1, buffers_->partial[i], partial_size_[i], false,
              Str{time, uint32_t(time_text.size())});
    partial_size_[i] = 0;
  }
  Flush();
}

}  // namespace containerkit::runtime::child
