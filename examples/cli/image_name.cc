#include "examples/cli/image_name.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace containerkit::cli {
namespace {

constexpr absl::string_view kHub = "docker.io/";
constexpr absl::string_view kOfficial = "library/";

}  // namespace

std::string FamiliarRepository(absl::string_view repository) {
  absl::ConsumePrefix(&repository, kHub);
  absl::ConsumePrefix(&repository, kOfficial);
  return std::string(repository);
}

ReferenceParts SplitReference(absl::string_view reference) {
  ReferenceParts parts;
  if (const size_t at = reference.find('@'); at != absl::string_view::npos) {
    parts.digest = std::string(reference.substr(at + 1));
    reference = reference.substr(0, at);
  }
  const size_t colon = reference.rfind(':');
  if (colon != absl::string_view::npos &&
      !absl::StrContains(reference.substr(colon), "/")) {
    parts.tag = std::string(reference.substr(colon + 1));
    parts.tag_given = true;
    reference = reference.substr(0, colon);
  } else if (parts.digest.empty()) {
    parts.tag = "latest";
  }
  parts.repository = std::string(reference);
  return parts;
}

std::string FullRepository(absl::string_view repository) {
  const absl::string_view host = repository.substr(0, repository.find('/'));
  const bool has_host = absl::StrContains(repository, "/") &&
                        (host.find_first_of(".:") != absl::string_view::npos ||
                         host == "localhost");
  if (has_host) {
    // docker.io/alpine is docker.io/library/alpine.
    absl::string_view path = repository;
    if (absl::ConsumePrefix(&path, kHub) && !absl::StrContains(path, "/")) {
      return absl::StrCat(kHub, kOfficial, path);
    }
    return std::string(repository);
  }
  return absl::StrCat(kHub, absl::StrContains(repository, "/") ? "" : kOfficial,
                      repository);
}

std::string WithTag(absl::string_view reference) {
  const ReferenceParts parts = SplitReference(reference);
  if (parts.tag_given || !parts.digest.empty()) return std::string(reference);
  return absl::StrCat(reference, ":", parts.tag);
}

}  // namespace containerkit::cli
