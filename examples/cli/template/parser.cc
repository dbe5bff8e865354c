#include "examples/cli/template/parser.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"
#include "examples/cli/status_util.h"
#include "examples/cli/template/lexer.h"

namespace containerkit::cli {
namespace {

using Kind = TemplateToken::Kind;

// Nesting of actions and parentheses; each level is a stack frame.
constexpr int kMaxDepth = 100;

absl::StatusOr<nlohmann::json> ParseNumber(absl::string_view source) {
  const std::string text = absl::StrReplaceAll(source, {{"_", ""}});
  absl::string_view digits = text;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  if (!negative) absl::ConsumePrefix(&digits, "+");
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = digits[1] | 0x20;
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 8;
    if (absl::ascii_isalpha(digits[1])) {
      if (mark == 'e') base = 10;
      if (base != 10) digits.remove_prefix(2);
    }
  }
  uint64_t value = 0;
  bool fits = !digits.empty();
  for (const char c : digits) {
    const int digit = absl::ascii_isdigit(c)    ? c - '0'
                      : absl::ascii_isxdigit(c) ? (c | 0x20) - 'a' + 10
                                                : 99;
    if (digit >= base || value > (UINT64_MAX >> 1) / base) {
      fits = false;
      break;
    }
    value = value * base + digit;
  }
  if (fits) {
    const int64_t number = static_cast<int64_t>(value);
    return nlohmann::json(negative ? -number : number);
  }
  double number = 0;
  if (absl::SimpleAtod(text, &number)) return nlohmann::json(number);
  return absl::InvalidArgumentError(
      absl::StrCat("bad number syntax: ", GoQuote(source)));
}

class Parser {
 public:
  Parser(absl::string_view text, std::vector<TemplateToken> tokens,
         bool (*is_function)(absl::string_view))
      : text_(text), tokens_(std::move(tokens)), is_function_(is_function) {}

  absl::StatusOr<std::vector<TemplateNode>> Run() {
    std::vector<TemplateNode> nodes;
    CLI_ASSIGN_OR_RETURN(const std::string stop, ParseList(nodes, false));
    if (!stop.empty()) return Fail(absl::StrCat("unexpected {{", stop, "}}"));
    return nodes;
  }

 private:
  const TemplateToken& Peek() const { return tokens_[at_]; }
  const TemplateToken& Next() {
    const TemplateToken& token = tokens_[at_];
    if (token.kind != Kind::kEnd) ++at_;
    return token;
  }
  const TemplateToken& PeekWord() {
    while (Peek().kind == Kind::kSpace) ++at_;
    return Peek();
  }
  absl::Status Fail(absl::string_view message) const {
    return TemplateParseError(text_, tokens_[at_].offset, message);
  }
  absl::Status Unexpected(const TemplateToken& token,
                          absl::string_view where) const {
    const std::string what =
        token.kind == Kind::kEnd ? "EOF"
        : token.kind == Kind::kIdentifier || token.kind == Kind::kRight
            ? absl::StrCat("<", token.source, ">")
            : GoQuote(token.source);
    return TemplateParseError(text_, token.offset,
                              absl::StrCat("unexpected ", what, " in ", where));
  }

  // Parses until "end" or "else", whose keyword is returned; "" at the end.
  // After "else" the parser stands behind the keyword.
  absl::StatusOr<std::string> ParseList(std::vector<TemplateNode>& nodes,
                                        bool nested) {
    if (++depth_ > kMaxDepth) return Fail("template is nested too deeply");
    while (true) {
      const TemplateToken& token = Next();
      if (token.kind == Kind::kEnd) {
        if (nested) return Fail("unexpected EOF");
        --depth_;
        return std::string();
      }
      if (token.kind == Kind::kText) {
        TemplateNode& node = nodes.emplace_back();
        node.text = token.value;
        node.offset = token.offset;
        continue;
      }
      const TemplateToken& word = PeekWord();
      if (word.kind == Kind::kIdentifier &&
          (word.value == "end" || word.value == "else")) {
        const std::string keyword = word.value;
        Next();
        if (keyword == "end") CLI_RETURN_IF_ERROR(ExpectRight("end"));
        --depth_;
        return keyword;
      }
      CLI_RETURN_IF_ERROR(ParseAction(nodes.emplace_back()));
    }
  }

  absl::Status ExpectRight(absl::string_view where) {
    const TemplateToken& token = PeekWord();
    if (token.kind != Kind::kRight) return Unexpected(token, where);
    Next();
    return absl::OkStatus();
  }

