// cp.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/copy_plan.h"
#include "examples/cli/go_format.h"
#include "examples/cli/local_tar.h"
#include "examples/cli/output.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;

struct CopyOptions {
  bool archive = false;
  bool follow = false;
  std::optional<bool> quiet;
};

CopyInOptions InOptions(const CopyOptions& options) {
  CopyInOptions in;
  in.no_overwrite_dir_non_dir = true;
  in.copy_uid_gid = options.archive;
  return in;
}

constexpr Flag kFlags[] = {
    {"archive", 'a', "", "Archive mode (copy all uid/gid information)",
     Set<&CopyOptions::archive>},
    {"follow-link", 'L', "", "Always follow symbol link in SRC_PATH",
     Set<&CopyOptions::follow>},
    {"quiet", 'q', "",
     "Suppress progress output during copy. Progress output is automatically "
     "suppressed if no terminal is attached",
     Set<&CopyOptions::quiet>},
};

constexpr char kDescription[] =
    "Copy files/folders between a container and the local filesystem\n\n"
    "Use '-' as the source to read a tar archive from stdin\n"
    "and extract it to a directory destination in a container.\n"
    "Use '-' as the destination to stream a tar archive of a\n"
    "container source to stdout.";

// Paths in a container start at its root.
std::string ContainerPath(const std::string& path) {
  return absl::StartsWith(path, "/") ? path : absl::StrCat("/", path);
}

void Tell(const CopyOptions& options, uint64_t bytes,
          const std::string& target) {
  if (options.quiet.value_or(!isatty(STDERR_FILENO))) return;
  PrintErr(absl::StrCat("Successfully copied ",
                        HumanSize(static_cast<double>(bytes), 3), " to ",
                        target, "\n"));
}

// Runs two ends of a pipe at once. When both fail, the one that broke the pipe
// is to blame.
template <typename Writer, typename Reader>
absl::Status ThroughPipe(Writer writer, Reader reader) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  signal(SIGPIPE, SIG_IGN);
  absl::Status written;
  std::thread thread([&] {
    written = writer(ends[1]);
    close(ends[1]);
  });
  const absl::Status read = reader(ends[0]);
  close(ends[0]);
  thread.join();
  if (read.ok()) return written;
  const auto detail = GetErrorDetail(written);
  const bool broken = detail.has_value()
                          ? detail->os_errno == EPIPE
                          : absl::StrContains(written.message(), "Broken pipe");
  return written.ok() || broken ? read : written;
}

absl::StatusOr<CopyTarget> LocalTarget(const std::string& path) {
  CopyTarget target = {.path = path};
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    target.exists = true;
    target.is_directory = S_ISDIR(info.st_mode);
    return target;
  }
  if (errno != ENOENT && errno != ENOTDIR) {
    return absl::ErrnoToStatus(errno, path);
  }
  std::string parent = SplitDirectoryEntry(CleanPath(path)).directory;
  if (parent.empty()) parent = ".";
  if (stat(parent.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::NotFoundError(absl::StrCat(
        "invalid output path: directory ", GoQuote(parent), " does not exist"));
  }
  return target;
}

// docker's words for a path that a container does not have.
absl::Status Reworded(const absl::Status& status, const std::string& container,
                      const std::string& path) {
  if (GetReason(status) != Reason::kPathNotFound) return status;
  absl::Status reworded(status.code(),
                        absl::StrCat("could not find the file ", path,
                                     " in container ", container));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    reworded.SetPayload(url, payload);
  });
  return reworded;
}

// What is copied out of a container. With -L a link is replaced with what it
// leads to, under the link's name.
absl::StatusOr<CopySource> ContainerSource(Container& container,
                                           const std::string& path,
                                           bool follow) {
  CopySource source = {.path = path};
  CLI_ASSIGN_OR_RETURN(PathStat info, container.StatPath(path));
  if (S_ISLNK(info.mode) && (follow || AssertsDirectory(path)) &&
      !info.link_target.empty()) {
    const SplitPath split = SplitDirectoryEntry(path);
    source.path = absl::StartsWith(info.link_target, "/")
                      ? info.link_target
                      : absl::StrCat(split.directory, info.link_target);
    if (split.base == ".") source.path += "/.";
    source.rebase_name = split.base;
    CLI_ASSIGN_OR_RETURN(info, container.StatPath(CleanPath(source.path)));
  }
  source.is_directory = S_ISDIR(info.mode);
  return source;
}

