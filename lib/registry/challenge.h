// The WWW-Authenticate header.
#ifndef CONTAINERKIT_LIB_REGISTRY_CHALLENGE_H_
#define CONTAINERKIT_LIB_REGISTRY_CHALLENGE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace containerkit::registry {

// One way in that a server offers (RFC 9110, section 11.6.1).
struct Challenge {
  // Lower case: "basic", "bearer".
  std::string scheme;
  // Names in lower case; the first of two equal names counts.
  std::map<std::string, std::string> parameters;

  friend bool operator==(const Challenge&, const Challenge&) = default;
};

// Reads one header line, which may hold several challenges. What cannot be
// read ends the list; at most 16 challenges of 32 parameters are kept.
//
// Trust: `header` comes from a server; any bytes, at most 16 KiB are read.
std::vector<Challenge> ParseChallenges(absl::string_view header);

}  // namespace containerkit::registry

#endif  // CONTAINERKIT_LIB_REGISTRY_CHALLENGE_H_
