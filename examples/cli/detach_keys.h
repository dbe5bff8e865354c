// The key sequence that leaves a container running and ends `ck attach`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_DETACH_KEYS_H_
#define CONTAINERKIT_EXAMPLES_CLI_DETACH_KEYS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::cli {

// Finds the sequence in what is typed. A part of it that is not followed by
// the rest is handed on.
class DetachKeys final {
 public:
  // "ctrl-p,ctrl-q"; empty: that. Errors: INVALID_ARGUMENT.
  static absl::StatusOr<DetachKeys> Parse(absl::string_view text);

  // Appends what goes to the container to `out`. True once the sequence is
  // complete; what follows it is dropped.
  bool Feed(absl::string_view typed, std::string* out);

 private:
  explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

  std::string keys_;
  size_t matched_ = 0;
};

// The member `detachKeys` of docker's config.json; empty: there is none.
std::string ConfiguredDetachKeys(absl::string_view config_json);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_DETACH_KEYS_H_
