#include "tests/integration/engine_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/require.h"

namespace containerkit::testing {
namespace {

constexpr char kApplets[] =
    "sh echo cat ls sleep true false id hostname mount umount env pwd stty "
    "tty dd tail head grep kill ps touch mkdir rm ln chmod chown test wc "
    "nproc stat readlink date printf seq sync mknod unshare yes tr sort";

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

std::string BusyboxArchive(const std::string& directory) {
  const std::string archive = absl::StrCat(directory, "/busybox.tar");
  const std::string script = absl::StrCat(
      "set -e; d=", directory, "/busybox; mkdir -p $d/bin $d/etc $d/tmp; ",
      "chmod 1777 $d/tmp; b=$(command -v busybox); ",
      // busybox's own shell answers without a path.
      "[ -e \"$b\" ] || b=/bin/busybox; cp $b $d/bin/busybox; ", "for a in ",
      kApplets, "; do ln -s busybox $d/bin/$a; done; ",
      "echo 'root:x:0:0:root:/root:/bin/sh' > $d/etc/passwd; ",
      "echo 'app:x:1000:1000:app:/home/app:/bin/sh' >> $d/etc/passwd; ",
      "printf 'root:x:0:\\napp:x:1000:\\nextra:x:2000:app\\n' > $d/etc/group; ",
      "tar -C $d -cf ", archive, " .; rm -rf $d");
  EXPECT_EQ(system(script.c_str()), 0);
  return archive;
}

void EngineTest::SetUp() {
  CK_REQUIRE("root");
  CK_REQUIRE("overlay");
  CK_REQUIRE("busybox");
  const char* tmp = getenv("TEST_TMPDIR");
  scratch_ = absl::StrCat(tmp == nullptr ? "/tmp" : tmp, "/ck-XXXXXX");
  ASSERT_NE(mkdtemp(scratch_.data()), nullptr);
  root_ = absl::StrCat(scratch_, "/state");
  before_ = Snapshot::Take();
  Reopen();
  const UniqueFd archive(
      open(BusyboxArchive(scratch_).c_str(), O_RDONLY | O_CLOEXEC));
  ImageImportOptions options;
  options.reference = "busybox";
  CK_ASSERT_OK(engine_->images().Import(archive.get(), options));
}

void EngineTest::Reopen() {
  engine_.reset();
  Engine::Options options;
  options.root = root_;
  absl::StatusOr<Engine> engine = Engine::Open(options);
  ASSERT_THAT(engine, IsOk());
  engine_ = *std::move(engine);
}

void EngineTest::TearDown() {
  if (engine_.has_value()) {
    const auto containers = engine_->ListContainers({.all = true});
    CK_EXPECT_OK(containers);
    for (const ContainerInfo& info : *containers) {
      absl::StatusOr<Container> container = engine_->GetContainer(info.id);
      if (!container.ok()) continue;
      CK_EXPECT_OK(container->Remove({.force = true, .volumes = true}));
    }
  }
  engine_.reset();
  if (before_.has_value()) {
    EXPECT_EQ(Snapshot::WaitUntilBackTo(*before_), "");
  }
  if (!scratch_.empty()) {
    EXPECT_EQ(system(absl::StrCat("rm -rf ", scratch_).c_str()), 0);
  }
}

std::string EngineTest::MakeDirectory(const std::string& name) {
  const std::string path = absl::StrCat(scratch_, "/", name);
  EXPECT_EQ(mkdir(path.c_str(), 0755), 0);
  return path;
}

ContainerConfig EngineTest::Command(std::vector<std::string> command) {
  ContainerConfig config;
  config.image = "busybox";
  config.cmd = std::move(command);
  return config;
}

ContainerConfig EngineTest::Shell(const std::string& script) {
  return Command({"sh", "-c", script});
}

RunResult EngineTest::Drain(Session& session) {
  RunResult result;
  const absl::StatusOr<ExitStatus> exit =
      session.Read([&](const Output& output) {
        (output.stream == Output::Stream::kStdout ? result.out : result.err)
            .append(output.data.data(), output.data.size());
      });
  EXPECT_THAT(exit, IsOk());
  if (exit.ok()) {
    result.exit_code = exit->code;
    result.oom_killed = exit->oom_killed;
  }
  return result;
}

RunResult EngineTest::Run(const ContainerConfig& config) {
  absl::StatusOr<Container> container = engine_->Create(config);
  EXPECT_THAT(container, IsOk());
  if (!container.ok()) return {};
  StartOptions options;
  options.attach = true;
  auto session = container->Start(options);
  EXPECT_THAT(session, IsOk());
  if (!session.ok() || !session->has_value()) return {};
  return Drain(**session);
}

}  // namespace containerkit::testing
