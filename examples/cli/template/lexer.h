// Tokens of Go's text/template language.
#ifndef CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_LEXER_H_
#define CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_LEXER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::cli {

struct TemplateToken {
  enum class Kind {
    kText,
    kLeft,   // {{
    kRight,  // }}
    kSpace,
    kIdentifier,
    kField,     // ".Name": value is "Name"
    kDot,       // "."
    kVariable,  // "$" or "$name"
    kString,    // value is unquoted
    kChar,      // value is the code point in decimal
    kNumber,
    kPipe,
    kLeftParen,
    kRightParen,
    kAssign,   // =
    kDeclare,  // :=
    kComma,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string value;
  std::string source;  // as written
  size_t offset = 0;
};

// Cuts `text` into tokens; comments are gone and trim markers are done. The
// last token is kEnd.
//
// Errors: INVALID_ARGUMENT with Go's words, e.g. "template: :1: unclosed
// action".
absl::StatusOr<std::vector<TemplateToken>> LexTemplate(absl::string_view text);

// "template: :LINE: message" for a place in `text`.
absl::Status TemplateParseError(absl::string_view text, size_t offset,
                                absl::string_view message);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_LEXER_H_
