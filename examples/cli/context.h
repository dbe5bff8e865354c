// What every command of `ck` works with: the global flags and the engine.
#ifndef CONTAINERKIT_EXAMPLES_CLI_CONTEXT_H_
#define CONTAINERKIT_EXAMPLES_CLI_CONTEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "containerkit/engine.h"

namespace containerkit::cli {

struct GlobalOptions {
  std::string root;    // --root; empty: CK_ROOT, else the library's default
  std::string config;  // --config: the directory of docker's config.json
  std::string certs_dir;
  std::vector<std::string> insecure_registries;
  std::vector<std::string> registry_mirrors;
  std::string log_level;
  bool debug = false;
  bool version = false;
};

class Context final {
 public:
  GlobalOptions& globals() { return globals_; }

  // Opens the state root. Commands call it once, as late as they can: bad
  // flags are told without it.
  absl::StatusOr<Engine> OpenEngine() const;

  // The value of --detach-keys, or if that is empty and there is a terminal
  // the `detachKeys` of docker's config.json; empty: nobody says anything.
  std::string DetachKeys(const std::string& flag, bool tty) const;

  void PrintError(const absl::Status& status) const;

 private:
  GlobalOptions globals_;
};

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_CONTEXT_H_
