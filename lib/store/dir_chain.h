// The directories of a layer that are being written to.
#ifndef CONTAINERKIT_LIB_STORE_DIR_CHAIN_H_
#define CONTAINERKIT_LIB_STORE_DIR_CHAIN_H_

#include <sys/types.h>
#include <time.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {

// Directories of a tree, each below the one before. Who is on the chain is
// writable and may change; it has the mode and the time that were set for it,
// or those it had when it was entered, from when it is left. So whatever the
// order of an archive, no more is known at once than the tree is deep.
//
// Paths are inside the root, without symlinks, "." and ".."; "" is the root.
// Nobody else changes the tree.
//
// One thread at a time.
class DirChain {
 public:
  // `root` must outlive the chain.
  explicit DirChain(const sys::RootDir* root) : root_(root) {}

  bool empty() const { return dirs_.empty(); }
  // Of the last directory.
  const std::string& path() const { return dirs_.back().path; }
  absl::StatusOr<int> fd();
  void SetMeta(mode_t mode, timespec mtime);

  bool Has(absl::string_view path) const;
  // The directory `path`, not entered (O_PATH). Not ok: see errno; ELOOP for a
  // symlink on the way.
  //
  // Trust: `path` may be hostile.
  UniqueFd Open(const std::string& path) const;

  // Makes `path` the last: leaves what is not above it, and enters it unless
  // the chain has it. `dir` comes from Open() or was made just now.
  absl::Status Enter(const std::string& path, UniqueFd dir);
  // The same when the chain has it.
  absl::Status ReturnTo(absl::string_view path);
  absl::Status LeaveAll();

 private:
  struct Dir {
    std::string path;
    UniqueFd fd;
    mode_t mode_now = 0;
    // What it is to have.
    mode_t mode = 0;
    timespec mtime = {};
  };

  size_t DeepestAbove(absl::string_view path) const;
  absl::Status Leave();

  const sys::RootDir* root_;
  std::vector<Dir> dirs_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_DIR_CHAIN_H_
