// The functions that templates can call.
#ifndef CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_FUNCTIONS_H_
#define CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_FUNCTIONS_H_

#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

// Truth as text/template sees it: false, 0, "", nil and empty collections are
// false.
bool TemplateTruth(const nlohmann::json& value);

bool IsTemplateFunction(absl::string_view name);

// Calls `name`. `and` and `or` have all their arguments evaluated here; the
// executor handles their short circuit itself. With `header` the functions
// that change how a value looks hand it through, which is how docker makes the
// header of a table.
//
// Errors: INVALID_ARGUMENT with Go's words.
absl::StatusOr<nlohmann::json> CallTemplateFunction(
    absl::string_view name, std::span<const nlohmann::json> arguments,
    bool header);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_FUNCTIONS_H_
