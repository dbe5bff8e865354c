// Docker's JSON for an image.
#ifndef CONTAINERKIT_LIB_IMAGE_INSPECT_JSON_H_
#define CONTAINERKIT_LIB_IMAGE_INSPECT_JSON_H_

#include <string>
#include <vector>

#include "containerkit/image.h"
#include "lib/oci/image_config.h"

namespace containerkit::image {

struct InspectInput {
  const ImageInfo& info;
  const oci::ImageConfig& config;
  // Top first.
  std::vector<std::string> lower_paths;
  // RFC 3339; empty: never tagged.
  std::string last_tag_time;
};

// The answer of GET /images/{name}/json, API 1.43.
std::string ImageInspectJson(const InspectInput& input);

}  // namespace containerkit::image

#endif  // CONTAINERKIT_LIB_IMAGE_INSPECT_JSON_H_
