// The process, names and security of a container; parts:
// spec_builder_mounts.cc, spec_builder_resources.cc.
#include "lib/runtime/spec_builder.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/defaults.h"
#include "lib/runtime/rlimits.h"
#include "lib/runtime/seccomp_profile.h"
#include "lib/runtime/spec_builder_internal.h"
#include "lib/runtime/sysctls.h"
#include "lib/runtime/users.h"

namespace containerkit::runtime {
namespace builder {

using Kind = NamespaceChoice::Kind;

absl::Status Invalid(Reason reason, absl::string_view message) {
  return InvalidArgument(reason, "spec.build", message);
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

namespace {

// --- environment ---------------------------------------------------------

absl::string_view NameOf(absl::string_view variable) {
  return variable.substr(0, variable.find('='));
}

bool HasVariable(const std::vector<std::string>& env, absl::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& variable) {
    return NameOf(variable) == name;
  });
}

// Sets "NAME=value" in place, or removes "NAME".
void SetVariable(std::vector<std::string>& env, const std::string& variable) {
  const absl::string_view name = NameOf(variable);
  const bool removes = variable.find('=') == std::string::npos;
  const auto it = std::find_if(
      env.begin(), env.end(),
      [&](const std::string& other) { return NameOf(other) == name; });
  if (it == env.end()) {
    if (!removes) env.push_back(variable);
  } else if (removes) {
    env.erase(it);
  } else {
    *it = variable;
  }
}

absl::Status CheckVariable(absl::string_view variable) {
  if (variable.empty() || variable[0] == '=' ||
      variable.find('\0') != absl::string_view::npos) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("environment variable \"", variable, "\""));
  }
  return absl::OkStatus();
}

absl::Status BuildEnv(const Building& b, const std::string& hostname,
                      const std::string& home, std::vector<std::string>& env) {
  env = {absl::StrCat("PATH=", kDefaultPathEnv),
         absl::StrCat("HOSTNAME=", hostname)};
  if (b.config.tty) env.push_back("TERM=xterm");
  for (const auto* list : {&b.image.env, &b.config.env}) {
    for (const std::string& variable : *list) {
      CK_RETURN_IF_ERROR(CheckVariable(variable));
      SetVariable(env, variable);
    }
  }
  if (!HasVariable(env, "HOME")) env.push_back(absl::StrCat("HOME=", home));
  return absl::OkStatus();
}

// --- process -------------------------------------------------------------

void SetCapabilities(CapabilityMask mask, uint32_t uid, oci::Process& process) {
  oci::CapabilitySets sets;
  sets.bounding = CapabilityNames(mask);
  // Other users start without, as an execve would leave them; nobody gets
  // inheritable ones (CVE-2022-24769).
  if (uid == 0 || Mutated("R14")) {
    sets.effective = sets.bounding;
    sets.permitted = sets.bounding;
  }
  // Without these an execve by another user drops them all.
  if constexpr (Mutated("R14")) {
    sets.inheritable = sets.bounding;
    sets.ambient = sets.bounding;
  }
  process.capabilities = std::move(sets);
}

// "/a/../b" is the kernel's business; a relative path is a mistake.
absl::StatusOr<std::string> WorkingDir(absl::string_view dir) {
  if (dir.empty()) return std::string("/");
  if (dir[0] != '/' || dir.find('\0') != absl::string_view::npos) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("working directory \"", dir,
                                "\" is not an absolute path"));
  }
  return std::string(dir);
}

absl::Status BuildUlimits(const Building& b, oci::Process& process) {
  for (const UlimitConfig& limit : b.config.ulimits) {
    oci::Rlimit out;
    out.type = RlimitSpecName(limit.name);
    if (out.type.empty()) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("unknown ulimit ", limit.name));
    }
    if (limit.soft < -1 || limit.hard < -1) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("ulimit ", limit.name, " below -1"));
    }
    out.soft = static_cast<uint64_t>(limit.soft);
    out.hard = static_cast<uint64_t>(limit.hard);
    if (out.soft > out.hard) {
      return Invalid(Reason::kRlimitRefused,
                     absl::StrCat("ulimit ", limit.name,
                                  ": soft limit above the hard limit"));
    }
    // A later one of the same name wins.
    std::erase_if(process.rlimits, [&](const oci::Rlimit& other) {
      return other.type == out.type;
    });
    process.rlimits.push_back(std::move(out));
  }
  return absl::OkStatus();
}

