#include "examples/cli/template/template.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/cli/go_format.h"
#include "examples/cli/status_util.h"
#include "examples/cli/template/functions.h"
#include "examples/cli/template/parser.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {

using Json = nlohmann::json;

struct Template::Tree {
  std::string text;
  std::vector<TemplateNode> nodes;
};

namespace {

// A value during execution: part of the root or computed. `value` null with
// `missing`: what Go prints as "<no value>".
struct Value {
  std::shared_ptr<const Json> json;
  bool missing = false;
  bool is_root = false;
};

// What {{printf}} may pile up at most.
constexpr size_t kMaxOutputBytes = 64 << 20;

class Executor {
 public:
  Executor(absl::string_view text, const TemplateData& data)
      : text_(text), data_(data) {
    root_.json =
        std::shared_ptr<const Json>(std::shared_ptr<void>(), data.root);
    root_.is_root = true;
    variables_.emplace_back("$", root_);
  }

  absl::StatusOr<std::string> Run(const std::vector<TemplateNode>& nodes) {
    Flow flow = Flow::kNext;
    CLI_RETURN_IF_ERROR(RunNodes(nodes, root_, flow));
    return std::move(out_);
  }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  static Value Computed(Json json) {
    return {std::make_shared<const Json>(std::move(json))};
  }
  static Value Part(const Value& whole, const Json* part) {
    return {std::shared_ptr<const Json>(whole.json, part)};
  }
  static Value Missing() { return {std::make_shared<const Json>(), true}; }

  absl::Status Fail(size_t offset, absl::string_view source,
                    absl::string_view message) const {
    const absl::string_view before = text_.substr(0, offset);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t start = before.rfind('\n');
    const size_t column =
        start == absl::string_view::npos ? offset : offset - start - 1;
    constexpr size_t kShown = 20;
    const std::string shown =
        source.size() > kShown
            ? absl::StrCat(source.substr(0, kShown), "...")
            : std::string(absl::StripAsciiWhitespace(source));
    return absl::InvalidArgumentError(
        absl::StrCat("template: :", line, ":", column, ": executing \"\" at <",
                     shown, ">: ", message));
  }

  absl::Status RunNodes(const std::vector<TemplateNode>& nodes,
                        const Value& dot, Flow& flow) {
    const size_t known = variables_.size();
    for (const TemplateNode& node : nodes) {
      CLI_RETURN_IF_ERROR(RunNode(node, dot, flow));
      if (flow != Flow::kNext) break;
    }
    variables_.erase(variables_.begin() + known, variables_.end());
    return absl::OkStatus();
  }

