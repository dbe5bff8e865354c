// One of several programs that work on one state root at once.
//
//   worker ROOT SEED SECONDS THREADS FILES REGISTRY
//
// FILES has archive.tar, layout and busybox.tar; REGISTRY is an address. What
// is called busybox stays, everything else may go at any time.
//
// Random operations on containers and images until the time is over. Exit 1
// and a line on stderr for an error that no competitor can explain.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"

namespace ck = containerkit;

namespace {

constexpr char kKept[] = "busybox:latest";

std::atomic<int> failures{0};

// What others may have done to the same container or image meanwhile.
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
    case ck::Reason::kImageInUse:
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

// Images of the same busybox that come and go.
std::string ImportedName(std::mt19937& random) {
  return absl::StrCat("imported-", random() % 4);
}

std::string TagName(std::mt19937& random) {
  return absl::StrCat("tag-", random() % 6);
}

std::string PulledName(const std::string& registry, std::mt19937& random) {
  return absl::StrCat(registry, "/app:", random() % 3);
}

ck::ContainerConfig Config(std::mt19937& random) {
  ck::ContainerConfig config;
  config.image = random() % 3 == 0 ? ImportedName(random) : "busybox";
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
      // Its files are whole, whatever became of its image.
      if (exit.ok() && (exit->code == 126 || exit->code == 127)) {
        Check("program", absl::DataLossError(absl::StrCat(exit->code)));
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

struct Sources {
  std::string files;
  std::string registry;
};

void Import(ck::Images& images, const Sources& sources, std::mt19937& random) {
  const int archive =
      open((sources.files + "/busybox.tar").c_str(), O_RDONLY | O_CLOEXEC);
  ck::ImageImportOptions options;
  options.reference = ImportedName(random);
  Check("import", images.Import(archive, options).status());
  close(archive);
}

// Any image but the one that all containers could need.
void RemoveListed(ck::Images& images, std::mt19937& random) {
  const auto list = images.List({.all = true});
  Check("list images", list.status());
  if (!list.ok() || list->empty()) return;
  const ck::ImageSummary& image = (*list)[random() % list->size()];
  const auto& tags = image.repo_tags;
  if (std::find(tags.begin(), tags.end(), kKept) != tags.end()) return;
  Check("remove image by id",
        images.Remove(image.id, {.force = random() % 2 == 0}).status());
}

void ImageStep(const ck::Engine& engine, const Sources& sources,
               std::mt19937& random) {
  ck::Images images = engine.images();
  const std::string names[] = {ImportedName(random), TagName(random),
                               PulledName(sources.registry, random),
                               absl::StrCat("loaded:", random() % 3)};
  const std::string& any = names[random() % 4];
  switch (random() % 12) {
    case 0:
      Check("load archive",
            images.Load(sources.files + "/archive.tar").status());
      break;
    case 1:
      Check("load layout", images.Load(sources.files + "/layout").status());
      break;
    case 2:
      Import(images, sources, random);
      break;
    case 3:
    case 4:
      Check("pull", images.Pull(PulledName(sources.registry, random)).status());
      break;
    case 5:
      Check("tag", images.Tag(any, TagName(random)));
      break;
    case 6:
      Check("remove image",
            images.Remove(any, {.force = random() % 4 == 0}).status());
      break;
    case 7:
      RemoveListed(images, random);
      break;
    case 8:
      Check("prune images", images.Prune(random() % 2 == 0).status());
      break;
    case 9:
      Check("prune", engine.Prune(random() % 2 == 0, false).status());
      break;
    case 10:
      Check("inspect image", images.Inspect(any).status());
      break;
    default:
      Check("history", images.History(any).status());
  }
}

}  // namespace

int main(int argc, char** argv) {
  int seed = 0, seconds = 0, threads = 0;
  if (argc != 7 || !absl::SimpleAtoi(argv[2], &seed) ||
      !absl::SimpleAtoi(argv[3], &seconds) ||
      !absl::SimpleAtoi(argv[4], &threads)) {
    return 2;
  }
  ck::Engine::Options options;
  options.root = argv[1];
  const Sources sources = {argv[5], argv[6]};
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
      while (absl::Now() < end && failures == 0) {
        if (random() % 3 == 0) {
          ImageStep(*engine, sources, random);
        } else {
          Step(*engine, random);
        }
      }
    });
  }
  running.clear();
  return failures == 0 ? 0 : 1;
}
