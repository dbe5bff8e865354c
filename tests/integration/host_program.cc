// A host program of its own, for tests that kill it.
//
//   host_program ROOT orphan NAME     starts a container, says so, sleeps
//   host_program ROOT scope COUNT     starts containers in a scope, likewise
//   host_program ROOT forked COUNT    the same, with a child that sleeps too
#include <stdio.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "containerkit/engine.h"

namespace {

using containerkit::Container;
using containerkit::ContainerConfig;
using containerkit::Engine;
using containerkit::Scope;

int Fail(const absl::Status& status) {
  fprintf(stderr, "host_program: %s\n", status.ToString().c_str());
  return 1;
}

absl::Status StartSleeper(absl::StatusOr<Container> container) {
  return container.ok() ? container->Start().status() : container.status();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  Engine::Options options;
  options.root = argv[1];
  absl::StatusOr<Engine> engine = Engine::Open(options);
  if (!engine.ok()) return Fail(engine.status());
  ContainerConfig config;
  config.image = "busybox";
  config.cmd = {{"sleep", "1000"}};
  absl::StatusOr<Scope> scope = engine->NewScope();
  if (!scope.ok()) return Fail(scope.status());
  int count = 1;
  const std::string mode = argv[2];
  const bool scoped = mode == "scope" || mode == "forked";
  if (scoped && !absl::SimpleAtoi(argv[3], &count)) return 2;
  if (!scoped) config.name = argv[3];
  for (int i = 0; i < count; ++i) {
    const absl::Status started =
        StartSleeper(scoped ? scope->Create(config) : engine->Create(config));
    if (!started.ok()) return Fail(started);
  }
  if (mode == "forked" && fork() == 0) {
    sleep(60);
    _exit(0);
  }
  puts("ready");
  fflush(stdout);
  sleep(60);
  return 0;
}
