#include "examples/cli/copy_plan.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace containerkit::cli {
namespace {

bool SpecifiesCurrentDirectory(absl::string_view path) {
  return path == "." || absl::EndsWith(path, "/.");
}

}  // namespace

CopyArgument ParseCopyArgument(absl::string_view text) {
  const size_t colon = text.find(':');
  if (absl::StartsWith(text, "/") || absl::StartsWith(text, ".") ||
      colon == absl::string_view::npos) {
    return {"", std::string(text)};
  }
  return {std::string(text.substr(0, colon)),
          std::string(text.substr(colon + 1))};
}

std::string CleanPath(absl::string_view path) {
  const bool absolute = absl::StartsWith(path, "/");
  std::vector<absl::string_view> parts;
  for (const absl::string_view part :
       absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    const bool up = part == "..";
    if (up && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!up || !absolute) {
      parts.push_back(part);
    }
  }
  const std::string joined = absl::StrJoin(parts, "/");
  if (absolute) return absl::StrCat("/", joined);
  return joined.empty() ? "." : joined;
}

SplitPath SplitDirectoryEntry(absl::string_view path) {
  std::string clean = CleanPath(path);
  if (SpecifiesCurrentDirectory(path) && clean != ".") {
    clean += absl::EndsWith(clean, "/") ? "." : "/.";
  }
  const size_t slash = clean.rfind('/');
  if (slash == std::string::npos) return {"", clean};
  return {clean.substr(0, slash + 1), clean.substr(slash + 1)};
}

bool AssertsDirectory(absl::string_view path) {
  return absl::EndsWith(path, "/") || SpecifiesCurrentDirectory(path);
}

absl::StatusOr<CopyPlan> PlanCopy(const CopySource& source,
                                  const CopyTarget& target) {
  if (target.exists && target.is_directory) {
    return CopyPlan{target.path, source.rebase_name.empty()
                                     ? SplitDirectoryEntry(source.path).base
                                     : source.rebase_name};
  }
  if (target.exists && source.is_directory) {
    return absl::InvalidArgumentError("cannot copy directory");
  }
  if (target.exists && AssertsDirectory(target.path)) {
    return absl::InvalidArgumentError("not a directory");
  }
  if (!target.exists && !source.is_directory && AssertsDirectory(target.path)) {
    return absl::InvalidArgumentError("no such directory");
  }
  // "new/." and "new/" name the new directory itself.
  const SplitPath split = SplitDirectoryEntry(CleanPath(target.path));
  return CopyPlan{split.directory.empty() ? "." : split.directory, split.base};
}

std::string RebaseEntry(absl::string_view entry, absl::string_view from,
                        absl::string_view to) {
  const bool matches =
      absl::StartsWith(entry, from) &&
      (entry.size() == from.size() || entry[from.size()] == '/');
  if (!matches) return std::string(entry);
  return absl::StrCat(to, entry.substr(from.size()));
}

}  // namespace containerkit::cli
