#include "lib/runtime/host_facts.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/sys/cgroup_layout.h"
#include "lib/sys/file_util.h"

namespace containerkit::runtime {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

bool Exists(const char* path) { return access(path, F_OK) == 0; }

// The content of a file, "" if it cannot be read.
std::string ReadOrEmpty(const std::string& path) {
  absl::StatusOr<std::string> text =
      sys::ReadFileAt(AT_FDCWD, path, kMaxFileBytes);
  return text.ok() ? *std::move(text) : "";
}

// The value of a "Name:\tvalue" line of /proc/self/status.
absl::string_view StatusField(absl::string_view status,
                              absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, ":")) {
      return absl::StripAsciiWhitespace(line);
    }
  }
  return "";
}

uint64_t HexField(absl::string_view status, absl::string_view name) {
  uint64_t value = 0;
  return absl::SimpleHexAtoi(StatusField(status, name), &value) ? value : 0;
}

// Our name in the user database, without the name services of libc (which
// would load libraries): "" when there is none.
std::string UserName(uint32_t uid) {
  for (absl::string_view line :
       absl::StrSplit(ReadOrEmpty("/etc/passwd"), '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, ':');
    uint32_t id = 0;
    if (fields.size() > 2 && absl::SimpleAtoi(fields[2], &id) && id == uid) {
      return fields[0];
    }
  }
  return "";
}

bool InPath(absl::string_view program) {
  for (const char* directory : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
    if (access(absl::StrCat(directory, program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

void ProbeIdRanges(HostFacts& facts) {
  const std::string user = UserName(facts.uid);
  facts.subuids = ParseSubIds(ReadOrEmpty("/etc/subuid"), user, facts.uid);
  facts.subgids = ParseSubIds(ReadOrEmpty("/etc/subgid"), user, facts.uid);
  facts.id_map_helpers = InPath("newuidmap") && InPath("newgidmap");
}

void ProbeLimits(HostFacts& facts) {
  for (size_t i = 0; i < facts.rlimits.size(); ++i) {
    struct rlimit limit;
    if (getrlimit(static_cast<__rlimit_resource_t>(i), &limit) == 0) {
      facts.rlimits[i] = {limit.rlim_cur, limit.rlim_max};
    }
  }
  (void)absl::SimpleAtoi(
      absl::StripAsciiWhitespace(ReadOrEmpty("/proc/self/oom_score_adj")),
      &facts.oom_score_adj);
}

void ProbeSecurity(HostFacts& facts) {
  facts.apparmor =
      absl::StartsWith(ReadOrEmpty("/sys/module/apparmor/parameters/enabled"),
                       "Y") &&
      Exists("/sys/kernel/security/apparmor");
  facts.selinux = Exists("/sys/fs/selinux/enforce");
  facts.seccomp = Exists("/proc/sys/kernel/seccomp/actions_avail");
  facts.sysctl_ping_group_range = Exists("/proc/sys/net/ipv4/ping_group_range");
  facts.sysctl_unprivileged_port_start =
      Exists("/proc/sys/net/ipv4/ip_unprivileged_port_start");
}

// v2 has no such file in its root, and always has the controller's.
bool HasSwapLimit(const sys::CgroupLayout& layout) {
  const sys::CgroupHierarchy* v1 = layout.V1("memory");
  if (v1 == nullptr) return layout.mode == sys::CgroupMode::kUnified;
  return Exists(
      absl::StrCat(v1->mount_point, "/memory.memsw.limit_in_bytes").c_str());
}

void ProbeThermalThrottle(HostFacts& facts) {
  constexpr int kMostCpus = 4096;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    std::string path =
        absl::StrCat("/sys/devices/system/cpu/cpu", cpu, "/thermal_throttle");
    if (!Exists(path.c_str())) return;
    facts.thermal_throttle_paths.push_back(std::move(path));
  }
}

}  // namespace

KernelVersion ParseKernelRelease(absl::string_view release) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(release, absl::MaxSplits('.', 2));
  if (parts.size() < 2) return {};
  size_t digits = 0;
  while (digits < parts[1].size() && absl::ascii_isdigit(parts[1][digits])) {
    ++digits;
  }
  KernelVersion version;
  if (!absl::SimpleAtoi(parts[0], &version.major) ||
      !absl::SimpleAtoi(parts[1].substr(0, digits), &version.minor) ||
      version.major < 0) {
    return {};
  }
  return version;
}

std::vector<SubIdRange> ParseSubIds(absl::string_view text,
                                    absl::string_view user, uint32_t uid) {
  const std::string number = absl::StrCat(uid);
  std::vector<SubIdRange> out;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() != 3) continue;
    if ((user.empty() || fields[0] != user) && fields[0] != number) continue;
    SubIdRange range;
    if (!absl::SimpleAtoi(fields[1], &range.start) ||
        !absl::SimpleAtoi(absl::StripAsciiWhitespace(fields[2]),
                          &range.count) ||
        range.count == 0 || range.start > UINT32_MAX - range.count) {
      continue;
    }
    out.push_back(range);
  }
  return out;
}

bool IsInitialUidMap(absl::string_view uid_map) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::StripAsciiWhitespace(uid_map),
                     absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  return fields.size() == 3 && fields[0] == "0" && fields[1] == "0" &&
         fields[2] == "4294967295";
}

absl::StatusOr<HostFacts> ProbeHostFacts() {
  HostFacts facts;
  struct utsname names;
  if (uname(&names) != 0) return SyscallError(errno, "host.probe", "uname");
  facts.kernel = ParseKernelRelease(names.release);
  facts.uid = geteuid();
  facts.gid = getegid();
  CK_ASSIGN_OR_RETURN(
      const std::string status,
      sys::ReadFileAt(AT_FDCWD, "/proc/self/status", kMaxFileBytes));
  facts.effective_caps = HexField(status, "CapEff");
  facts.bounding_caps = HexField(status, "CapBnd");
  facts.in_user_namespace = !IsInitialUidMap(ReadOrEmpty("/proc/self/uid_map"));
  CK_ASSIGN_OR_RETURN(facts.cgroups, sys::ProbeCgroupLayout());
  facts.swap_limit = HasSwapLimit(facts.cgroups);
  ProbeThermalThrottle(facts);
  ProbeLimits(facts);
  ProbeIdRanges(facts);
  ProbeSecurity(facts);
  return facts;
}

}  // namespace containerkit::runtime