absl::StatusOr<CapabilityMask> CapabilitiesOf(const Building& b) {
  if (b.privileged()) return kAllCapabilities;
  return TweakCapabilities(kDefaultCapabilities, kAllCapabilities,
                           b.config.security.cap_add,
                           b.config.security.cap_drop);
}

absl::Status BuildSeccomp(Building& b, CapabilityMask capabilities) {
  const SeccompChoice& choice = b.config.security.seccomp;
  oci::Seccomp builtin;
  builtin.builtin_profile = true;
  switch (choice.kind) {
    case SeccompChoice::Kind::kUnconfined:
      return absl::OkStatus();
    case SeccompChoice::Kind::kDefault:
      if (!b.privileged()) b.linux_config().seccomp = std::move(builtin);
      return absl::OkStatus();
    case SeccompChoice::Kind::kBuiltin:
      b.linux_config().seccomp = std::move(builtin);
      return absl::OkStatus();
    case SeccompChoice::Kind::kCustom:
      break;
  }
  CK_ASSIGN_OR_RETURN(
      b.linux_config().seccomp,
      ParseSeccompProfile(choice.profile,
                          {capabilities, b.facts.kernel, kNativeSeccompArch}),
      "seccomp profile");
  return absl::OkStatus();
}

// SELinux labels as docker writes them: the parts of one context.
std::string SelinuxLabel(const Building& b) {
  const std::vector<std::string>& options = b.config.security.selinux_labels;
  if (!b.facts.selinux || b.privileged() || options.empty()) return "";
  std::string parts[4] = {"system_u", "system_r", "container_t", "s0"};
  constexpr absl::string_view kNames[4] = {"user:", "role:", "type:", "level:"};
  for (const std::string& option : options) {
    if (option == "disable") return "";
    for (int i = 0; i < 4; ++i) {
      if (absl::StartsWith(option, kNames[i])) {
        parts[i] = option.substr(kNames[i].size());
      }
    }
  }
  return absl::StrCat(parts[0], ":", parts[1], ":", parts[2], ":", parts[3]);
}

absl::Status BuildProcess(Building& b, const std::string& hostname) {
  oci::Process process;
  const ContainerConfig& config = b.config;
  const std::string& user = config.user.empty() ? b.image.user : config.user;
  CK_ASSIGN_OR_RETURN(
      ResolvedUser resolved,
      ResolveUser(user, b.inputs.passwd, b.inputs.group, config.group_add));
  process.user.uid = resolved.uid;
  process.user.gid = resolved.gid;
  process.user.additional_gids = std::move(resolved.additional_gids);
  CK_ASSIGN_OR_RETURN(process.args, MergeCommand(config, b.image));
  CK_RETURN_IF_ERROR(BuildEnv(b, hostname, resolved.home, process.env));
  CK_ASSIGN_OR_RETURN(
      process.cwd, WorkingDir(config.working_dir.empty() ? b.image.working_dir
                                                         : config.working_dir));
  process.terminal = config.tty;
  if (config.tty && (config.console_rows != 0 || config.console_columns != 0)) {
    process.console_size =
        oci::ConsoleSize{config.console_rows, config.console_columns};
  }
  CK_ASSIGN_OR_RETURN(const CapabilityMask capabilities, CapabilitiesOf(b));
  SetCapabilities(capabilities, process.user.uid, process);
  CK_RETURN_IF_ERROR(BuildUlimits(b, process));
  process.no_new_privileges = config.security.no_new_privileges;
  process.oom_score_adj = config.oom_score_adj;
  if (!b.privileged()) {
    process.apparmor_profile = config.security.apparmor_profile;
  }
  process.selinux_label = SelinuxLabel(b);
  CK_RETURN_IF_ERROR(BuildSeccomp(b, capabilities));
  b.spec().process = std::move(process);
  return absl::OkStatus();
}

