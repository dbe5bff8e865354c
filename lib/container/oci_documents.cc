#include "lib/container/oci_documents.h"

#include <algorithm>
#include <vector>

#include "lib/runtime/capabilities.h"
#include "lib/runtime/mount_options.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_syscalls.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using Json = nlohmann::ordered_json;
using Strings = std::vector<std::string>;

// What the compiler says it knows, so that the two cannot differ.
Strings SeccompActions() {
  Strings known;
  for (const char* name :
       {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
        "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"}) {
    if (runtime::SeccompActionValue(name, std::nullopt).ok()) {
      known.emplace_back(name);
    }
  }
  return known;
}

Strings SeccompArchitectures() {
  Strings known;
  for (const char* name :
       {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS",
        "SCMP_ARCH_MIPS64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",
        "SCMP_ARCH_S390X", "SCMP_ARCH_X32", "SCMP_ARCH_X86",
        "SCMP_ARCH_X86_64"}) {
    if (runtime::SeccompArchOf(name).has_value()) known.emplace_back(name);
  }
  return known;
}

Json LinuxFeatures() {
  const Strings flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                         "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                         "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  return {
      {"namespaces",
       {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
      {"capabilities", runtime::CapabilityNames(runtime::kAllCapabilities)},
      {"cgroup",
       {{"v1", true},
        {"v2", true},
        {"systemd", false},
        {"systemdUser", false},
        {"rdma", true}}},
      {"seccomp",
       {{"enabled", true},
        {"actions", SeccompActions()},
        {"operators",
         {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE",
          "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"}},
        {"archs", SeccompArchitectures()},
        {"knownFlags", flags},
        {"supportedFlags", flags}}},
      {"apparmor", {{"enabled", true}}},
      {"selinux", {{"enabled", true}}},
      {"intelRdt", {{"enabled", false}}},
      {"mountExtensions", {{"idmap", {{"enabled", true}}}}},
  };
}

void AddRootlessParts(uint32_t uid, uint32_t gid, oci::RuntimeSpec& spec) {
  oci::LinuxConfig& linux_config = spec.linux_config;
  linux_config.namespaces.push_back({oci::NamespaceType::kUser, ""});
  linux_config.uid_mappings = {{0, uid, 1}};
  linux_config.gid_mappings = {{0, gid, 1}};
  linux_config.resources = {};
  // A single id is mapped: no group of terminals, no sysfs of our own.
  for (oci::Mount& mount : spec.mounts) {
    std::erase(mount.options, "gid=5");
    if (mount.destination == "/sys") {
      mount.type = "none";
      mount.source = "/sys";
      mount.options = {"rbind", "nosuid", "noexec", "nodev", "ro"};
    }
  }
  std::erase_if(spec.mounts,
                [](const oci::Mount& mount) { return mount.type == "cgroup"; });
}

std::vector<oci::Mount> ExampleMounts() {
  return {
      {.destination = "/proc", .type = "proc", .source = "proc"},
      {.destination = "/dev",
       .type = "tmpfs",
       .source = "tmpfs",
       .options = {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {.destination = "/dev/pts",
       .type = "devpts",
       .source = "devpts",
       .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666",
                   "mode=0620", "gid=5"}},
      {.destination = "/dev/shm",
       .type = "tmpfs",
       .source = "shm",
       .options = {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
      {.destination = "/dev/mqueue",
       .type = "mqueue",
       .source = "mqueue",
       .options = {"nosuid", "noexec", "nodev"}},
      {.destination = "/sys",
       .type = "sysfs",
       .source = "sysfs",
       .options = {"nosuid", "noexec", "nodev", "ro"}},
      {.destination = "/sys/fs/cgroup",
       .type = "cgroup",
       .source = "cgroup",
       .options = {"nosuid", "noexec", "nodev", "relatime", "ro"}},
  };
}

}  // namespace

std::string OciFeatures() {
  Strings mount_options = runtime::KnownMountOptions();
  std::sort(mount_options.begin(), mount_options.end());
  const Json features = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", std::string(oci::kRuntimeSpecVersion)},
      {"hooks",
       {"prestart", "createRuntime", "createContainer", "startContainer",
        "poststart", "poststop"}},
      {"mountOptions", mount_options},
      {"linux", LinuxFeatures()},
      {"annotations",
       {{"org.opencontainers.runc.checkpoint.enabled", "false"}}},
  };
  return features.dump(2);
}

oci::RuntimeSpec ExampleOciSpec(bool rootless, uint32_t uid, uint32_t gid) {
  const Strings capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL",
                                "CAP_NET_BIND_SERVICE"};
  oci::Process process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "TERM=xterm"};
  process.cwd = "/";
  process.capabilities = oci::CapabilitySets{.bounding = capabilities,
                                             .effective = capabilities,
                                             .permitted = capabilities};
  process.rlimits = {{.type = "RLIMIT_NOFILE", .hard = 1024, .soft = 1024}};
  process.no_new_privileges = true;

  oci::RuntimeSpec spec;
  spec.oci_version = std::string(oci::kRuntimeSpecVersion);
  spec.process = std::move(process);
  spec.root = {.path = "rootfs", .readonly = true};
  spec.hostname = "ck-oci";
  spec.mounts = ExampleMounts();
  oci::LinuxConfig& linux_config = spec.linux_config;
  linux_config.namespaces = {
      {oci::NamespaceType::kPid, ""},   {oci::NamespaceType::kNetwork, ""},
      {oci::NamespaceType::kIpc, ""},   {oci::NamespaceType::kUts, ""},
      {oci::NamespaceType::kMount, ""}, {oci::NamespaceType::kCgroup, ""}};
  linux_config.resources.devices = {{.allow = false}};
  linux_config.masked_paths = {"/proc/acpi",          "/proc/asound",
                               "/proc/kcore",         "/proc/keys",
                               "/proc/latency_stats", "/proc/timer_list",
                               "/proc/timer_stats",   "/proc/sched_debug",
                               "/sys/firmware",       "/proc/scsi"};
  linux_config.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq",
                                 "/proc/sys", "/proc/sysrq-trigger"};
  if (rootless) AddRootlessParts(uid, gid, spec);
  return spec;
}

}  // namespace containerkit::container
