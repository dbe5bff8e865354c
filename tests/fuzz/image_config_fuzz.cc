// Image configs: what is accepted means the same after a round trip.
#include <stddef.h>
#include <stdint.h>

#include <string>

#include "absl/strings/string_view.h"
#include "lib/oci/image_config.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace oci = containerkit::oci;
  if (size > 1 << 16) return 0;
  const auto config = oci::ParseImageConfig(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!config.ok()) return 0;
  CK_FUZZ_CHECK(config->diff_ids.size() <= oci::kMaxImageLayers);
  const std::string text = oci::SerializeImageConfig(*config);
  const auto again = oci::ParseImageConfig(text);
  CK_FUZZ_CHECK(again.ok() && *again == *config);
  CK_FUZZ_CHECK(oci::SerializeImageConfig(*again) == text);
  return 0;
}
