#include "examples/cli/ps_columns.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace containerkit::cli {
namespace {

// "a,b" or "a=,b".
void AddColumns(absl::string_view list, std::vector<std::string>& columns) {
  for (const absl::string_view column :
       absl::StrSplit(list, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    columns.emplace_back(column.substr(0, column.find('=')));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> PsColumns(
    const std::vector<std::string>& options) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < options.size(); ++i) {
    absl::string_view word = options[i];
    absl::ConsumePrefix(&word, "-");
    if (word == "aux" || word == "axu") {
      columns = {"user", "pid",  "pcpu",  "pmem", "vsz",    "rss",
                 "tty",  "stat", "start", "time", "command"};
      continue;
    }
    // Which processes: always those of the container.
    while (!word.empty() &&
           absl::string_view("eAax").find(word[0]) != absl::string_view::npos) {
      word.remove_prefix(1);
    }
    if (word.empty() || word == "f") continue;
    if (!absl::ConsumePrefix(&word, "o")) {
      return absl::InvalidArgumentError(
          absl::StrCat("ps option '", options[i],
                       "' is not available: use -ef, aux or -o COLUMN,..."));
    }
    if (word.empty()) {
      if (++i >= options.size()) {
        return absl::InvalidArgumentError("ps option -o needs a list");
      }
      word = options[i];
    }
    AddColumns(word, columns);
  }
  return columns;
}

}  // namespace containerkit::cli
