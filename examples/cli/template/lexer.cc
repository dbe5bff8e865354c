#include "examples/cli/template/lexer.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/cli/go_format.h"

namespace containerkit::cli {
namespace {

using Kind = TemplateToken::Kind;

constexpr absl::string_view kLeftDelimiter = "{{";
constexpr absl::string_view kRightDelimiter = "}}";

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool IsWord(char c) {
  return absl::ascii_isalnum(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<TemplateToken>> Run() {
    bool trim_before = false;
    while (true) {
      const size_t left = text_.find(kLeftDelimiter, at_);
      const bool last = left == absl::string_view::npos;
      absl::string_view chunk = text_.substr(at_, last ? left : left - at_);
      const size_t chunk_at = at_;
      if (trim_before) chunk = absl::StripLeadingAsciiWhitespace(chunk);
      if (last) {
        AddText(chunk, chunk_at);
        at_ = text_.size();
        Add(Kind::kEnd, "", at_);
        return std::move(tokens_);
      }
      at_ = left + kLeftDelimiter.size();
      if (TrimsLeft()) {
        chunk = absl::StripTrailingAsciiWhitespace(chunk);
        at_ += 1;
      }
      AddText(chunk, chunk_at);
      if (absl::Status status = LexAction(left, trim_before); !status.ok()) {
        return status;
      }
    }
  }

 private:
  // After "{{": whether "- " follows.
  bool TrimsLeft() const {
    return at_ + 1 < text_.size() && text_[at_] == '-' &&
           IsSpace(text_[at_ + 1]);
  }

  // Whether "}}" or " -}}" is here; gives its length.
  size_t RightLength(size_t at) const {
    if (absl::StartsWith(text_.substr(at), kRightDelimiter)) {
      return kRightDelimiter.size();
    }
    if (at > 0 && IsSpace(text_[at - 1]) &&
        absl::StartsWith(text_.substr(at), "-}}")) {
      return kRightDelimiter.size() + 1;
    }
    return 0;
  }

  absl::Status LexAction(size_t left, bool& trim_after) {
    size_t comment = at_;
    while (comment < text_.size() && IsSpace(text_[comment])) ++comment;
    if (absl::StartsWith(text_.substr(comment), "/*")) {
      return LexComment(comment, trim_after);
    }
    Add(Kind::kLeft, "{{", left);
    int parens = 0;
    while (true) {
      if (const size_t length = RightLength(at_); length > 0) {
        if (parens > 0) return Fail("unclosed left paren");
        trim_after = length > kRightDelimiter.size();
        Add(Kind::kRight, "}}", at_);
        at_ += length;
        return absl::OkStatus();
      }
      if (at_ >= text_.size()) return Fail("unclosed action");
      if (absl::Status status = LexToken(parens); !status.ok()) return status;
    }
  }

  absl::Status LexComment(size_t start, bool& trim_after) {
    const size_t end = text_.find("*/", start + 2);
    if (end == absl::string_view::npos) return Fail("unclosed comment");
    at_ = end + 2;
    size_t right = at_;
    while (right < text_.size() && IsSpace(text_[right])) ++right;
    const size_t length = RightLength(right);
    if (length == 0 || (right != at_ && length == kRightDelimiter.size())) {
      return Fail("comment ends before closing delimiter");
    }
    trim_after = length > kRightDelimiter.size();
    at_ = right + length;
    return absl::OkStatus();
  }

  absl::Status LexToken(int& parens) {
    const char c = text_[at_];
    const size_t start = at_;
    if (IsSpace(c)) {
      while (at_ < text_.size() && IsSpace(text_[at_]) &&
             RightLength(at_) == 0) {
        ++at_;
      }
      Add(Kind::kSpace, " ", start);
      return absl::OkStatus();
    }
    switch (c) {
      case '"':
        return LexQuoted();
      case '`':
        return LexRaw();
      case '\'':
        return LexChar();
      case '$':
        ++at_;
        SkipWord();
        return Take(Kind::kVariable, start);
      case '|':
        ++at_;
        return Take(Kind::kPipe, start);
      case ',':
        ++at_;
        return Take(Kind::kComma, start);
      case '=':
        ++at_;
        return Take(Kind::kAssign, start);
      case ':':
        if (!absl::StartsWith(text_.substr(at_), ":=")) {
          return Fail("expected :=");
        }
        at_ += 2;
        return Take(Kind::kDeclare, start);
      case '(':
        ++at_;
        ++parens;
        return Take(Kind::kLeftParen, start);
      case ')':
        if (--parens < 0) return Fail("unexpected right paren");
        ++at_;
        return Take(Kind::kRightParen, start);
      default:
        break;
    }
    if (c == '.' &&
        !(at_ + 1 < text_.size() && absl::ascii_isdigit(text_[at_ + 1]))) {
      ++at_;
      SkipWord();
      return Take(at_ == start + 1 ? Kind::kDot : Kind::kField, start);
    }
    if (c == '+' || c == '-' || c == '.' || absl::ascii_isdigit(c)) {
      return LexNumber();
    }
    if (IsWord(c)) {
      SkipWord();
      return Take(Kind::kIdentifier, start);
    }
    return Fail(absl::StrFormat("unrecognized character in action: U+%04X '%c'",
                                static_cast<unsigned char>(c), c));
  }

  absl::Status LexQuoted() {
    const size_t start = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      if (text_[at_] == '\n') break;
    }
    if (at_ >= text_.size() || text_[at_] != '"') {
      return Fail("unterminated quoted string");
    }
    ++at_;
    const absl::string_view source = text_.substr(start, at_ - start);
    std::string value;
    if (!GoUnquote(source, &value)) return Fail("invalid syntax");
    Add(Kind::kString, source, start);
    tokens_.back().value = std::move(value);
    return absl::OkStatus();
  }

  absl::Status LexRaw() {
    const size_t end = text_.find('`', at_ + 1);
    if (end == absl::string_view::npos) {
      return Fail("unterminated raw quoted string");
    }
    Add(Kind::kString, text_.substr(at_, end + 1 - at_), at_);
    tokens_.back().value = std::string(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return absl::OkStatus();
  }

  absl::Status LexChar() {
    const size_t start = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '\''; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
    }
    if (at_ >= text_.size()) return Fail("unterminated character constant");
    ++at_;
    const absl::string_view source = text_.substr(start, at_ - start);
    std::string value;
    if (!GoUnquote(source, &value) || value.empty()) {
      return Fail(absl::StrCat("malformed character constant: ", source));
    }
    Add(Kind::kChar, source, start);
    tokens_.back().value = absl::StrCat(FirstRune(value));
    return absl::OkStatus();
  }

  absl::Status LexNumber() {
    const size_t start = at_;
    if (text_[at_] == '+' || text_[at_] == '-') ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool sign = (c == '+' || c == '-') && at_ > start &&
                        (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
      if (!IsWord(c) && c != '.' && !sign) break;
      ++at_;
    }
    if (at_ == start + 1 && !absl::ascii_isdigit(text_[start])) {
      return Fail(
          absl::StrCat("bad number syntax: \"", text_.substr(start, 1), "\""));
    }
    return Take(Kind::kNumber, start);
  }

  void SkipWord() {
    while (at_ < text_.size() && IsWord(text_[at_])) ++at_;
  }

  absl::Status Take(Kind kind, size_t start) {
    Add(kind, text_.substr(start, at_ - start), start);
    return absl::OkStatus();
  }

  void Add(Kind kind, absl::string_view source, size_t offset) {
    TemplateToken& token = tokens_.emplace_back();
    token.kind = kind;
    token.source = std::string(source);
    token.value = std::string(kind == Kind::kField ? source.substr(1) : source);
    token.offset = offset;
  }

  void AddText(absl::string_view text, size_t offset) {
    if (!text.empty()) Add(Kind::kText, text, offset);
  }

  absl::Status Fail(absl::string_view message) const {
    return TemplateParseError(text_, at_, message);
  }

  const absl::string_view text_;
  size_t at_ = 0;
  std::vector<TemplateToken> tokens_;
};

}  // namespace

absl::Status TemplateParseError(absl::string_view text, size_t offset,
                                absl::string_view message) {
  const absl::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  return absl::InvalidArgumentError(
      absl::StrCat("template: :", line, ": ", message));
}

absl::StatusOr<std::vector<TemplateToken>> LexTemplate(absl::string_view text) {
  return Lexer(text).Run();
}

}  // namespace containerkit::cli
