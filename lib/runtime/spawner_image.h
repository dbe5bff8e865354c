// The helper executable (lib/runtime/child), embedded.
#ifndef CONTAINERKIT_LIB_RUNTIME_SPAWNER_IMAGE_H_
#define CONTAINERKIT_LIB_RUNTIME_SPAWNER_IMAGE_H_

#include "absl/strings/string_view.h"

namespace containerkit::runtime {

// The bytes of a static ELF executable. Static storage.
absl::string_view HelperImage() noexcept;

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_SPAWNER_IMAGE_H_
