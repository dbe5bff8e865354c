// What is behind strings, lists, maps and filters; conversions.
#ifndef CONTAINERKIT_CAPI_SRC_STRINGS_H_
#define CONTAINERKIT_CAPI_SRC_STRINGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "capi/src/handle.h"
#include "containerkit/c/strings.h"

namespace containerkit::capi {

using StringList = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;
using Filters = std::multimap<std::string, std::string>;

// Sorted by name, with positions.
struct StringMapPayload {
  std::vector<std::pair<std::string, std::string>> entries;
};

CK_HANDLE_TRAITS(ck_string, std::string, kString);
CK_HANDLE_TRAITS(ck_string_list, StringList, kStringList);
CK_HANDLE_TRAITS(ck_string_map, StringMapPayload, kStringMap);
CK_HANDLE_TRAITS(ck_filters, Filters, kFilters);

Owned<ck_string> MakeString(std::string text);
Owned<ck_string_list> MakeStringList(StringList list);
Owned<ck_string_map> MakeStringMap(StringMap map);

// "" for NULL.
std::string ToString(const char* text);
// The list must have passed CheckStrings().
StringList ToList(const char* const* list, size_t count);
// Errors: INVALID_ARGUMENT unless it is NULL (none) or live.
absl::StatusOr<Filters> FiltersOf(const ck_filters* filters);

// CK_FOREVER and other negative values: infinite.
absl::Duration ToDuration(int64_t ns);
// 0 for the infinite past and the epoch; the largest for the infinite future.
int64_t ToUnixNs(absl::Time time);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_STRINGS_H_
