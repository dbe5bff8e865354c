#include "containerkit/version.h"

#include "containerkit/c/version.h"

static_assert(CK_API_0_1 == (containerkit::kVersionMajor << 16 |
                             containerkit::kVersionMinor << 8),
              "a new minor release needs a CK_API_ macro of its own");

const char* ck_version(void) { return containerkit::Version().data(); }

uint32_t ck_abi_version(void) { return CK_API_0_1; }

uint8_t ck_has_feature(const char* name) {
  return name != nullptr && containerkit::HasFeature(name) ? 1 : 0;
}
