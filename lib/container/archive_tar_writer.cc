#include "lib/container/archive_tar_writer.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"

namespace containerkit::container {

namespace {

using store::TarEntry;

constexpr size_t kBlock = 512;
constexpr size_t kFlushBytes = 256 << 10;
constexpr uint64_t kMaxOctal7 = 07777777;
constexpr uint64_t kMaxOctal11 = 077777777777;

// ustar's header block.
struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char major[8];
  char minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(Header) == kBlock);

char TypeFlag(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::kFile:
      return '0';
    case TarEntry::Type::kHardlink:
      return '1';
    case TarEntry::Type::kSymlink:
      return '2';
    case TarEntry::Type::kCharDevice:
      return '3';
    case TarEntry::Type::kBlockDevice:
      return '4';
    case TarEntry::Type::kDirectory:
      return '5';
    case TarEntry::Type::kFifo:
      return '6';
  }
  return '0';
}

// Field of N bytes, not NUL-terminated when full.
template <size_t N>
void SetText(char (&field)[N], absl::string_view text) {
  memcpy(field, text.data(), std::min(N, text.size()));
}

template <size_t N>
void SetOctal(char (&field)[N], uint64_t value) {
  const std::string text =
      absl::StrFormat("%0*o", static_cast<int>(N - 1), value);
  SetText(field, text.size() < N ? text : std::string(N - 1, '7'));
}

void SetChecksum(Header& header) {
  memset(header.checksum, ' ', sizeof(header.checksum));
  uint64_t sum = 0;
  unsigned char bytes[kBlock];
  memcpy(bytes, &header, kBlock);
  for (const unsigned char byte : bytes) sum += byte;
  memcpy(header.checksum, absl::StrFormat("%06o", sum).c_str(), 7);
}

std::string Bytes(const Header& header) {
  std::string bytes(kBlock, '\0');
  memcpy(bytes.data(), &header, kBlock);
  return bytes;
}

// "length key=value\n", where the length counts its own digits.
void AppendRecord(std::string& records, absl::string_view key,
                  absl::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest;
  while (absl::StrCat(length).size() + rest != length) {
    length = absl::StrCat(length).size() + rest;
  }
  absl::StrAppend(&records, length, " ", key, "=", value, "\n");
}

bool IsPlain(absl::string_view text, size_t max_bytes) {
  return text.size() <= max_bytes &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0 && c < 0x7f; });
}

// Seconds with a fraction; timespec's nanoseconds always count upwards.
std::string PaxTime(const timespec& time) {
  int64_t seconds = time.tv_sec;
  int64_t nanos = time.tv_nsec;
  const char* sign = "";
  if (seconds < 0) {
    sign = "-";
    seconds = -seconds;
    if (nanos > 0) {
      --seconds;
      nanos = 1000000000 - nanos;
    }
  }
  return nanos == 0 ? absl::StrCat(sign, seconds)
                    : absl::StrFormat("%s%d.%09d", sign, seconds, nanos);
}

std::string PaxRecords(const TarEntry& entry, const std::string& path) {
  std::string records;
  if (!IsPlain(path, sizeof(Header::name))) AppendRecord(records, "path", path);
  if (!IsPlain(entry.link_target, sizeof(Header::link))) {
    AppendRecord(records, "linkpath", entry.link_target);
  }
  if (entry.size > kMaxOctal11) {
    AppendRecord(records, "size", absl::StrCat(entry.size));
  }
  if (entry.uid > kMaxOctal7) {
    AppendRecord(records, "uid", absl::StrCat(entry.uid));
  }
  if (entry.gid > kMaxOctal7) {
    AppendRecord(records, "gid", absl::StrCat(entry.gid));
  }
  if (entry.mtime.tv_sec < 0 || entry.mtime.tv_nsec != 0) {
    AppendRecord(records, "mtime", PaxTime(entry.mtime));
  }
  for (const auto& [name, value] : entry.xattrs) {
    AppendRecord(records, absl::StrCat("SCHILY.xattr.", name), value);
  }
  return records;
}

