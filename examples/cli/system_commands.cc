// version, info, events and `system prune`.
#include <sys/utsname.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "containerkit/engine.h"
#include "containerkit/version.h"
#include "examples/cli/command.h"
#include "examples/cli/commands.h"
#include "examples/cli/go_format.h"
#include "examples/cli/output.h"
#include "examples/cli/prune.h"
#include "examples/cli/status_util.h"
#include "examples/cli/template/template.h"
#include "examples/cli/units.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

constexpr char kTemplateHelp[] =
    "Format output using a custom template: 'json' or 'TEMPLATE', in the "
    "language of Go templates";

struct FormatArguments {
  std::string format;
};

constexpr Flag kFormatFlags[] = {
    {"format", 'f', "string", kTemplateHelp, Set<&FormatArguments::format>},
};

// "json" and templates over one value.
absl::StatusOr<std::string> FormatOne(const std::string& format,
                                      const Json& value) {
  const absl::StatusOr<Template> compiled =
      Template::Parse(format == "json" ? "{{json .}}" : format);
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("template parsing error: ", compiled.status().message()));
  }
  absl::StatusOr<std::string> text = compiled->Execute({.root = &value});
  if (text.ok()) return absl::StrCat(*text, "\n");
  return absl::InvalidArgumentError(
      absl::StrCat("template parsing error: ", text.status().message()));
}

Json VersionJson() {
  utsname host{};
  uname(&host);
  const std::string machine = host.machine;
  const std::string arch = machine == "x86_64"    ? "amd64"
                           : machine == "aarch64" ? "arm64"
                                                  : machine;
  const Json common = {{"Version", std::string(Version())},
                       {"Os", "linux"},
                       {"Arch", arch},
                       {"KernelVersion", host.release}};
  // The engine runs in ck's own process; docker's scripts ask for a server.
  return {{"Client", common}, {"Server", common}};
}

absl::StatusOr<int> ShowVersion(Context&, FormatArguments& options,
                                const Arguments&) {
  const Json version = VersionJson();
  if (!options.format.empty()) {
    CLI_ASSIGN_OR_RETURN(const std::string text,
                         FormatOne(options.format, version));
    Print(text);
    return 0;
  }
  const Json& client = version["Client"];
  Print(absl::StrCat(
      "Client: containerkit\n",
      " Version:           ", client["Version"].get<std::string>(),
      "\n OS/Arch:           linux/", client["Arch"].get<std::string>(),
      "\n\nServer: containerkit (in this process)\n Engine:\n",
      "  Version:          ", client["Version"].get<std::string>(),
      "\n  OS/Arch:          linux/", client["Arch"].get<std::string>(),
      "\n  Kernel Version:   ", client["KernelVersion"].get<std::string>(),
      "\n"));
  return 0;
}

std::string InfoText(const EngineInfo& info) {
  std::string out = absl::StrCat(
      "Client:\n Version:    ", Version(),
      "\n\nServer:\n Containers: ", info.containers,
      "\n  Running: ", info.containers_running,
      "\n  Paused: ", info.containers_paused,
      "\n  Stopped: ", info.containers_stopped, "\n Images: ", info.images,
      "\n Server Version: ", Version(),
      "\n Storage Driver: ", info.storage_driver,
      "\n Logging Driver: json-file\n Cgroup Version: ", info.cgroup_version,
      "\n Security Options:\n");
  for (const std::string& option : info.security_options) {
    absl::StrAppend(&out, "  ", option, "\n");
  }
  absl::StrAppend(&out, " Kernel Version: ", info.kernel_version,
                  "\n Operating System: ", info.operating_system,
                  "\n OSType: linux\n Architecture: ", info.architecture,
                  "\n CPUs: ", info.cpus, "\n Total Memory: ",
                  BinarySize(static_cast<double>(info.memory_bytes)),
                  "\n Docker Root Dir: ", info.root,
                  "\n Rootless: ", info.rootless ? "true" : "false", "\n");
  return out;
}

absl::StatusOr<int> ShowInfo(Context& context, FormatArguments& options,
                             const Arguments&) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const EngineInfo info, engine.Info());
  if (options.format.empty()) {
    Print(InfoText(info));
    for (const std::string& warning : info.warnings) {
      PrintErr(absl::StrCat("WARNING: ", Printable(warning), "\n"));
    }
    return 0;
  }
  CLI_ASSIGN_OR_RETURN(
      const std::string text,
      FormatOne(options.format, Json::parse(info.json, nullptr, false)));
  Print(text);
  return 0;
}

