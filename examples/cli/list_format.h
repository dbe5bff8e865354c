// Lists of things as docker prints them: aligned tables, Go templates, JSON.
#ifndef CONTAINERKIT_EXAMPLES_CLI_LIST_FORMAT_H_
#define CONTAINERKIT_EXAMPLES_CLI_LIST_FORMAT_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/cli/template/template.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

// A field that a list's template may name, and its heading in a table.
struct ListColumn {
  absl::string_view field;
  absl::string_view heading;
};

// What one kind of list looks like.
struct ListSpec {
  std::span<const ListColumn> columns;
  // The template of the default table, without "table ".
  absl::string_view default_table;
  // What docker calls a row in error messages.
  absl::string_view type_name;
};

// Rows are JSON objects with the fields of the columns. `format`: "" or
// "table", "table TEMPLATE", "json" or TEMPLATE. The method {{.Label "k"}}
// looks into the member "LabelMap" of a row, which is not printed.
//
// Errors: INVALID_ARGUMENT, "failed to parse template: ..." and
// "failed to execute template: ...".
absl::StatusOr<std::string> FormatList(const ListSpec& spec,
                                       absl::string_view format,
                                       std::span<const nlohmann::json> rows);

// Aligns tab-terminated cells to columns `padding` spaces apart, each at least
// `min_width` wide (Go's text/tabwriter with docker's settings).
std::string AlignTabs(absl::string_view text, size_t min_width = 10,
                      size_t padding = 3);

// The first `width` code points; a cut shows as a last "…".
std::string Ellipsis(absl::string_view text, size_t width);

// Whether a format may print a field, so that costly ones are only then
// filled in. "json" prints all.
bool FormatMentions(absl::string_view format, absl::string_view field);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_LIST_FORMAT_H_
