// The rows of `ck images` and `ck history`.
#ifndef CONTAINERKIT_EXAMPLES_CLI_IMAGE_ROWS_H_
#define CONTAINERKIT_EXAMPLES_CLI_IMAGE_ROWS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "containerkit/image.h"
#include "examples/cli/list_format.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

const ListSpec& ImageListSpec();
// The same with a DIGEST column.
const ListSpec& ImageDigestListSpec();
const ListSpec& HistoryListSpec();

// One row a name; an image without a name has one with "<none>". With
// `digests` a row for every digest of a repository.
std::vector<nlohmann::json> ImageRows(const ImageSummary& image, bool digests,
                                      bool truncate, absl::Time now);

struct HistoryRowOptions {
  std::string image_id;  // of the newest entry
  bool human = true;
  bool truncate = true;
  absl::Time now;
};
nlohmann::json HistoryRow(const ImageHistoryEntry& entry, bool newest,
                          const HistoryRowOptions& options);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_IMAGE_ROWS_H_
