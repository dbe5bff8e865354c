// pull, images, rmi, tag, load, import, history and `image prune`.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "containerkit/engine.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/container_rows.h"
#include "examples/cli/image_name.h"
#include "examples/cli/image_rows.h"
#include "examples/cli/list_format.h"
#include "examples/cli/option_values.h"
#include "examples/cli/output.h"
#include "examples/cli/prune.h"
#include "examples/cli/pull.h"
#include "examples/cli/signals.h"
#include "examples/cli/status_util.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct PullArguments {
  bool all_tags = false;
  bool quiet = false;
  std::string platform = DefaultPlatform();
};

constexpr Flag kPullFlags[] = {
    {"all-tags", 'a', "", "Download all tagged images in the repository",
     Set<&PullArguments::all_tags>},
    {"disable-content-trust", '\0', "", "", IgnoreFlag},
    {"platform", '\0', "string",
     "Set platform if server is multi-platform capable",
     Set<&PullArguments::platform>},
    {"quiet", 'q', "", "Suppress verbose output", Set<&PullArguments::quiet>},
};

// Each tag of the repository, one after the other.
absl::StatusOr<int> PullAllTags(const Engine& engine,
                                const PullArguments& options,
                                const std::string& name) {
  const ReferenceParts parts = SplitReference(name);
  if (parts.tag_given || !parts.digest.empty()) {
    return absl::InvalidArgumentError("tag can't be used with --all-tags/-a");
  }
  const CancelToken& interrupt = CatchInterrupts();
  CLI_ASSIGN_OR_RETURN(
      const std::vector<std::string> tags,
      engine.images().ListTags(parts.repository, {.cancel = interrupt}));
  for (const std::string& tag : tags) {
    CLI_RETURN_IF_ERROR(
        PullWithProgress(engine,
                         {.reference = absl::StrCat(parts.repository, ":", tag),
                          .platform = options.platform,
                          .quiet = options.quiet,
                          .cancel = interrupt})
            .status());
  }
  Print(absl::StrCat(FullRepository(parts.repository), "\n"));
  return 0;
}

absl::StatusOr<int> Pull(Context& context, PullArguments& options,
                         const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  if (options.all_tags) return PullAllTags(engine, options, arguments[0]);
  const CancelToken& interrupt = CatchInterrupts();
  CLI_RETURN_IF_ERROR(PullWithProgress(engine, {.reference = arguments[0],
                                                .platform = options.platform,
                                                .quiet = options.quiet,
                                                .cancel = interrupt})
                          .status());
  const ReferenceParts parts = SplitReference(arguments[0]);
  Print(absl::StrCat(FullRepository(parts.repository),
                     parts.digest.empty() ? ":" : "@",
                     parts.digest.empty() ? parts.tag : parts.digest, "\n"));
  return 0;
}