// --- names ---------------------------------------------------------------

bool IsHostname(absl::string_view name) {
  if constexpr (Mutated("R17")) return true;
  constexpr size_t kLongest = 63;
  if (name.empty() || name.size() > kLongest) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

// Strings that reach /etc/hosts and /etc/resolv.conf (security.md R17).
absl::Status CheckNames(const NameConfig& names) {
  const auto bad = [](absl::string_view text) {
    if constexpr (Mutated("R17")) return false;
    return text.empty() || HasControl(text) ||
           text.find(' ') != absl::string_view::npos;
  };
  for (const auto* list : {&names.servers, &names.search, &names.options}) {
    for (const std::string& text : *list) {
      if (bad(text)) {
        return Invalid(Reason::kInvalidArgument,
                       absl::StrCat("dns setting \"", text, "\""));
      }
    }
  }
  for (const auto& [name, address] : names.extra_hosts) {
    if (bad(name) || bad(address)) {
      return Invalid(Reason::kInvalidArgument,
                     absl::StrCat("extra host \"", name, "\""));
    }
  }
  return absl::OkStatus();
}

// The name in $HOSTNAME; the container's own where it has a uts namespace.
absl::StatusOr<std::string> BuildHostname(Building& b) {
  const ContainerConfig& config = b.config;
  CK_RETURN_IF_ERROR(CheckNames(config.names));
  constexpr size_t kShortId = 12;
  std::string hostname = config.hostname;
  if (hostname.empty()) hostname = b.inputs.hostname;
  if (hostname.empty()) hostname = b.inputs.id.substr(0, kShortId);
  if (!IsHostname(hostname)) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("hostname \"", hostname, "\""));
  }
  const std::string& domain = config.domainname;
  if (!domain.empty() && !IsHostname(domain)) {
    return Invalid(Reason::kInvalidArgument,
                   absl::StrCat("domainname \"", domain, "\""));
  }
  const bool own_uts =
      config.uts.kind != Kind::kHost && config.uts.kind != Kind::kContainer;
  if (own_uts) {
    b.spec().hostname = hostname;
    b.spec().domainname = domain;
  } else if (!config.hostname.empty() || !domain.empty()) {
    return Invalid(Reason::kInvalidArgument,
                   "hostname and domainname need an own uts namespace");
  }
  return hostname;
}

// --- /proc and /sys ------------------------------------------------------

void BuildPaths(Building& b) {
  const SecurityConfig& security = b.config.security;
  oci::LinuxConfig& config = b.linux_config();
  if (b.privileged() || security.systempaths_unconfined) return;
  config.masked_paths = DefaultMaskedPaths();
  config.masked_paths.insert(config.masked_paths.end(),
                             b.facts.thermal_throttle_paths.begin(),
                             b.facts.thermal_throttle_paths.end());
  config.readonly_paths = DefaultReadonlyPaths();
  if (security.masked_paths.has_value()) {
    config.masked_paths = *security.masked_paths;
  }
  if (security.readonly_paths.has_value()) {
    config.readonly_paths = *security.readonly_paths;
  }
}

absl::Status BuildSysctls(Building& b) {
  SysctlScope scope;
  scope.own_ipc = b.own_ipc || b.config.ipc.kind == Kind::kContainer;
  scope.own_network = b.config.network.kind != Kind::kHost;
  scope.own_uts = b.config.uts.kind != Kind::kHost;
  scope.own_user = b.user_namespace;
  auto& sysctls = b.linux_config().sysctl;
  // docker's own: servers need no privileges for low ports, nor does ping.
  if (b.new_network) {
    if (b.facts.sysctl_unprivileged_port_start) {
      sysctls["net.ipv4.ip_unprivileged_port_start"] = "0";
    }
    if (b.facts.sysctl_ping_group_range && !b.user_namespace) {
      sysctls["net.ipv4.ping_group_range"] = "0 2147483647";
    }
  }
  for (const auto& [key, value] : b.config.sysctls) {
    CK_RETURN_IF_ERROR(CheckSysctl(key, value, scope));
    sysctls[key] = value;
  }
  return absl::OkStatus();
}