  absl::Status ParseAction(TemplateNode& node) {
    const TemplateToken& word = PeekWord();
    node.offset = word.offset;
    if (word.kind == Kind::kIdentifier) {
      for (const auto& [keyword, kind] :
           {std::pair{"if", TemplateNode::Kind::kIf},
            std::pair{"range", TemplateNode::Kind::kRange},
            std::pair{"with", TemplateNode::Kind::kWith}}) {
        if (word.value != keyword) continue;
        Next();
        node.kind = kind;
        return ParseControl(node, keyword);
      }
      if (word.value == "break" || word.value == "continue") {
        if (ranges_ == 0) {
          return Fail(absl::StrCat("{{", word.value, "}} outside {{range}}"));
        }
        node.kind = word.value == "break" ? TemplateNode::Kind::kBreak
                                          : TemplateNode::Kind::kContinue;
        const std::string where = word.value;
        Next();
        return ExpectRight(where);
      }
    }
    node.kind = TemplateNode::Kind::kAction;
    return ParsePipe(node.pipe, Kind::kRight, "command", 1);
  }

  absl::Status ParseControl(TemplateNode& node, const std::string& keyword) {
    const size_t known = variables_.size();
    const bool is_range = node.kind == TemplateNode::Kind::kRange;
    CLI_RETURN_IF_ERROR(
        ParsePipe(node.pipe, Kind::kRight, keyword, is_range ? 2 : 1));
    ranges_ += is_range;
    CLI_ASSIGN_OR_RETURN(std::string stop, ParseList(node.body, true));
    ranges_ -= is_range;
    if (stop == "else") {
      const TemplateToken& word = PeekWord();
      if (!is_range && word.kind == Kind::kIdentifier &&
          word.value == keyword) {
        // {{else if x}}: one {{end}} ends both.
        Next();
        TemplateNode& inner = node.otherwise.emplace_back();
        inner.kind = node.kind;
        inner.offset = word.offset;
        if (++depth_ > kMaxDepth) return Fail("template is nested too deeply");
        CLI_RETURN_IF_ERROR(ParseControl(inner, keyword));
        --depth_;
      } else {
        CLI_RETURN_IF_ERROR(ExpectRight("else"));
        CLI_ASSIGN_OR_RETURN(stop, ParseList(node.otherwise, true));
        if (stop == "else") return Fail("expected end; found {{else}}");
      }
    }
    variables_.resize(known);
    return absl::OkStatus();
  }

  // Parses up to and including the token `end`.
  absl::Status ParsePipe(TemplatePipe& pipe, Kind end, absl::string_view where,
                         size_t max_variables) {
    if (++depth_ > kMaxDepth) return Fail("template is nested too deeply");
    pipe.offset = PeekWord().offset;
    CLI_RETURN_IF_ERROR(ParseDeclarations(pipe, where, max_variables));
    while (true) {
      const TemplateToken& token = PeekWord();
      if (token.kind == end) {
        if (pipe.commands.empty() || pipe.commands.back().words.empty()) {
          return Fail(absl::StrCat("missing value for ", where));
        }
        pipe.source =
            std::string(text_.substr(pipe.offset, token.offset - pipe.offset));
        Next();
        break;
      }
      if (token.kind == Kind::kPipe) {
        if (pipe.commands.empty()) return Unexpected(token, where);
        Next();
        CLI_RETURN_IF_ERROR(ParseCommand(pipe, where));
        continue;
      }
      CLI_RETURN_IF_ERROR(ParseCommand(pipe, where));
    }
    if (pipe.declares) {
      variables_.insert(variables_.end(), pipe.variables.begin(),
                        pipe.variables.end());
    }
    for (size_t i = 1; i < pipe.commands.size(); ++i) {
      const TemplateOperand& first = pipe.commands[i].words.front();
      if (first.kind == TemplateOperand::Kind::kLiteral ||
          first.kind == TemplateOperand::Kind::kNil) {
        return Fail(
            absl::StrCat("non executable command in pipeline stage ", i + 1));
      }
    }
    --depth_;
    return absl::OkStatus();
  }

  // "$x :=", "$x =", "$i, $x :=".
  absl::Status ParseDeclarations(TemplatePipe& pipe, absl::string_view where,
                                 size_t max_variables) {
    const size_t start = at_;
    std::vector<std::string> names;
    while (PeekWord().kind == Kind::kVariable) {
      names.push_back(Next().value);
      const Kind kind = PeekWord().kind;
      if (kind == Kind::kComma) {
        if (names.size() >= max_variables) {
          return Fail(absl::StrCat("too many declarations in ", where));
        }
        Next();
        continue;
      }
      if (kind != Kind::kDeclare && kind != Kind::kAssign) break;
      if (kind == Kind::kAssign) {
        for (const std::string& name : names) {
          CLI_RETURN_IF_ERROR(CheckVariable(name));
        }
      }
      pipe.declares = kind == Kind::kDeclare;
      pipe.variables = std::move(names);
      Next();
      return absl::OkStatus();
    }
    at_ = start;
    return absl::OkStatus();
  }

