#include "lib/runtime/spawner_image.h"

extern "C" {
extern const char ck_helper_image[];
extern const char ck_helper_image_end[];
}

namespace containerkit::runtime {

absl::string_view HelperImage() noexcept {
  return absl::string_view(
      ck_helper_image,
      static_cast<size_t>(ck_helper_image_end - ck_helper_image));
}

}  // namespace containerkit::runtime
