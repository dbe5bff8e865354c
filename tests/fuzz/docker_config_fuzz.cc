// Docker's config.json: what comes out may be sent as headers, and no helper
// is started by a name that is a path.
#include <stddef.h>
#include <stdint.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/registry/credentials.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using containerkit::GetReason;
  using containerkit::Reason;
  namespace registry = containerkit::registry;
  if (size > 1 << 16) return 0;
  // Nothing is found there: a helper that is asked for is an error.
  static const auto* const options =
      new registry::HelperOptions{.search_dirs = {"/nonexistent"}};
  const auto config = registry::DockerConfig::Parse(
      absl::string_view(reinterpret_cast<const char*>(data), size), *options);
  if (!config.ok()) {
    CK_FUZZ_CHECK(GetReason(config.status()) == Reason::kConfigFileInvalid);
    return 0;
  }
  for (const auto& [name, value] : config->http_headers()) {
    CK_FUZZ_CHECK(!name.empty());
    for (const char c : name) CK_FUZZ_CHECK(absl::ascii_isgraph(c) && c != ':');
    for (const char c : value) CK_FUZZ_CHECK(!absl::ascii_iscntrl(c));
  }
  for (const char* domain : {"docker.io", "quay.io", "localhost:5000"}) {
    const auto found = config->Lookup(domain);
    if (found.ok()) {
      CK_FUZZ_CHECK(!found->has_value() || !(*found)->empty());
      const auto again = config->Lookup(domain);
      CK_FUZZ_CHECK(again.ok() && *again == *found);
    } else {
      CK_FUZZ_CHECK(GetReason(found.status()) ==
                    Reason::kCredentialHelperFailed);
    }
  }
  return 0;
}
