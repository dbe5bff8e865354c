#include "lib/image/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/cancel.h"
#include "lib/base/status.h"
#include "lib/store/decompressor.h"
#include "lib/store/stream_limits.h"
#include "lib/store/tar_reader.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"

namespace containerkit::image {
namespace {

constexpr char kRead[] = "image.read_archive";
constexpr char kWhat[] = "archive";
constexpr size_t kBufferBytes = 1 << 20;
constexpr size_t kMaxMembers = 200000;
constexpr size_t kMaxNameBytes = 4095;
// Members up to this size are kept while there is room: the documents that
// name the others are among them.
constexpr uint64_t kSmallMemberBytes = 256 << 10;
constexpr uint64_t kMaxKeptBytes = 32 << 20;
constexpr int kMaxLinks = 16;

std::string Quoted(absl::string_view name) {
  return absl::StrCat("\"", absl::CHexEscape(name.substr(0, 200)), "\"");
}

absl::Status Missing(absl::string_view name) {
  return InvalidArgument(Reason::kArchiveCorrupt, kRead,
                         absl::StrCat("archive has no member ", Quoted(name)));
}

absl::Status LimitError(absl::string_view message) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = Reason::kLimitExceeded, .operation = kRead});
}

absl::Status TooLarge(absl::string_view name, size_t max_bytes) {
  return LimitError(absl::StrCat("archive member ", Quoted(name),
                                 " is larger than ", max_bytes, " bytes"));
}

// Names and links are kept for as long as the archive is open.
absl::Status CheckLength(absl::string_view name) {
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  return LimitError(absl::StrCat("archive has a name or link of more than ",
                                 kMaxNameBytes, " bytes: ", Quoted(name)));
}

// "./a//b" as "a/b"; empty for the root itself.
absl::StatusOr<std::string> CleanName(absl::string_view name) {
  CK_RETURN_IF_ERROR(CheckLength(name));
  std::vector<absl::string_view> parts;
  const bool absolute = absl::StartsWith(name, "/");
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (absolute || part == ".." ||
        part.find('\0') != absl::string_view::npos) {
      return InvalidArgument(
          Reason::kUnsafePath, kRead,
          absl::StrCat("archive member ", Quoted(name), " leads out"));
    }
    parts.push_back(part);
  }
  return absl::StrJoin(parts, "/");
}

