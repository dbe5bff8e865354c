#include "lib/store/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.read_archive";
// libarchive keeps a sparse map whole, in twelve times its bytes.
constexpr uint64_t kMaxHeaderBytes = 8 << 20;
constexpr int64_t kMaxId = std::numeric_limits<uint32_t>::max() - 1;

// The C locale for the calling thread: libarchive would otherwise bring PAX
// names into the locale's character set, and into Unicode's normal form C
// (measured: with C.UTF-8 "e"+U+0301 comes out as U+00E9, another file).
// Where it cannot convert, which is everywhere in the C locale, it passes the
// raw bytes on with a warning. Costs two thread-local stores.
class ScopedCLocale {
 public:
  ScopedCLocale() : old_(uselocale(CLocale())) {}
  ~ScopedCLocale() { uselocale(old_); }
  ScopedCLocale(const ScopedCLocale&) = delete;
  ScopedCLocale& operator=(const ScopedCLocale&) = delete;

 private:
  static locale_t CLocale() {
    // glibc answers with a static object.
    static const locale_t c = newlocale(LC_ALL_MASK, "C", nullptr);
    return c;
  }
  locale_t old_;
};

absl::Status Corrupt(absl::string_view message) {
  return MakeError(
      absl::StatusCode::kDataLoss, absl::StrCat("archive: ", message),
      {.reason = Reason::kArchiveCorrupt, .operation = kOperation});
}

absl::Status HeaderTooLarge() {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      "archive: an entry's headers and sparse map have more than 8 MiB",
      {.reason = Reason::kLimitExceeded, .operation = kOperation});
}

absl::Status Refuse(absl::string_view message, absl::string_view path) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("archive entry ", path, ": ", message),
                   {.reason = Reason::kArchiveEntryRefused,
                    .operation = kOperation,
                    .path = std::string(path)});
}

absl::StatusOr<TarEntry::Type> TypeOf(archive_entry* raw,
                                      const std::string& path) {
  if (archive_entry_hardlink(raw) != nullptr) return TarEntry::Type::kHardlink;
  switch (archive_entry_filetype(raw)) {
    case AE_IFREG:
      return TarEntry::Type::kFile;
    case AE_IFDIR:
      return TarEntry::Type::kDirectory;
    case AE_IFLNK:
      return TarEntry::Type::kSymlink;
    case AE_IFCHR:
      return TarEntry::Type::kCharDevice;
    case AE_IFBLK:
      return TarEntry::Type::kBlockDevice;
    case AE_IFIFO:
      return TarEntry::Type::kFifo;
    default:
      return Refuse("unknown type", path);
  }
}

void ReadXattrs(archive_entry* raw, TarEntry& entry) {
  entry.xattrs.clear();
  if (archive_entry_xattr_reset(raw) == 0) return;
  const char* name;
  const void* value;
  size_t size;
  while (archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK) {
    entry.xattrs.emplace_back(
        name, std::string(static_cast<const char*>(value), size));
  }
}

absl::Status ReadEntry(archive_entry* raw, TarEntry& entry) {
  const char* path = archive_entry_pathname(raw);
  if (path == nullptr) return Corrupt("entry without a name");
  entry.path = path;
  CK_ASSIGN_OR_RETURN(entry.type, TypeOf(raw, entry.path));
  const char* target = entry.type == TarEntry::Type::kHardlink
                           ? archive_entry_hardlink(raw)
                           : archive_entry_symlink(raw);
  entry.link_target = target != nullptr ? target : "";
  entry.mode = archive_entry_perm(raw) & 07777;
  const int64_t uid = archive_entry_uid(raw);
  const int64_t gid = archive_entry_gid(raw);
  if (uid < 0 || uid > kMaxId || gid < 0 || gid > kMaxId) {
    return Refuse("owner is out of range", entry.path);
  }
  entry.uid = static_cast<uint32_t>(uid);
  entry.gid = static_cast<uint32_t>(gid);
  const int64_t size = archive_entry_size(raw);
  if (size < 0) return Refuse("size is out of range", entry.path);
  entry.size =
      entry.type == TarEntry::Type::kFile ? static_cast<uint64_t>(size) : 0;
  entry.mtime = {archive_entry_mtime(raw), archive_entry_mtime_nsec(raw)};
  if (entry.mtime.tv_nsec < 0 || entry.mtime.tv_nsec > 999999999) {
    return Refuse("time is out of range", entry.path);
  }
  entry.device = archive_entry_rdev(raw);
  ReadXattrs(raw, entry);
  return absl::OkStatus();
}

}  // namespace

