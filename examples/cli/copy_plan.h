// Where `ck cp` puts things, by docker's rules. Pure.
#ifndef CONTAINERKIT_EXAMPLES_CLI_COPY_PLAN_H_
#define CONTAINERKIT_EXAMPLES_CLI_COPY_PLAN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::cli {

// "CONTAINER:PATH", or a local path (no colon, absolute, or starting with
// ".").
struct CopyArgument {
  std::string container;  // empty: local
  std::string path;
};
CopyArgument ParseCopyArgument(absl::string_view text);

// The path without ".", ".." and double slashes.
std::string CleanPath(absl::string_view path);

// "a/b" is "a/" and "b"; "a/." is "a/" and ".".
struct SplitPath {
  std::string directory;
  std::string base;
};
SplitPath SplitDirectoryEntry(absl::string_view path);

// A name that can only be that of a directory: "a/", "a/.".
bool AssertsDirectory(absl::string_view path);

struct CopySource {
  std::string path;
  bool is_directory = false;
  // What to call it instead of its last name; a symlink that was followed
  // keeps its own name. Empty: its last name.
  std::string rebase_name;
};

struct CopyTarget {
  std::string path;
  bool exists = false;
  bool is_directory = false;
};

struct CopyPlan {
  std::string directory;  // the archive is unpacked here
  std::string name;       // its first name is replaced with this
};

// Errors: INVALID_ARGUMENT, "cannot copy directory", "no such directory".
absl::StatusOr<CopyPlan> PlanCopy(const CopySource& source,
                                  const CopyTarget& target);

// An entry's name with its first part `from` replaced with `to`.
std::string RebaseEntry(absl::string_view entry, absl::string_view from,
                        absl::string_view to);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_COPY_PLAN_H_
