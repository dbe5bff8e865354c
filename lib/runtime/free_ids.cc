#include "lib/runtime/free_ids.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace containerkit::runtime {
namespace {

constexpr uint32_t kLeastIds = 1024;
constexpr uint32_t kNobody = 65534;
constexpr uint32_t kLastId = 0xfffffffe;

// Raises `count` by the ids in the `columns` columns from the third on.
void CountColumns(const std::optional<std::string>& file, size_t columns,
                  uint32_t& count) {
  if (!file.has_value()) return;
  for (const absl::string_view line : absl::StrSplit(*file, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    for (size_t i = 2; i < 2 + columns && i < fields.size(); ++i) {
      uint32_t id = 0;
      if (absl::SimpleAtoi(fields[i], &id) && id < kNobody) {
        count = std::max(count, id + 1);
      }
    }
  }
}

uint64_t EndOf(const SubIdRange& range) {
  return uint64_t{range.start} + range.count;
}

}  // namespace

uint32_t CountNeededIds(const std::optional<std::string>& passwd,
                        const std::optional<std::string>& group,
                        const std::vector<std::string>& users) {
  uint32_t count = kLeastIds;
  CountColumns(passwd, 2, count);
  CountColumns(group, 1, count);
  for (const std::string& user : users) {
    for (const absl::string_view text : absl::StrSplit(user, ':')) {
      uint32_t id = 0;
      if (absl::SimpleAtoi(text, &id) && id < kLastId) {
        count = std::max(count, id + 1);
      }
    }
  }
  return count;
}

std::optional<uint32_t> FindFreeIds(const std::vector<SubIdRange>& pool,
                                    const std::vector<SubIdRange>& taken,
                                    uint32_t count) {
  std::optional<uint32_t> lowest;
  for (const SubIdRange& range : pool) {
    uint64_t start = range.start;
    for (bool moved = true; moved;) {
      moved = false;
      for (const SubIdRange& other : taken) {
        if (start < EndOf(other) && other.start < start + count) {
          start = EndOf(other);
          moved = true;
        }
      }
    }
    if (start + count <= EndOf(range) &&
        (!lowest.has_value() || start < *lowest)) {
      lowest = static_cast<uint32_t>(start);
    }
  }
  return lowest;
}

}  // namespace containerkit::runtime
