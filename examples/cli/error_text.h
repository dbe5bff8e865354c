// What ck says about a failed status.
#ifndef CONTAINERKIT_EXAMPLES_CLI_ERROR_TEXT_H_
#define CONTAINERKIT_EXAMPLES_CLI_ERROR_TEXT_H_

#include <string>

#include "absl/status/status.h"

namespace containerkit::cli {

// "ck: message\n" and a "Hint: ..." line where the error has one; with `debug`
// also its reason, operation, object, path and errno.
std::string ErrorText(const absl::Status& status, bool debug);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_ERROR_TEXT_H_
