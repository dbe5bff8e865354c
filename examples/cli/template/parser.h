// The syntax tree of Go's text/template language.
#ifndef CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_PARSER_H_
#define CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_PARSER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {

struct TemplatePipe;

// One word of a command, with the fields that are read from it.
struct TemplateOperand {
  enum class Kind { kDot, kVariable, kLiteral, kNil, kFunction, kPipe };
  Kind kind = Kind::kDot;
  std::string name;  // of the variable or function
  nlohmann::json literal;
  std::shared_ptr<TemplatePipe> pipe;
  std::vector<std::string> fields;
  std::string source;
  size_t offset = 0;
};

struct TemplateCommand {
  std::vector<TemplateOperand> words;
};

struct TemplatePipe {
  std::vector<std::string> variables;
  bool declares = false;  // := and not =
  std::vector<TemplateCommand> commands;
  std::string source;
  size_t offset = 0;
};

struct TemplateNode {
  enum class Kind { kText, kAction, kIf, kRange, kWith, kBreak, kContinue };
  Kind kind = Kind::kText;
  std::string text;
  TemplatePipe pipe;
  std::vector<TemplateNode> body;
  std::vector<TemplateNode> otherwise;
  size_t offset = 0;
};

// Parses a whole template. `is_function` says which names are functions.
//
// Errors: INVALID_ARGUMENT with Go's words.
absl::StatusOr<std::vector<TemplateNode>> ParseTemplate(
    absl::string_view text, bool (*is_function)(absl::string_view name));

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_PARSER_H_
