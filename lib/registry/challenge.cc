#include "lib/registry/challenge.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace containerkit::registry {
namespace {

constexpr size_t kMaxHeaderBytes = 16 << 10;
constexpr size_t kMaxChallenges = 16;
constexpr size_t kMaxParameters = 32;

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(c) ||
         absl::string_view("!#$%&'*+-.^_`|~").find(c) !=
             absl::string_view::npos;
}

// A cursor over the header; every method moves forward or says no.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  size_t left() const { return text_.size(); }
  void Rewind(size_t left, absl::string_view whole) {
    text_ = whole.substr(whole.size() - left);
  }
  void SkipSpace() {
    while (!done() && (text_[0] == ' ' || text_[0] == '\t')) Pop();
  }
  void SkipCommas() {
    SkipSpace();
    while (Take(',')) SkipSpace();
  }
  bool Take(char c) {
    if (done() || text_[0] != c) return false;
    Pop();
    return true;
  }
  std::string Token() {
    size_t n = 0;
    while (n < text_.size() && IsTokenChar(text_[n])) ++n;
    std::string token(text_.substr(0, n));
    text_.remove_prefix(n);
    return token;
  }
  // A token or a quoted string.
  bool Value(std::string* value) {
    if (!Take('"')) {
      // Servers send bare URLs; a value ends at a comma or blank.
      size_t n = 0;
      while (n < text_.size() && absl::ascii_isgraph(text_[n]) &&
             text_[n] != ',' && text_[n] != '"') {
        ++n;
      }
      *value = std::string(text_.substr(0, n));
      text_.remove_prefix(n);
      return n > 0;
    }
    while (!done()) {
      const char c = Pop();
      if (c == '"') return true;
      if (absl::ascii_iscntrl(c)) return false;
      if (c != '\\') {
        value->push_back(c);
      } else if (!done()) {
        const char escaped = Pop();
        if (absl::ascii_iscntrl(escaped)) return false;
        value->push_back(escaped);
      }
    }
    return false;
  }

 private:
  char Pop() {
    const char c = text_[0];
    text_.remove_prefix(1);
    return c;
  }
  absl::string_view text_;
};

// "name=value" pairs up to the next scheme; false when the rest is unreadable.
bool ReadParameters(Scanner& in, absl::string_view whole, Challenge& out) {
  size_t count = 0;
  while (true) {
    in.SkipCommas();
    if (in.done()) return true;
    const size_t before = in.left();
    std::string name = absl::AsciiStrToLower(in.Token());
    if (name.empty()) return false;
    in.SkipSpace();
    if (!in.Take('=')) {
      // No "=": this word is the next challenge's scheme.
      in.Rewind(before, whole);
      return true;
    }
    in.SkipSpace();
    std::string value;
    if (!in.Value(&value)) return false;
    if (++count > kMaxParameters) return false;
    out.parameters.emplace(std::move(name), std::move(value));
  }
}

}  // namespace

std::vector<Challenge> ParseChallenges(absl::string_view header) {
  std::vector<Challenge> challenges;
  const absl::string_view whole = header.substr(0, kMaxHeaderBytes);
  Scanner in(whole);
  while (challenges.size() < kMaxChallenges) {
    in.SkipCommas();
    Challenge challenge;
    challenge.scheme = absl::AsciiStrToLower(in.Token());
    if (challenge.scheme.empty()) break;
    const bool readable = ReadParameters(in, whole, challenge);
    challenges.push_back(std::move(challenge));
    if (!readable) break;
  }
  return challenges;
}

}  // namespace containerkit::registry