uint64_t PaddingOf(uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

// write(2) without SIGPIPE, which must not reach the host's handlers: blocked
// for this thread and taken back if this call raised it.
ssize_t WriteQuietly(int fd, absl::string_view bytes) {
  sigset_t pipe_signal, old_mask, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &old_mask);
  const ssize_t n = write(fd, bytes.data(), bytes.size());
  const int saved = errno;
  if (n < 0 && saved == EPIPE && !was_pending) {
    const timespec now = {};
    while (sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
  errno = saved;
  return n;
}

}  // namespace

TarWriter::TarWriter(int fd, CancelToken cancel)
    : fd_(fd), cancel_(std::move(cancel)), at_once_(PIPE_BUF) {
  struct stat st;
  if (fstat(fd, &st) != 0) return;
  socket_ = S_ISSOCK(st.st_mode);
  if (S_ISREG(st.st_mode)) at_once_ = SIZE_MAX;
}

absl::Status TarWriter::Add(const TarEntry& entry) {
  std::string path = entry.path;
  if (entry.type == TarEntry::Type::kDirectory && !absl::EndsWith(path, "/")) {
    path += '/';
  }
  Header header = {};
  SetText(header.magic, "ustar");
  SetText(header.version, "00");
  const std::string records = PaxRecords(entry, path);
  if (!records.empty()) {
    Header extended = header;
    SetText(extended.name, "PaxHeaders/entry");
    SetOctal(extended.mode, 0644);
    SetOctal(extended.uid, 0);
    SetOctal(extended.gid, 0);
    SetOctal(extended.size, records.size());
    SetOctal(extended.mtime, 0);
    extended.type = 'x';
    SetChecksum(extended);
    CK_RETURN_IF_ERROR(Append(Bytes(extended)));
    CK_RETURN_IF_ERROR(Append(records));
    CK_RETURN_IF_ERROR(Zeros(PaddingOf(records.size())));
  }
  const uint64_t size = entry.type == TarEntry::Type::kFile ? entry.size : 0;
  SetText(header.name, path);
  SetOctal(header.mode, entry.mode & 07777);
  SetOctal(header.uid, entry.uid);
  SetOctal(header.gid, entry.gid);
  SetOctal(header.size, size);
  SetOctal(header.mtime, std::max<int64_t>(entry.mtime.tv_sec, 0));
  header.type = TypeFlag(entry.type);
  SetText(header.link, entry.link_target);
  SetOctal(header.major, gnu_dev_major(entry.device));
  SetOctal(header.minor, gnu_dev_minor(entry.device));
  SetChecksum(header);
  left_ = size;
  padding_ = PaddingOf(size);
  return Append(Bytes(header));
}

absl::Status TarWriter::Data(absl::string_view bytes) {
  bytes = bytes.substr(0, std::min<uint64_t>(bytes.size(), left_));
  left_ -= bytes.size();
  return Append(bytes);
}

absl::Status TarWriter::EndData() {
  const uint64_t zeros = left_ + padding_;
  left_ = padding_ = 0;
  return Zeros(zeros);
}

absl::Status TarWriter::Finish() {
  CK_RETURN_IF_ERROR(Zeros(2 * kBlock));
  return Flush();
}

absl::Status TarWriter::Zeros(uint64_t count) {
  static constexpr char kZeros[16 << 10] = {};
  while (count > 0) {
    const size_t now = std::min<uint64_t>(count, sizeof(kZeros));
    CK_RETURN_IF_ERROR(Append(absl::string_view(kZeros, now)));
    count -= now;
  }
  return absl::OkStatus();
}

absl::Status TarWriter::Append(absl::string_view bytes) {
  buffer_.append(bytes.data(), bytes.size());
  return buffer_.size() < kFlushBytes ? absl::OkStatus() : Flush();
}

absl::StatusOr<size_t> TarWriter::WriteSome(absl::string_view bytes) {
  constexpr absl::string_view kWrite = "container.copy_out";
  for (;;) {
    CK_RETURN_IF_ERROR(WaitWritable(cancel_, fd_, kWrite));
    const ssize_t n = socket_ ? send(fd_, bytes.data(), bytes.size(),
                                     MSG_NOSIGNAL | MSG_DONTWAIT)
                              : WriteQuietly(fd_, bytes.substr(0, at_once_));
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EAGAIN && errno != EINTR) {
      return SyscallError(errno, kWrite, "write");
    }
  }
}

absl::Status TarWriter::Flush() {
  absl::string_view rest = buffer_;
  while (!rest.empty()) {
    CK_ASSIGN_OR_RETURN(const size_t written, WriteSome(rest));
    rest.remove_prefix(written);
  }
  buffer_.clear();
  return absl::OkStatus();
}

}  // namespace containerkit::container
