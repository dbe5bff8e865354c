// Signals that ck receives, as bytes in a pipe.
#ifndef CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_
#define CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_

#include "absl/status/statusor.h"

namespace containerkit::cli {

// Catches signals for the rest of the process's life: each one is a byte, its
// number, in the returned descriptor. `forwardable`: all that a foreground
// container gets to see, which is all but those that are about ck itself
// (SIGCHLD, SIGPIPE, SIGURG, faults) and about its terminal's jobs (SIGTSTP,
// SIGTTIN, SIGTTOU). `window`: SIGWINCH.
//
// To be called once, before there are threads.
absl::StatusOr<int> CatchSignals(bool forwardable, bool window);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_
