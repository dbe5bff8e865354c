// ck: docker's command line on containerkit, without a daemon.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "containerkit/version.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/context.h"
#include "examples/cli/flags.h"
#include "examples/cli/output.h"

namespace containerkit::cli {
namespace {

constexpr Flag kGlobalFlags[] = {
    {"certs-dir", '\0', "string",
     "Directory of registries' certificates (DIR/HOST/ca.crt)",
     Set<&GlobalOptions::certs_dir>},
    {"config", '\0', "string", "Location of docker's config files",
     Set<&GlobalOptions::config>, "\"~/.docker\""},
    {"debug", 'D', "", "Show the details of errors, and what the engine does",
     Set<&GlobalOptions::debug>},
    {"insecure-registry", '\0', "list",
     "Registry that may be spoken to without a valid certificate",
     Set<&GlobalOptions::insecure_registries>},
    {"log-level", 'l', "string",
     "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", "
     "\"fatal\")",
     Set<&GlobalOptions::log_level>, "\"warn\""},
    {"registry-mirror", '\0', "list", "Base URL to try before Docker Hub",
     Set<&GlobalOptions::registry_mirrors>},
    {"root", '\0', "string",
     "Directory of images and containers (also CK_ROOT)",
     Set<&GlobalOptions::root>},
    {"version", 'v', "", "Print version information and quit",
     Set<&GlobalOptions::version>},
};

struct Group {
  absl::string_view name;
  absl::string_view summary;
};

constexpr Group kGroups[] = {
    {"container", "Manage containers"},
    {"image", "Manage images"},
    {"system", "Manage the state root"},
};

// Every file's commands; those of `run` first, which is looked for first.
constexpr std::vector<Command> (*kFiles[])() = {
    RunCommands,  AttachCommands,  LifeCommands,  ListCommands,   WatchCommands,
    CopyCommands, InspectCommands, ImageCommands, SystemCommands,
};

absl::string_view NameInGroup(const Command& command) {
  return command.group_name.empty() ? command.name : command.group_name;
}

bool IsNamed(const Command& command, absl::string_view group,
             absl::string_view name) {
  if (group.empty()) return !name.empty() && command.name == name;
  if (command.group != group) return false;
  if (NameInGroup(command) == name) return true;
  const std::vector<absl::string_view> aliases =
      absl::StrSplit(command.aliases, ',', absl::SkipEmpty());
  return std::count(aliases.begin(), aliases.end(), name) > 0;
}

std::string CommandList(absl::string_view group) {
  struct Line {
    absl::string_view name;
    absl::string_view summary;
  };
  std::vector<Line> lines;
  for (const auto& file : kFiles) {
    for (const Command& command : file()) {
      if (group.empty() ? command.name.empty() : command.group != group) {
        continue;
      }
      lines.push_back({group.empty() ? command.name : NameInGroup(command),
                       command.summary});
    }
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return a.name < b.name; });
  std::string out;
  for (const Line& line : lines) {
    constexpr size_t kNameWidth = 12;
    absl::StrAppend(&out, "  ", line.name,
                    std::string(kNameWidth - line.name.size(), ' '),
                    line.summary, "\n");
  }
  return out;
}

std::string GroupHelp(const Group& group) {
  return absl::StrCat("Usage:  ck ", group.name, " COMMAND\n\n", group.summary,
                      "\n\nCommands:\n", CommandList(group.name), "\nRun 'ck ",
                      group.name,
                      " COMMAND --help' for more information on a command.\n");
}

std::string MainHelp() {
  std::string out =
      "Usage:  ck [OPTIONS] COMMAND\n\n"
      "Containers without a daemon\n\n"
      "Management Commands:\n";
  for (const Group& group : kGroups) {
    absl::StrAppend(&out, "  ", group.name,
                    std::string(12 - group.name.size(), ' '), group.summary,
                    "\n");
  }
  absl::StrAppend(&out, "\nCommands:\n", CommandList(""), "\nGlobal Options:\n",
                  FlagUsage(kGlobalFlags),
                  "\nRun 'ck COMMAND --help' for more information on a "
                  "command.\n");
  return out;
}

int UnknownCommand(absl::string_view path) {
  const size_t space = path.rfind(' ');
  const std::string parent = space == absl::string_view::npos
                                 ? std::string()
                                 : absl::StrCat(" ", path.substr(0, space));
  PrintErr(absl::StrCat("ck: unknown command: ck ", Printable(path),
                        "\n\nRun 'ck", parent,
                        " --help' for more information\n"));
  return kExitFailure;
}

using Words = std::span<const char* const>;

// Finds and runs the command; -1: there is none.
int RunCommand(absl::string_view group, absl::string_view name,
               Context& context, Words words) {
  for (const auto& file : kFiles) {
    for (const Command& command : file()) {
      if (IsNamed(command, group, name)) {
        return command.main(command, context, words);
      }
    }
  }
  return -1;
}

int RunGroup(const Group& group, Context& context, Words words) {
  if (words.empty() || absl::string_view(words[0]) == "--help" ||
      absl::string_view(words[0]) == "-h") {
    Print(GroupHelp(group));
    return 0;
  }
  const int exit_code =
      RunCommand(group.name, words[0], context, words.subspan(1));
  if (exit_code >= 0) return exit_code;
  return UnknownCommand(absl::StrCat(group.name, " ", words[0]));
}

// `words`: a command and what belongs to it.
int Dispatch(Context& context, Words words) {
  const absl::string_view name = words[0];
  const int exit_code = RunCommand("", name, context, words.subspan(1));
  if (exit_code >= 0) return exit_code;
  for (const Group& group : kGroups) {
    if (group.name == name) {
      return RunGroup(group, context, words.subspan(1));
    }
  }
  return UnknownCommand(name);
}

// `ck help [COMMAND...]` is `ck [COMMAND...] --help`.
int Help(Context& context, Words words) {
  if (words.empty()) {
    Print(MainHelp());
    return 0;
  }
  std::vector<const char*> with_help(words.begin(), words.end());
  with_help.push_back("--help");
  return Dispatch(context, with_help);
}

int Main(Words words) {
  Context context;
  const absl::StatusOr<ParsedFlags> parsed = ParseFlags(
      kGlobalFlags, words, /*interspersed=*/false, &context.globals());
  if (!parsed.ok()) {
    PrintErr(absl::StrCat(parsed.status().message(),
                          "\nSee 'ck --help'.\n\nUsage:  ck [OPTIONS] "
                          "COMMAND [ARG...]\n"));
    return kExitUsage;
  }
  if (context.globals().version) {
    Print(absl::StrCat("ck version ", Version(), "\n"));
    return 0;
  }
  if (parsed->help || parsed->arguments.empty()) return Help(context, {});
  const Words rest = words.last(parsed->arguments.size());
  if (absl::string_view(rest[0]) == "help") {
    return Help(context, rest.subspan(1));
  }
  return Dispatch(context, rest);
}

}  // namespace
}  // namespace containerkit::cli

int main(int argc, char** argv) {
  return containerkit::cli::Main(
      {argv + 1, static_cast<size_t>(std::max(argc - 1, 0))});
}
