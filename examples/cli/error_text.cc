#include "examples/cli/error_text.h"

#include <string.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "containerkit/status.h"
#include "examples/cli/output.h"

namespace containerkit::cli {

std::string ErrorText(const absl::Status& status, bool debug) {
  std::string text =
      absl::StrCat("ck: ",
                   Printable(status.message().empty()
                                 ? absl::StatusCodeToString(status.code())
                                 : status.message()),
                   "\n");
  const auto detail = GetErrorDetail(status);
  if (detail.has_value() && !detail->hint.empty()) {
    absl::StrAppend(&text, "Hint: ", Printable(detail->hint), "\n");
  }
  if (!debug) return text;
  absl::StrAppend(
      &text, "  code:      ", absl::StatusCodeToString(status.code()), "\n");
  if (!detail.has_value()) return text;
  const auto line = [&text](absl::string_view name, absl::string_view value) {
    if (!value.empty()) {
      absl::StrAppend(&text, "  ", name, Printable(value), "\n");
    }
  };
  line("reason:    ", ReasonName(detail->reason));
  line("operation: ", detail->operation);
  line("object:    ",
       detail->object_id.empty()
           ? detail->object_kind
           : absl::StrCat(detail->object_kind, " ", detail->object_id));
  line("path:      ", detail->path);
  if (detail->os_errno != 0) {
    line("errno:     ",
         absl::StrCat(detail->os_errno, " (", strerror(detail->os_errno), ")"));
  }
  line("retryable: ", detail->retryable ? "yes" : "");
  return text;
}

}  // namespace containerkit::cli