  absl::Status RunNode(const TemplateNode& node, const Value& dot, Flow& flow) {
    switch (node.kind) {
      case TemplateNode::Kind::kText:
        return Write(node.text, node.offset);
      case TemplateNode::Kind::kAction: {
        CLI_ASSIGN_OR_RETURN(const Value value, Evaluate(node.pipe, dot));
        if (!node.pipe.variables.empty()) return absl::OkStatus();
        return Write(value.missing || value.json->is_null()
                         ? "<no value>"
                         : GoPrint(*value.json),
                     node.offset);
      }
      case TemplateNode::Kind::kIf:
      case TemplateNode::Kind::kWith: {
        const size_t known = variables_.size();
        CLI_ASSIGN_OR_RETURN(const Value value, Evaluate(node.pipe, dot));
        const bool truth = TemplateTruth(*value.json);
        const bool with = node.kind == TemplateNode::Kind::kWith;
        CLI_RETURN_IF_ERROR(RunNodes(truth ? node.body : node.otherwise,
                                     truth && with ? value : dot, flow));
        variables_.erase(variables_.begin() + known, variables_.end());
        return absl::OkStatus();
      }
      case TemplateNode::Kind::kRange:
        return RunRange(node, dot, flow);
      case TemplateNode::Kind::kBreak:
        flow = Flow::kBreak;
        return absl::OkStatus();
      case TemplateNode::Kind::kContinue:
        flow = Flow::kContinue;
        return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  absl::Status RunRange(const TemplateNode& node, const Value& dot,
                        Flow& flow) {
    const size_t known = variables_.size();
    // The pipe's own assignment would set the variables to the whole.
    CLI_ASSIGN_OR_RETURN(const Value value, EvaluateCommands(node.pipe, dot));
    const Json& whole = *value.json;
    if (!whole.is_null() && !whole.is_structured()) {
      return Fail(node.pipe.offset, node.pipe.source,
                  absl::StrCat("range can't iterate over ", GoPrint(whole)));
    }
    if (whole.empty()) return RunNodes(node.otherwise, dot, flow);
    size_t index = 0;
    for (auto it = whole.begin(); it != whole.end(); ++it, ++index) {
      const Value element = Part(value, &*it);
      const Value key =
          Computed(whole.is_object() ? Json(it.key()) : Json(index));
      const std::vector<std::string>& names = node.pipe.variables;
      if (names.size() == 1) Bind(node.pipe, names[0], element);
      if (names.size() == 2) {
        Bind(node.pipe, names[0], key);
        Bind(node.pipe, names[1], element);
      }
      CLI_RETURN_IF_ERROR(RunNodes(node.body, element, flow));
      variables_.erase(variables_.begin() + known, variables_.end());
      if (flow == Flow::kBreak) break;
      flow = Flow::kNext;
    }
    flow = Flow::kNext;
    return absl::OkStatus();
  }

  absl::Status Write(absl::string_view text, size_t offset) {
    if (out_.size() + text.size() > kMaxOutputBytes) {
      return Fail(offset, "", "output is too long");
    }
    absl::StrAppend(&out_, text);
    return absl::OkStatus();
  }

  void Bind(const TemplatePipe& pipe, const std::string& name,
            const Value& value) {
    if (!pipe.declares) {
      for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
        if (it->first != name) continue;
        it->second = value;
        return;
      }
    }
    variables_.emplace_back(name, value);
  }

  absl::StatusOr<Value> Evaluate(const TemplatePipe& pipe, const Value& dot) {
    CLI_ASSIGN_OR_RETURN(Value value, EvaluateCommands(pipe, dot));
    if (!pipe.variables.empty()) Bind(pipe, pipe.variables[0], value);
    return value;
  }

  absl::StatusOr<Value> EvaluateCommands(const TemplatePipe& pipe,
                                         const Value& dot) {
    std::optional<Value> last;
    for (const TemplateCommand& command : pipe.commands) {
      CLI_ASSIGN_OR_RETURN(last, EvaluateCommand(command, dot, last));
    }
    return *last;
  }

  absl::StatusOr<Value> EvaluateCommand(const TemplateCommand& command,
                                        const Value& dot,
                                        const std::optional<Value>& last) {
    const TemplateOperand& first = command.words[0];
    if (first.kind == TemplateOperand::Kind::kFunction) {
      CLI_ASSIGN_OR_RETURN(Value value, CallFunction(command, dot, last));
      return Fields(first, std::move(value));
    }
    const bool has_arguments = command.words.size() > 1 || last.has_value();
    if (!has_arguments) return EvaluateOperand(first, dot);
    return CallMethod(command, dot, last);
  }

  absl::StatusOr<std::vector<Json>> Arguments(
      const TemplateCommand& command, const Value& dot,
      const std::optional<Value>& last) {
    std::vector<Json> arguments;
    for (size_t i = 1; i < command.words.size(); ++i) {
      CLI_ASSIGN_OR_RETURN(const Value value,
                           EvaluateOperand(command.words[i], dot));
      arguments.push_back(*value.json);
    }
    if (last.has_value()) arguments.push_back(*last->json);
    return arguments;
  }

  absl::StatusOr<Value> CallFunction(const TemplateCommand& command,
                                     const Value& dot,
                                     const std::optional<Value>& last) {
    const TemplateOperand& first = command.words[0];
    if ((first.name == "and" || first.name == "or") &&
        command.words.size() > 1) {
      return ShortCircuit(command, dot, last);
    }
    CLI_ASSIGN_OR_RETURN(const std::vector<Json> arguments,
                         Arguments(command, dot, last));
    absl::StatusOr<Json> result =
        CallTemplateFunction(first.name, arguments, data_.header);
    if (result.ok()) return Computed(*std::move(result));
    const absl::string_view message = result.status().message();
    return Fail(
        first.offset, first.source,
        absl::StartsWith(message, "wrong number")
            ? std::string(message)
            : absl::StrCat("error calling ", first.name, ": ", message));
  }

  // `and` and `or` evaluate no more of their arguments than they need.
  absl::StatusOr<Value> ShortCircuit(const TemplateCommand& command,
                                     const Value& dot,
                                     const std::optional<Value>& last) {
    const bool stop_at = command.words[0].name == "or";
    Value value;
    for (size_t i = 1; i < command.words.size(); ++i) {
      CLI_ASSIGN_OR_RETURN(value, EvaluateOperand(command.words[i], dot));
      if (TemplateTruth(*value.json) == stop_at) return value;
    }
    return last.has_value() ? *last : value;
  }

  // A field with arguments has to be a method of the root.
  absl::StatusOr<Value> CallMethod(const TemplateCommand& command,
                                   const Value& dot,
                                   const std::optional<Value>& last) {
    const TemplateOperand& first = command.words[0];
    if (first.fields.empty()) {
      return Fail(
          first.offset, first.source,
          absl::StrCat("can't give argument to non-function ", first.source));
    }
    TemplateOperand receiver = first;
    const std::string name = receiver.fields.back();
    receiver.fields.pop_back();
    CLI_ASSIGN_OR_RETURN(const Value value, EvaluateOperand(receiver, dot));
    const TemplateMethod* const method = FindMethod(value, name);
    if (method == nullptr) {
      return Fail(first.offset, first.source,
                  absl::StrCat(name, " is not a method but has arguments"));
    }
    CLI_ASSIGN_OR_RETURN(const std::vector<Json> arguments,
                         Arguments(command, dot, last));
    return Invoke(*method, name, arguments, first);
  }

  const TemplateMethod* FindMethod(const Value& value,
                                   const std::string& name) const {
    if (!value.is_root || data_.methods == nullptr) return nullptr;
    const auto found = data_.methods->find(name);
    return found == data_.methods->end() ? nullptr : &found->second;
  }

  absl::StatusOr<Value> Invoke(const TemplateMethod& method,
                               const std::string& name,
                               std::span<const Json> arguments,
                               const TemplateOperand& at) const {
    absl::StatusOr<Json> result = method(arguments);
    if (result.ok()) return Computed(*std::move(result));
    return Fail(
        at.offset, at.source,
        absl::StrCat("error calling ", name, ": ", result.status().message()));
  }

  absl::StatusOr<Value> EvaluateOperand(const TemplateOperand& operand,
                                        const Value& dot) {
    switch (operand.kind) {
      case TemplateOperand::Kind::kDot:
        return Fields(operand, dot);
      case TemplateOperand::Kind::kVariable:
        for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
          if (it->first == operand.name) return Fields(operand, it->second);
        }
        return Fail(operand.offset, operand.source,
                    absl::StrCat("undefined variable: ", operand.name));
      case TemplateOperand::Kind::kLiteral:
        return Computed(operand.literal);
      case TemplateOperand::Kind::kNil:
        return Computed(Json());
      case TemplateOperand::Kind::kFunction: {
        TemplateCommand command;
        command.words.push_back(operand);
        CLI_ASSIGN_OR_RETURN(Value value,
                             CallFunction(command, dot, std::nullopt));
        return Fields(operand, std::move(value));
      }
      case TemplateOperand::Kind::kPipe: {
        CLI_ASSIGN_OR_RETURN(Value value, Evaluate(*operand.pipe, dot));
        return Fields(operand, std::move(value));
      }
    }
    return Missing();
  }

