#include "lib/base/digest.h"

// SHA256_Init() and its like are deprecated in OpenSSL 3 in favour of EVP,
// whose first use in a process reads openssl.cnf and loads providers: a
// millisecond of every short-lived one, and a host's file that decides whether
// we can hash at all.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit {
namespace {

constexpr absl::string_view kSha256Prefix = "sha256:";
constexpr absl::string_view kSha512Prefix = "sha512:";
constexpr size_t kPrefixSize = 7;

bool IsLowerHex(absl::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

absl::Status BadDigest(absl::string_view text) {
  return InvalidArgument(
      Reason::kInvalidDigest, "digest.parse",
      absl::StrCat("invalid digest \"", absl::CHexEscape(text.substr(0, 80)),
                   "\": want sha256: and 64 lower-case hex digits"));
}

}  // namespace

absl::StatusOr<Digest> Digest::Parse(absl::string_view text) {
  size_t digits = 0;
  if (absl::StartsWith(text, kSha256Prefix)) {
    digits = 64;
  } else if (absl::StartsWith(text, kSha512Prefix)) {
    digits = 128;
  }
  if (digits == 0 || text.size() != kPrefixSize + digits ||
      !IsLowerHex(text.substr(kPrefixSize))) {
    return BadDigest(text);
  }
  return Digest(std::string(text));
}

absl::StatusOr<Digest> Digest::FromSha256Hex(absl::string_view hex) {
  if (hex.size() != 64 || !IsLowerHex(hex)) return BadDigest(hex);
  return Digest(absl::StrCat(kSha256Prefix, hex));
}

absl::string_view Digest::algorithm_name() const noexcept {
  return absl::string_view(text_).substr(0, empty() ? 0 : kPrefixSize - 1);
}

absl::string_view Digest::hex() const noexcept {
  return empty() ? absl::string_view()
                 : absl::string_view(text_).substr(kPrefixSize);
}

struct Hasher::Context {
  explicit Context(Digest::Algorithm algorithm) {
    if (algorithm == Digest::Algorithm::kSha512) state = SHA512_CTX();
    Start();
  }

  void Start() {
    if (auto* sha256 = std::get_if<SHA256_CTX>(&state)) {
      SHA256_Init(sha256);
    } else {
      SHA512_Init(std::get_if<SHA512_CTX>(&state));
    }
  }

  std::variant<SHA256_CTX, SHA512_CTX> state;
};

Hasher::Hasher(Digest::Algorithm algorithm)
    : context_(std::make_unique<Context>(algorithm)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::Update(absl::string_view bytes) {
  Update(bytes.data(), bytes.size());
}

void Hasher::Update(const void* data, size_t size) {
  if (size == 0) return;
  if (auto* sha256 = std::get_if<SHA256_CTX>(&context_->state)) {
    SHA256_Update(sha256, data, size);
  } else {
    SHA512_Update(std::get_if<SHA512_CTX>(&context_->state), data, size);
  }
  bytes_ += size;
}

Digest Hasher::Finish() {
  unsigned char raw[SHA512_DIGEST_LENGTH];
  size_t size = SHA512_DIGEST_LENGTH;
  absl::string_view prefix = kSha512Prefix;
  if (auto* sha256 = std::get_if<SHA256_CTX>(&context_->state)) {
    SHA256_Final(raw, sha256);
    size = SHA256_DIGEST_LENGTH;
    prefix = kSha256Prefix;
  } else {
    SHA512_Final(raw, std::get_if<SHA512_CTX>(&context_->state));
  }
  context_->Start();
  bytes_ = 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(raw), size);
  const std::string text = absl::StrCat(prefix, absl::BytesToHexString(bytes));
  return Digest::Parse(text).value_or(Digest());
}

Digest Sha256::Of(absl::string_view bytes) {
  Sha256 hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace containerkit
