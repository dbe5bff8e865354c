// One of several programs that work on one state root at once.
//
//   worker ROOT SEED SECONDS THREADS
//
// Random operations on containers and images until the time is over. Exit 1
// and a line on stderr for an error that no competitor can explain.
#include <stdio.h>
#include <stdlib.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"

namespace ck = containerkit;

namespace {

std::atomic<int> failures{0};

// What others may have done to the same container meanwhile.
bool Explained(const absl::Status& status) {
  switch (ck::GetReason(status)) {
    case ck::Reason::kContainerNotFound:
    case ck::Reason::kContainerAmbiguous:
    case ck::Reason::kNameInUse:
    case ck::Reason::kAlreadyStarted:
    case ck::Reason::kAlreadyStopped:
    case ck::Reason::kNotRunning:
    case ck::Reason::kContainerRunning:
    case ck::Reason::kMonitorLost:
    case ck::Reason::kImageNotFound:
      return true;
    default:
      return status.ok();
  }
}

void Check(const char* what, const absl::Status& status) {
  if (Explained(status)) return;
  ++failures;
  fprintf(stderr, "worker: %s: %s (%s)\n", what, status.ToString().c_str(),
          std::string(ck::ReasonName(ck::GetReason(status))).c_str());
}

ck::ContainerConfig Config(std::mt19937& random) {
  ck::ContainerConfig config;
  config.image = "busybox";
  // Few names, so that workers meet.
  config.name = absl::StrCat("load-", random() % 24);
  config.cmd = {{"sh", "-c", random() % 2 == 0 ? "exit 3" : "sleep 1"}};
  config.resources.pids_limit = 16;
  return config;
}

void Step(const ck::Engine& engine, std::mt19937& random) {
  const auto created = engine.Create(Config(random));
  Check("create", created.status());
  auto container =
      created.ok() ? created
                   : engine.GetContainer(absl::StrCat("load-", random() % 24));
  Check("find", container.status());
  if (!container.ok()) return;
  switch (random() % 6) {
    case 0:
      Check("start", container->Start().status());
      break;
    case 1: {
      Check("start", container->Start().status());
      ck::WaitOptions options;
      options.timeout = absl::Seconds(2);
      const auto exit = container->Wait(options);
      if (ck::GetReason(exit.status()) != ck::Reason::kTimeout) {
        Check("wait", exit.status());
      }
      break;
    }
    case 2:
      Check("stop", container->Stop({.timeout = absl::ZeroDuration()}));
      break;
    case 3:
      Check("inspect", container->Inspect().status());
      break;
    case 4:
      Check("list", engine.ListContainers({.all = true}).status());
      break;
    default:
      Check("remove", container->Remove({.force = true}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  int seed = 0, seconds = 0, threads = 0;
  if (argc != 5 || !absl::SimpleAtoi(argv[2], &seed) ||
      !absl::SimpleAtoi(argv[3], &seconds) ||
      !absl::SimpleAtoi(argv[4], &threads)) {
    return 2;
  }
  ck::Engine::Options options;
  options.root = argv[1];
  const auto engine = ck::Engine::Open(options);
  if (!engine.ok()) {
    fprintf(stderr, "worker: open: %s\n", engine.status().ToString().c_str());
    return 1;
  }
  const absl::Time end = absl::Now() + absl::Seconds(seconds);
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      std::mt19937 random(seed * 131 + t);
      while (absl::Now() < end && failures == 0) Step(*engine, random);
    });
  }
  running.clear();
  return failures == 0 ? 0 : 1;
}