  absl::Status CheckVariable(const std::string& name) const {
    if (name == "$" || std::count(variables_.begin(), variables_.end(), name)) {
      return absl::OkStatus();
    }
    return Fail(absl::StrCat("undefined variable ", GoQuote(name)));
  }

  absl::Status ParseCommand(TemplatePipe& pipe, absl::string_view where) {
    TemplateCommand& command = pipe.commands.emplace_back();
    while (true) {
      const TemplateToken& token = PeekWord();
      if (token.kind == Kind::kRight || token.kind == Kind::kRightParen ||
          token.kind == Kind::kPipe) {
        break;
      }
      CLI_RETURN_IF_ERROR(ParseOperand(command.words.emplace_back(), where));
      const Kind after = Peek().kind;
      if (after != Kind::kSpace && after != Kind::kRight &&
          after != Kind::kRightParen && after != Kind::kPipe) {
        return Unexpected(Peek(), "operand");
      }
    }
    if (command.words.empty()) {
      return Fail(absl::StrCat("missing value for ", where));
    }
    return absl::OkStatus();
  }

  absl::Status ParseOperand(TemplateOperand& operand, absl::string_view where) {
    const TemplateToken token = Next();
    operand.offset = token.offset;
    using OperandKind = TemplateOperand::Kind;
    switch (token.kind) {
      case Kind::kDot:
        operand.kind = OperandKind::kDot;
        break;
      case Kind::kField:
        operand.kind = OperandKind::kDot;
        operand.fields.push_back(token.value);
        break;
      case Kind::kVariable:
        --at_;
        CLI_RETURN_IF_ERROR(CheckVariable(token.value));
        ++at_;
        operand.kind = OperandKind::kVariable;
        operand.name = token.value;
        break;
      case Kind::kString:
        operand.kind = OperandKind::kLiteral;
        operand.literal = token.value;
        break;
      case Kind::kChar:
      case Kind::kNumber: {
        operand.kind = OperandKind::kLiteral;
        absl::StatusOr<nlohmann::json> number = ParseNumber(token.value);
        if (!number.ok()) {
          return TemplateParseError(text_, token.offset,
                                    number.status().message());
        }
        operand.literal = *std::move(number);
        break;
      }
      case Kind::kLeftParen:
        operand.kind = OperandKind::kPipe;
        operand.pipe = std::make_shared<TemplatePipe>();
        CLI_RETURN_IF_ERROR(ParsePipe(*operand.pipe, Kind::kRightParen,
                                      "parenthesized pipeline", 0));
        break;
      case Kind::kIdentifier:
        CLI_RETURN_IF_ERROR(ParseWord(operand, token));
        break;
      default:
        return Unexpected(token, where);
    }
    while (Peek().kind == Kind::kField) {
      if (operand.kind == OperandKind::kLiteral ||
          operand.kind == OperandKind::kNil) {
        return Fail(
            absl::StrCat("unexpected . after term ", GoQuote(token.source)));
      }
      operand.fields.push_back(Next().value);
    }
    operand.source = std::string(
        text_.substr(token.offset, tokens_[at_].offset - token.offset));
    return absl::OkStatus();
  }

  absl::Status ParseWord(TemplateOperand& operand, const TemplateToken& token) {
    using OperandKind = TemplateOperand::Kind;
    if (token.value == "true" || token.value == "false") {
      operand.kind = OperandKind::kLiteral;
      operand.literal = token.value == "true";
      return absl::OkStatus();
    }
    if (token.value == "nil") {
      operand.kind = OperandKind::kNil;
      return absl::OkStatus();
    }
    if (!is_function_(token.value)) {
      return TemplateParseError(
          text_, token.offset,
          absl::StrCat("function ", GoQuote(token.value), " not defined"));
    }
    operand.kind = OperandKind::kFunction;
    operand.name = token.value;
    return absl::OkStatus();
  }

  const absl::string_view text_;
  const std::vector<TemplateToken> tokens_;
  bool (*const is_function_)(absl::string_view);
  size_t at_ = 0;
  int depth_ = 0;
  int ranges_ = 0;
  std::vector<std::string> variables_;
};

}  // namespace

absl::StatusOr<std::vector<TemplateNode>> ParseTemplate(
    absl::string_view text, bool (*is_function)(absl::string_view name)) {
  CLI_ASSIGN_OR_RETURN(std::vector<TemplateToken> tokens, LexTemplate(text));
  return Parser(text, std::move(tokens), is_function).Run();
}

}  // namespace containerkit::cli
