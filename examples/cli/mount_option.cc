#include "examples/cli/mount_option.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "examples/cli/status_util.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

using Mount = std::variant<BindMountConfig, TmpfsMountConfig>;

absl::Status Bad(absl::string_view message) {
  return absl::InvalidArgumentError(message);
}

constexpr std::pair<absl::string_view, MountPropagation> kPropagations[] = {
    {"rprivate", MountPropagation::kRprivate},
    {"private", MountPropagation::kPrivate},
    {"rshared", MountPropagation::kRshared},
    {"shared", MountPropagation::kShared},
    {"rslave", MountPropagation::kRslave},
    {"slave", MountPropagation::kSlave},
};

bool ParsePropagation(absl::string_view text, MountPropagation* propagation) {
  for (const auto& [name, value] : kPropagations) {
    if (name != text) continue;
    *propagation = value;
    return true;
  }
  return false;
}

// A host path that starts with "." is relative to where ck runs.
std::string AbsoluteSource(absl::string_view path) {
  if (!absl::StartsWith(path, ".")) return std::string(path);
  char buffer[4096];
  if (getcwd(buffer, sizeof(buffer)) == nullptr) return std::string(path);
  absl::ConsumePrefix(&path, "./");
  return path == "." ? std::string(buffer) : absl::StrCat(buffer, "/", path);
}

absl::StatusOr<uint32_t> ParseMode(absl::string_view text) {
  uint32_t mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7' || mode > 07777) {
      return Bad(absl::StrCat("invalid value for tmpfs-mode: ", text));
    }
    mode = mode * 8 + static_cast<uint32_t>(c - '0');
  }
  if (text.empty() || mode > 07777) {
    return Bad(absl::StrCat("invalid value for tmpfs-mode: ", text));
  }
  return mode;
}

