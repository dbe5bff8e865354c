#include "tests/fault/fault_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/unique_fd.h"

namespace containerkit::testing {
namespace {

using image::testing::MakeImage;
using image::testing::MakeTar;

constexpr char kName[] = "fault-container";

std::string Noise(size_t size, uint32_t seed) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

const std::string& Content(size_t layer) {
  static const auto* contents =
      new std::vector<std::string>{Noise(70000, 1), Noise(9000, 2)};
  return (*contents)[layer];
}

std::string LayerTar(size_t layer) {
  return MakeTar({{"d/", "", '5'},
                  {absl::StrCat("d/file", layer), Content(layer)},
                  {absl::StrCat("d/link", layer), "", '2', "file"}});
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

int CountNames(const std::string& directory) {
  int count = -2;
  DIR* handle = opendir(directory.c_str());
  if (handle == nullptr) return -1;
  while (readdir(handle) != nullptr) ++count;
  closedir(handle);
  return count;
}

}  // namespace

uint64_t StepOf(uint64_t n) {
  const char* full = getenv("CK_FAULT_FULL");
  return full != nullptr && *full == '1' ? 1 : n;
}

void FaultTest::SetUp() {
  EngineTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  image_ = MakeImage({{LayerTar(0), "gzip"}, {LayerTar(1), "zstd"}});
  docker_archive_ = absl::StrCat(scratch(), "/docker.tar");
  std::ofstream(docker_archive_, std::ios::binary)
      << MakeTar(image::testing::DockerArchiveMembers({{"fault:1", image_}}));
  archive_ = absl::StrCat(scratch(), "/rootfs.tar");
  std::ofstream(archive_, std::ios::binary) << LayerTar(0);
  // In memory: a disk may be full.
  result_fd_.Reset(memfd_create("result", MFD_CLOEXEC));
  result_ = absl::StrCat("/proc/", getpid(), "/fd/", result_fd_.get());
  registry_ = std::make_unique<image::testing::TestRegistry>();
  registry_->Add("fault", "1", image_);
  Close();
  quiet_ = Snapshot::Take();
  Reopen();
}

void FaultTest::TearDown() {
  registry_.reset();
  result_fd_.Reset();
  EngineTest::TearDown();
}

void FaultTest::KillAllAt(const std::string& operation, long number) {
  bool met = false;
  RunWorker(operation, [&](const SystemCall& call) {
    met = met || call.number == number;
    return met ? Verdict::KillAll() : Verdict::Run();
  });
  EXPECT_TRUE(met) << operation;
}

// A store in which a load had its layers and no image yet, and a container
// that was half a container.
void FaultTest::LeaveMess() {
  KillAllAt("start", SYS_pivot_root);
  KillAllAt("load", SYS_syncfs);
  EXPECT_GT(CountNames(absl::StrCat(root(), "/leases")), 0);
}

bool FaultTest::IsImageOperation(const std::string& operation) const {
  return operation == "import" || operation == "load" || operation == "pull";
}

std::string FaultTest::ImageNameOf(const std::string& operation) const {
  if (operation == "import") return "fault:latest";
  if (operation == "load") return "fault:1";
  return absl::StrCat(registry_->address(), "/fault:1");
}

std::string FaultTest::ArgumentOf(const std::string& operation) const {
  if (operation == "import") return archive_;
  if (operation == "load") return docker_archive_;
  if (operation == "pull") return ImageNameOf(operation);
  return kName;
}

void FaultTest::Prepare(const std::string& operation) {
  if (operation != "open" && operation != "create" &&
      !IsImageOperation(operation)) {
    ContainerConfig config = Command({"sleep", "1000"});
    config.name = kName;
    config.resources.pids_limit = 16;
    CK_ASSERT_OK(engine().Create(config));
  }
  if (operation == "remove") {
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().GetContainer(kName));
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK(container.Stop({.timeout = absl::ZeroDuration()}));
  }
  if (operation == "prune") {
    // An image that nobody calls by a name.
    CK_ASSERT_OK(Repeat("load"));
    CK_ASSERT_OK(engine().images().Tag("busybox", ImageNameOf("load")));
  }
  Close();
  if (operation == "recover") LeaveMess();
}

TraceResult FaultTest::RunWorker(
    const std::string& operation,
    std::function<Verdict(const SystemCall&)> on_call) {
  EXPECT_EQ(ftruncate(result_fd_.get(), 0), 0);
  TraceOptions options;
  options.argv = {"tests/fault/worker", root(), result_,
                  operation == "recover" ? "open" : operation,
                  ArgumentOf(operation)};
  if (!boot_id_file_.empty()) options.argv.push_back(boot_id_file_);
  options.on_call = [&](const SystemCall& call) {
    return call.phase == 1 ? on_call(call) : Verdict::Run();
  };
  // The container's own program is not ours to disturb.
  options.follow = [](const std::string& exe) {
    return absl::StrContains(exe, "worker") ||
           absl::StrContains(exe, "ck-helper");
  };
  return RunTraced(options);
}

void FaultTest::PretendAnotherBoot() {
  boot_id_file_ = absl::StrCat(scratch(), "/boot_id");
  std::ofstream(boot_id_file_) << "01234567-89ab-cdef-0123-456789abcdef\n";
}

Outcome FaultTest::ReadOutcome() const {
  Outcome outcome;
  outcome.line = ReadAll(result_);
  std::istringstream in(outcome.line);
  std::string word;
  if (!(in >> word)) return outcome;
  outcome.answered = true;
  outcome.ok = word == "ok";
  if (!outcome.ok) {
    in >> outcome.code >> outcome.reason >> outcome.os_errno >>
        outcome.operation;
  }
  return outcome;
}

void FaultTest::ExpectLayersWhole() {
  for (size_t i = 0; i < image_.config.diff_ids.size(); ++i) {
    const std::string path =
        absl::StrCat(root(), "/layers/sha256/",
                     std::string(image_.config.diff_ids[i].hex()), "/fs/d/");
    EXPECT_TRUE(ReadAll(absl::StrCat(path, "file", i)) == Content(i)) << path;
    char target[16] = {};
    EXPECT_EQ(readlink(absl::StrCat(path, "link", i).c_str(), target, 16), 4);
  }
}

void FaultTest::CheckImage(const std::string& operation,
                           const Outcome& outcome) {
  const std::string name = ImageNameOf(operation);
  const absl::StatusOr<ImageInfo> found = engine().images().Inspect(name);
  if (outcome.ok) {
    CK_EXPECT_OK(found) << "what was acknowledged is gone";
  } else if (!found.ok()) {
    EXPECT_THAT(found,
                StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
  }
  if (found.ok() && operation != "import") ExpectLayersWhole();
  CK_ASSERT_OK(Repeat(operation));
  CK_ASSERT_OK(engine().images().Inspect(name));
  if (operation != "import") ExpectLayersWhole();
  ContainerConfig config;
  config.image = name;
  config.cmd = {{"/no/such"}};
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  EXPECT_THAT(container.Start(),
              StatusIs(absl::StatusCode::kNotFound, Reason::kCommandNotFound));
  CK_ASSERT_OK(container.Remove());
  CK_ASSERT_OK(engine().images().Remove(name));
}

// Pruned or not yet, it can be pruned, and what was pruned comes back whole.
void FaultTest::CheckPruned(const Outcome& outcome) {
  const auto left = [&] {
    const auto images = engine().images().List(
        {.all = true, .filters = {{"dangling", "true"}}});
    const auto containers = engine().ListContainers({.all = true});
    CK_EXPECT_OK(images);
    CK_EXPECT_OK(containers);
    return images->size() + containers->size();
  };
  if (outcome.ok) {
    EXPECT_EQ(left(), 0u);
  }
  CK_ASSERT_OK(engine().Prune(false, false));
  EXPECT_EQ(left(), 0u);
  CK_ASSERT_OK(engine().images().Remove(ImageNameOf("load")));
  CheckImage("load", {});
}

void FaultTest::ExpectRuns(Container container) {
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK_AND_ASSIGN(const ContainerInfo info, container.Inspect());
  EXPECT_EQ(info.state, ContainerState::kRunning);
  CK_ASSERT_OK(container.Stop({.timeout = absl::ZeroDuration()}));
  CK_ASSERT_OK(container.Remove());
}

absl::Status FaultTest::Repeat(const std::string& operation) {
  if (operation == "pull") {
    return engine().images().Pull(ArgumentOf(operation)).status();
  }
  if (operation == "load") {
    return engine().images().Load(ArgumentOf(operation)).status();
  }
  if (operation == "import") {
    const UniqueFd fd(open(archive_.c_str(), O_RDONLY | O_CLOEXEC));
    ImageImportOptions options;
    options.reference = "fault";
    return engine().images().Import(fd.get(), options).status();
  }
  ContainerConfig config = Command({"sleep", "1000"});
  config.name = kName;
  return engine().Create(config).status();
}

// What a process of the engine still undoes is waited for.
void FaultTest::CheckContainer(const std::string& operation,
                               const Outcome& outcome) {
  absl::StatusOr<Container> container = engine().GetContainer(kName);
  if (!container.ok()) {
    EXPECT_THAT(container, StatusIs(absl::StatusCode::kNotFound,
                                    Reason::kContainerNotFound));
    EXPECT_TRUE(operation == "remove" || operation == "create");
    EXPECT_FALSE(operation == "create" && outcome.ok);
    CK_ASSERT_OK(Repeat("create"));
    CK_ASSERT_OK_AND_ASSIGN(Container again, engine().GetContainer(kName));
    ExpectRuns(again);
    return;
  }
  EXPECT_FALSE(operation == "remove" && outcome.ok);
  CK_ASSERT_OK_AND_ASSIGN(const ContainerInfo info, container->Inspect());
  if ((operation == "start" || operation == "exec") && outcome.ok) {
    // A monitor may have been killed after it had answered.
    const bool lost = helper_killed_ && info.error == "its monitor was killed";
    EXPECT_TRUE(info.state == ContainerState::kRunning || lost)
        << "exit code " << info.exit.code << " " << info.error;
  }
  if (operation == "exec" && !helper_killed_) {
    EXPECT_EQ(info.state, ContainerState::kRunning);
  }
  if (operation == "stop" && outcome.ok) {
    EXPECT_NE(info.state, ContainerState::kRunning);
  }
  // Running, half-started, dead: all can be stopped, started and removed.
  const absl::Status stopped =
      container->Stop({.timeout = absl::ZeroDuration()});
  if (GetReason(stopped) != Reason::kAlreadyStopped) {
    CK_ASSERT_OK(stopped);
  }
  ExpectRuns(*container);
}

void FaultTest::CheckStoreIsClean() {
  CK_ASSERT_OK(engine().Prune(false, false));
  CK_ASSERT_OK_AND_ASSIGN(const std::vector<StoreFinding> findings,
                          engine().CheckStore(false));
  for (const StoreFinding& finding : findings) {
    // Young parts of a blob wait for a pull that goes on with them.
    if (finding.kind == "trash" || finding.kind == "partial-blob") continue;
    ADD_FAILURE() << finding.kind << " " << finding.object << ": "
                  << finding.problem;
  }
  EXPECT_EQ(CountNames(absl::StrCat(root(), "/tmp")), 0);
  EXPECT_EQ(CountNames(absl::StrCat(root(), "/leases")), 0);
  EXPECT_EQ(CountNames(absl::StrCat(root(), "/containers")), 0);
}

void FaultTest::CheckAfter(const std::string& operation,
                           const Outcome& outcome) {
  Reopen();
  if (HasFatalFailure()) return;
  CK_ASSERT_OK_AND_ASSIGN(const std::vector<StoreFinding> findings,
                          engine().CheckStore(false));
  for (const StoreFinding& finding : findings) {
    EXPECT_FALSE(finding.damage)
        << finding.kind << " " << finding.object << ": " << finding.problem;
  }
  if (IsImageOperation(operation)) {
    CheckImage(operation, outcome);
  } else if (operation == "prune") {
    CheckPruned(outcome);
  } else if (operation != "open") {
    CheckContainer(operation, outcome);
  }
  if (operation == "recover" && !HasFatalFailure()) CheckImage("load", {});
  if (HasFatalFailure()) return;
  CheckStoreIsClean();
  Close();
  EXPECT_EQ(Snapshot::WaitUntilBackTo(*quiet_), "");
  Reopen();
}

}  // namespace containerkit::testing
