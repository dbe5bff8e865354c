// docker import --change: Dockerfile instructions that edit an image config.
#ifndef CONTAINERKIT_LIB_IMAGE_CONFIG_CHANGES_H_
#define CONTAINERKIT_LIB_IMAGE_CONFIG_CHANGES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/oci/image_config.h"

namespace containerkit::image {

// Applies one instruction: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,
// ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, in its JSON or its plain form.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument.
absl::Status ApplyChange(absl::string_view instruction,
                         oci::ImageRunConfig& config);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_CONFIG_CHANGES_H_
