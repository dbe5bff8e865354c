#include "examples/cli/pull.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "containerkit/status.h"
#include "examples/cli/image_name.h"
#include "examples/cli/output.h"
#include "examples/cli/pull_progress.h"
#include "examples/cli/status_util.h"
#include "examples/cli/terminal.h"

namespace containerkit::cli {
namespace {

// The digest of the pulled manifest: that of its name among repo_digests.
std::string ManifestDigest(const ImageInfo& image,
                           const ReferenceParts& parts) {
  std::string digest = parts.digest;
  for (const std::string& name : image.summary.repo_digests) {
    const size_t at = name.find('@');
    if (at == std::string::npos) continue;
    if (FamiliarRepository(name.substr(0, at)) ==
        FamiliarRepository(parts.repository)) {
      digest = name.substr(at + 1);
    }
  }
  return digest;
}

}  // namespace

absl::StatusOr<ImageInfo> PullWithProgress(const Engine& engine,
                                           const PullRequest& request) {
  const ReferenceParts parts = SplitReference(request.reference);
  const std::string full = FullRepository(parts.repository);
  const bool by_digest = !parts.digest.empty();
  const std::string name =
      by_digest ? absl::StrCat(parts.repository, "@", parts.digest)
                : absl::StrCat(parts.repository, ":", parts.tag);
  const auto before = engine.images().Inspect(name);
  // Nothing is said of a pull that cannot be.
  if (GetReason(before.status()) == Reason::kInvalidReference) {
    return before.status();
  }
  const auto say = [&](absl::string_view text) {
    if (!request.quiet) WriteAll(request.fd, text).IgnoreError();
  };
  if (!parts.tag_given && parts.digest.empty()) {
    say("Using default tag: latest\n");
  }
  const absl::string_view path = absl::StripPrefix(full, "docker.io/");
  say(absl::StrCat(by_digest ? full + "@" + parts.digest : parts.tag,
                   ": Pulling from ", Printable(path), "\n"));

  // A terminal that does not say how wide it is has 80 columns.
  constexpr int kColumns = 80;
  const int width = GetTerminalSize(request.fd).columns;
  const int columns = !isatty(request.fd) ? 0 : width > 0 ? width : kColumns;
  PullProgressText progress(columns);
  PullOptions options;
  options.platform = request.platform;
  options.cancel = request.cancel;
  if (!request.quiet) {
    options.progress = [&](const PullProgress& report) {
      say(progress.Update(report, absl::Now()));
    };
  }
  CLI_ASSIGN_OR_RETURN(ImageInfo image,
                       engine.images().Pull(request.reference, options));
  const bool same = before.ok() && before->summary.id == image.summary.id;
  const std::string digest = ManifestDigest(image, parts);
  if (!digest.empty()) say(absl::StrCat("Digest: ", digest, "\n"));
  say(absl::StrCat(
      "Status: ",
      same ? "Image is up to date for " : "Downloaded newer image for ",
      Printable(name), "\n"));
  return image;
}

}  // namespace containerkit::cli
