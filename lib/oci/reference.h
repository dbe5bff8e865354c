// Image references: "busybox", "localhost:5000/a/b:tag", "x@sha256:...".
#ifndef CONTAINERKIT_LIB_OCI_REFERENCE_H_
#define CONTAINERKIT_LIB_OCI_REFERENCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/digest.h"

namespace containerkit::oci {

// Docker Hub's name in references.
inline constexpr char kDockerHub[] = "docker.io";

// A full name for an image: registry, repository and tag or digest or both.
// Made by Docker's rules: the part before the first slash is a registry if it
// has a dot, a colon or an upper-case letter, or is "localhost"; otherwise
// the registry is docker.io, where a name without a slash is in "library".
//
// Value type. A default-constructed ImageRef is empty and names nothing.
class ImageRef {
 public:
  ImageRef() = default;

  // Reads a reference; "latest" where there is neither tag nor digest.
  //
  // Trust: `text` may come from an archive. The name (registry/repository)
  // has at most 255 bytes, a tag 128; sixty-four hex digits alone are an id,
  // not a name.
  // Errors: INVALID_ARGUMENT / kInvalidReference, kInvalidDigest.
  static absl::StatusOr<ImageRef> Parse(absl::string_view text);

  bool empty() const { return path_.empty(); }
  // "docker.io", "localhost:5000", "[::1]:5000".
  const std::string& domain() const { return domain_; }
  // "library/busybox".
  const std::string& path() const { return path_; }
  // Empty when the reference has only a digest.
  const std::string& tag() const { return tag_; }
  // Empty when the reference has only a tag.
  const Digest& digest() const { return digest_; }

  // "docker.io/library/busybox".
  std::string Repository() const;
  // "docker.io/library/busybox:latest", "...@sha256:...", or with both.
  std::string ToString() const;
  // The repository as docker shows it: "busybox", "a/b", "quay.io/a/b".
  std::string FamiliarName() const;
  // FamiliarName() with tag and digest.
  std::string Familiar() const;
  // What the registry is asked for: the digest if there is one, else the tag.
  std::string TagOrDigest() const;

  // The same repository with this digest and no tag.
  ImageRef WithDigest(const Digest& digest) const;

  friend bool operator==(const ImageRef&, const ImageRef&) = default;

 private:
  std::string domain_;
  std::string path_;
  std::string tag_;
  Digest digest_;
};

// True for [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.
bool IsValidTag(absl::string_view tag);

// True for a registry: host name or address with an optional port.
bool IsValidDomain(absl::string_view domain);

}  // namespace containerkit::oci

#endif  // CONTAINERKIT_LIB_OCI_REFERENCE_H_
