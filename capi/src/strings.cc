#include "capi/src/strings.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "capi/src/guard.h"

namespace containerkit::capi {

Owned<ck_string> MakeString(std::string text) {
  return Owned<ck_string>(MakeHandle<ck_string>(std::move(text)));
}

Owned<ck_string_list> MakeStringList(StringList list) {
  return Owned<ck_string_list>(
      NewHandle<ck_string_list>(std::make_unique<StringList>(std::move(list))));
}

Owned<ck_string_map> MakeStringMap(StringMap map) {
  StringMapPayload payload;
  payload.entries.assign(std::make_move_iterator(map.begin()),
                         std::make_move_iterator(map.end()));
  return Owned<ck_string_map>(MakeHandle<ck_string_map>(std::move(payload)));
}

std::string ToString(const char* text) { return text == nullptr ? "" : text; }

StringList ToList(const char* const* list, size_t count) {
  return count == 0 ? StringList() : StringList(list, list + count);
}

absl::StatusOr<Filters> FiltersOf(const ck_filters* filters) {
  if (filters == nullptr) return Filters();
  CK_ASSIGN_OR_RETURN(Pinned<ck_filters> pinned, Pin(filters));
  return *pinned;
}

absl::Duration ToDuration(int64_t ns) {
  return ns < 0 ? absl::InfiniteDuration() : absl::Nanoseconds(ns);
}

int64_t ToUnixNs(absl::Time time) {
  if (time == absl::InfinitePast()) return 0;
  if (time == absl::InfiniteFuture()) {
    return std::numeric_limits<int64_t>::max();
  }
  return absl::ToUnixNanos(time);
}

}  // namespace containerkit::capi

using ::containerkit::capi::CheckString;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;

namespace {

template <typename P>
const char* EntryAt(const P& entries, size_t index, bool value) {
  if (index >= entries.size()) return nullptr;
  return value ? entries[index].second.c_str() : entries[index].first.c_str();
}

}  // namespace

CK_DEFINE_HANDLE(ck_string)
CK_DEFINE_STRING(ck_string, data, p)
CK_DEFINE_VALUE(ck_string, size, size_t, p.size())

CK_DEFINE_HANDLE(ck_string_list)
CK_DEFINE_VALUE(ck_string_list, size, size_t, p.size())

const char* ck_string_list_at(const ck_string_list* self, size_t index) {
  Pinned<ck_string_list> list(self);
  return list.ok() && index < list->size() ? (*list)[index].c_str() : nullptr;
}

CK_DEFINE_HANDLE(ck_string_map)
CK_DEFINE_VALUE(ck_string_map, size, size_t, p.entries.size())

const char* ck_string_map_name_at(const ck_string_map* self, size_t index) {
  Pinned<ck_string_map> map(self);
  return map.ok() ? EntryAt(map->entries, index, false) : nullptr;
}

const char* ck_string_map_value_at(const ck_string_map* self, size_t index) {
  Pinned<ck_string_map> map(self);
  return map.ok() ? EntryAt(map->entries, index, true) : nullptr;
}

const char* ck_string_map_get(const ck_string_map* self, const char* name) {
  Pinned<ck_string_map> map(self);
  if (!map.ok() || name == nullptr) return nullptr;
  const auto at = std::lower_bound(
      map->entries.begin(), map->entries.end(), name,
      [](const auto& entry, const char* key) { return entry.first < key; });
  return at != map->entries.end() && at->first == name ? at->second.c_str()
                                                       : nullptr;
}

CK_DEFINE_HANDLE(ck_filters)

ck_status ck_filters_create(ck_filters** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    *out = MakeHandle<ck_filters>();
    return absl::OkStatus();
  });
}

ck_status ck_filters_add(ck_filters* self, const char* name, const char* value,
                         ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_filters> filters, Pin(self));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_RETURN_IF_ERROR(CheckString(value, "value"));
    filters->emplace(name, value);
    return absl::OkStatus();
  });
}
