// Tar entries -> the files of one overlay layer.
#ifndef CONTAINERKIT_LIB_STORE_LAYER_WRITER_H_
#define CONTAINERKIT_LIB_STORE_LAYER_WRITER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "lib/store/dir_chain.h"
#include "lib/store/tar_reader.h"
#include "lib/sys/root_dir.h"

namespace containerkit::store {

// An owner or capability that the unpacking process may not set by itself.
struct OwnedEntry {
  uint32_t uid = 0;
  uint32_t gid = 0;
  // Type and permission bits. To be set again after chown(2), which clears
  // set-id bits. Symlinks have none.
  mode_t mode = 0;
  // Value of security.capability; empty: none.
  std::string capability;
};

// By path inside the layer, no leading slash; empty: its root. Children come
// before parents, so that a directory's new owner does not bar the way.
using OwnedEntries = std::map<std::string, OwnedEntry, std::greater<>>;

// Sets what needs privileges, in one batch a layer: a helper in a user
// namespace with the user's sub-ids, in a rootless store.
class OwnershipSink {
 public:
  virtual ~OwnershipSink() = default;
  // `root` is the layer's root. How many owners could not be set, since no
  // sub-id stands for them.
  virtual absl::StatusOr<uint64_t> Apply(const sys::RootDir& root,
                                         const OwnedEntries& entries) = 0;
};

struct LayerWriterOptions {
  // Overlay's markers as user.overlay.* (for mounts with `userxattr`).
  bool user_xattrs = false;
  // Who sets owners when this process is not root. Null: they are dropped,
  // with a warning: right for containers that have one user.
  OwnershipSink* ownership_sink = nullptr;
  // And directories that the archive uses but does not list.
  uint64_t max_entries = 4'000'000;
  // Without root, OwnedEntries are remembered until Finish(): each with about
  // 200 bytes, and its path.
  uint64_t max_remembered_bytes = uint64_t{512} << 20;
  // Directories above an entry, and bytes of its path.
  int max_depth = 512;
  size_t max_path_bytes = 4095;
  // Extended attributes of one entry.
  size_t max_xattr_bytes = 256 << 10;
};

struct LayerWriterStats {
  uint64_t entry_count = 0;
  // Apparent size of regular files.
  uint64_t file_bytes = 0;
  // Things that could not be kept, by kind.
  uint64_t dropped_owners = 0;
  uint64_t dropped_devices = 0;
  uint64_t dropped_xattrs = 0;
  uint64_t opaque_roots = 0;
};

// Writes entries into a directory that nobody else writes to (a temporary
// directory of the store, 0700), in archive order, as a lower directory for
// overlay: whiteouts become 0:0 devices, opaque markers an attribute.
//
// Trust: entries are hostile. Names are resolved by the kernel inside the
// root; a later entry may replace an earlier one of any type; metadata is set
// by descriptor on what this object just made; devices are made, never
// opened; overlay's own markers in the archive are never taken over.
// docs/state-layout.md lists what each odd name does.
//
// One thread at a time. The process's umask has no influence.
class LayerWriter {
 public:
  // `root` must outlive the writer.
  LayerWriter(const sys::RootDir* root, const LayerWriterOptions& options);

  // Writes one entry; the content of files comes from `tar`.
  //
  // Errors: INVALID_ARGUMENT / kUnsafePath for names that lead out or change
  //         the root; INVALID_ARGUMENT / kArchiveEntryRefused for what cannot
  //         be represented; RESOURCE_EXHAUSTED / kLimitExceeded, kDiskFull;
  //         those of `tar`; as the system calls.
  absl::Status Add(const TarEntry& entry, TarReader& tar);

  // Leaves the last directories and hands owners to the sink.
  absl::Status Finish();

  const LayerWriterStats& stats() const { return stats_; }

 private:
  // A name in the chain's last directory.
  struct Place {
    int dir_fd = -1;
    std::string name;
    // Without symlinks.
    std::string path;
  };
  // A directory, and its path without symlinks.
  struct Found {
    UniqueFd fd;
    std::string path;
  };

  absl::StatusOr<std::string> CleanPath(absl::string_view raw) const;
  absl::Status Count(absl::string_view path);
  absl::StatusOr<Found> Resolve(const std::string& path) const;
  absl::Status EnterRoot();
  absl::Status EnterDir(const std::string& path);
  absl::StatusOr<bool> EnterIfDir(const std::string& path);
  absl::Status EnterMissingDir(const std::string& path);
  absl::Status EnterNewDir(const Place& place);
  absl::StatusOr<Place> PlaceOf(const std::string& path);

  absl::Status AddMarker(const std::string& path);
  absl::Status AddDirectory(const Place& place, const TarEntry& entry);
  absl::Status AddFile(const Place& place, const TarEntry& entry,
                       TarReader& tar);
  absl::Status AddSymlink(const Place& place, const TarEntry& entry);
  absl::Status AddHardlink(const Place& place, const TarEntry& entry);
  absl::Status AddNode(const Place& place, const TarEntry& entry);

  // Runs `make` (a system call wrapper: 0 or -1 and errno); when something is
  // in the way, removes that and runs it again.
  template <typename Make>
  absl::Status MakeNew(const Place& place, absl::string_view call,
                       const Make& make, bool* was_whiteout = nullptr);
  absl::StatusOr<bool> ClearWay(const Place& place);
  absl::Status CopyContent(int fd, const TarEntry& entry, TarReader& tar);

  absl::Status SetOwner(int dir_fd, const std::string& name, bool is_new,
                        const std::string& path, const TarEntry& entry);
  absl::Status SetXattrs(int fd, const std::string& path,
                         const TarEntry& entry);
  absl::Status SetDirMeta(const TarEntry& entry, bool is_new);
  absl::Status SetDirXattrs(const TarEntry& entry, bool is_new);
  absl::Status SetOpaque();
  absl::Status SetWaitingModes();
  OwnedEntry& Owned(const std::string& path);

  const sys::RootDir* root_;
  const LayerWriterOptions options_;
  const bool is_root_;
  const uint32_t own_uid_;
  const uint32_t own_gid_;
  LayerWriterStats stats_;
  // Entries, and directories that are not listed.
  uint64_t count_ = 0;
  DirChain dirs_;
  OwnedEntries owned_;
  // By owned_: what was ever there, for removals are rare.
  uint64_t remembered_bytes_ = 0;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_LAYER_WRITER_H_
