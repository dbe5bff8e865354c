// Signals by name or number.
#ifndef CONTAINERKIT_EXAMPLES_OCI_RUNTIME_SIGNALS_H_
#define CONTAINERKIT_EXAMPLES_OCI_RUNTIME_SIGNALS_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace ck_oci {

// "9", "KILL", "SIGKILL", "sigrtmin+3"; nullopt for anything else.
std::optional<int> ParseSignal(absl::string_view text);

}  // namespace ck_oci

#endif  // CONTAINERKIT_EXAMPLES_OCI_RUNTIME_SIGNALS_H_
