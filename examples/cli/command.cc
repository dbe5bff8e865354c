#include "examples/cli/command.h"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/cli/output.h"
#include "examples/cli/signals.h"
#include "examples/cli/status_util.h"
#include "nlohmann/json.hpp"

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
  return result.ok() ? *result
                     : ReportError(context, result.status(), kExitFailure);
}

int ReportError(const Context& context, const absl::Status& status,
                int exit_code) {
  const int interrupted = InterruptExitCode();
  // Who interrupts knows it.
  if (interrupted != 0 && absl::IsCancelled(status)) return interrupted;
  context.PrintError(status);
  return exit_code;
}

int ForEachName(
    const Context& context, const std::vector<std::string>& names,
    const std::function<absl::StatusOr<std::string>(const std::string& name)>&
        act) {
  constexpr size_t kAtATime = 50;
  int exit_code = 0;
  for (size_t start = 0; start < names.size(); start += kAtATime) {
    const size_t end = std::min(names.size(), start + kAtATime);
    std::vector<absl::StatusOr<std::string>> results(end - start);
    std::vector<std::thread> threads;
    for (size_t i = start + 1; i < end; ++i) {
      threads.emplace_back([&, i] { results[i - start] = act(names[i]); });
    }
    results[0] = act(names[start]);
    for (size_t i = 0; i < results.size(); ++i) {
      if (i > 0) threads[i - 1].join();
      if (results[i].ok()) {
        Print(*results[i]);
      } else {
        context.PrintError(results[i].status());
        exit_code = kExitFailure;
      }
    }
  }
  return exit_code;
}

bool Confirm(absl::string_view question) {
  Print(absl::StrCat(question, " [y/N] "));
  char answer = 0;
  if (read(STDIN_FILENO, &answer, 1) != 1) return false;
  return answer == 'y' || answer == 'Y';
}

absl::StatusOr<ContainerTraits> ReadTraits(Container& container) {
  CLI_ASSIGN_OR_RETURN(const std::string text, container.InspectJson());
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  const auto flag = [&](const char* name) {
    const auto config = json.is_object() ? json.find("Config") : json.end();
    return config != json.end() && config->is_object() &&
           config->value(name, false);
  };
  return ContainerTraits{.tty = flag("Tty"),
                         .open_stdin = flag("OpenStdin"),
                         .stdin_once = flag("StdinOnce")};
}

}  // namespace containerkit::cli