struct ImageListArguments {
  bool all = false;
  bool digests = false;
  bool no_trunc = false;
  bool quiet = false;
  std::string format;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kListFlags[] = {
    {"all", 'a', "", "Show all images (default hides intermediate images)",
     Set<&ImageListArguments::all>},
    {"digests", '\0', "", "Show digests", Set<&ImageListArguments::digests>},
    {"filter", 'f', "filter", "Filter output based on conditions provided",
     SetFilter<&ImageListArguments::filters>},
    {"format", '\0', "string", kFormatHelp, Set<&ImageListArguments::format>},
    {"no-trunc", '\0', "", "Don't truncate output",
     Set<&ImageListArguments::no_trunc>},
    {"quiet", 'q', "", "Only show image IDs", Set<&ImageListArguments::quiet>},
};

absl::StatusOr<int> List(Context& context, ImageListArguments& options,
                         const Arguments& arguments) {
  ImageListOptions list = {.all = options.all, .filters = options.filters};
  if (!arguments.empty()) list.filters.emplace("reference", arguments[0]);
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(std::vector<ImageSummary> images,
                       engine.images().List(list));
  std::stable_sort(images.begin(), images.end(),
                   [](const ImageSummary& a, const ImageSummary& b) {
                     return a.created > b.created;
                   });
  if (options.quiet && options.format.empty()) {
    for (const ImageSummary& image : images) {
      const size_t rows = ImageRows(image, false, true, absl::Now()).size();
      for (size_t i = 0; i < rows; ++i) {
        Print(absl::StrCat(options.no_trunc ? image.id : ShortId(image.id),
                           "\n"));
      }
    }
    return 0;
  }
  const bool digests =
      options.digests || absl::StrContains(options.format, ".Digest");
  std::vector<nlohmann::json> rows;
  for (const ImageSummary& image : images) {
    for (nlohmann::json& row :
         ImageRows(image, digests, !options.no_trunc, absl::Now())) {
      rows.push_back(std::move(row));
    }
  }
  CLI_ASSIGN_OR_RETURN(
      const std::string text,
      FormatList(options.digests ? ImageDigestListSpec() : ImageListSpec(),
                 options.format, rows));
  Print(text);
  return 0;
}

struct ImageRemoveArguments {
  bool force = false;
};

constexpr Flag kRemoveFlags[] = {
    {"force", 'f', "", "Force removal of the image",
     Set<&ImageRemoveArguments::force>},
    {"no-prune", '\0', "", "Do not delete untagged parents", IgnoreFlag},
};

absl::StatusOr<int> Remove(Context& context, ImageRemoveArguments& options,
                           const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  int exit_code = 0;
  for (const std::string& name : arguments) {
    const absl::StatusOr<ImageRemoval> removal =
        engine.images().Remove(name, {.force = options.force});
    if (!removal.ok()) {
      context.PrintError(removal.status());
      // With -f, an image that is not there is as good as removed.
      if (!options.force || !absl::IsNotFound(removal.status())) {
        exit_code = kExitFailure;
      }
      continue;
    }
    for (const std::string& tag : removal->untagged) {
      Print(absl::StrCat("Untagged: ", tag, "\n"));
    }
    for (const std::string& id : removal->deleted) {
      Print(absl::StrCat("Deleted: ", id, "\n"));
    }
  }
  return exit_code;
}

struct NoOptions {};

absl::StatusOr<int> Tag(Context& context, NoOptions&,
                        const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_RETURN_IF_ERROR(engine.images().Tag(arguments[0], arguments[1]));
  return 0;
}

struct LoadArguments {
  std::string input;
  std::string platform;
  bool quiet = false;
};

constexpr Flag kLoadFlags[] = {
    {"input", 'i', "string", "Read from tar archive file, instead of STDIN",
     Set<&LoadArguments::input>},
    {"platform", '\0', "string", "Load only the given platform",
     Set<&LoadArguments::platform>},
    {"quiet", 'q', "", "Suppress the load output", Set<&LoadArguments::quiet>},
};

absl::StatusOr<int> Load(Context& context, LoadArguments& options,
                         const Arguments&) {
  if (options.input.empty() && isatty(STDIN_FILENO)) {
    return absl::InvalidArgumentError(
        "requested load from stdin, but stdin is empty");
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  const CancelToken& interrupt = CatchInterrupts();
  const ImageLoadOptions load = {.platform = options.platform,
                                 .cancel = interrupt};
  CLI_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                       options.input.empty()
                           ? engine.images().LoadFd(STDIN_FILENO, load)
                           : engine.images().Load(options.input, load));
  for (const std::string& name : names) {
    const bool is_id = absl::StartsWith(name, "sha256:");
    Print(absl::StrCat(
        is_id ? "Loaded image ID: " : "Loaded image: ", Printable(name), "\n"));
  }
  return 0;
}

struct ImportArguments {
  ImageImportOptions import = {.platform = DefaultPlatform()};
};

constexpr Flag kImportFlags[] = {
    {"change", 'c', "list", "Apply Dockerfile instruction to the created image",
     Set<&ImportArguments::import, &ImageImportOptions::changes>},
    {"message", 'm', "string", "Set commit message for imported image",
     Set<&ImportArguments::import, &ImageImportOptions::message>},
    {"platform", '\0', "string",
     "Set platform if server is multi-platform capable",
     Set<&ImportArguments::import, &ImageImportOptions::platform>},
};

absl::StatusOr<int> Import(Context& context, ImportArguments& options,
                           const Arguments& arguments) {
  const std::string& source = arguments[0];
  if (arguments.size() > 1) options.import.reference = arguments[1];
  int fd = STDIN_FILENO;
  if (source != "-") {
    fd = open(source.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("open ", source));
    }
  }
  const absl::Cleanup closer = [fd] {
    if (fd != STDIN_FILENO) close(fd);
  };
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  const CancelToken& interrupt = CatchInterrupts();
  options.import.cancel = interrupt;
  CLI_ASSIGN_OR_RETURN(const std::string id,
                       engine.images().Import(fd, options.import));
  Print(absl::StrCat(id, "\n"));
  return 0;
}

