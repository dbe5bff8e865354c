// Manifests and indexes: what is accepted means the same after a round trip,
// and never both things at once.
#include <stddef.h>
#include <stdint.h>

#include <variant>

#include "absl/strings/string_view.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace oci = containerkit::oci;
  if (size > 1 << 16) return 0;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto as_manifest = oci::ParseManifest(text, oci::kOciManifest);
  const auto as_index = oci::ParseManifest(text, oci::kOciIndex);
  CK_FUZZ_CHECK(!as_manifest.ok() || !as_index.ok());
  const auto document = oci::ParseManifest(text, "");
  if (!document.ok()) return 0;
  if (const auto* manifest = std::get_if<oci::Manifest>(&*document)) {
    CK_FUZZ_CHECK(manifest->layers.size() <= oci::kMaxImageLayers);
    manifest->IsImage();
    const auto again =
        oci::ParseManifest(oci::SerializeManifest(*manifest), "");
    CK_FUZZ_CHECK(again.ok() && std::get<oci::Manifest>(*again) == *manifest);
  } else {
    const auto& index = std::get<oci::Index>(*document);
    CK_FUZZ_CHECK(index.manifests.size() <= oci::kMaxIndexEntries);
    oci::SelectPlatform(index, oci::HostPlatform()).status().IgnoreError();
    const auto again = oci::ParseManifest(oci::SerializeIndex(index), "");
    CK_FUZZ_CHECK(again.ok() && std::get<oci::Index>(*again) == index);
  }
  return 0;
}
