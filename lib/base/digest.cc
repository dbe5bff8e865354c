#include "lib/base/digest.h"

#include <openssl/evp.h>

#include <new>
#include <string>

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

const EVP_MD* MdOf(Digest::Algorithm algorithm) {
  return algorithm == Digest::Algorithm::kSha512 ? EVP_sha512() : EVP_sha256();
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

void Hasher::Free::operator()(evp_md_ctx_st* ctx) const noexcept {
  EVP_MD_CTX_free(ctx);
}

Hasher::Hasher(Digest::Algorithm algorithm)
    : algorithm_(algorithm), ctx_(EVP_MD_CTX_new()) {
  // sha2 is built into libcrypto: only memory can run out here.
  if (ctx_ == nullptr ||
      EVP_DigestInit_ex(ctx_.get(), MdOf(algorithm), nullptr) != 1) {
    throw std::bad_alloc();
  }
}

void Hasher::Update(absl::string_view bytes) {
  Update(bytes.data(), bytes.size());
}

void Hasher::Update(const void* data, size_t size) {
  if (size == 0) return;
  EVP_DigestUpdate(ctx_.get(), data, size);
  bytes_ += size;
}

Digest Hasher::Finish() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(ctx_.get(), raw, &size);
  EVP_DigestInit_ex(ctx_.get(), MdOf(algorithm_), nullptr);
  bytes_ = 0;
  const std::string text = absl::StrCat(
      algorithm_ == Digest::Algorithm::kSha512 ? kSha512Prefix : kSha256Prefix,
      absl::BytesToHexString(
          absl::string_view(reinterpret_cast<const char*>(raw), size)));
  return Digest::Parse(text).value_or(Digest());
}

Hasher Hasher::Clone() const {
  Hasher copy(algorithm_);
  if (EVP_MD_CTX_copy_ex(copy.ctx_.get(), ctx_.get()) != 1) {
    throw std::bad_alloc();
  }
  copy.bytes_ = bytes_;
  return copy;
}

Digest Sha256::Of(absl::string_view bytes) {
  Sha256 hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace containerkit
