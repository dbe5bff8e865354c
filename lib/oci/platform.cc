#include "lib/oci/platform.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

constexpr absl::string_view kKnownOs[] = {"linux",   "windows", "darwin",
                                          "freebsd", "netbsd",  "openbsd",
                                          "solaris", "wasip1",  "unknown"};
constexpr absl::string_view kKnownArch[] = {
    "386",     "amd64",   "arm",      "arm64",  "loong64",
    "mips",    "mips64",  "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x",    "wasm",   "unknown"};

template <typename List>
bool Contains(const List& list, absl::string_view word) {
  for (const absl::string_view known : list) {
    if (known == word) return true;
  }
  return false;
}

void NormalizeArch(std::string& arch, std::string& variant) {
  arch = absl::AsciiStrToLower(arch);
  variant = absl::AsciiStrToLower(variant);
  if (arch == "i386") {
    arch = "386";
  } else if (arch == "x86_64" || arch == "x86-64") {
    arch = "amd64";
  } else if (arch == "aarch64") {
    arch = "arm64";
  } else if (arch == "armhf") {
    arch = "arm";
    variant = "v7";
  } else if (arch == "armel") {
    arch = "arm";
    variant = "v6";
  }
  if (arch == "386") {
    variant.clear();
  } else if (arch == "amd64") {
    if (variant == "v1") variant.clear();
  } else if (arch == "arm64") {
    if (variant == "8" || variant == "v8" || variant == "v8.0") variant.clear();
  } else if (arch == "arm") {
    if (variant.empty() || variant == "7") variant = "v7";
    if (variant == "5" || variant == "6" || variant == "8") {
      variant.insert(0, "v");
    }
  }
}

// The variant as a number, for CPUs whose newer ones run older code: the
// empty variant is 1 (amd64) or 8 (arm64). nullopt: no such order.
std::optional<int> VariantLevel(const Platform& platform) {
  const bool ordered = platform.architecture == "amd64" ||
                       platform.architecture == "arm" ||
                       platform.architecture == "arm64";
  if (!ordered) return std::nullopt;
  if (platform.variant.empty()) {
    return platform.architecture == "arm64" ? 8 : 1;
  }
  if (platform.variant.size() == 2 && platform.variant[0] == 'v' &&
      absl::ascii_isdigit(platform.variant[1])) {
    return platform.variant[1] - '0';
  }
  return std::nullopt;
}

constexpr const char* HostArch() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "arm";
#elif defined(__i386__)
  return "386";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
  return "ppc64le";
#elif defined(__s390x__)
  return "s390x";
#elif defined(__riscv)
  return "riscv64";
#else
  return "unknown";
#endif
}

bool IsWord(absl::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '-' && c != '.') {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string Platform::ToString() const {
  return absl::StrCat(os, os.empty() || architecture.empty() ? "" : "/",
                      architecture, variant.empty() ? "" : "/", variant);
}

Platform HostPlatform() {
  return NormalizePlatform({.os = "linux", .architecture = HostArch()});
}

Platform NormalizePlatform(Platform platform) {
  platform.os = absl::AsciiStrToLower(platform.os);
  if (platform.os == "macos") platform.os = "darwin";
  NormalizeArch(platform.architecture, platform.variant);
  return platform;
}

absl::StatusOr<Platform> ParsePlatform(absl::string_view text) {
  const auto fail = [&](absl::string_view why) {
    return InvalidArgument(
        Reason::kInvalidArgument, "platform.parse",
        absl::StrCat("invalid platform \"",
                     absl::CHexEscape(text.substr(0, 80)), "\": ", why));
  };
  if (text.size() > 200) return fail("too long");
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  if (parts.size() > 3) return fail("want os[/arch[/variant]]");
  for (const std::string& part : parts) {
    if (!IsWord(part)) return fail("malformed word");
  }
  Platform platform = HostPlatform();
  if (parts.size() == 1) {
    Platform word =
        NormalizePlatform({.os = parts[0], .architecture = parts[0]});
    if (Contains(kKnownOs, word.os)) {
      platform.os = word.os;
    } else if (Contains(kKnownArch, word.architecture)) {
      platform.architecture = word.architecture;
      platform.variant = word.variant;
    } else {
      return fail("unknown operating system or architecture");
    }
    return platform;
  }
  platform.os = parts[0];
  platform.architecture = parts[1];
  platform.variant = parts.size() == 3 ? parts[2] : "";
  return NormalizePlatform(std::move(platform));
}

std::optional<int> MatchPlatform(const Platform& wanted_in,
                                 const Platform& offered_in) {
  const Platform wanted = NormalizePlatform(wanted_in);
  const Platform offered = NormalizePlatform(offered_in);
  if (wanted.os != offered.os || wanted.architecture != offered.architecture) {
    return std::nullopt;
  }
  if (!wanted.os_version.empty() && wanted.os_version != offered.os_version) {
    return std::nullopt;
  }
  if (wanted.variant == offered.variant) return 0;
  const std::optional<int> want = VariantLevel(wanted);
  const std::optional<int> have = VariantLevel(offered);
  if (!want.has_value() || !have.has_value() || *have > *want) {
    return std::nullopt;
  }
  return *want - *have;
}

}  // namespace containerkit::oci
