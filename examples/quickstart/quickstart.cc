// The shortest honest C++ program: an image from an archive, one container,
// its output and exit code.
//
//   quickstart ROOTFS.tar COMMAND [ARG...]
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "containerkit/engine.h"

namespace ck = containerkit;

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quickstart: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: quickstart ROOTFS.tar COMMAND [ARG...]\n");
    return 2;
  }
  auto engine = ck::Engine::Open(ck::Engine::Options::FromEnvironment());
  if (!engine.ok()) return Fail(engine.status());

  const int archive = open(argv[1], O_RDONLY | O_CLOEXEC);
  auto image = engine->images().Import(archive, {.reference = "quickstart"});
  close(archive);
  if (!image.ok()) return Fail(image.status());

  ck::ContainerConfig config;
  config.image = *image;
  config.cmd.emplace(argv + 2, argv + argc);
  config.auto_remove = true;
  auto container = engine->Create(config);
  if (!container.ok()) return Fail(container.status());

  const auto start = std::chrono::steady_clock::now();
  auto session = container->Start({.attach = true});
  if (!session.ok()) return Fail(session.status());
  const auto started = std::chrono::steady_clock::now();
  auto exit = (*session)->Read([](const ck::Output& output) {
    std::fwrite(output.data.data(), 1, output.data.size(), stdout);
  });
  if (!exit.ok()) return Fail(exit.status());
  std::printf(
      "C++: started in %.2f ms, exit code %d\n",
      std::chrono::duration<double, std::milli>(started - start).count(),
      exit->code);
  return exit->code;
}
