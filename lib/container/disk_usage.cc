#include "lib/container/disk_usage.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "lib/sys/root_dir.h"

namespace containerkit::container {
namespace {

// Names in `parent` that are directories, and the bytes of its files.
absl::StatusOr<uint64_t> AddFiles(int parent, std::vector<std::string>& dirs) {
  uint64_t bytes = 0;
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(parent, "."));
  for (const std::string& name : names) {
    struct stat st;
    if (fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(st.st_mode)) bytes += static_cast<uint64_t>(st.st_size);
    if (S_ISDIR(st.st_mode)) dirs.push_back(name);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<uint64_t> DiskUsage(const std::string& path) {
  const absl::StatusOr<sys::RootDir> root = sys::RootDir::Open(path);
  if (root.status().code() == absl::StatusCode::kNotFound) return 0;
  if (!root.ok()) return root.status();
  // Trust: the tree is the container's. Depth costs memory, not stack or
  // descriptors: a directory is opened by its path below the root.
  uint64_t bytes = 0;
  std::vector<std::string> todo = {"."};
  while (!todo.empty()) {
    const std::string dir = std::move(todo.back());
    todo.pop_back();
    const absl::StatusOr<UniqueFd> fd =
        root->OpenRaw(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd.ok()) continue;
    std::vector<std::string> below;
    CK_ASSIGN_OR_RETURN(const uint64_t own, AddFiles(fd->get(), below));
    bytes += own;
    for (const std::string& name : below) todo.push_back(dir + "/" + name);
  }
  return bytes;
}

}  // namespace containerkit::container
