// Tar -> layer, beside canaries: whatever an archive says, nothing outside the
// layer's root changes.
//
// The first byte of an input says how: bit 0 gives every header its right
// checksum, so that changes of an archive get past it; bit 1 writes user.*
// markers; the rest is the length of the pieces it is read in. In the archive
// "/dev/shm/ck-canary-@@@@@@" stands for the directory of the canaries.
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/store/layer_writer.h"
#include "lib/store/tar_reader.h"
#include "lib/sys/file_util.h"
#include "lib/sys/root_dir.h"
#include "tests/fuzz/check.h"

namespace {

using containerkit::GetReason;
using containerkit::Reason;
using containerkit::UniqueFd;
namespace store = containerkit::store;
namespace sys = containerkit::sys;

constexpr char kPlaceholder[] = "/dev/shm/ck-canary-@@@@@@";
constexpr size_t kBlock = 512;
constexpr size_t kMaxInput = 64 << 10;

class Source final : public store::ByteSource {
 public:
  Source(absl::string_view bytes, size_t piece)
      : bytes_(bytes), piece_(piece) {}
  absl::StatusOr<absl::string_view> Next() override {
    const absl::string_view piece = bytes_.substr(0, piece_);
    bytes_.remove_prefix(piece.size());
    return piece;
  }

 private:
  absl::string_view bytes_;
  const size_t piece_;
};

// <base>/canary/{file,dir}, <base>/link and <base>/cage/layer: only the last
// may ever change.
class Cage {
 public:
  Cage() {
    char shm[] = "/dev/shm/ck-canary-XXXXXX";
    char tmp[] = "/tmp/ck-canary-XXXXXX";
    const char* const made = mkdtemp(shm) != nullptr ? shm : mkdtemp(tmp);
    CK_FUZZ_CHECK(made != nullptr);
    base_ = made;
    const std::string file = absl::StrCat(base_, "/canary/file");
    CK_FUZZ_CHECK(mkdir(absl::StrCat(base_, "/canary").c_str(), 0755) == 0);
    CK_FUZZ_CHECK(mkdir(absl::StrCat(base_, "/canary/dir").c_str(), 0755) == 0);
    CK_FUZZ_CHECK(mkdir(absl::StrCat(base_, "/cage").c_str(), 0700) == 0);
    CK_FUZZ_CHECK(symlink("canary", absl::StrCat(base_, "/link").c_str()) == 0);
    const UniqueFd fd(
        open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    CK_FUZZ_CHECK(sys::WriteAll(fd.get(), "secret").ok());
    cage_.Reset(open(absl::StrCat(base_, "/cage").c_str(),
                     O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CK_FUZZ_CHECK(cage_.ok());
    before_ = Outside();
  }
  ~Cage() { sys::RemoveTreeAt(AT_FDCWD, base_).IgnoreError(); }

  const std::string& base() const { return base_; }

  // An empty root for one layer.
  sys::RootDir NewRoot() {
    CK_FUZZ_CHECK(mkdirat(cage_.get(), "layer", 0700) == 0);
    auto root = sys::RootDir::OpenAt(cage_.get(), "layer");
    CK_FUZZ_CHECK(root.ok());
    return *std::move(root);
  }

  void CheckAndClear() {
    CK_FUZZ_CHECK(Outside() == before_);
    const auto names = sys::ListDirAt(cage_.get(), ".");
    CK_FUZZ_CHECK(names.ok() && *names == std::vector<std::string>{"layer"});
    CK_FUZZ_CHECK(sys::RemoveTreeAt(cage_.get(), "layer").ok());
  }

 private:
  // All that a write, a link, a chmod, a chown or a new name would change.
  std::string Outside() const {
    std::string text;
    for (const char* name :
         {"", "/canary", "/canary/file", "/canary/dir", "/link"}) {
      struct stat info;
      CK_FUZZ_CHECK(lstat(absl::StrCat(base_, name).c_str(), &info) == 0);
      absl::StrAppend(&text, info.st_ino, " ", info.st_mode, " ", info.st_uid,
                      " ", info.st_gid, " ", info.st_nlink, " ", info.st_size,
                      " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ",
                      info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec, "\n");
    }
    const auto content =
        sys::ReadFileAt(AT_FDCWD, absl::StrCat(base_, "/canary/file"), 100);
    return absl::StrCat(text, content.ok() ? *content : "gone");
  }

  std::string base_;
  UniqueFd cage_;
  std::string before_;
};

bool IsZero(const char* block) {
  return std::all_of(block, block + kBlock, [](char c) { return c == '\0'; });
}

void FixChecksums(std::string& tar) {
  for (size_t at = 0; at + kBlock <= tar.size(); at += kBlock) {
    char* const header = &tar[at];
    if (IsZero(header)) continue;
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      sum += static_cast<unsigned char>(header[i]);
    }
    snprintf(header + 148, 8, "%06o", sum);
    size_t size = 0;
    for (size_t i = 124; i < 136; ++i) {
      const char c = header[i];
      if (c >= '0' && c <= '7') size = size * 8 + static_cast<size_t>(c - '0');
    }
    if (size > tar.size()) return;
    at += (size + kBlock - 1) / kBlock * kBlock;
  }
}

void PutBase(const std::string& base, std::string& tar) {
  if (base.size() != sizeof kPlaceholder - 1) return;
  for (size_t at = tar.find(kPlaceholder); at != std::string::npos;
       at = tar.find(kPlaceholder, at)) {
    tar.replace(at, base.size(), base);
  }
}

absl::Status Unpack(store::TarReader& tar, store::LayerWriter& writer) {
  store::TarEntry entry;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, tar.Next(entry));
    if (!more) return writer.Finish();
    CK_RETURN_IF_ERROR(writer.Add(entry, tar));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > kMaxInput) return 0;
  static Cage cage;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  PutBase(cage.base(), bytes);
  if ((data[0] & 1) != 0) FixChecksums(bytes);
  {
    const sys::RootDir root = cage.NewRoot();
    store::LayerWriterOptions options;
    options.user_xattrs = (data[0] & 2) != 0;
    store::LayerWriter writer(&root, options);
    Source source(bytes, (data[0] >> 2) * 131 + 17);
    const auto tar = store::TarReader::Open(&source);
    const absl::Status status = tar.ok() ? Unpack(**tar, writer) : tar.status();
    CK_FUZZ_CHECK(status.ok() || GetReason(status) != Reason::kUnspecified);
    CK_FUZZ_CHECK(writer.stats().entry_count <= bytes.size() / kBlock);
  }
  cage.CheckAndClear();
  return 0;
}
