// The commands of ck, a group a file.
#ifndef CONTAINERKIT_EXAMPLES_CLI_COMMANDS_H_
#define CONTAINERKIT_EXAMPLES_CLI_COMMANDS_H_

#include <vector>

#include "absl/status/status.h"
#include "examples/cli/command.h"

namespace containerkit::cli {

std::vector<Command> RunCommands();      // run create
std::vector<Command> AttachCommands();   // start attach exec
std::vector<Command> LifeCommands();     // stop kill ... rm rename update prune
std::vector<Command> ListCommands();     // ps
std::vector<Command> WatchCommands();    // logs top stats
std::vector<Command> InspectCommands();  // inspect
std::vector<Command> CopyCommands();     // cp
std::vector<Command> ImageCommands();    // pull images rmi tag load import ...
std::vector<Command> SystemCommands();   // version info events prune

// 127 and 126 for a program that is not there or cannot be executed.
int FailureExitCode(const absl::Status& status, int otherwise);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_COMMANDS_H_
