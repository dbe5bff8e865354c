// Content digests: "sha256:<64 lower hex>", and the incremental hash.
#ifndef CONTAINERKIT_LIB_BASE_DIGEST_H_
#define CONTAINERKIT_LIB_BASE_DIGEST_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit {

// The name of some bytes. A Digest that is not empty has passed the strict
// grammar, so its text is safe as a file name component and as a key.
//
// Value type; thread-compatible.
class Digest {
 public:
  enum class Algorithm : uint8_t { kSha256, kSha512 };

  // The empty digest: names nothing, equals only itself.
  Digest() = default;

  // Reads "sha256:" + 64 or "sha512:" + 128 lower-case hex digits, exactly.
  //
  // Trust: `text` may come from a registry, an archive or a user.
  // Errors: INVALID_ARGUMENT / kInvalidDigest; the message quotes at most the
  // first 80 bytes.
  static absl::StatusOr<Digest> Parse(absl::string_view text);

  // Wraps 64 lower-case hex digits (without "sha256:").
  //
  // Errors: INVALID_ARGUMENT / kInvalidDigest.
  static absl::StatusOr<Digest> FromSha256Hex(absl::string_view hex);

  bool empty() const noexcept { return text_.empty(); }
  Algorithm algorithm() const noexcept {
    return text_.size() > 100 ? Algorithm::kSha512 : Algorithm::kSha256;
  }
  // "sha256" or "sha512"; empty for the empty digest.
  absl::string_view algorithm_name() const noexcept;
  // The hex digits alone.
  absl::string_view hex() const noexcept;
  // The first 12 hex digits, as docker prints ids.
  absl::string_view short_hex() const noexcept { return hex().substr(0, 12); }
  // The whole text, "sha256:...".
  const std::string& str() const noexcept { return text_; }

  friend bool operator==(const Digest&, const Digest&) = default;
  friend std::strong_ordering operator<=>(const Digest& a, const Digest& b) {
    return a.text_.compare(b.text_) <=> 0;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Digest& digest) {
    return H::combine(std::move(h), digest.text_);
  }

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Hashes a stream of bytes (OpenSSL: SHA-NI where the CPU has it).
//
// Movable; one thread at a time. A moved-from Hasher may only be destroyed or
// assigned to.
class Hasher {
 public:
  explicit Hasher(Digest::Algorithm algorithm = Digest::Algorithm::kSha256);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void Update(absl::string_view bytes);
  void Update(const void* data, size_t size);

  // The digest of all bytes so far; the Hasher then starts afresh.
  Digest Finish();

  // Bytes since the start or the last Finish().
  uint64_t bytes() const noexcept { return bytes_; }

 private:
  // OpenSSL's contexts; its types stop in digest.cc.
  struct Context;
  uint64_t bytes_ = 0;
  std::unique_ptr<Context> context_;
};

// Hasher for sha256, the digest of everything that containerkit writes.
class Sha256 : public Hasher {
 public:
  Sha256() : Hasher(Digest::Algorithm::kSha256) {}
  // The digest of `bytes`.
  static Digest Of(absl::string_view bytes);
};

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_DIGEST_H_