// The target of a symbolic link in `directory`, "" when it leads out.
std::string ResolveLink(absl::string_view link, absl::string_view target) {
  if (target.empty() || absl::StartsWith(target, "/")) return "";
  std::vector<std::string> parts = absl::StrSplit(link, '/');
  parts.pop_back();
  for (const absl::string_view part : absl::StrSplit(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (parts.empty()) {
      return "";
    } else {
      parts.pop_back();
    }
  }
  return absl::StrJoin(parts, "/");
}

// Reads a file from an offset on, without moving its own.
class FileSource final : public store::ByteSource {
 public:
  FileSource(int fd, uint64_t offset, const CancelToken& cancel)
      : fd_(fd),
        offset_(offset),
        cancel_(cancel),
        buffer_(std::make_unique<char[]>(kBufferBytes)) {}
  absl::StatusOr<absl::string_view> Next() override {
    CK_RETURN_IF_ERROR(CheckCancelled(cancel_, kRead));
    while (true) {
      const ssize_t n =
          pread(fd_, buffer_.get(), kBufferBytes, static_cast<off_t>(offset_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SyscallError(errno, kRead, "pread");
      offset_ += static_cast<uint64_t>(n);
      return absl::string_view(buffer_.get(), static_cast<size_t>(n));
    }
  }

 private:
  const int fd_;
  uint64_t offset_;
  const CancelToken& cancel_;
  const std::unique_ptr<char[]> buffer_;
};

class TarArchive final : public ImageArchive {
 public:
  TarArchive(UniqueFd fd, uint64_t offset, CancelToken cancel)
      : fd_(std::move(fd)), offset_(offset), cancel_(std::move(cancel)) {}

  // Reads all headers once.
  absl::Status Scan() {
    uint64_t kept = 0;
    bool is_archive = false;
    const absl::Status scanned =
        ForEach([&](const std::string& name, const store::TarEntry& entry,
                    store::TarReader& reader) -> absl::Status {
          using Type = store::TarEntry::Type;
          is_archive = true;
          if (members_.size() >= kMaxMembers) {
            return LimitError(absl::StrCat("archive has more than ",
                                           kMaxMembers, " members"));
          }
          if (entry.type == Type::kDirectory || name.empty()) {
            return absl::OkStatus();
          }
          Member member = {.size = entry.size};
          if (entry.type == Type::kSymlink) {
            CK_RETURN_IF_ERROR(CheckLength(entry.link_target));
            member.link = ResolveLink(name, entry.link_target);
            member.is_link = true;
          } else if (entry.type == Type::kHardlink) {
            CK_ASSIGN_OR_RETURN(member.link, CleanName(entry.link_target));
            member.is_link = true;
          } else if (entry.type != Type::kFile) {
            return Refused(name, "is neither a file nor a link");
          } else if (entry.size <= kSmallMemberBytes &&
                     kept + entry.size <= kMaxKeptBytes) {
            CK_ASSIGN_OR_RETURN(member.content,
                                ReadAll(name, reader, kSmallMemberBytes));
            member.is_kept = true;
            kept += entry.size;
          }
          if (!members_.emplace(name, std::move(member)).second) {
            return Refused(name, "is there twice");
          }
          return absl::OkStatus();
        });
    if (GetReason(scanned) == Reason::kArchiveCorrupt && !is_archive) {
      return InvalidArgument(Reason::kArchiveCorrupt, kRead,
                             "this is no tar archive");
    }
    return scanned;
  }

  std::string Find(const std::string& name) override {
    std::string at = name;
    for (int i = 0; i < kMaxLinks; ++i) {
      const auto it = members_.find(at);
      if (it == members_.end()) return "";
      if (!it->second.is_link) return at;
      at = it->second.link;
    }
    return "";
  }

  absl::StatusOr<std::string> Read(const std::string& name,
                                   size_t max_bytes) override {
    const std::string found = Find(name);
    if (found.empty()) return Missing(name);
    const Member& member = members_.at(found);
    if (member.size > max_bytes) return TooLarge(name, max_bytes);
    if (member.is_kept) return member.content;
    std::string content;
    CK_RETURN_IF_ERROR(
        ForEach([&](const std::string& at, const store::TarEntry&,
                    store::TarReader& reader) -> absl::Status {
          if (at != found) return absl::OkStatus();
          CK_ASSIGN_OR_RETURN(content, ReadAll(at, reader, max_bytes));
          return absl::OkStatus();
        }));
    return content;
  }

  absl::Status Stream(const std::set<std::string>& names,
                      MemberSink& sink) override {
    for (const std::string& name : names) {
      if (!members_.contains(name)) return Missing(name);
    }
    if (names.empty()) return absl::OkStatus();
    return ForEach([&](const std::string& name, const store::TarEntry& entry,
                       store::TarReader& reader) -> absl::Status {
      if (!names.contains(name)) return absl::OkStatus();
      CK_RETURN_IF_ERROR(sink.Begin(name));
      CK_RETURN_IF_ERROR(ForEachByte(
          reader, [&](absl::string_view bytes) { return sink.Write(bytes); }));
      return sink.End();
    });
  }

 private:
  struct Member {
    uint64_t size = 0;
    bool is_link = false;
    std::string link;
    bool is_kept = false;
    std::string content;
  };

  static absl::Status Refused(absl::string_view name, absl::string_view why) {
    return InvalidArgument(
        Reason::kArchiveEntryRefused, kRead,
        absl::StrCat("archive member ", Quoted(name), " ", why));
  }

  template <typename Fn>
  absl::Status ForEach(const Fn& fn) {
    FileSource source(fd_.get(), offset_, cancel_);
    CK_ASSIGN_OR_RETURN(const std::unique_ptr<store::TarReader> reader,
                        store::TarReader::Open(&source));
    store::TarEntry entry;
    while (true) {
      CK_ASSIGN_OR_RETURN(const bool more, reader->Next(entry));
      if (!more) return absl::OkStatus();
      CK_ASSIGN_OR_RETURN(const std::string name, CleanName(entry.path));
      CK_RETURN_IF_ERROR(fn(name, entry, *reader));
    }
  }

  // The content without gaps: holes are zeros.
  template <typename Fn>
  static absl::Status ForEachByte(store::TarReader& reader, const Fn& fn) {
    static constexpr char kZeros[4096] = {};
    uint64_t at = 0;
    while (true) {
      absl::string_view bytes;
      uint64_t offset = 0;
      CK_ASSIGN_OR_RETURN(const bool more, reader.ReadData(bytes, offset));
      if (!more) return absl::OkStatus();
      while (at < offset) {
        const size_t n = std::min<uint64_t>(sizeof kZeros, offset - at);
        CK_RETURN_IF_ERROR(fn(absl::string_view(kZeros, n)));
        at += n;
      }
      CK_RETURN_IF_ERROR(fn(bytes));
      at += bytes.size();
    }
  }

  static absl::StatusOr<std::string> ReadAll(const std::string& name,
                                             store::TarReader& reader,
                                             size_t max_bytes) {
    std::string content;
    CK_RETURN_IF_ERROR(
        ForEachByte(reader, [&](absl::string_view bytes) -> absl::Status {
          if (content.size() + bytes.size() > max_bytes) {
            return TooLarge(name, max_bytes);
          }
          content.append(bytes.data(), bytes.size());
          return absl::OkStatus();
        }));
    return content;
  }

  const UniqueFd fd_;
  const uint64_t offset_;
  const CancelToken cancel_;
  std::map<std::string, Member> members_;
};

class DirArchive final : public ImageArchive {
 public:
  DirArchive(UniqueFd fd, CancelToken cancel)
      : fd_(std::move(fd)), cancel_(std::move(cancel)) {}

  std::string Find(const std::string& name) override {
    return OpenMember(name).ok() ? name : "";
  }

  absl::StatusOr<std::string> Read(const std::string& name,
                                   size_t max_bytes) override {
    CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenMember(name));
    return sys::ReadFd(fd.get(), max_bytes);
  }

  absl::Status Stream(const std::set<std::string>& names,
                      MemberSink& sink) override {
    for (const std::string& name : names) {
      CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenMember(name));
      CK_RETURN_IF_ERROR(sink.Begin(name));
      FileSource source(fd.get(), 0, cancel_);
      while (true) {
        CK_ASSIGN_OR_RETURN(const absl::string_view bytes, source.Next());
        if (bytes.empty()) break;
        CK_RETURN_IF_ERROR(sink.Write(bytes));
      }
      CK_RETURN_IF_ERROR(sink.End());
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<UniqueFd> OpenMember(const std::string& name) {
    CK_ASSIGN_OR_RETURN(const std::string clean, CleanName(name));
    // Never waits for a writer of a pipe that somebody put there.
    absl::StatusOr<UniqueFd> fd =
        sys::OpenAt(fd_.get(), clean, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (absl::IsNotFound(fd.status())) return Missing(name);
    CK_RETURN_IF_ERROR(fd.status()) << "open member";
    struct stat info;
    if (fstat(fd->get(), &info) != 0) {
      return SyscallError(errno, kRead, "fstat", name);
    }
    if (!S_ISREG(info.st_mode)) {
      return InvalidArgument(
          Reason::kArchiveEntryRefused, kRead,
          absl::StrCat("archive member ", Quoted(name), " is no file"));
    }
    return fd;
  }

  const UniqueFd fd_;
  const CancelToken cancel_;
};

absl::StatusOr<UniqueFd> UnnamedFile(store::Store& store) {
  CK_ASSIGN_OR_RETURN(store::TempEntry entry,
                      store::MakeTempFile(store.layout().temp_fd(), "load-"));
  unlinkat(store.layout().temp_fd(), entry.name.c_str(), 0);
  return std::move(entry.fd);
}

// Copies what is left of a stream, as it is, into an unnamed file, which then
// is at its beginning.
absl::StatusOr<UniqueFd> TakeIn(store::Store& store, int in,
                                const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(UniqueFd file, UnnamedFile(store));
  const auto buffer = std::make_unique<char[]>(kBufferBytes);
  uint64_t size = 0;
  while (true) {
    CK_RETURN_IF_ERROR(WaitReadable(cancel, in, kRead));
    const ssize_t n = read(in, buffer.get(), kBufferBytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kRead, "read");
    if (n == 0) break;
    size += static_cast<uint64_t>(n);
    CK_RETURN_IF_ERROR(store::CheckStreamLimits({}, size, size, kWhat, kRead));
    CK_RETURN_IF_ERROR(sys::WriteAll(
        file.get(), absl::string_view(buffer.get(), static_cast<size_t>(n))));
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) {
    return SyscallError(errno, kRead, "lseek");
  }
  return file;
}

// Copies a stream, uncompressed, into an unnamed file of the store.
absl::StatusOr<UniqueFd> Spool(store::Store& store, int in,
                               const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(UniqueFd file, UnnamedFile(store));
  const auto input = std::make_unique<char[]>(kBufferBytes);
  const auto output = std::make_unique<char[]>(kBufferBytes);
  std::unique_ptr<store::Decompressor> decompressor;
  UniqueFd rest;
  const auto take_in_rest = [&]() -> absl::Status {
    if (rest.ok()) return absl::OkStatus();
    CK_ASSIGN_OR_RETURN(rest, TakeIn(store, in, cancel));
    return absl::OkStatus();
  };
  uint64_t taken = 0;
  uint64_t written = 0;
  size_t have = 0;
  while (true) {
    const int from = rest.ok() ? rest.get() : in;
    CK_RETURN_IF_ERROR(WaitReadable(cancel, from, kRead));
    const ssize_t n = read(from, input.get() + have, kBufferBytes - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SyscallError(errno, kRead, "read");
    have += static_cast<size_t>(n);
    taken += static_cast<uint64_t>(n);
    // Four bytes tell the compression.
    if (decompressor == nullptr && have < 4 && n > 0) continue;
    absl::string_view left(input.get(), have);
    if (decompressor == nullptr) {
      CK_ASSIGN_OR_RETURN(
          decompressor, store::Decompressor::Create(
                            store::DetectCompression(left),
                            {.take_in_rest = take_in_rest, .check = [&cancel] {
                               return CheckCancelled(cancel, kRead);
                             }}));
    }
    while (true) {
      CK_ASSIGN_OR_RETURN(const size_t made,
                          decompressor->Run(left, output.get(), kBufferBytes));
      written += made;
      CK_RETURN_IF_ERROR(CheckCancelled(cancel, kRead));
      CK_RETURN_IF_ERROR(
          store::CheckStreamLimits({}, taken, written, kWhat, kRead));
      CK_RETURN_IF_ERROR(
          sys::WriteAll(file.get(), absl::string_view(output.get(), made)));
      if (left.empty() && made < kBufferBytes) break;
    }
    have = 0;
    if (n == 0) break;
  }
  CK_RETURN_IF_ERROR(decompressor->Finish());
  return file;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageArchive>> OpenTarArchive(
    store::Store& store, int fd, const CancelToken& cancel) {
  struct stat info;
  if (fstat(fd, &info) != 0) return SyscallError(errno, kRead, "fstat");
  const off_t offset = S_ISREG(info.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
  char head[4] = {};
  const bool plain =
      offset >= 0 && pread(fd, head, sizeof head, offset) == sizeof head &&
      store::DetectCompression(absl::string_view(head, sizeof head)) ==
          store::Compression::kNone;
  UniqueFd file;
  if (plain) {
    file.Reset(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!file.ok()) return SyscallError(errno, kRead, "fcntl");
  } else {
    CK_ASSIGN_OR_RETURN(file, Spool(store, fd, cancel), "read archive");
  }
  auto archive = std::make_unique<TarArchive>(
      std::move(file), plain ? static_cast<uint64_t>(offset) : 0, cancel);
  CK_RETURN_IF_ERROR(archive->Scan()) << "read archive";
  return archive;
}

absl::StatusOr<std::unique_ptr<ImageArchive>> OpenDirArchive(
    const std::string& path, const CancelToken& cancel) {
  CK_ASSIGN_OR_RETURN(UniqueFd fd,
                      sys::OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  return std::make_unique<DirArchive>(std::move(fd), cancel);
}

}  // namespace containerkit::image