  absl::StatusOr<Value> Fields(const TemplateOperand& operand, Value value) {
    for (const std::string& name : operand.fields) {
      if (const TemplateMethod* method = FindMethod(value, name)) {
        CLI_ASSIGN_OR_RETURN(value, Invoke(*method, name, {}, operand));
        continue;
      }
      CLI_ASSIGN_OR_RETURN(value, Field(operand, value, name));
    }
    return value;
  }

  absl::StatusOr<Value> Field(const TemplateOperand& operand,
                              const Value& value, const std::string& name) {
    const Json& whole = *value.json;
    if (whole.is_object()) {
      auto found = whole.find(name);
      for (auto it = whole.begin(); found == whole.end() && it != whole.end();
           ++it) {
        if (absl::EqualsIgnoreCase(it.key(), name)) found = it;
      }
      if (found != whole.end()) return Part(value, &*found);
      if (value.is_root && !data_.type_name.empty()) {
        return Fail(operand.offset, operand.source,
                    absl::StrCat("can't evaluate field ", name, " in type ",
                                 data_.type_name));
      }
      if (!absl::ascii_isupper(name[0])) return Missing();
      return Fail(operand.offset, operand.source,
                  absl::StrCat("map has no entry for key ", GoQuote(name)));
    }
    if (whole.is_null()) {
      if (value.missing) return Missing();
      return Fail(operand.offset, operand.source,
                  absl::StrCat("nil pointer evaluating interface {}.", name));
    }
    return Fail(operand.offset, operand.source,
                absl::StrCat("can't evaluate field ", name, " in type ",
                             GoSprintf("%T", std::span(&whole, 1))));
  }

  const absl::string_view text_;
  const TemplateData& data_;
  Value root_;
  std::vector<std::pair<std::string, Value>> variables_;
  std::string out_;
};

}  // namespace

Template::Template(std::string text, std::vector<TemplateNode> nodes)
    : tree_(std::make_shared<const Tree>(
          Tree{std::move(text), std::move(nodes)})) {}

absl::StatusOr<Template> Template::Parse(absl::string_view text) {
  CLI_ASSIGN_OR_RETURN(std::vector<TemplateNode> nodes,
                       ParseTemplate(text, IsTemplateFunction));
  return Template(std::string(text), std::move(nodes));
}

absl::StatusOr<std::string> Template::Execute(const TemplateData& data) const {
  return Executor(tree_->text, data).Run(tree_->nodes);
}

}  // namespace containerkit::cli
