// Eight processes with four threads each on one state root, while one of them
// is killed every 200 ms: containers and images come and go, with no error but
// the killed one's own, nothing leaked, the store clean (security.md L03 to
// L05).
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/image/testing/image_maker.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

constexpr int kProcesses = 8;
constexpr int kThreads = 4;

using image::testing::TarMember;
using image::testing::TestImage;

// Three images with one layer in common.
std::vector<TestImage> SomeImages() {
  using image::testing::MakeTar;
  using image::testing::Noise;
  const std::string common = MakeTar({{"common", Noise(300 << 10, 1)}});
  std::vector<TestImage> images;
  for (uint32_t i = 0; i < 3; ++i) {
    const std::string own =
        MakeTar({{absl::StrCat("own", i), Noise(60 << 10, 2 + i)}});
    images.push_back(
        image::testing::MakeImage({{common}, {own, i == 0 ? "zstd" : "gzip"}}));
  }
  return images;
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class SharedRootTest : public EngineTest {
 protected:
  pid_t Spawn(int seed, int seconds) {
    const std::vector<std::string> arguments = {"worker",
                                                root(),
                                                absl::StrCat(seed),
                                                absl::StrCat(seconds),
                                                absl::StrCat(kThreads),
                                                files_,
                                                registry_};
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      execv("tests/load/worker", argv.data());
      _exit(127);
    }
    return pid;
  }

  // What workers load and import.
  void MakeFiles(const std::vector<TestImage>& images) {
    files_ = MakeDirectory("files");
    std::vector<std::pair<std::string, TestImage>> named;
    for (const TestImage& image : images) {
      named.emplace_back(absl::StrCat("loaded:", named.size()), image);
    }
    Write(files_ + "/archive.tar",
          image::testing::MakeTar(image::testing::DockerArchiveMembers(named)));
    MakeDirectory("files/layout");
    for (const TarMember& member : image::testing::LayoutMembers(named)) {
      const std::string path = absl::StrCat(files_, "/layout/", member.name);
      if (member.type == '5') {
        ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
      } else {
        Write(path, member.content);
      }
    }
    BusyboxArchive(files_);
  }

  // A container that keeps busybox from being pruned.
  void StartKeeper() {
    CK_ASSERT_OK_AND_ASSIGN(Container keeper,
                            engine().Create(Command({"sleep", "3600"})));
    CK_ASSERT_OK(keeper.Start());
  }

  void RemoveEverything() {
    CK_ASSERT_OK_AND_ASSIGN(const auto containers,
                            engine().ListContainers({.all = true}));
    for (const ContainerInfo& info : containers) {
      CK_ASSERT_OK_AND_ASSIGN(Container container,
                              engine().GetContainer(info.id));
      CK_EXPECT_OK(container.Remove({.force = true}));
    }
    CK_EXPECT_OK(engine().images().Prune(/*all=*/true));
    // Its janitor ends with it.
    Close();
  }

  // What of images and containers is in the root. Partial blobs are kept for
  // a while.
  std::vector<std::string> Remains() {
    std::vector<std::string> remains;
    for (const char* place : {"blobs/sha256", "layers/sha256", "containers",
                              "leases", "tmp", "trash"}) {
      const std::string directory = absl::StrCat(root(), "/", place);
      if (!std::filesystem::exists(directory)) continue;
      for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        remains.push_back(entry.path());
      }
    }
    return remains;
  }

  std::string files_;
  std::string registry_;
};

// ThreadSanitizer finds what it finds at once, if the threads meet.
#ifdef __SANITIZE_THREAD__
constexpr int kCiSeconds = 20;
#else
constexpr int kCiSeconds = 180;
#endif

TEST_F(SharedRootTest, SurvivesKilledProcesses) {
  const char* ci = getenv("CI");
  const bool in_ci = ci != nullptr && std::string(ci) == "true";
  const int seconds = in_ci ? kCiSeconds : 20;
  const std::vector<TestImage> images = SomeImages();
  image::testing::TestRegistry registry;
  registry_ = registry.address();
  for (size_t i = 0; i < images.size(); ++i) {
    registry.Add("app", absl::StrCat(i), images[i]);
  }
  ASSERT_NO_FATAL_FAILURE(MakeFiles(images));
  ASSERT_NO_FATAL_FAILURE(StartKeeper());
  std::mt19937 random(7);
  std::set<pid_t> workers;
  const auto kill_all = [&workers] {
    for (const pid_t pid : workers) kill(pid, SIGKILL);
    for (const pid_t pid : workers) waitpid(pid, nullptr, 0);
    workers.clear();
  };
  // Also when it fails: nobody may work on what is taken away then.
  const absl::Cleanup kill_rest = kill_all;
  int seed = 0;
  for (int i = 0; i < kProcesses; ++i) workers.insert(Spawn(seed++, seconds));
  const absl::Time end = absl::Now() + absl::Seconds(seconds);
  int kills = 0;
  while (absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(200));
    auto victim = workers.begin();
    std::advance(victim, random() % workers.size());
    const pid_t pid = *victim;
    workers.erase(victim);
    kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    // Either our signal, or it had ended by itself without an error.
    ASSERT_TRUE(WIFSIGNALED(status) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        << "a worker failed after " << kills << " kills";
    ++kills;
    workers.insert(Spawn(seed++, seconds));
  }
  kill_all();
  EXPECT_GT(kills, seconds / 2);
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(const auto findings, engine().CheckStore(false));
  for (const StoreFinding& finding : findings) {
    // What a killed process was writing is a leftover, not damage.
    EXPECT_FALSE(finding.damage)
        << finding.kind << " " << finding.object << ": " << finding.problem;
  }
  ASSERT_NO_FATAL_FAILURE(RemoveEverything());
  EXPECT_THAT(Remains(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace containerkit::testing
