// Image references as people write them, without a look at any registry.
#ifndef CONTAINERKIT_EXAMPLES_CLI_IMAGE_NAME_H_
#define CONTAINERKIT_EXAMPLES_CLI_IMAGE_NAME_H_

#include <string>

#include "absl/strings/string_view.h"

namespace containerkit::cli {

// A reference taken apart.
struct ReferenceParts {
  std::string repository;  // "alpine", "host:5000/a/b"
  std::string tag;         // "latest" when neither tag nor digest is given
  std::string digest;      // "sha256:..."
  bool tag_given = false;
};
ReferenceParts SplitReference(absl::string_view reference);

// "alpine" as "docker.io/library/alpine".
std::string FullRepository(absl::string_view repository);

// docker.io/library/alpine as "alpine".
std::string FamiliarRepository(absl::string_view repository);

// "alpine:latest" for "alpine"; a digest stays.
std::string WithTag(absl::string_view reference);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_IMAGE_NAME_H_
