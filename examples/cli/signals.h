// Signals that ck receives: the end of its own work, or bytes in a pipe while
// a container is in the foreground.
#ifndef CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_
#define CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "containerkit/cancel.h"

namespace containerkit::cli {

// From here on SIGINT and SIGTERM cancel the returned token instead of ending
// ck, so that what is under way ends in good order. A further one ends ck at
// once. The token lives as long as the process. To be called once.
const CancelToken& CatchInterrupts();

// 128 + the signal that has cancelled that token; 0: none has.
int InterruptExitCode();

// Where the signals are that CatchSignals catches: each is a byte, its number.
absl::StatusOr<int> OpenSignalPipe();

// Catches signals for the rest of the process's life, interrupts too. `all`:
// what a foreground container gets to see, which is all but SIGCHLD, SIGPIPE,
// SIGURG, ck's own faults, and the stops of a background process that uses its
// terminal. Else SIGWINCH alone. OpenSignalPipe goes before it.
void CatchSignals(bool all);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_SIGNALS_H_
