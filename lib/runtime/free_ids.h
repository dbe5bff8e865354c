// Ranges of ids for user namespaces that have nothing in common.
#ifndef CONTAINERKIT_LIB_RUNTIME_FREE_IDS_H_
#define CONTAINERKIT_LIB_RUNTIME_FREE_IDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/runtime/host_facts.h"

namespace containerkit::runtime {

// How many ids an image needs, from 0 on: those of its passwd and group files
// and of `users` ("1000", "1000:1000", decimal gids; names are in the files),
// at least 1024. Nobody (65534) and what is above count only in `users`.
//
// Trust: the files are the image's; lines that make no sense are skipped.
uint32_t CountNeededIds(const std::optional<std::string>& passwd,
                        const std::optional<std::string>& group,
                        const std::vector<std::string>& users);

// The first id of the lowest `count` ones in a row of `pool` that are not in
// `taken`; nullopt if there are none.
std::optional<uint32_t> FindFreeIds(const std::vector<SubIdRange>& pool,
                                    const std::vector<SubIdRange>& taken,
                                    uint32_t count);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_FREE_IDS_H_
