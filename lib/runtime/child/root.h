// Paths inside a container's root. Every one goes through openat2 with
// RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS and comes back as a descriptor.
//
// Trust: the image and the container's own processes decide what is behind
// these paths, and may change it while they are resolved.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_ROOT_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_ROOT_H_

#include <stdint.h>

namespace containerkit::runtime::child {

// A parent directory and the name of an entry in it.
struct Entry {
  int parent = -1;
  const char* name = "";  // points into the caller's path, or "."
};

// openat2 below `root`; retries the races that the kernel reports (EAGAIN).
long OpenInRoot(int root, const char* path, uint64_t flags);

// mkdir -p: an O_PATH descriptor of the directory. A dangling symlink on the
// way gets its target made, inside the root. mode is for the last one made;
// *made says whether that was made (may be null).
long MakeDirectories(int root, const char* path, uint32_t mode, bool* made);

// Opens (mkdir -p) the directory that holds the path's last component. The
// caller closes entry->parent. -EINVAL for a path without a last name.
long OpenParent(int root, const char* path, Entry* entry);

// O_PATH of `path`; when it is missing, makes it (and its parents) as an
// empty file or a directory.
long OpenOrMake(int root, const char* path, bool file);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_ROOT_H_
