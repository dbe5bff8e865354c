// Where everything that `ck` prints goes through.
#ifndef CONTAINERKIT_EXAMPLES_CLI_OUTPUT_H_
#define CONTAINERKIT_EXAMPLES_CLI_OUTPUT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace containerkit::cli {

// Writes all of `text` to stdout or stderr; unbuffered.
void Print(absl::string_view text);
void PrintErr(absl::string_view text);

// Writes all of `data` to `fd`, which may be non-blocking. Errors: UNAVAILABLE
// when the reader is gone, else by errno.
absl::Status WriteAll(int fd, absl::string_view data);

// A text with the bytes that could steer a terminal made visible. Names and
// messages can come from an image or a registry.
std::string Printable(absl::string_view text);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_OUTPUT_H_
