#include "lib/runtime/users.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutation.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

constexpr uint64_t kMaxId = 0x7fffffff;
constexpr size_t kMaxName = 256;

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kInvalidArgument, "user.resolve", message);
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

// The id that `text` is; nullopt if it is a name.
absl::StatusOr<std::optional<uint32_t>> ParseId(absl::string_view text,
                                                absl::string_view what) {
  if (text.empty() || text.size() > kMaxName || HasControl(text)) {
    return Invalid(absl::StrCat("empty, long or odd ", what));
  }
  // "-1" and "+1" are no names that anything else would understand.
  if (!IsDigits(text)) {
    if (text[0] == '-' || text[0] == '+') {
      return Invalid(absl::StrCat(what, " \"", text, "\""));
    }
    return std::optional<uint32_t>();
  }
  uint64_t id = 0;
  if (!absl::SimpleAtoi(text, &id) || (id > kMaxId && !Mutated("R16"))) {
    return Invalid(absl::StrCat(what, " ", text, " is not below 2^31"));
  }
  return std::optional<uint32_t>(static_cast<uint32_t>(id));
}

// Calls visit(fields) for every usable line until it returns true.
template <typename Visit>
void ForEachLine(const std::optional<std::string>& file, size_t fields,
                 Visit visit) {
  if (!file.has_value()) return;
  for (absl::string_view line : absl::StrSplit(*file, '\n')) {
    if (line.empty() || line[0] == '#' || line.size() > kMaxUserFileLine) {
      continue;
    }
    const std::vector<absl::string_view> parts = absl::StrSplit(line, ':');
    if (parts.size() < fields || parts[0].empty()) continue;
    if (visit(parts)) return;
  }
}

bool FileId(absl::string_view text, uint32_t& id) {
  return IsDigits(text) && absl::SimpleAtoi(text, &id) && id <= kMaxId;
}

struct Account {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

// The first entry of the name, or (with `uid`) of the id.
std::optional<Account> FindAccount(const std::optional<std::string>& passwd,
                                   absl::string_view name,
                                   std::optional<uint32_t> uid) {
  std::optional<Account> found;
  ForEachLine(passwd, 4, [&](const std::vector<absl::string_view>& fields) {
    Account account;
    if (!FileId(fields[2], account.uid) || !FileId(fields[3], account.gid)) {
      return false;
    }
    if (uid.has_value() ? account.uid != *uid : fields[0] != name) {
      return false;
    }
    account.name = std::string(fields[0]);
    if (fields.size() > 5 && !HasControl(fields[5])) {
      account.home = std::string(fields[5]);
    }
    found = std::move(account);
    return true;
  });
  return found;
}

absl::StatusOr<uint32_t> FindGroup(const std::optional<std::string>& group,
                                   absl::string_view text) {
  CK_ASSIGN_OR_RETURN(const std::optional<uint32_t> id, ParseId(text, "group"));
  if (id.has_value()) return *id;
  std::optional<uint32_t> found;
  ForEachLine(group, 3, [&](const std::vector<absl::string_view>& fields) {
    uint32_t gid = 0;
    if (fields[0] != text || !FileId(fields[2], gid)) return false;
    found = gid;
    return true;
  });
  if (found.has_value()) return *found;
  return NotFound(
      Reason::kGroupNotFound, "user.resolve",
      absl::StrCat("no group ", text, " in the image's /etc/group"));
}

void AddGid(std::vector<uint32_t>& gids, uint32_t gid) {
  if (std::find(gids.begin(), gids.end(), gid) == gids.end()) {
    gids.push_back(gid);
  }
}

// Groups that list the user as a member.
void AddMemberships(const std::optional<std::string>& group,
                    absl::string_view name, std::vector<uint32_t>& gids) {
  // The kernel's limit (NGROUPS_MAX).
  constexpr size_t kMaxGroups = 65536;
  if (name.empty()) return;
  ForEachLine(group, 4, [&](const std::vector<absl::string_view>& fields) {
    uint32_t gid = 0;
    if (!FileId(fields[2], gid)) return false;
    for (absl::string_view member : absl::StrSplit(fields[3], ',')) {
      if (member == name) AddGid(gids, gid);
    }
    return gids.size() >= kMaxGroups;
  });
}

absl::Status CheckSize(const std::optional<std::string>& file,
                       absl::string_view name) {
  if (file.has_value() && file->size() > kMaxUserFileBytes) {
    return InvalidArgument(Reason::kLimitExceeded, "user.resolve",
                           absl::StrCat(name, " of the image is too large"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ResolvedUser> ResolveUser(
    absl::string_view user, const std::optional<std::string>& passwd,
    const std::optional<std::string>& group,
    const std::vector<std::string>& group_add) {
  CK_RETURN_IF_ERROR(CheckSize(passwd, "/etc/passwd"));
  CK_RETURN_IF_ERROR(CheckSize(group, "/etc/group"));
  const std::vector<absl::string_view> parts = absl::StrSplit(user, ':');
  if (parts.size() > 2) {
    return Invalid(absl::StrCat("user \"", user, "\" has two colons"));
  }
  ResolvedUser out;
  const absl::string_view name = parts[0].empty() ? "0" : parts[0];
  CK_ASSIGN_OR_RETURN(const std::optional<uint32_t> uid, ParseId(name, "user"));
  const std::optional<Account> account = FindAccount(passwd, name, uid);
  if (account.has_value()) {
    out.uid = account->uid;
    out.gid = account->gid;
    out.name = account->name;
    if (!account->home.empty()) out.home = account->home;
  } else if (uid.has_value()) {
    out.uid = *uid;
  } else {
    return NotFound(
        Reason::kUserNotFound, "user.resolve",
        absl::StrCat("no user ", name, " in the image's /etc/passwd"));
  }
  const bool group_given = parts.size() == 2 && !parts[1].empty();
  if (group_given) {
    CK_ASSIGN_OR_RETURN(out.gid, FindGroup(group, parts[1]));
  }
  if constexpr (!Mutated("R15")) AddGid(out.additional_gids, out.gid);
  if (!group_given) AddMemberships(group, out.name, out.additional_gids);
  for (const std::string& extra : group_add) {
    CK_ASSIGN_OR_RETURN(const uint32_t gid, FindGroup(group, extra));
    AddGid(out.additional_gids, gid);
  }
  return out;
}

}  // namespace containerkit::runtime