struct EventArguments {
  std::string format;
  std::string since;
  std::string until;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kEventFlags[] = {
    {"filter", 'f', "filter", "Filter output based on conditions provided",
     SetFilter<&EventArguments::filters>},
    {"format", '\0', "string", kTemplateHelp, Set<&EventArguments::format>},
    {"since", '\0', "string", "Show all events created since timestamp",
     Set<&EventArguments::since>},
    {"until", '\0', "string", "Stream events until this timestamp",
     Set<&EventArguments::until>},
};

std::string EventText(const EngineEvent& event) {
  std::string attributes =
      absl::StrJoin(event.attributes, ", ", absl::PairFormatter("="));
  if (!attributes.empty()) attributes = absl::StrCat(" (", attributes, ")");
  return Printable(absl::StrCat(LogTimestamp(event.time), " ", event.type, " ",
                                event.action, " ", event.actor_id,
                                attributes)) +
         "\n";
}

absl::StatusOr<int> ShowEvents(Context& context, EventArguments& options,
                               const Arguments&) {
  EventOptions events;
  events.filters = options.filters;
  const absl::Time now = absl::Now();
  if (!options.since.empty()) {
    CLI_ASSIGN_OR_RETURN(events.since, ParseDockerTime(options.since, now));
  }
  if (!options.until.empty()) {
    CLI_ASSIGN_OR_RETURN(events.until, ParseDockerTime(options.until, now));
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  absl::Status failure;
  CLI_RETURN_IF_ERROR(engine.Events(events, [&](const EngineEvent& event) {
    absl::StatusOr<std::string> text = EventText(event);
    if (options.format == "json") {
      text = absl::StrCat(event.json, "\n");
    } else if (!options.format.empty()) {
      text = FormatOne(options.format, Json::parse(event.json, nullptr, false));
    }
    if (text.ok()) {
      failure = WriteAll(1, *text);
    } else {
      failure = text.status();
    }
    return failure.ok();
  }));
  CLI_RETURN_IF_ERROR(failure);
  return 0;
}

struct SystemPruneArguments {
  bool all = false;
  bool dry_run = false;
  bool force = false;
  bool volumes = false;
  std::multimap<std::string, std::string> filters;
};

constexpr Flag kPruneFlags[] = {
    {"all", 'a', "", "Remove all unused images not just dangling ones",
     Set<&SystemPruneArguments::all>},
    {"dry-run", '\0', "", "Only show what would be removed",
     Set<&SystemPruneArguments::dry_run>},
    {"filter", '\0', "filter",
     "Provide filter values (e.g. \"label=<key>=<value>\")",
     SetFilter<&SystemPruneArguments::filters>},
    {"force", 'f', "", "Do not prompt for confirmation",
     Set<&SystemPruneArguments::force>},
    {"volumes", '\0', "", "Prune anonymous volumes",
     Set<&SystemPruneArguments::volumes>},
};

constexpr char kPruneQuestion[] =
    "WARNING! This will remove:\n"
    "  - all stopped containers\n";

absl::StatusOr<int> Prune(Context& context, SystemPruneArguments& options,
                          const Arguments&) {
  if (!options.force && !options.dry_run &&
      !Confirm(absl::StrCat(
          kPruneQuestion,
          options.all
              ? "  - all images without at least one container associated to "
                "them\n"
              : "  - all dangling images\n",
          "\nAre you sure you want to continue?"))) {
    return absl::CancelledError("system prune has been cancelled");
  }
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  PruneReport report;
  if (options.filters.empty()) {
    CLI_ASSIGN_OR_RETURN(report, engine.Prune(options.all, options.dry_run));
  } else {
    CLI_ASSIGN_OR_RETURN(
        report, PruneContainers(engine, options.filters, options.dry_run));
    CLI_ASSIGN_OR_RETURN(
        PruneReport images,
        PruneImages(engine, options.all, options.filters, options.dry_run));
    report.images = std::move(images.images);
    report.reclaimed_bytes += images.reclaimed_bytes;
  }
  Print(PruneText(report, options.dry_run));
  return 0;
}

struct CheckArguments {
  bool repair = false;
};

constexpr Flag kCheckFlags[] = {
    {"repair", '\0', "", "Mend or remove what is broken",
     Set<&CheckArguments::repair>},
};

absl::StatusOr<int> Check(Context& context, CheckArguments& options,
                          const Arguments&) {
  CLI_ASSIGN_OR_RETURN(const Engine engine, context.OpenEngine());
  CLI_ASSIGN_OR_RETURN(const std::vector<StoreFinding> findings,
                       engine.CheckStore(options.repair));
  bool broken = false;
  for (const StoreFinding& finding : findings) {
    broken = broken || !finding.repaired;
    Print(absl::StrCat(finding.kind, " ", Printable(finding.object), ": ",
                       Printable(finding.problem),
                       finding.repaired ? " (repaired)" : "", "\n"));
  }
  return broken ? kExitFailure : 0;
}

}  // namespace

std::vector<Command> SystemCommands() {
  return {
      {"version", "", "", "", "[OPTIONS]", "Show the version information", "",
       0, 0, true, kFormatFlags, CommandMain<FormatArguments, ShowVersion>},
      {"info", "system", "", "", "[OPTIONS]", "Display system-wide information",
       "", 0, 0, true, kFormatFlags, CommandMain<FormatArguments, ShowInfo>},
      {"events", "system", "", "", "[OPTIONS]",
       "Get real time events from the engine", "", 0, 0, true, kEventFlags,
       CommandMain<EventArguments, ShowEvents>},
      {"", "system", "prune", "", "[OPTIONS]", "Remove unused data", "", 0, 0,
       true, kPruneFlags, CommandMain<SystemPruneArguments, Prune>},
      {"", "system", "check", "", "[OPTIONS]",
       "Verify the state root, reading every blob", "", 0, 0, true, kCheckFlags,
       CommandMain<CheckArguments, Check>},
  };
}

}  // namespace containerkit::cli
