// The local side of `ck cp`: a path as a tar, a tar as files.
#ifndef CONTAINERKIT_EXAMPLES_CLI_LOCAL_TAR_H_
#define CONTAINERKIT_EXAMPLES_CLI_LOCAL_TAR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace containerkit::cli {

// Writes `path` and all below it to `fd` (borrowed), its own name replaced
// with `name`. Symlinks stay symlinks, but `path` itself is followed with
// `follow`. Gives the bytes of files.
//
// Errors: by errno; what libarchive says.
absl::StatusOr<uint64_t> WriteLocalTar(const std::string& path,
                                       const std::string& name, bool follow,
                                       int fd);

struct ExtractOptions {
  std::string from;  // the first part of every entry's name ...
  std::string to;    // ... becomes this
  bool owners = false;
};

// Unpacks the tar read from `fd` (borrowed) into the directory `directory`.
// Gives the bytes of files.
//
// Trust: the archive is a container's. No entry leaves `directory`: names with
// ".." are refused, absolute ones are taken as relative, and nothing is
// written through a symlink.
// Errors: INVALID_ARGUMENT for a broken or refused archive; by errno.
absl::StatusOr<uint64_t> ExtractTar(int fd, const std::string& directory,
                                    const ExtractOptions& options);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_LOCAL_TAR_H_
