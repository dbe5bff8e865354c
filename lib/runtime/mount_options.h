// The options of a runtime-spec mount, sorted by what the kernel wants them
// for.
#ifndef CONTAINERKIT_LIB_RUNTIME_MOUNT_OPTIONS_H_
#define CONTAINERKIT_LIB_RUNTIME_MOUNT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace containerkit::runtime {

struct MountOptions {
  bool bind = false;
  bool recursive = false;  // rbind
  bool remount = false;
  // MOUNT_ATTR_* of the mount itself; `clear` holds what was asked to be off
  // (or, for times, replaced).
  uint64_t attr_set = 0;
  uint64_t attr_clear = 0;
  // The same for the mount and all mounts below it ("rro", "rnosuid").
  uint64_t tree_set = 0;
  uint64_t tree_clear = 0;
  // MS_{PRIVATE,SHARED,SLAVE,UNBINDABLE}, with MS_REC; in order.
  std::vector<uint64_t> propagation;
  // For the file system: flags and "key=value".
  std::vector<std::string> data;
  bool copy_up = false;           // tmpcopyup
  bool no_follow_source = false;  // copy-symlink, src-nofollow
  bool id_mapped = false;         // idmap, ridmap
  bool id_mapped_tree = false;    // ridmap
};

// Never fails: what is no generic option is the file system's.
MountOptions ParseMountOptions(const std::vector<std::string>& options);

// Every option with a generic meaning, for `features`.
std::vector<std::string> KnownMountOptions();

// "rshared" -> MS_SHARED | MS_REC; 0 for what is no propagation.
uint64_t PropagationFlag(absl::string_view name);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_MOUNT_OPTIONS_H_
