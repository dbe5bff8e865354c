#include "examples/cli/local_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "examples/cli/copy_plan.h"
#include "examples/cli/status_util.h"

namespace containerkit::cli {
namespace {

constexpr size_t kBlockBytes = 128 << 10;

struct FreeRead {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct FreeWrite {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
struct FreeResolver {
  void operator()(archive_entry_linkresolver* r) const {
    archive_entry_linkresolver_free(r);
  }
};
using ReadHandle = std::unique_ptr<archive, FreeRead>;
using WriteHandle = std::unique_ptr<archive, FreeWrite>;
using EntryHandle = std::unique_ptr<archive_entry, FreeEntry>;
using ResolverHandle =
    std::unique_ptr<archive_entry_linkresolver, FreeResolver>;

absl::Status ArchiveError(archive* a, absl::string_view what) {
  const char* const text = archive_error_string(a);
  const int number = archive_errno(a);
  const absl::StatusCode code = number > 0
                                    ? absl::ErrnoToStatus(number, "").code()
                                    : absl::StatusCode::kInvalidArgument;
  return absl::Status(
      code, absl::StrCat(what, ": ", text == nullptr ? "failed" : text));
}

// Writes one file's content after its header.
absl::Status WriteContent(archive* out, archive_entry* entry,
                          const char* path) {
  if (archive_entry_filetype(entry) != AE_IFREG ||
      archive_entry_size(entry) == 0) {
    return absl::OkStatus();
  }
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  const absl::Cleanup closer = [fd] { close(fd); };
  std::vector<char> buffer(kBlockBytes);
  int64_t left = archive_entry_size(entry);
  while (left > 0) {
    const ssize_t count =
        read(fd, buffer.data(),
             std::min<size_t>(buffer.size(), static_cast<size_t>(left)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("read ", path));
    }
    if (count == 0) {
      return absl::DataLossError(absl::StrCat("file was cut short: ", path));
    }
    if (archive_write_data(out, buffer.data(), static_cast<size_t>(count)) <
        0) {
      return ArchiveError(out, "write archive");
    }
    left -= count;
  }
  return absl::OkStatus();
}

// The path that is read, without what would change its meaning: a link that
// is to be followed, or that a trailing slash follows.
std::string ReadPath(const std::string& path, bool follow) {
  if (!follow && !AssertsDirectory(path)) return CleanPath(path);
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? CleanPath(path)
                                                     : std::string(resolved);
}

absl::Status WriteEntry(archive* out, archive_entry_linkresolver* links,
                        EntryHandle entry, const std::string& source,
                        uint64_t* bytes) {
  archive_entry* raw = entry.release();
  archive_entry* spare = nullptr;
  archive_entry_linkify(links, &raw, &spare);
  const EntryHandle owned(raw);
  const EntryHandle owned_spare(spare);
  if (raw == nullptr) return absl::OkStatus();
  if (archive_write_header(out, raw) < ARCHIVE_WARN) {
    return ArchiveError(out, absl::StrCat("archive ", source));
  }
  *bytes +=
      static_cast<uint64_t>(std::max<int64_t>(archive_entry_size(raw), 0));
  return WriteContent(out, raw, source.c_str());
}

// "a/../b" and the like, which no archive of ours has.
bool HasParent(absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  return std::count(parts.begin(), parts.end(), "..") > 0;
}

absl::StatusOr<std::string> LocalName(absl::string_view name,
                                      const std::string& directory,
                                      const ExtractOptions& options) {
  while (absl::ConsumePrefix(&name, "/")) {
  }
  while (absl::ConsumeSuffix(&name, "/")) {
  }
  if (HasParent(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("archive entry leads out of the directory: ", name));
  }
  return absl::StrCat(directory, "/",
                      RebaseEntry(name, options.from, options.to));
}

absl::Status ExtractEntry(archive* in, archive* disk, archive_entry* entry,
                          const std::string& directory,
                          const ExtractOptions& options, uint64_t* bytes) {
  const char* const name = archive_entry_pathname(entry);
  CLI_ASSIGN_OR_RETURN(
      const std::string local,
      LocalName(name == nullptr ? "" : name, directory, options));
  archive_entry_set_pathname(entry, local.c_str());
  if (const char* const link = archive_entry_hardlink(entry)) {
    CLI_ASSIGN_OR_RETURN(const std::string target,
                         LocalName(link, directory, options));
    archive_entry_set_hardlink(entry, target.c_str());
  }
  if (archive_write_header(disk, entry) < ARCHIVE_WARN) {
    return ArchiveError(disk, "write");
  }
  while (true) {
    const void* block = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(in, &block, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return ArchiveError(in, "read archive");
    *bytes += size;
    if (archive_write_data_block(disk, block, size, offset) < ARCHIVE_WARN) {
      return ArchiveError(disk, "write");
    }
  }
  if (archive_write_finish_entry(disk) < ARCHIVE_WARN) {
    return ArchiveError(disk, "write");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint64_t> WriteLocalTar(const std::string& path,
                                       const std::string& name, bool follow,
                                       int fd) {
  const std::string top = ReadPath(path, follow);
  const ReadHandle disk(archive_read_disk_new());
  archive_read_disk_set_symlink_physical(disk.get());
  archive_read_disk_set_standard_lookup(disk.get());
  const WriteHandle out(archive_write_new());
  archive_write_set_format_pax(out.get());
  archive_write_set_bytes_per_block(out.get(), kBlockBytes);
  archive_write_set_bytes_in_last_block(out.get(), 1);
  if (archive_write_open_fd(out.get(), fd) != ARCHIVE_OK) {
    return ArchiveError(out.get(), "open archive");
  }
  const ResolverHandle links(archive_entry_linkresolver_new());
  archive_entry_linkresolver_set_strategy(links.get(),
                                          archive_format(out.get()));
  if (archive_read_disk_open(disk.get(), top.c_str()) != ARCHIVE_OK) {
    return ArchiveError(disk.get(), "open");
  }
  uint64_t bytes = 0;
  while (true) {
    EntryHandle entry(archive_entry_new());
    const int got = archive_read_next_header2(disk.get(), entry.get());
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return ArchiveError(disk.get(), "read");
    archive_read_disk_descend(disk.get());
    const std::string source = archive_entry_sourcepath(entry.get());
    // Sockets have no form in an archive.
    if (archive_entry_filetype(entry.get()) == AE_IFSOCK) continue;
    absl::string_view below = source;
    absl::ConsumePrefix(&below, top);
    absl::ConsumePrefix(&below, "/");
    archive_entry_set_pathname(
        entry.get(),
        below.empty() ? name.c_str() : absl::StrCat(name, "/", below).c_str());
    CLI_RETURN_IF_ERROR(
        WriteEntry(out.get(), links.get(), std::move(entry), source, &bytes));
  }
  if (archive_write_close(out.get()) != ARCHIVE_OK) {
    return ArchiveError(out.get(), "write archive");
  }
  return bytes;
}

absl::StatusOr<uint64_t> ExtractTar(int fd, const std::string& directory,
                                    const ExtractOptions& options) {
  char resolved[PATH_MAX];
  if (realpath(directory.c_str(), resolved) == nullptr) {
    return absl::ErrnoToStatus(errno, directory);
  }
  const ReadHandle in(archive_read_new());
  archive_read_support_format_tar(in.get());
  archive_read_support_format_empty(in.get());
  if (archive_read_open_fd(in.get(), fd, kBlockBytes) != ARCHIVE_OK) {
    return ArchiveError(in.get(), "read archive");
  }
  int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
              ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
              ARCHIVE_EXTRACT_SECURE_NODOTDOT;
  if (options.owners) flags |= ARCHIVE_EXTRACT_OWNER;
  const WriteHandle disk(archive_write_disk_new());
  archive_write_disk_set_options(disk.get(), flags);
  uint64_t bytes = 0;
  while (true) {
    archive_entry* entry = nullptr;
    const int got = archive_read_next_header(in.get(), &entry);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return ArchiveError(in.get(), "read archive");
    CLI_RETURN_IF_ERROR(
        ExtractEntry(in.get(), disk.get(), entry, resolved, options, &bytes));
  }
  if (archive_write_close(disk.get()) < ARCHIVE_WARN) {
    return ArchiveError(disk.get(), "write");
  }
  return bytes;
}

}  // namespace containerkit::cli
