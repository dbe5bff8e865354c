// Image references: what is accepted prints and parses back to itself.
#include <stddef.h>
#include <stdint.h>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "lib/oci/reference.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using containerkit::oci::ImageRef;
  if (size > 4096) return 0;
  const auto ref = ImageRef::Parse(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!ref.ok()) return 0;
  CK_FUZZ_CHECK(!ref->empty());
  CK_FUZZ_CHECK(ref->Repository().size() <= 255);
  // A tag may have two dots in a row, for it never becomes a path of files.
  CK_FUZZ_CHECK(!absl::StrContains(ref->Repository(), ".."));
  const auto full = ImageRef::Parse(ref->ToString());
  CK_FUZZ_CHECK(full.ok() && *full == *ref);
  const auto familiar = ImageRef::Parse(ref->Familiar());
  CK_FUZZ_CHECK(familiar.ok() && *familiar == *ref);
  return 0;
}