absl::StatusOr<bool> ParseSwitch(absl::string_view key,
                                 std::optional<absl::string_view> value) {
  if (!value.has_value() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return Bad(absl::StrCat("invalid value for '", key,
                          "': invalid boolean value (\"", *value,
                          "\"): must be one of \"true\", \"1\", \"false\", or "
                          "\"0\" (default \"true\")"));
}

// What --mount says, before it is known which type it is.
struct MountFields {
  std::string type = "volume";
  BindMountConfig bind;
  TmpfsMountConfig tmpfs;
  bool readonly = false;
  bool has_propagation = false;
  std::string families[3];  // the first bind-, tmpfs- or other key seen
};

enum Family { kBindFamily, kTmpfsFamily, kOtherFamily };

absl::Status ApplyBindField(absl::string_view key,
                            std::optional<absl::string_view> value,
                            MountFields& fields) {
  if (key == "bind-propagation") {
    fields.has_propagation = true;
    if (ParsePropagation(value.value_or(""), &fields.bind.propagation)) {
      return absl::OkStatus();
    }
    return Bad(absl::StrCat("invalid propagation mode: ", value.value_or("")));
  }
  if (key == "bind-create-src") {
    CLI_ASSIGN_OR_RETURN(fields.bind.create_source, ParseSwitch(key, value));
    return absl::OkStatus();
  }
  using Recursive = BindMountConfig::Recursive;
  if (key == "bind-nonrecursive") {
    CLI_ASSIGN_OR_RETURN(const bool on, ParseSwitch(key, value));
    if (on) fields.bind.recursive = Recursive::kDisabled;
    return absl::OkStatus();
  }
  for (const auto& [name, recursive] :
       {std::pair{"enabled", Recursive::kEnabled},
        std::pair{"disabled", Recursive::kDisabled},
        std::pair{"writable", Recursive::kWritable},
        std::pair{"readonly", Recursive::kReadonly}}) {
    if (value != name) continue;
    fields.bind.recursive = recursive;
    return absl::OkStatus();
  }
  return Bad(absl::StrCat(
      "invalid value for bind-recursive: ", value.value_or(""),
      " (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"));
}

absl::Status ApplyTmpfsField(absl::string_view key,
                             std::optional<absl::string_view> value,
                             MountFields& fields) {
  if (key == "tmpfs-mode") {
    CLI_ASSIGN_OR_RETURN(fields.tmpfs.mode, ParseMode(value.value_or("")));
    return absl::OkStatus();
  }
  const absl::StatusOr<int64_t> bytes = ParseBytes(value.value_or(""));
  if (!bytes.ok()) {
    return Bad(
        absl::StrCat("invalid value for tmpfs-size: ", value.value_or("")));
  }
  fields.tmpfs.size_bytes = static_cast<uint64_t>(*bytes);
  return absl::OkStatus();
}

absl::Status ApplyMountField(const std::string& field, MountFields& fields) {
  const std::pair<absl::string_view, absl::string_view> halves =
      absl::StrSplit(field, absl::MaxSplits('=', 1));
  const std::string key = absl::AsciiStrToLower(halves.first);
  std::optional<absl::string_view> value;
  if (absl::StrContains(field, "=")) value = halves.second;
  const bool alone = key == "readonly" || key == "ro" ||
                     key == "bind-nonrecursive" || key == "bind-create-src" ||
                     key == "volume-nocopy";
  if (!value.has_value() && !alone) {
    return Bad(
        absl::StrCat("invalid field '", field, "' must be a key=value pair"));
  }
  if (key == "type") {
    fields.type = absl::AsciiStrToLower(*value);
  } else if (key == "source" || key == "src") {
    fields.bind.source = AbsoluteSource(*value);
  } else if (key == "target" || key == "dst" || key == "destination") {
    fields.bind.target = std::string(*value);
  } else if (key == "readonly" || key == "ro") {
    CLI_ASSIGN_OR_RETURN(fields.readonly, ParseSwitch(key, value));
  } else if (key == "consistency") {
    // Means something on macOS only.
  } else if (key == "bind-propagation" || key == "bind-create-src" ||
             key == "bind-nonrecursive" || key == "bind-recursive") {
    fields.families[kBindFamily] = key;
    return ApplyBindField(key, value, fields);
  } else if (key == "tmpfs-mode" || key == "tmpfs-size") {
    fields.families[kTmpfsFamily] = key;
    return ApplyTmpfsField(key, value, fields);
  } else if (absl::StartsWith(key, "volume-") ||
             absl::StartsWith(key, "image-")) {
    fields.families[kOtherFamily] = key;
  } else {
    return Bad(absl::StrCat("unexpected key '", key, "' in '", field, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Mount> FinishBind(MountFields& fields) {
  if (fields.bind.source.empty()) return Bad("source is required");
  if (fields.bind.source[0] != '/') {
    return Bad(absl::StrCat("invalid mount path: '", fields.bind.source,
                            "' mount path must be absolute"));
  }
  if (fields.bind.recursive == BindMountConfig::Recursive::kReadonly) {
    if (!fields.readonly) {
      return Bad(
          "option 'bind-recursive=readonly' requires 'readonly' to be "
          "specified in conjunction");
    }
    if (!fields.has_propagation ||
        fields.bind.propagation != MountPropagation::kRprivate) {
      return Bad(
          "option 'bind-recursive=readonly' requires "
          "'bind-propagation=rprivate' to be specified in conjunction");
    }
  }
  if (fields.bind.recursive == BindMountConfig::Recursive::kWritable &&
      !fields.readonly) {
    return Bad(
        "option 'bind-recursive=writable' requires 'readonly' to be specified "
        "in conjunction");
  }
  fields.bind.readonly = fields.readonly;
  return Mount(std::move(fields.bind));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitCsv(absl::string_view text) {
  std::vector<std::string> fields(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      fields.emplace_back();
    } else if (text[i] == '"' && fields.back().empty()) {
      for (++i;; ++i) {
        if (i >= text.size()) {
          return Bad(
              "parse error on line 1: extraneous or missing \" in "
              "quoted-field");
        }
        if (text[i] != '"') {
          fields.back().push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          fields.back().push_back(text[i++]);
        } else {
          break;
        }
      }
      if (i + 1 < text.size() && text[i + 1] != ',') {
        return Bad(
            "parse error on line 1: extraneous or missing \" in "
            "quoted-field");
      }
    } else if (text[i] == '"') {
      return Bad("parse error on line 1: bare \" in non-quoted-field");
    } else {
      fields.back().push_back(text[i]);
    }
  }
  return fields;
}

absl::StatusOr<BindMountConfig> ParseVolumeOption(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() > 3) {
    return Bad(absl::StrCat("invalid spec: ", text, ": too many colons"));
  }
  for (const absl::string_view part : parts) {
    if (part.empty()) {
      return Bad(absl::StrCat("invalid spec: ", text,
                              ": empty section between colons"));
    }
  }
  if (parts.size() == 1) {
    return Bad(
        absl::StrCat("anonymous volumes are not available in this "
                     "version of ck: ",
                     text));
  }
  BindMountConfig mount;
  mount.source = AbsoluteSource(parts[0]);
  mount.target = std::string(parts[1]);
  mount.create_source = true;
  if (mount.source[0] != '/') {
    return Bad(
        absl::StrCat("named volumes are not available in this version "
                     "of ck: ",
                     parts[0]));
  }
  if (mount.target[0] != '/') {
    return Bad(absl::StrCat("invalid volume specification: '", text,
                            "': invalid mount config for type \"bind\": "
                            "invalid mount path: '",
                            mount.target, "' mount path must be absolute"));
  }
  if (parts.size() < 3) return mount;
  for (const absl::string_view option : absl::StrSplit(parts[2], ',')) {
    if (option == "ro" || option == "readonly") {
      mount.readonly = true;
    } else if (option == "rw" || option == "z" || option == "Z" ||
               option == "nocopy" || option == "cached" ||
               option == "delegated" || option == "consistent") {
      // Said by default, or without effect here.
    } else if (option == "bind-nonrecursive") {
      mount.recursive = BindMountConfig::Recursive::kDisabled;
    } else if (!ParsePropagation(option, &mount.propagation)) {
      return Bad(absl::StrCat("invalid mode: ", parts[2]));
    }
  }
  return mount;
}

absl::StatusOr<TmpfsMountConfig> ParseTmpfsOption(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> halves =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  TmpfsMountConfig mount;
  mount.target = std::string(halves.first);
  if (mount.target.empty() || mount.target[0] != '/') {
    return Bad(absl::StrCat("invalid tmpfs path: '", halves.first,
                            "': must be an absolute path"));
  }
  for (absl::string_view option :
       absl::StrSplit(halves.second, ',', absl::SkipEmpty())) {
    if (option == "ro") {
      mount.readonly = true;
    } else if (option == "rw") {
      mount.readonly = false;
    } else if (absl::StartsWith(option, "mode=")) {
      CLI_ASSIGN_OR_RETURN(mount.mode, ParseMode(option.substr(5)));
    } else if (absl::StartsWith(option, "size=") &&
               !absl::EndsWith(option, "%")) {
      CLI_ASSIGN_OR_RETURN(const int64_t bytes, ParseBytes(option.substr(5)));
      mount.size_bytes = static_cast<uint64_t>(bytes);
    } else {
      mount.options.emplace_back(option);
    }
  }
  return mount;
}

absl::StatusOr<Mount> ParseMountOption(absl::string_view text) {
  CLI_ASSIGN_OR_RETURN(const std::vector<std::string> list,
                       SplitCsv(absl::StripAsciiWhitespace(text)));
  MountFields fields;
  for (const std::string& field : list) {
    CLI_RETURN_IF_ERROR(ApplyMountField(field, fields));
  }
  if (fields.type.empty()) return Bad("type is required");
  if (fields.bind.target.empty()) return Bad("target is required");
  const Family own = fields.type == "bind"    ? kBindFamily
                     : fields.type == "tmpfs" ? kTmpfsFamily
                                              : kOtherFamily;
  for (const Family family : {kBindFamily, kTmpfsFamily, kOtherFamily}) {
    if (family == own || fields.families[family].empty()) continue;
    const absl::string_view key = fields.families[family];
    return Bad(absl::StrCat("cannot mix '", key.substr(0, key.find('-')),
                            "-*' options with mount type '", fields.type, "'"));
  }
  if (fields.bind.target[0] != '/') {
    return Bad(absl::StrCat("invalid mount path: '", fields.bind.target,
                            "' mount path must be absolute"));
  }
  if (own == kBindFamily) return FinishBind(fields);
  if (own == kTmpfsFamily) {
    if (!fields.bind.source.empty()) {
      return Bad("cannot specify source with mount type 'tmpfs'");
    }
    fields.tmpfs.target = fields.bind.target;
    fields.tmpfs.readonly = fields.readonly;
    return Mount(std::move(fields.tmpfs));
  }
  return Bad(absl::StrCat("mount type '", fields.type,
                          "' is not available in this version of ck: use "
                          "type=bind or type=tmpfs"));
}

}  // namespace containerkit::cli