absl::Status BuildAll(Building& b) {
  b.spec().oci_version = std::string(oci::kRuntimeSpecVersion);
  b.spec().root.path = b.inputs.root_path;
  b.spec().root.readonly = b.config.readonly_root;
  b.spec().annotations = b.config.annotations;
  b.linux_config().cgroups_path = b.inputs.cgroups_path;
  CK_RETURN_IF_ERROR(BuildNamespaces(b));
  CK_ASSIGN_OR_RETURN(const std::string hostname, BuildHostname(b));
  CK_RETURN_IF_ERROR(BuildProcess(b, hostname));
  CK_RETURN_IF_ERROR(BuildMounts(b));
  CK_RETURN_IF_ERROR(BuildDevices(b));
  CK_RETURN_IF_ERROR(BuildResources(b));
  BuildPaths(b);
  CK_RETURN_IF_ERROR(BuildSysctls(b));
  b.out.init = b.config.init;
  const std::string& signal =
      b.config.stop_signal.empty() ? b.image.stop_signal : b.config.stop_signal;
  if (!signal.empty()) {
    CK_ASSIGN_OR_RETURN(b.out.stop_signal, ParseSignal(signal), "stop signal");
  }
  return absl::OkStatus();
}

absl::Status BuildView(Building& b) {
  b.spec().root.path = b.inputs.root_path;
  b.spec().root.readonly = b.config.readonly_root;
  b.linux_config().namespaces.push_back({oci::NamespaceType::kMount, ""});
  CK_RETURN_IF_ERROR(BuildUserNamespace(b));
  CK_ASSIGN_OR_RETURN(b.spec().mounts, AskedMounts(b));
  std::erase_if(b.spec().mounts,
                [](const oci::Mount& mount) { return mount.type != "bind"; });
  return absl::OkStatus();
}

// The process of an exec as another user than the container's.
absl::Status ChangeUser(const ExecConfig& exec,
                        const std::optional<std::string>& passwd,
                        const std::optional<std::string>& group,
                        oci::Process& process) {
  CK_ASSIGN_OR_RETURN(ResolvedUser user, ResolveUser(exec.user, passwd, group));
  process.user.uid = user.uid;
  process.user.gid = user.gid;
  process.user.additional_gids = std::move(user.additional_gids);
  SetVariable(process.env, absl::StrCat("HOME=", user.home));
  return absl::OkStatus();
}

bool IsEmptyCommand(const std::optional<std::vector<std::string>>& command) {
  return !command.has_value() || command->empty() ||
         (command->size() == 1 && (*command)[0].empty());
}

}  // namespace
}  // namespace builder

bool NeedsUserFiles(const ContainerConfig& config,
                    const oci::ImageRunConfig& image) {
  const auto is_id = [](absl::string_view text) {
    return !text.empty() &&
           text.find_first_not_of("0123456789") == absl::string_view::npos;
  };
  const std::string& user = config.user.empty() ? image.user : config.user;
  const size_t colon = user.find(':');
  const bool numeric = colon != std::string::npos &&
                       is_id(absl::string_view(user).substr(0, colon)) &&
                       is_id(absl::string_view(user).substr(colon + 1));
  const bool home = builder::HasVariable(config.env, "HOME") ||
                    builder::HasVariable(image.env, "HOME");
  return !numeric || !home ||
         !std::all_of(config.group_add.begin(), config.group_add.end(), is_id);
}

