// What both directions of archive.h share. Internal to archive.
#ifndef CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_
#define CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

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

// Whether an extended attribute may travel: the others mean something to the
// kernel or the overlay.
bool IsPortableXattr(absl::string_view name);

}  // namespace containerkit::container::internal

#endif  // CONTAINERKIT_LIB_CONTAINER_ARCHIVE_PATHS_H_
