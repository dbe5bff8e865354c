// Times the library in this process: for every line on stdin does the thing
// once and prints the nanoseconds.
//
//   engine_timer start ROOT IMAGE [live=N] [ballast_mib=N]
//       create, start, wait and automatic removal of /bin/true, as `run --rm`
//       does; with N containers that run meanwhile, or N MiB of touched
//       memory in this process
//   engine_timer exec ROOT IMAGE
//       exec of /bin/true in a running container, to its exit
//   engine_timer pull ROOT REFERENCE
//       pull into an empty state root below ROOT, ready to run
//   engine_timer idle ROOT IMAGE N
//       starts N containers; a line prints resident bytes of all monitors
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "containerkit/engine.h"

namespace ck = containerkit;

namespace {

[[noreturn]] void Die(const absl::Status& status) {
  fprintf(stderr, "engine_timer: %s\n", status.ToString().c_str());
  exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) Die(value.status());
  return *std::move(value);
}

void Must(const absl::Status& status) {
  if (!status.ok()) Die(status);
}

ck::Engine Open(const std::string& root) {
  ck::Engine::Options options;
  options.root = root;
  return Must(ck::Engine::Open(options));
}

// The box of the floor program: own namespaces, memory and pids limits,
// default capabilities and seccomp.
ck::ContainerConfig Box(const std::string& image,
                        std::vector<std::string> command) {
  ck::ContainerConfig config;
  config.image = image;
  config.entrypoint.emplace();
  config.cmd = std::move(command);
  config.resources.memory_bytes = 64 << 20;
  config.resources.pids_limit = 64;
  config.log.driver = ck::LogConfig::Driver::kNone;
  return config;
}

void StartToExit(const ck::Engine& engine, const std::string& image) {
  ck::ContainerConfig config = Box(image, {"/bin/true"});
  config.auto_remove = true;
  ck::Container container = Must(engine.Create(config));
  Must(container.Start()).has_value();
  const ck::ExitStatus exit = Must(container.Wait());
  if (exit.code != 0) {
    Die(absl::InternalError(absl::StrCat("exit code ", exit.code)));
  }
}

void ForEachLine(const std::function<void()>& fn) {
  char line[64];
  while (fgets(line, sizeof line, stdin) != nullptr) {
    const absl::Time start = absl::Now();
    fn();
    printf("%lld\n", static_cast<long long>(
                         absl::ToInt64Nanoseconds(absl::Now() - start)));
    fflush(stdout);
  }
}

std::map<std::string, int64_t> Settings(int argc, char** argv) {
  std::map<std::string, int64_t> settings;
  for (int i = 4; i < argc; ++i) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(argv[i], absl::MaxSplits('=', 1));
    int64_t value = 0;
    if (absl::SimpleAtoi(parts.second, &value)) settings[parts.first] = value;
  }
  return settings;
}

std::vector<ck::Container> Sleepers(const ck::Engine& engine,
                                    const std::string& image, int64_t count) {
  std::vector<ck::Container> sleepers;
  for (int64_t i = 0; i < count; ++i) {
    sleepers.push_back(
        Must(engine.Create(Box(image, {"/bin/sleep", "1000000"}))));
    Must(sleepers.back().Start()).has_value();
  }
  return sleepers;
}

void RemoveAll(std::vector<ck::Container>& containers) {
  for (ck::Container& container : containers) {
    Must(container.Remove({.force = true, .volumes = false}));
  }
}

int Start(const ck::Engine& engine, const std::string& image,
          std::map<std::string, int64_t> settings) {
  std::vector<ck::Container> sleepers =
      Sleepers(engine, image, settings["live"]);
  std::vector<char> ballast(settings["ballast_mib"] << 20);
  memset(ballast.data(), 1, ballast.size());
  ForEachLine([&] { StartToExit(engine, image); });
  RemoveAll(sleepers);
  return 0;
}

int Exec(const ck::Engine& engine, const std::string& image) {
  std::vector<ck::Container> sleeper = Sleepers(engine, image, 1);
  ForEachLine([&] {
    ck::ExecConfig config;
    config.command = {"/bin/true"};
    config.detach = false;
    ck::Session session = Must(sleeper[0].Exec(config));
    Must(session.Read([](const ck::Output&) {}));
  });
  RemoveAll(sleeper);
  return 0;
}

int Pull(const std::string& root, const std::string& reference) {
  int number = 0;
  ForEachLine([&] {
    // Opening an empty root is part of it: so it is for a first pull.
    const ck::Engine engine =
        Open(absl::StrCat(root, "/", getpid(), "-", number++));
    Must(engine.images().Pull(reference));
  });
  return 0;
}

// Private resident bytes of every process whose command is `name`.
int64_t PrivateBytesOf(const std::vector<ck::Container>& containers) {
  int64_t total = 0;
  for (ck::Container container : containers) {
    const int32_t pid = Must(container.Inspect()).pid;
    FILE* status = fopen(absl::StrCat("/proc/", pid, "/status").c_str(), "r");
    char line[256];
    int parent = 0;
    while (status != nullptr && fgets(line, sizeof line, status) != nullptr) {
      sscanf(line, "PPid: %d", &parent);
    }
    if (status != nullptr) fclose(status);
    FILE* rollup =
        fopen(absl::StrCat("/proc/", parent, "/smaps_rollup").c_str(), "r");
    long long kib = 0;
    while (rollup != nullptr && fgets(line, sizeof line, rollup) != nullptr) {
      if (sscanf(line, "Pss: %lld kB", &kib) == 1) total += kib * 1024;
    }
    if (rollup != nullptr) fclose(rollup);
  }
  return total;
}

int Idle(const ck::Engine& engine, const std::string& image, int64_t count) {
  std::vector<ck::Container> sleepers = Sleepers(engine, image, count);
  char line[64];
  while (fgets(line, sizeof line, stdin) != nullptr) {
    printf("%lld\n", static_cast<long long>(PrivateBytesOf(sleepers)));
    fflush(stdout);
  }
  RemoveAll(sleepers);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (argc < 4) {
    fprintf(stderr, "usage: engine_timer start|exec|pull|idle ROOT IMAGE\n");
    return 2;
  }
  if (mode == "pull") return Pull(argv[2], argv[3]);
  const ck::Engine engine = Open(argv[2]);
  if (mode == "start") return Start(engine, argv[3], Settings(argc, argv));
  if (mode == "exec") return Exec(engine, argv[3]);
  int64_t count = 0;
  if (mode == "idle" && argc > 4 && absl::SimpleAtoi(argv[4], &count)) {
    return Idle(engine, argv[3], count);
  }
  return 2;
}
