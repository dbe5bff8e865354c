// Pulling an image with a word to the user, for `ck pull` and `ck run`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_PULL_H_
#define CONTAINERKIT_EXAMPLES_CLI_PULL_H_

#include <string>

#include "absl/status/statusor.h"
#include "containerkit/engine.h"

namespace containerkit::cli {

struct PullRequest {
  std::string reference;
  std::string platform;
  bool quiet = false;
  int fd = 1;  // where progress goes
  CancelToken cancel;
};

// Errors: as Images::Pull.
absl::StatusOr<ImageInfo> PullWithProgress(const Engine& engine,
                                           const PullRequest& request);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_PULL_H_
