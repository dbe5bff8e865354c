#include "lib/container/oci_exec.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/runtime/capabilities.h"
#include "lib/sys/file_util.h"

namespace containerkit::container {
namespace {

// "uid" or "uid:gid". Without a gid the primary group stays.
absl::Status SetUser(absl::string_view text, oci::ProcessUser& user) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  const bool has_gid = absl::StrContains(text, ':');
  if (!absl::SimpleAtoi(parts.first, &user.uid) ||
      (has_gid && !absl::SimpleAtoi(parts.second, &user.gid))) {
    return InvalidArgument(
        Reason::kUserNotFound, "oci.exec",
        absl::StrCat("user \"", text, "\" is not UID[:GID] in numbers"));
  }
  return absl::OkStatus();
}

void AddOnce(const std::string& name, std::vector<std::string>& list) {
  if (std::find(list.begin(), list.end(), name) == list.end()) {
    list.push_back(name);
  }
}

// To all sets that let the program use it; inheritable ones are of no use to
// a program without file capabilities.
absl::Status AddCapabilities(const std::vector<std::string>& names,
                             oci::Process& process) {
  if (names.empty()) return absl::OkStatus();
  oci::CapabilitySets sets =
      process.capabilities.value_or(oci::CapabilitySets());
  for (const std::string& text : names) {
    const std::optional<int> number = runtime::CapabilityNumber(text);
    if (!number.has_value()) {
      return InvalidArgument(Reason::kCapabilityUnknown, "oci.exec",
                             absl::StrCat("unknown capability ", text));
    }
    const std::string name(runtime::CapabilityName(*number));
    AddOnce(name, sets.bounding);
    AddOnce(name, sets.permitted);
    AddOnce(name, sets.effective);
  }
  process.capabilities = std::move(sets);
  return absl::OkStatus();
}

// Later variables replace earlier ones of the same name.
void AddEnvironment(const std::vector<std::string>& added,
                    std::vector<std::string>& environment) {
  for (const std::string& variable : added) {
    const std::string prefix =
        absl::StrCat(variable.substr(0, variable.find('=')), "=");
    const auto old = std::find_if(
        environment.begin(), environment.end(),
        [&](const std::string& e) { return absl::StartsWith(e, prefix); });
    if (old == environment.end()) {
      environment.push_back(variable);
    } else {
      *old = variable;
    }
  }
}

}  // namespace

absl::StatusOr<oci::Process> BuildOciExecProcess(const OciExecOptions& options,
                                                 const oci::Process& base) {
  oci::Process process = base;
  if (!options.process_file.empty()) {
    CK_ASSIGN_OR_RETURN(const std::string json,
                        sys::ReadFileAt(AT_FDCWD, options.process_file,
                                        oci::kMaxRuntimeSpecBytes));
    CK_ASSIGN_OR_RETURN(process, oci::ParseProcess(json), "read ",
                        options.process_file);
    if (options.tty) process.terminal = true;
    return process;
  }
  process.args = options.args;
  process.terminal = options.tty;
  process.console_size.reset();
  AddEnvironment(options.env, process.env);
  if (!options.cwd.empty()) process.cwd = options.cwd;
  if (!options.user.empty()) {
    CK_RETURN_IF_ERROR(SetUser(options.user, process.user));
  }
  process.user.additional_gids.insert(process.user.additional_gids.end(),
                                      options.additional_gids.begin(),
                                      options.additional_gids.end());
  CK_RETURN_IF_ERROR(AddCapabilities(options.capabilities, process));
  if (!options.apparmor.empty()) process.apparmor_profile = options.apparmor;
  if (!options.selinux_label.empty()) {
    process.selinux_label = options.selinux_label;
  }
  if (options.no_new_privs) process.no_new_privileges = true;
  return process;
}

}  // namespace containerkit::container
