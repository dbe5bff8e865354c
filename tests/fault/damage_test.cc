// Files of the state root that were damaged by hand: nothing crashes, what is
// damaged is named, and what can be mended is (security.md F08).
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

enum class Damage { kFlip, kZero, kTruncate, kRemove };

class DamageTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ContainerConfig config = Command({"true"});
    config.name = "kept";
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK(container.Wait());
    Close();
    copy_ = absl::StrCat(scratch(), "/copy");
    Restore("cp -a ", root(), " ", copy_);
  }
  void TearDown() override {
    if (!copy_.empty()) {
      Restore("rm -rf ", root(), " && cp -a ", copy_, " ", root());
      Reopen();
    }
    EngineTest::TearDown();
  }

  template <typename... Parts>
  static void Restore(const Parts&... parts) {
    ASSERT_EQ(system(absl::StrCat(parts...).c_str()), 0);
  }

  std::vector<std::string> MetadataFiles() {
    std::vector<std::string> files;
    const std::string list = absl::StrCat(scratch(), "/list");
    Restore("cd ", copy_,
            " && find version metadata.db blobs containers -type f"
            " -not -path '*/upper/*' -not -name '*.lock' -size +0 > ",
            list);
    std::ifstream in(list);
    for (std::string line; std::getline(in, line);) files.push_back(line);
    return files;
  }

  void Inflict(const std::string& file, Damage damage, std::mt19937& random) {
    const std::string path = absl::StrCat(root(), "/", file);
    if (damage == Damage::kRemove) {
      ASSERT_EQ(unlink(path.c_str()), 0);
      return;
    }
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
    const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    const off_t size = lseek(fd.get(), 0, SEEK_END);
    const off_t at = static_cast<off_t>(random() % size);
    if (damage == Damage::kTruncate) {
      ASSERT_EQ(ftruncate(fd.get(), at), 0);
      return;
    }
    std::string bytes(damage == Damage::kZero ? 512 : 1, '\0');
    if (damage == Damage::kFlip) {
      ASSERT_EQ(pread(fd.get(), bytes.data(), 1, at), 1);
      bytes[0] ^= static_cast<char>(1 << random() % 8);
    }
    const size_t length =
        std::min<size_t>(bytes.size(), static_cast<size_t>(size - at));
    ASSERT_EQ(pwrite(fd.get(), bytes.data(), length, at),
              static_cast<ssize_t>(length));
  }

  // Whether the check names what was damaged; only blobs have no other user.
  static bool Named(const Engine& engine, const std::string& file) {
    const auto findings = engine.CheckStore(false);
    if (!findings.ok() || !absl::StartsWith(file, "blobs/")) return true;
    const std::string hex = file.substr(file.rfind('/') + 1);
    for (const StoreFinding& finding : *findings) {
      if (finding.damage && absl::StrContains(finding.object, hex)) return true;
    }
    fprintf(stderr, "not named: %s\n", file.c_str());
    return false;
  }

  // In a process of its own: 0 fine, 1 something failed without a reason or
  // was not named; anything else is a crash.
  static int UseEverything(const std::string& root, const std::string& file) {
    const auto explained = [](const absl::Status& status) {
      return status.ok() || (GetReason(status) != Reason::kUnspecified &&
                             GetReason(status) != Reason::kInternal);
    };
    const auto tell = [&](const char* what, const absl::Status& status) {
      if (explained(status)) return true;
      fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
      return false;
    };
    Engine::Options options;
    options.root = root;
    absl::StatusOr<Engine> engine = Engine::Open(options);
    bool fine = tell("open", engine.status());
    if (!engine.ok()) return fine ? 0 : 1;
    fine &= Named(*engine, file);
    fine &= tell("list", engine->ListContainers({.all = true}).status());
    fine &= tell("images", engine->images().List().status());
    fine &= tell("image", engine->images().Inspect("busybox").status());
    absl::StatusOr<Container> container = engine->GetContainer("kept");
    fine &= tell("find", container.status());
    if (container.ok()) {
      fine &= tell("inspect", container->Inspect().status());
      fine &= tell("start", container->Start().status());
      fine &= tell("wait", container->Wait().status());
    }
    const auto mended = engine->CheckStore(true);
    fine &= tell("repair", mended.status());
    fine &= tell("check", engine->CheckStore(false).status());
    return fine ? 0 : 1;
  }

  void Damaged(const std::string& file, Damage damage, std::mt19937& random) {
    SCOPED_TRACE(absl::StrCat(file, " ", static_cast<int>(damage)));
    Restore("rm -rf ", root(), " && cp -a ", copy_, " ", root());
    Inflict(file, damage, random);
    const pid_t pid = fork();
    if (pid == 0) {
      alarm(20);
      _exit(UseEverything(root(), file));
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_FALSE(WIFSIGNALED(status)) << "signal " << WTERMSIG(status);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }

 private:
  std::string copy_;
};

TEST_F(DamageTest, NeverCrashesAndHasAReason) {
  std::mt19937 random(5);
  const char* full = getenv("CK_FAULT_FULL");
  const int rounds = full != nullptr && *full == '1' ? 100 : 4;
  const std::vector<std::string> files = MetadataFiles();
  ASSERT_GE(files.size(), 5u);
  for (const std::string& file : files) {
    Damaged(file, Damage::kRemove, random);
    for (int i = 0; i < rounds; ++i) {
      for (const Damage damage :
           {Damage::kFlip, Damage::kZero, Damage::kTruncate}) {
        Damaged(file, damage, random);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace containerkit::testing
