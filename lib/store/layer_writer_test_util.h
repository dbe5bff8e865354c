// Unpacks archives beside a canary.
#ifndef CONTAINERKIT_LIB_STORE_LAYER_WRITER_TEST_UTIL_H_
#define CONTAINERKIT_LIB_STORE_LAYER_WRITER_TEST_UTIL_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/store/layer_writer.h"
#include "lib/store/store_test_util.h"
#include "lib/store/tar_reader.h"
#include "lib/store/tar_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {

// A string as a source, in small pieces so that headers are split.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(absl::string_view bytes) : bytes_(bytes) {}
  absl::StatusOr<absl::string_view> Next() override {
    const absl::string_view piece = bytes_.substr(0, 700);
    bytes_.remove_prefix(piece.size());
    return piece;
  }

 private:
  absl::string_view bytes_;
};

// <temp>/canary/{file,dir/inner} are outside, <temp>/layer is the root.
class LayerWriterFixture : public testing::Test {
 protected:
  void SetUp() override {
    base_ = sys::OpenAt(AT_FDCWD, temp_.path(), O_RDONLY | O_DIRECTORY).value();
    for (const char* dir : {"canary", "canary/dir"}) {
      ASSERT_TRUE(sys::MakeDirAt(base_.get(), dir, 0755).ok());
    }
    for (const char* file : {"canary/file", "canary/dir/inner"}) {
      auto fd = sys::OpenAt(base_.get(), file, O_WRONLY | O_CREAT, 0640);
      ASSERT_TRUE(fd.ok() && sys::WriteAll(fd->get(), "secret").ok());
    }
    before_ = Outside();
    Reset();
  }
  void TearDown() override { EXPECT_EQ(Outside(), before_); }

  // An empty root.
  void Reset() {
    writer_.reset();
    root_.reset();
    ASSERT_TRUE(sys::RemoveTreeAt(base_.get(), "layer").ok());
    ASSERT_TRUE(sys::MakeDirAt(base_.get(), "layer", 0700).ok());
    root_.emplace(sys::RootDir::OpenAt(base_.get(), "layer").value());
  }

  void SetUserXattrs(bool user_xattrs) { options_.user_xattrs = user_xattrs; }

  absl::Status Unpack(const TarBuilder& tar) {
    return UnpackBytes(tar.Build());
  }
  absl::Status UnpackBytes(const std::string& bytes) {
    StringSource source(bytes);
    writer_.emplace(&*root_, options_);
    CK_ASSIGN_OR_RETURN(const auto reader, TarReader::Open(&source));
    TarEntry entry;
    for (;;) {
      CK_ASSIGN_OR_RETURN(const bool more, reader->Next(entry));
      if (!more) return writer_->Finish();
      CK_RETURN_IF_ERROR(writer_->Add(entry, *reader));
    }
  }

  const sys::RootDir& root() const { return *root_; }
  struct stat Stat(const std::string& path) const {
    return root().Stat(path).value_or((struct stat){});
  }
  unsigned Mode(const std::string& path) const { return Stat(path).st_mode; }
  std::string Read(const std::string& path) const {
    return root().ReadSmallFile(path, 16 << 20).value_or("<unreadable>");
  }
  bool IsWhiteout(const std::string& path) const {
    return S_ISCHR(Mode(path)) && Stat(path).st_rdev == makedev(0, 0);
  }
  std::string Xattr(const std::string& path, const std::string& name) const {
    const auto fd = root().OpenPath(path);
    if (!fd.ok()) return "<absent>";
    return sys::GetXattrFd(fd->get(), name)->value_or("");
  }
  std::vector<std::string> Names(const std::string& path) const {
    std::vector<std::string> names =
        sys::ListDirAt(root().fd(), path.empty() ? "." : path).value();
    std::sort(names.begin(), names.end());
    return names;
  }

  // Runs `check` in a child as user 12345 (or whoever runs the test when that
  // is not root), without and with its argument set.
  void AsUser(const std::function<bool(bool)>& check) {
    for (const bool flag : {false, true}) {
      Reset();
      if (geteuid() == 0) {
        ASSERT_EQ(fchownat(base_.get(), "layer", 12345, 12345, 0), 0);
        ASSERT_EQ(fchmod(base_.get(), 0755), 0);
      }
      const pid_t pid = fork();
      if (pid == 0) {
        if (geteuid() == 0 && (setresgid(12345, 12345, 12345) != 0 ||
                               setresuid(12345, 12345, 12345) != 0)) {
          _exit(2);
        }
        _exit(check(flag) ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      EXPECT_EQ(status, 0) << flag;
    }
  }

  // Everything but the layer: names, modes, owners, times, sizes, links.
  std::string Outside() const {
    std::string all;
    for (const char* path :
         {"canary", "canary/file", "canary/dir", "canary/dir/inner"}) {
      struct stat info = {};
      fstatat(base_.get(), path, &info, AT_SYMLINK_NOFOLLOW);
      absl::StrAppend(&all, path, " ", info.st_ino, " ", info.st_mode, " ",
                      info.st_uid, " ", info.st_gid, " ", info.st_nlink, " ",
                      info.st_size, " ", info.st_mtim.tv_sec, ".",
                      info.st_mtim.tv_nsec, " ", info.st_ctim.tv_sec, ".",
                      info.st_ctim.tv_nsec, "\n");
    }
    for (const char* dir : {"canary", "canary/dir"}) {
      auto names = sys::ListDirAt(base_.get(), dir).value();
      std::sort(names.begin(), names.end());
      for (const std::string& name : names) absl::StrAppend(&all, name, "\n");
    }
    absl::StrAppend(
        &all,
        sys::ReadFileAt(base_.get(), "canary/file", 100).value_or("gone"));
    return all;
  }

  TempRoot temp_;
  UniqueFd base_;
  LayerWriterOptions options_;
  std::optional<sys::RootDir> root_;
  std::optional<LayerWriter> writer_;
  std::string before_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LAYER_WRITER_TEST_UTIL_H_
