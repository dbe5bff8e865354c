#include "examples/cli/command.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/cli/output.h"

namespace containerkit::cli {
namespace {

std::string UsageLine(const Command& command) {
  return absl::StrCat("Usage:  ck ", CommandPath(command),
                      command.usage.empty() ? "" : " ", command.usage, "\n");
}

std::string Plural(int count) {
  return absl::StrCat(count, count == 1 ? " argument" : " arguments");
}

// What is wrong with the number of arguments; empty: nothing.
std::string CountComplaint(const Command& command, size_t count) {
  const int least = command.min_arguments;
  const int most = command.max_arguments;
  const int given = static_cast<int>(count);
  if (given >= least && (most == kNoLimit || given <= most)) return "";
  if (most == 0) return "accepts no arguments";
  if (most == kNoLimit) {
    return absl::StrCat("requires at least ", Plural(least));
  }
  if (least == most) return absl::StrCat("requires ", Plural(least));
  if (least == 0) return absl::StrCat("requires at most ", Plural(most));
  return absl::StrCat("requires at least ", least, " and at most ",
                      Plural(most));
}

// All ways to call it, when there is more than one.
std::string AliasParagraph(const Command& command) {
  std::vector<std::string> ways;
  if (!command.group.empty()) {
    const absl::string_view own =
        command.group_name.empty() ? command.name : command.group_name;
    ways.push_back(absl::StrCat("ck ", command.group, " ", own));
    for (const absl::string_view alias :
         absl::StrSplit(command.aliases, ',', absl::SkipEmpty())) {
      ways.push_back(absl::StrCat("ck ", command.group, " ", alias));
    }
  }
  if (!command.name.empty()) ways.push_back(absl::StrCat("ck ", command.name));
  if (ways.size() < 2) return "";
  return absl::StrCat("\nAliases:\n  ", absl::StrJoin(ways, ", "), "\n");
}

}  // namespace

std::string CommandPath(const Command& command) {
  if (!command.name.empty()) return std::string(command.name);
  return absl::StrCat(command.group, " ", command.group_name);
}

std::string CommandHelp(const Command& command) {
  std::string out = absl::StrCat(
      UsageLine(command), "\n",
      command.description.empty() ? command.summary : command.description, "\n",
      AliasParagraph(command));
  if (!command.flags.empty()) {
    absl::StrAppend(&out, "\nOptions:\n", FlagUsage(command.flags));
  }
  return out;
}

Invocation ParseInvocation(const Command& command,
                           std::span<const char* const> words, void* options) {
  const std::string path = CommandPath(command);
  absl::StatusOr<ParsedFlags> parsed =
      ParseFlags(command.flags, words, command.interspersed, options);
  if (!parsed.ok()) {
    PrintErr(absl::StrCat(parsed.status().message(), "\nSee 'ck ", path,
                          " --help'.\n\n", UsageLine(command)));
    return {.exit_code = kExitUsage};
  }
  if (parsed->help) {
    Print(CommandHelp(command));
    return {.exit_code = 0};
  }
  const std::string complaint =
      CountComplaint(command, parsed->arguments.size());
  if (!complaint.empty()) {
    PrintErr(absl::StrCat("ck: 'ck ", path, "' ", complaint, "\nSee 'ck ", path,
                          " --help'.\n\n", UsageLine(command)));
    return {.exit_code = kExitFailure};
  }
  return {.arguments = std::move(parsed->arguments)};
}

int Report(const Context& context, const absl::StatusOr<int>& result) {
  if (result.ok()) return *result;
  context.PrintError(result.status());
  return kExitFailure;
}

}  // namespace containerkit::cli
