// Go's text/template over JSON values, as far as docker's --format uses it:
// fields, variables, pipes, if/else, range, with, break, continue, comments,
// trim markers, Go's own functions and docker's (json, split, join, title,
// lower, upper, pad, truncate). No {{define}}, {{template}} and {{block}}.
//
//   auto t = Template::Parse("{{.Name}}: {{len .Mounts}}");
//   auto text = t->Execute({.root = &json});
//
// A missing member of an object is an error when its name is spelled like a
// field of docker's types (Id, State), and "<no value>" when it is spelled
// like a key (a label). Fields are found whatever their case: docker's JSON
// says Id where its types say ID.
#ifndef CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_TEMPLATE_H_
#define CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_TEMPLATE_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

struct TemplateNode;

// A method of the root value: {{.Label "k"}}.
using TemplateMethod = std::function<absl::StatusOr<nlohmann::json>(
    std::span<const nlohmann::json> arguments)>;

struct TemplateData {
  const nlohmann::json* root = nullptr;  // borrowed
  const std::map<std::string, TemplateMethod>* methods = nullptr;
  // The root's Go type in messages; empty: it is a plain map.
  std::string type_name;
  // Makes the header of a table: cosmetic functions do nothing.
  bool header = false;
};

// A parsed template. Copies share it. Thread-safe.
class Template final {
 public:
  // Errors: INVALID_ARGUMENT with Go's words, "template: :1: unclosed action".
  static absl::StatusOr<Template> Parse(absl::string_view text);

  // Errors: INVALID_ARGUMENT with Go's words, "template: :1:2: executing ...".
  absl::StatusOr<std::string> Execute(const TemplateData& data) const;

 private:
  Template(std::string text, std::vector<TemplateNode> nodes);
  struct Tree;
  std::shared_ptr<const Tree> tree_;
};

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_TEMPLATE_TEMPLATE_H_
