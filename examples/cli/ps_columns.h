// The ps(1) options of `ck top`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_PS_COLUMNS_H_
#define CONTAINERKIT_EXAMPLES_CLI_PS_COLUMNS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace containerkit::cli {

// The columns that ps options ask for: none or "-ef": the default (empty);
// "aux"; "-o a,b", "-eo a,b", "-oa -ob". Errors: INVALID_ARGUMENT for others.
absl::StatusOr<std::vector<std::string>> PsColumns(
    const std::vector<std::string>& options);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_PS_COLUMNS_H_
