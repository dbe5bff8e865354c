// Words that both directions of docker_json need.
#ifndef CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_NAMES_H_
#define CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_NAMES_H_

#include <array>
#include <utility>

#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"

namespace containerkit::container::internal {

template <typename T, size_t N>
using NameTable = std::array<std::pair<T, absl::string_view>, N>;

inline constexpr NameTable<NamespaceChoice::Kind, 6> kNamespaceNames = {{
    {NamespaceChoice::Kind::kDefault, ""},
    {NamespaceChoice::Kind::kPrivate, "private"},
    {NamespaceChoice::Kind::kShareable, "shareable"},
    {NamespaceChoice::Kind::kHost, "host"},
    {NamespaceChoice::Kind::kContainer, "container:"},
    {NamespaceChoice::Kind::kNone, "none"},
}};

inline constexpr NameTable<UserNamespaceChoice::Kind, 4> kUserNamespaceNames = {
    {
        {UserNamespaceChoice::Kind::kDefault, ""},
        {UserNamespaceChoice::Kind::kHost, "host"},
        {UserNamespaceChoice::Kind::kAuto, "auto"},
        {UserNamespaceChoice::Kind::kMapped, "mapped"},
    }};

inline constexpr NameTable<MountPropagation, 6> kPropagationNames = {{
    {MountPropagation::kRprivate, "rprivate"},
    {MountPropagation::kPrivate, "private"},
    {MountPropagation::kRshared, "rshared"},
    {MountPropagation::kShared, "shared"},
    {MountPropagation::kRslave, "rslave"},
    {MountPropagation::kSlave, "slave"},
}};

inline constexpr NameTable<RestartConfig::Policy, 4> kRestartNames = {{
    {RestartConfig::Policy::kNo, "no"},
    {RestartConfig::Policy::kOnFailure, "on-failure"},
    {RestartConfig::Policy::kAlways, "always"},
    {RestartConfig::Policy::kUnlessStopped, "unless-stopped"},
}};

inline constexpr NameTable<LogConfig::Driver, 2> kLogDriverNames = {{
    {LogConfig::Driver::kJsonFile, "json-file"},
    {LogConfig::Driver::kNone, "none"},
}};

// Mount options that may stand in the third part of a Binds string.
inline constexpr absl::string_view kBindFlags[] = {
    "async",       "atime",    "dev",         "diratime",      "dirsync",
    "exec",        "mand",     "noatime",     "nodev",         "nodiratime",
    "noexec",      "nomand",   "norelatime",  "nostrictatime", "nosuid",
    "nosymfollow", "relatime", "strictatime", "suid",          "symfollow",
    "sync",
};

inline bool IsBindFlag(absl::string_view word) {
  for (const absl::string_view flag : kBindFlags) {
    if (word == flag) return true;
  }
  return false;
}

template <typename T, size_t N>
absl::string_view NameOf(const NameTable<T, N>& table, T value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "";
}

}  // namespace containerkit::container::internal

#endif  // CONTAINERKIT_LIB_CONTAINER_DOCKER_JSON_NAMES_H_
