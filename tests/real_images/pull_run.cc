// A C++ program that pulls an image and runs a command in it; exits as the
// command does.
//
//   pull_run_cc IMAGE COMMAND [ARG...]
#include <cstdio>
#include <string>

#include "containerkit/engine.h"

namespace ck = containerkit;

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "pull_run_cc: %s\n", status.ToString().c_str());
  return 125;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto engine = ck::Engine::Open(ck::Engine::Options::FromEnvironment());
  if (!engine.ok()) return Fail(engine.status());
  const auto image = engine->images().Pull(argv[1]);
  if (!image.ok()) return Fail(image.status());

  ck::ContainerConfig config;
  config.image = argv[1];
  config.cmd.emplace(argv + 2, argv + argc);
  config.auto_remove = true;
  auto container = engine->Create(config);
  if (!container.ok()) return Fail(container.status());
  auto session = container->Start({.attach = true});
  if (!session.ok()) return Fail(session.status());
  const auto exit = (*session)->Read([](const ck::Output& output) {
    std::fwrite(output.data.data(), 1, output.data.size(), stdout);
  });
  if (!exit.ok()) return Fail(exit.status());
  return exit->code;
}