void TarReader::Free::operator()(archive* a) const { archive_read_free(a); }

absl::StatusOr<std::unique_ptr<TarReader>> TarReader::Open(ByteSource* source) {
  const ScopedCLocale locale;
  auto reader = std::unique_ptr<TarReader>(new TarReader(source));
  reader->archive_.reset(archive_read_new());
  archive* const a = reader->archive_.get();
  if (a == nullptr) return InternalError(kOperation, "no memory");
  // No other format, no filter: fewer parsers for hostile bytes to reach. The
  // empty format only knows archives of no bytes.
  if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
      archive_read_support_format_empty(a) != ARCHIVE_OK ||
      archive_read_open(a, reader.get(), nullptr, &TarReader::ReadCallback,
                        nullptr) != ARCHIVE_OK) {
    return reader->Fail();
  }
  return reader;
}

TarReader::~TarReader() = default;

ssize_t TarReader::ReadCallback(archive* a, void* client, const void** buffer) {
  auto* const reader = static_cast<TarReader*>(client);
  if (reader->in_header_ && reader->header_bytes_ > kMaxHeaderBytes) {
    reader->source_status_ = HeaderTooLarge();
    archive_set_error(a, EFBIG, "header too large");
    return ARCHIVE_FATAL;
  }
  absl::StatusOr<absl::string_view> bytes = reader->source_->Next();
  if (!bytes.ok()) {
    reader->source_status_ = bytes.status();
    archive_set_error(a, EIO, "source failed");
    return ARCHIVE_FATAL;
  }
  reader->header_bytes_ += bytes->size();
  *buffer = bytes->data();
  return static_cast<ssize_t>(bytes->size());
}

absl::Status TarReader::Fail() {
  if (!source_status_.ok()) return source_status_;
  const char* text = archive_error_string(archive_.get());
  return Corrupt(text != nullptr ? text : "cannot be read");
}

// By itself, so that it does not count as a header.
absl::Status TarReader::SkipContent() {
  if (!in_entry_) return absl::OkStatus();
  in_entry_ = false;
  const int code = archive_read_data_skip(archive_.get());
  if (code == ARCHIVE_EOF) return Corrupt("ends within an entry");
  return code == ARCHIVE_FATAL ? Fail() : absl::OkStatus();
}

absl::StatusOr<bool> TarReader::Next(TarEntry& entry) {
  const ScopedCLocale locale;
  CK_RETURN_IF_ERROR(SkipContent());
  archive_entry* raw = nullptr;
  header_bytes_ = 0;
  in_header_ = true;
  const int code = archive_read_next_header(archive_.get(), &raw);
  in_header_ = false;
  in_entry_ = code == ARCHIVE_OK || code == ARCHIVE_WARN;
  if (code == ARCHIVE_EOF) return false;
  if (code == ARCHIVE_WARN) {
    const char* text = archive_error_string(archive_.get());
    // The one warning that the C locale asks for; see ScopedCLocale.
    if (text == nullptr || !absl::StrContains(text, "can't be converted")) {
      return Fail();
    }
  } else if (code != ARCHIVE_OK) {
    return Fail();
  }
  CK_RETURN_IF_ERROR(ReadEntry(raw, entry));
  return true;
}

absl::StatusOr<bool> TarReader::ReadData(absl::string_view& bytes,
                                         uint64_t& offset) {
  const ScopedCLocale locale;
  const void* data = nullptr;
  size_t size = 0;
  la_int64_t at = 0;
  const int code = archive_read_data_block(archive_.get(), &data, &size, &at);
  if (code == ARCHIVE_EOF) return false;
  if (code != ARCHIVE_OK || at < 0) return Fail();
  bytes = absl::string_view(static_cast<const char*>(data), size);
  offset = static_cast<uint64_t>(at);
  return true;
}

}  // namespace containerkit::store
