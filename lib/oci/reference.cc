#include "lib/oci/reference.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

constexpr char kDefaultTag[] = "latest";
constexpr char kLibrary[] = "library/";
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxTagBytes = 128;
// Name, tag, sha512 digest and the marks between them.
constexpr size_t kMaxReferenceBytes = kMaxNameBytes + kMaxTagBytes + 140;

absl::Status BadReference(absl::string_view text, absl::string_view why) {
  return InvalidArgument(
      Reason::kInvalidReference, "reference.parse",
      absl::StrCat("invalid image reference \"",
                   absl::CHexEscape(text.substr(0, 80)), "\": ", why));
}

bool IsLowerAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// One element of a repository: words of [a-z0-9]+ joined by ".", "_", "__"
// or any number of "-".
bool IsPathComponent(absl::string_view text) {
  size_t i = 0;
  while (true) {
    const size_t word = i;
    while (i < text.size() && IsLowerAlnum(text[i])) ++i;
    if (i == word) return false;
    if (i == text.size()) return true;
    const size_t mark = i;
    while (i < text.size() && !IsLowerAlnum(text[i])) ++i;
    const absl::string_view separator = text.substr(mark, i - mark);
    const bool dashes =
        separator.find_first_not_of('-') == absl::string_view::npos;
    if (!dashes && separator != "." && separator != "_" && separator != "__") {
      return false;
    }
  }
}

bool IsPath(absl::string_view path) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (!IsPathComponent(part)) return false;
  }
  return true;
}

bool IsHostLabel(absl::string_view label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') {
    return false;
  }
  for (const char c : label) {
    if (!absl::ascii_isalnum(c) && c != '-') return false;
  }
  return true;
}

bool IsPort(absl::string_view port) {
  if (port.empty() || port.size() > 5) return false;
  int value = 0;
  for (const char c : port) {
    if (!absl::ascii_isdigit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value > 0 && value <= 65535;
}

bool IsHexId(absl::string_view text) {
  if (text.size() != 64) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c) && !(c >= 'a' && c <= 'f')) return false;
  }
  return true;
}

bool LooksLikeDomain(absl::string_view text) {
  if (text == "localhost") return true;
  for (const char c : text) {
    if (c == '.' || c == ':' || absl::ascii_isupper(c)) return true;
  }
  return false;
}

}  // namespace

bool IsValidTag(absl::string_view tag) {
  if (tag.empty() || tag.size() > kMaxTagBytes) return false;
  if (tag[0] == '.' || tag[0] == '-') return false;
  for (const char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '.' && c != '-') {
      return false;
    }
  }
  return true;
}

bool IsValidDomain(absl::string_view domain) {
  absl::string_view host = domain;
  if (absl::StartsWith(domain, "[")) {
    const size_t end = domain.find(']');
    if (end == absl::string_view::npos || end < 3) return false;
    for (const char c : domain.substr(1, end - 1)) {
      if (!absl::ascii_isxdigit(c) && c != ':') return false;
    }
    const absl::string_view rest = domain.substr(end + 1);
    return rest.empty() || (rest[0] == ':' && IsPort(rest.substr(1)));
  }
  if (const size_t colon = domain.find(':'); colon != absl::string_view::npos) {
    if (!IsPort(domain.substr(colon + 1))) return false;
    host = domain.substr(0, colon);
  }
  for (const absl::string_view label : absl::StrSplit(host, '.')) {
    if (!IsHostLabel(label)) return false;
  }
  return true;
}

absl::StatusOr<ImageRef> ImageRef::Parse(absl::string_view text) {
  if (text.empty()) return BadReference(text, "empty");
  if (text.size() > kMaxReferenceBytes) return BadReference(text, "too long");
  if (IsHexId(text)) return BadReference(text, "an image id is not a name");
  ImageRef ref;
  absl::string_view name = text;
  if (const size_t at = name.find('@'); at != absl::string_view::npos) {
    CK_ASSIGN_OR_RETURN(ref.digest_, Digest::Parse(name.substr(at + 1)),
                        "image reference \"",
                        absl::CHexEscape(text.substr(0, 80)), "\"");
    name = name.substr(0, at);
  }
  // A colon after the last slash starts a tag; before it, a port.
  const size_t slash = name.rfind('/');
  const size_t colon = name.rfind(':');
  if (colon != absl::string_view::npos &&
      (slash == absl::string_view::npos || colon > slash)) {
    ref.tag_ = std::string(name.substr(colon + 1));
    if (!IsValidTag(ref.tag_)) return BadReference(text, "malformed tag");
    name = name.substr(0, colon);
  }
  const size_t first = name.find('/');
  if (first != absl::string_view::npos &&
      LooksLikeDomain(name.substr(0, first))) {
    ref.domain_ = std::string(name.substr(0, first));
    name = name.substr(first + 1);
    if (!IsValidDomain(ref.domain_)) {
      return BadReference(text, "malformed registry");
    }
  } else {
    ref.domain_ = kDockerHub;
  }
  if (ref.domain_ == "index.docker.io") ref.domain_ = kDockerHub;
  if (!IsPath(name)) {
    return BadReference(text,
                        "the repository must be lower-case words joined by "
                        "'/', '.', '_' or '-'");
  }
  const bool bare = name.find('/') == absl::string_view::npos;
  ref.path_ =
      absl::StrCat(ref.domain_ == kDockerHub && bare ? kLibrary : "", name);
  if (ref.domain_.size() + 1 + ref.path_.size() > kMaxNameBytes) {
    return BadReference(text, "the name has more than 255 bytes");
  }
  if (ref.tag_.empty() && ref.digest_.empty()) ref.tag_ = kDefaultTag;
  return ref;
}

std::string ImageRef::Repository() const {
  return empty() ? "" : absl::StrCat(domain_, "/", path_);
}

std::string ImageRef::FamiliarName() const {
  if (domain_ != kDockerHub) return Repository();
  // "library/a/b" is not what "a/b" parses to, so it keeps its prefix.
  absl::string_view path = path_;
  if (absl::StartsWith(path, kLibrary) && path.rfind('/') == 7) {
    path.remove_prefix(8);
  }
  // A first word that would read as a registry keeps the real one.
  const size_t slash = path.find('/');
  if (slash != absl::string_view::npos &&
      LooksLikeDomain(path.substr(0, slash))) {
    return Repository();
  }
  return std::string(path);
}

std::string ImageRef::ToString() const {
  return absl::StrCat(Repository(), tag_.empty() ? "" : ":", tag_,
                      digest_.empty() ? "" : "@", digest_.str());
}

std::string ImageRef::Familiar() const {
  return absl::StrCat(FamiliarName(), tag_.empty() ? "" : ":", tag_,
                      digest_.empty() ? "" : "@", digest_.str());
}

std::string ImageRef::TagOrDigest() const {
  return digest_.empty() ? tag_ : digest_.str();
}

ImageRef ImageRef::WithDigest(const Digest& digest) const {
  ImageRef ref = *this;
  ref.tag_.clear();
  ref.digest_ = digest;
  return ref;
}

}  // namespace containerkit::oci
