#include "lib/runtime/capabilities.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

// By number (linux/capability.h).
constexpr std::array<absl::string_view, kCapabilityCount> kNames = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

constexpr CapabilityMask Bit(int number) { return CapabilityMask{1} << number; }

absl::Status Unknown(absl::string_view name) {
  return InvalidArgument(Reason::kCapabilityUnknown, "capability.parse",
                         absl::StrCat("unknown capability ", name));
}

bool IsAll(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "ALL") ||
         absl::EqualsIgnoreCase(name, "CAP_ALL");
}

// The union of the names; `has_all` tells whether "ALL" was among them.
absl::StatusOr<CapabilityMask> LooseMask(const std::vector<std::string>& names,
                                         bool& has_all) {
  CapabilityMask mask = 0;
  has_all = false;
  for (const std::string& name : names) {
    if (IsAll(name)) {
      has_all = true;
      continue;
    }
    const std::optional<int> number = CapabilityNumber(name);
    if (!number.has_value()) return Unknown(name);
    mask |= Bit(*number);
  }
  return mask;
}

}  // namespace

// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP
// NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP.
const CapabilityMask kDefaultCapabilities =
    Bit(0) | Bit(1) | Bit(3) | Bit(4) | Bit(5) | Bit(6) | Bit(7) | Bit(8) |
    Bit(10) | Bit(13) | Bit(18) | Bit(27) | Bit(29) | Bit(31);

absl::string_view CapabilityName(int number) {
  return number >= 0 && number < kCapabilityCount ? kNames[number] : "";
}

std::optional<int> CapabilityNumber(absl::string_view name) {
  for (int i = 0; i < kCapabilityCount; ++i) {
    if (absl::EqualsIgnoreCase(name, kNames[i]) ||
        absl::EqualsIgnoreCase(name, kNames[i].substr(4))) {
      return i;
    }
  }
  return std::nullopt;
}

std::vector<std::string> CapabilityNames(CapabilityMask mask) {
  std::vector<std::string> out;
  for (int i = 0; i < kCapabilityCount; ++i) {
    if ((mask & Bit(i)) != 0) out.emplace_back(kNames[i]);
  }
  return out;
}

absl::StatusOr<CapabilityMask> ParseCapabilities(
    const std::vector<std::string>& names) {
  CapabilityMask mask = 0;
  for (const std::string& name : names) {
    const std::optional<int> number =
        absl::StartsWith(name, "CAP_") ? CapabilityNumber(name) : std::nullopt;
    if (!number.has_value()) return Unknown(name);
    mask |= Bit(*number);
  }
  return mask;
}

absl::StatusOr<CapabilityMask> TweakCapabilities(
    CapabilityMask base, CapabilityMask all,
    const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  bool add_all = false;
  bool drop_all = false;
  CK_ASSIGN_OR_RETURN(const CapabilityMask added, LooseMask(add, add_all));
  CK_ASSIGN_OR_RETURN(const CapabilityMask dropped, LooseMask(drop, drop_all));
  if (add_all) return (all | added) & ~dropped;
  if (drop_all) return added;
  return (base & ~dropped) | added;
}

}  // namespace containerkit::runtime
