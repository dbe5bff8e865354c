// The values of -v, --mount and --tmpfs.
//
// Errors of all: INVALID_ARGUMENT with docker's words. Named and anonymous
// volumes are refused.
#ifndef CONTAINERKIT_EXAMPLES_CLI_MOUNT_OPTION_H_
#define CONTAINERKIT_EXAMPLES_CLI_MOUNT_OPTION_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"

namespace containerkit::cli {

// "HOST:CONTAINER[:OPTIONS]".
absl::StatusOr<BindMountConfig> ParseVolumeOption(absl::string_view text);

// "PATH[:OPTIONS]", options as mount(8) writes them.
absl::StatusOr<TmpfsMountConfig> ParseTmpfsOption(absl::string_view text);

// "type=bind,source=/a,target=/b,readonly", fields as CSV.
absl::StatusOr<std::variant<BindMountConfig, TmpfsMountConfig>>
ParseMountOption(absl::string_view text);

// One line of CSV (RFC 4180).
absl::StatusOr<std::vector<std::string>> SplitCsv(absl::string_view text);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_MOUNT_OPTION_H_
