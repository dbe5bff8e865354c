#include "lib/runtime/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

namespace containerkit::runtime {
namespace {

enum class Kind {
  kNothing,     // the kernel's default, or without a meaning today
  kSet,         // sets attr
  kClear,       // clears attr
  kTime,        // one of the exclusive access time modes
  kSuperBlock,  // for the file system's super block, not for bind mounts
  kBind,
  kRecursiveBind,
  kRemount,
  kPropagation,
  kCopyUp,
  kNoFollow,
  kIdMap,
  kIdMapTree,
};

struct Option {
  absl::string_view name;
  Kind kind;
  uint64_t value;
  bool has_tree_form;  // "rNAME" does it to the whole tree
};

constexpr uint64_t kRelatime = MOUNT_ATTR_RELATIME;

constexpr Option kOptions[] = {
    {"acl", Kind::kSuperBlock, 0, false},
    {"async", Kind::kSuperBlock, 0, false},
    {"atime", Kind::kTime, kRelatime, true},
    {"bind", Kind::kBind, 0, false},
    {"copy-symlink", Kind::kNoFollow, 0, false},
    {"defaults", Kind::kNothing, 0, false},
    {"dev", Kind::kClear, MOUNT_ATTR_NODEV, true},
    {"diratime", Kind::kClear, MOUNT_ATTR_NODIRATIME, true},
    {"dirsync", Kind::kSuperBlock, 0, false},
    {"exec", Kind::kClear, MOUNT_ATTR_NOEXEC, true},
    {"idmap", Kind::kIdMap, 0, false},
    {"iversion", Kind::kSuperBlock, 0, false},
    {"lazytime", Kind::kSuperBlock, 0, false},
    {"loud", Kind::kNothing, 0, false},
    {"mand", Kind::kSuperBlock, 0, false},
    {"noatime", Kind::kTime, MOUNT_ATTR_NOATIME, true},
    {"nodev", Kind::kSet, MOUNT_ATTR_NODEV, true},
    {"nodiratime", Kind::kSet, MOUNT_ATTR_NODIRATIME, true},
    {"noexec", Kind::kSet, MOUNT_ATTR_NOEXEC, true},
    {"noiversion", Kind::kSuperBlock, 0, false},
    {"nolazytime", Kind::kSuperBlock, 0, false},
    {"nomand", Kind::kSuperBlock, 0, false},
    {"norelatime", Kind::kNothing, 0, true},
    {"nostrictatime", Kind::kTime, kRelatime, true},
    {"nosuid", Kind::kSet, MOUNT_ATTR_NOSUID, true},
    {"nosymfollow", Kind::kSet, MOUNT_ATTR_NOSYMFOLLOW, true},
    {"private", Kind::kPropagation, MS_PRIVATE, false},
    {"rbind", Kind::kRecursiveBind, 0, false},
    {"relatime", Kind::kTime, kRelatime, true},
    {"remount", Kind::kRemount, 0, false},
    {"ridmap", Kind::kIdMapTree, 0, false},
    {"ro", Kind::kSet, MOUNT_ATTR_RDONLY, true},
    {"rprivate", Kind::kPropagation, MS_PRIVATE | MS_REC, false},
    {"rshared", Kind::kPropagation, MS_SHARED | MS_REC, false},
    {"rslave", Kind::kPropagation, MS_SLAVE | MS_REC, false},
    {"runbindable", Kind::kPropagation, MS_UNBINDABLE | MS_REC, false},
    {"rw", Kind::kClear, MOUNT_ATTR_RDONLY, true},
    {"shared", Kind::kPropagation, MS_SHARED, false},
    {"silent", Kind::kNothing, 0, false},
    {"slave", Kind::kPropagation, MS_SLAVE, false},
    {"src-nofollow", Kind::kNoFollow, 0, false},
    {"strictatime", Kind::kTime, MOUNT_ATTR_STRICTATIME, true},
    {"suid", Kind::kClear, MOUNT_ATTR_NOSUID, true},
    {"symfollow", Kind::kClear, MOUNT_ATTR_NOSYMFOLLOW, true},
    {"sync", Kind::kSuperBlock, 0, false},
    {"tmpcopyup", Kind::kCopyUp, 0, false},
    {"unbindable", Kind::kPropagation, MS_UNBINDABLE, false},
};

const Option* Find(absl::string_view name) {
  for (const Option& option : kOptions) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

void Attribute(const Option& option, uint64_t& set, uint64_t& clear) {
  switch (option.kind) {
    case Kind::kSet:
      set |= option.value;
      clear &= ~option.value;
      break;
    case Kind::kClear:
      set &= ~option.value;
      clear |= option.value;
      break;
    case Kind::kTime:
      set = (set & ~uint64_t{MOUNT_ATTR__ATIME}) | option.value;
      clear |= MOUNT_ATTR__ATIME;
      break;
    default:
      break;
  }
}

void Apply(const Option& option, absl::string_view text, MountOptions& out) {
  switch (option.kind) {
    case Kind::kNothing:
      break;
    case Kind::kSet:
    case Kind::kClear:
    case Kind::kTime:
      Attribute(option, out.attr_set, out.attr_clear);
      break;
    case Kind::kSuperBlock:
      out.data.emplace_back(text);
      break;
    case Kind::kRecursiveBind:
      out.recursive = true;
      out.bind = true;
      break;
    case Kind::kBind:
      out.bind = true;
      break;
    case Kind::kRemount:
      out.remount = true;
      break;
    case Kind::kPropagation:
      out.propagation.push_back(option.value);
      break;
    case Kind::kCopyUp:
      out.copy_up = true;
      break;
    case Kind::kNoFollow:
      out.no_follow_source = true;
      break;
    case Kind::kIdMapTree:
      out.id_mapped_tree = true;
      out.id_mapped = true;
      break;
    case Kind::kIdMap:
      out.id_mapped = true;
      break;
  }
}

}  // namespace

MountOptions ParseMountOptions(const std::vector<std::string>& options) {
  MountOptions out;
  for (const std::string& text : options) {
    if (const Option* option = Find(text)) {
      Apply(*option, text, out);
      continue;
    }
    if (absl::StartsWith(text, "r")) {
      const Option* option = Find(absl::string_view(text).substr(1));
      if (option != nullptr && option->has_tree_form) {
        Attribute(*option, out.tree_set, out.tree_clear);
        continue;
      }
    }
    if (!text.empty()) out.data.push_back(text);
  }
  return out;
}

std::vector<std::string> KnownMountOptions() {
  std::vector<std::string> out;
  for (const Option& option : kOptions) {
    out.emplace_back(option.name);
    if (option.has_tree_form) out.push_back("r" + std::string(option.name));
  }
  return out;
}

uint64_t PropagationFlag(absl::string_view name) {
  const Option* option = Find(name);
  return option != nullptr && option->kind == Kind::kPropagation ? option->value
                                                                 : 0;
}

}  // namespace containerkit::runtime
