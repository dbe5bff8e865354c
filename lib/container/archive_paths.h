// What both directions of archive.h share. Internal to archive.
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"

namespace containerkit::container::internal {

// A path as docker takes it apart.
struct CopyPath {
  std::string path;        // absolute, without ".", ".." and doubled slashes
  std::string name;        // last name; "/" for the root, "." for "path/."
  bool directory = false;  // "path/" and "path/.": must be a directory
};
CopyPath ParseCopyPath(absl::string_view text);

// A name inside an archive without ".", empty parts and inner ".."; nullopt
// if it leads above where it starts. "" for the start itself.
std::optional<std::string> CleanEntryName(absl::string_view name);

// Gives what RootDir said about the user's path the reason that it has here:
// kPathNotFound, kNotADirectory.
absl::Status PathError(const absl::Status& status, const std::string& path);

// An id of the container as the host counts it, and back. 65534 where the map
// does not know it; an empty map changes nothing.
uint32_t ToHostId(const std::vector<UserNamespaceChoice::Range>& map,
                  uint32_t id);
uint32_t ToContainerId(const std::vector<UserNamespaceChoice::Range>& map,
                       uint32_t id);

// Whether an extended attribute may travel: the others mean something to the
// kernel or the overlay.
bool IsPortableXattr(absl::string_view name);

}  // namespace containerkit::container::internal

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_