absl::Status CopyFrom(Container& container, const CopyArgument& from,
                      const std::string& to, const CopyOptions& options) {
  const std::string path = ContainerPath(from.path);
  absl::StatusOr<CopySource> found =
      ContainerSource(container, path, options.follow);
  if (!found.ok()) return Reworded(found.status(), from.container, path);
  CopySource source = *std::move(found);
  // The root directory has no name: its content is copied.
  if (CleanPath(source.path) == "/") source.path = "/.";
  if (to == "-") {
    if (isatty(STDOUT_FILENO)) {
      return absl::InvalidArgumentError(
          "cowardly refusing to copy to a terminal: use '-' with a "
          "redirection");
    }
    return container.CopyOut(source.path, STDOUT_FILENO);
  }
  CLI_ASSIGN_OR_RETURN(const CopyTarget target, LocalTarget(to));
  CLI_ASSIGN_OR_RETURN(const CopyPlan plan, PlanCopy(source, target));
  const ExtractOptions extract = {.from = SplitDirectoryEntry(source.path).base,
                                  .to = plan.name,
                                  .owners = options.archive};
  uint64_t bytes = 0;
  CLI_RETURN_IF_ERROR(
      ThroughPipe([&](int fd) { return container.CopyOut(source.path, fd); },
                  [&](int fd) {
                    const auto result = ExtractTar(fd, plan.directory, extract);
                    if (result.ok()) bytes = *result;
                    return result.status();
                  }));
  Tell(options, bytes, to);
  return absl::OkStatus();
}

// What a container has at the target path, links followed.
absl::StatusOr<CopyTarget> ContainerTarget(Container& container,
                                           const std::string& path) {
  CopyTarget target = {.path = path};
  for (int links = 0; links < 10; ++links) {
    const absl::StatusOr<PathStat> info =
        container.StatPath(CleanPath(target.path));
    if (absl::IsNotFound(info.status())) return target;
    if (!info.ok()) return info.status();
    if (S_ISLNK(info->mode)) {
      const SplitPath split = SplitDirectoryEntry(CleanPath(target.path));
      target.path = absl::StartsWith(info->link_target, "/")
                        ? info->link_target
                        : absl::StrCat(split.directory, info->link_target);
      continue;
    }
    target.exists = true;
    target.is_directory = S_ISDIR(info->mode);
    return target;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("too many symbolic links: ", path));
}

absl::Status CopyTo(Container& container, const std::string& from,
                    const CopyArgument& to, const CopyOptions& options) {
  const std::string path = ContainerPath(to.path);
  CLI_ASSIGN_OR_RETURN(const CopyTarget target,
                       ContainerTarget(container, path));
  if (from == "-") {
    if (!target.is_directory) {
      return absl::InvalidArgumentError(
          absl::StrCat("destination ", GoQuote(to.container + ":" + to.path),
                       " must be a directory"));
    }
    return container.CopyIn(CleanPath(target.path), STDIN_FILENO,
                            InOptions(options));
  }
  const bool follow = options.follow || AssertsDirectory(from);
  struct stat info;
  if ((follow ? stat(from.c_str(), &info) : lstat(from.c_str(), &info)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("lstat ", from));
  }
  const CopySource source = {.path = from,
                             .is_directory = S_ISDIR(info.st_mode)};
  CLI_ASSIGN_OR_RETURN(const CopyPlan plan, PlanCopy(source, target));
  uint64_t bytes = 0;
  CLI_RETURN_IF_ERROR(ThroughPipe(
      [&](int fd) {
        const auto result = WriteLocalTar(from, plan.name, follow, fd);
        if (result.ok()) bytes = *result;
        return result.status();
      },
      [&](int fd) {
        const std::string directory = CleanPath(plan.directory);
        return Reworded(container.CopyIn(directory, fd, InOptions(options)),
                        to.container, directory);
      }));
  Tell(options, bytes, absl::StrCat(to.container, ":", path));
  return absl::OkStatus();
}

absl::StatusOr<int> Copy(Context& context, CopyOptions& options,
                         const Arguments& arguments) {
  const CopyArgument from = ParseCopyArgument(arguments[0]);
  const CopyArgument to = ParseCopyArgument(arguments[1]);
  if (from.path.empty() && from.container.empty()) {
    return absl::InvalidArgumentError("source can not be empty");
  }
  if (to.path.empty() && to.container.empty()) {
    return absl::InvalidArgumentError("destination can not be empty");
  }
  if (from.container.empty() == to.container.empty()) {
    return absl::InvalidArgumentError(
        from.container.empty() ? "must specify at least one container source"
                               : "copying between containers is not supported");
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(
      Container container,
      engine.GetContainer(from.container.empty() ? to.container
                                                 : from.container));
  CLI_RETURN_IF_ERROR(from.container.empty()
                          ? CopyTo(container, from.path, to, options)
                          : CopyFrom(container, from, to.path, options));
  return 0;
}

}  // namespace

std::vector<Command> CopyCommands() {
  return {
      {"cp", "container", "", "",
       "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n"
       "        ck cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
       "Copy files/folders between a container and the local filesystem",
       kDescription, 2, 2, true, kFlags, CommandMain<CopyOptions, Copy>},
  };
}

}  // namespace containerkit::cli