struct HistoryArguments {
  bool human = true;
  bool no_trunc = false;
  bool quiet = false;
  std::string format;
};

constexpr Flag kHistoryFlags[] = {
    {"format", '\0', "string", kFormatHelp, Set<&HistoryArguments::format>},
    {"human", 'H', "", "Print sizes and dates in human readable format",
     Set<&HistoryArguments::human>, "true"},
    {"no-trunc", '\0', "", "Don't truncate output",
     Set<&HistoryArguments::no_trunc>},
    {"quiet", 'q', "", "Only show image IDs", Set<&HistoryArguments::quiet>},
};

absl::StatusOr<int> History(Context& context, HistoryArguments& options,
                            const Arguments& arguments) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const ImageInfo image,
                       engine.images().Inspect(arguments[0]));
  CLI_ASSIGN_OR_RETURN(const std::vector<ImageHistoryEntry> entries,
                       engine.images().History(arguments[0]));
  HistoryRowOptions row_options;
  row_options.image_id = image.summary.id;
  row_options.human = options.human;
  row_options.truncate = !options.no_trunc;
  row_options.now = absl::Now();
  std::vector<nlohmann::json> rows;
  for (size_t i = 0; i < entries.size(); ++i) {
    rows.push_back(HistoryRow(entries[i], i == 0, row_options));
  }
  CLI_ASSIGN_OR_RETURN(
      const std::string text,
      FormatList(
          HistoryListSpec(),
          options.quiet && options.format.empty() ? "{{.ID}}" : options.format,
          rows));
  Print(text);
  return 0;
}

struct ImagePruneArguments {
  bool all = false;
  bool force = false;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kPruneFlags[] = {
    {"all", 'a', "", "Remove all unused images, not just dangling ones",
     Set<&ImagePruneArguments::all>},
    {"filter", '\0', "filter",
     "Provide filter values (e.g. \"until=<timestamp>\")",
     SetFilter<&ImagePruneArguments::filters>},
    {"force", 'f', "", "Do not prompt for confirmation",
     Set<&ImagePruneArguments::force>},
};

absl::StatusOr<int> Prune(Context& context, ImagePruneArguments& options,
                          const Arguments&) {
  if (!options.force &&
      !Confirm(absl::StrCat(
          "WARNING! This will remove all ",
          options.all ? "images without at least one container associated to "
                        "them"
                      : "dangling images",
          ".\nAre you sure you want to continue?"))) {
    return absl::CancelledError("image prune has been cancelled");
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(
      const PruneReport report,
      PruneImages(engine, options.all, options.filters, false));
  Print(PruneText(report));
  return 0;
}

}  // namespace

std::vector<Command> ImageCommands() {
  return {
      {"pull", "image", "", "", "[OPTIONS] NAME[:TAG|@DIGEST]",
       "Download an image from a registry", "", 1, 1, true, kPullFlags,
       CommandMain<PullArguments, Pull>},
      {"images", "image", "ls", "list", "[OPTIONS] [REPOSITORY[:TAG]]",
       "List images", "", 0, 1, true, kListFlags,
       CommandMain<ImageListArguments, List>},
      {"rmi", "image", "rm", "remove", "[OPTIONS] IMAGE [IMAGE...]",
       "Remove one or more images", "", 1, kNoLimit, true, kRemoveFlags,
       CommandMain<ImageRemoveArguments, Remove>},
      {"tag",
       "image",
       "",
       "",
       "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
       "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
       "",
       2,
       2,
       true,
       {},
       CommandMain<NoOptions, Tag>},
      {"load", "image", "", "", "[OPTIONS]",
       "Load an image from a tar archive or STDIN", "", 0, 0, true, kLoadFlags,
       CommandMain<LoadArguments, Load>},
      {"import", "image", "", "", "[OPTIONS] file|- [REPOSITORY[:TAG]]",
       "Import the contents from a tarball to create a filesystem image", "", 1,
       2, true, kImportFlags, CommandMain<ImportArguments, Import>},
      {"history", "image", "", "", "[OPTIONS] IMAGE",
       "Show the history of an image", "", 1, 1, true, kHistoryFlags,
       CommandMain<HistoryArguments, History>},
      {"", "image", "prune", "", "[OPTIONS]", "Remove unused images", "", 0, 0,
       true, kPruneFlags, CommandMain<ImagePruneArguments, Prune>},
  };
}

}  // namespace containerkit::cli
