// Temporary files and directories that die with their maker: each is locked
// (flock) by whoever works on it, so a free lock means that it is garbage.
#ifndef CONTAINERKIT_LIB_STORE_TEMP_ENTRY_H_
#define CONTAINERKIT_LIB_STORE_TEMP_ENTRY_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/unique_fd.h"

namespace containerkit::store {

// A locked entry of a directory. Closing `fd` gives the lock up.
struct TempEntry {
  std::string name;
  UniqueFd fd;
};

// Makes and locks a new file, "<prefix><32 hex>", 0600, open read-write.
//
// Errors: as open(2).
absl::StatusOr<TempEntry> MakeTempFile(int dir_fd, const std::string& prefix);

// Makes and locks a new directory, 0700.
//
// Errors: as mkdir(2).
absl::StatusOr<TempEntry> MakeTempDir(int dir_fd, const std::string& prefix);

// Whether `fd` is still what `dir_fd`/`name` names. A lock proves something
// only after this: between open() and flock() the name may have been removed.
bool NameIsCurrent(int dir_fd, const std::string& name, int fd);

// Locks the entry if its maker is dead; nullopt when it is alive or the entry
// is gone. The caller then removes it, lock held.
absl::StatusOr<std::optional<TempEntry>> ClaimDeadTemp(int dir_fd,
                                                       const std::string& name);

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_TEMP_ENTRY_H_
