// WWW-Authenticate: bounded lists, no control character in any value, and no
// realm that is a URL yet carries a user name.
#include <stddef.h>
#include <stdint.h>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "lib/registry/challenge.h"
#include "lib/registry/url.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace registry = containerkit::registry;
  if (size > 1 << 16) return 0;
  const auto challenges = registry::ParseChallenges(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  CK_FUZZ_CHECK(challenges.size() <= 16);
  for (const registry::Challenge& challenge : challenges) {
    CK_FUZZ_CHECK(!challenge.scheme.empty());
    CK_FUZZ_CHECK(challenge.parameters.size() <= 32);
    for (const auto& [name, value] : challenge.parameters) {
      CK_FUZZ_CHECK(!name.empty());
      for (const char c : value) CK_FUZZ_CHECK(!absl::ascii_iscntrl(c));
      const auto url = registry::Url::Parse(value);
      if (!url.ok()) continue;
      CK_FUZZ_CHECK(url->scheme() == "http" || url->scheme() == "https");
      const auto again = registry::Url::Parse(url->str());
      CK_FUZZ_CHECK(again.ok() && again->SameOrigin(*url));
      registry::IsLocalAddress(url->host());
    }
  }
  return 0;
}