absl::StatusOr<std::vector<std::string>> MergeCommand(
    const ContainerConfig& config, const oci::ImageRunConfig& image) {
  const bool own_entrypoint = config.entrypoint.has_value();
  const auto& entrypoint =
      own_entrypoint ? config.entrypoint : image.entrypoint;
  // A new entrypoint does not get arguments that were meant for the old one.
  const auto& cmd = config.cmd.has_value() && !config.cmd->empty() ? config.cmd
                    : own_entrypoint ? std::optional<std::vector<std::string>>()
                                     : image.cmd;
  std::vector<std::string> out;
  if (!builder::IsEmptyCommand(entrypoint)) out = *entrypoint;
  if (cmd.has_value()) out.insert(out.end(), cmd->begin(), cmd->end());
  if (out.empty()) {
    return InvalidArgument(Reason::kCommandMissing, "spec.build",
                           "no command specified");
  }
  for (const std::string& word : out) {
    if (word.find('\0') != std::string::npos) {
      return InvalidArgument(Reason::kInvalidArgument, "spec.build",
                             "the command has a NUL");
    }
  }
  return out;
}

absl::Status ResolveDevices(const ContainerConfig& config, SpecInputs* inputs) {
  if (config.security.privileged) {
    CK_ASSIGN_OR_RETURN(inputs->devices, AllHostDevices());
  } else {
    CK_ASSIGN_OR_RETURN(inputs->devices, ResolveDevices(config.devices));
  }
  CK_ASSIGN_OR_RETURN(inputs->block_devices,
                      ResolveBlockDevices(config.resources));
  return absl::OkStatus();
}

absl::Status CheckCpus(const ResourceConfig& resources, int cpus) {
  const int64_t nano_cpus = resources.nano_cpus.value_or(0);
  if (nano_cpus >= 0 && nano_cpus <= cpus * int64_t{1000000000}) {
    return absl::OkStatus();
  }
  return builder::Invalid(
      Reason::kInvalidArgument,
      absl::StrCat("range of CPUs is from 0.01 to ", cpus,
                   ".00, as there are only ", cpus, " CPUs available"));
}

absl::StatusOr<BuiltSpec> BuildSpec(const ContainerConfig& config,
                                    const oci::ImageRunConfig& image,
                                    const HostFacts& facts,
                                    const SpecInputs& inputs) {
  BuiltSpec out;
  builder::Building building{config, image, facts, inputs, out};
  CK_RETURN_IF_ERROR(builder::BuildAll(building));
  return out;
}

absl::StatusOr<oci::RuntimeSpec> BuildViewSpec(const ContainerConfig& config,
                                               const HostFacts& facts,
                                               const SpecInputs& inputs) {
  BuiltSpec out;
  builder::Building building{config, {}, facts, inputs, out};
  CK_RETURN_IF_ERROR(builder::BuildView(building));
  return std::move(out.spec);
}

absl::StatusOr<oci::Process> BuildExecProcess(
    const ExecConfig& exec, const oci::Process& container,
    const std::optional<std::string>& passwd,
    const std::optional<std::string>& group) {
  if (exec.args.empty()) {
    return builder::Invalid(Reason::kCommandMissing, "no command specified");
  }
  oci::Process process = container;
  process.args = exec.args;
  process.terminal = exec.tty;
  process.console_size.reset();
  if (!exec.user.empty()) {
    CK_RETURN_IF_ERROR(builder::ChangeUser(exec, passwd, group, process));
  }
  if (exec.tty && !builder::HasVariable(process.env, "TERM")) {
    process.env.push_back("TERM=xterm");
  }
  for (const std::string& variable : exec.env) {
    CK_RETURN_IF_ERROR(builder::CheckVariable(variable));
    builder::SetVariable(process.env, variable);
  }
  if (!exec.working_dir.empty()) {
    CK_ASSIGN_OR_RETURN(process.cwd, builder::WorkingDir(exec.working_dir));
  }
  CapabilityMask mask = kAllCapabilities;
  if (!exec.privileged) {
    mask = 0;
    if (container.capabilities.has_value()) {
      CK_ASSIGN_OR_RETURN(mask,
                          ParseCapabilities(container.capabilities->bounding));
    }
  }
  builder::SetCapabilities(mask, process.user.uid, process);
  return process;
}

}  // namespace containerkit::runtime
