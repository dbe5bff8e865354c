#include "tests/attack/runtime_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/unique_fd.h"

namespace containerkit::attack {

void RuntimeAttackTest::SetUp() {
  EngineTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  std::ifstream in("tests/attack/probe", std::ios::binary);
  probe_.assign(std::istreambuf_iterator<char>(in), {});
  ASSERT_FALSE(probe_.empty());
  canary_ = std::make_unique<Canary>(MakeDirectory("canary"));
  host_ = HostState::Take({canary()});
  canary_->TakeAccesses();
  Import(store::TarBuilder()
             .File("etc/passwd",
                   "root:x:0:0:root:/root:/bin/sh\n"
                   "app:x:1000:1000::/home/app:/bin/sh\n")
             .File("etc/group", "root:x:0:\napp:x:1000:\nextra:x:2000:app\n"),
         "probe");
}

void RuntimeAttackTest::TearDown() {
  if (canary_ != nullptr) {
    const auto containers = engine().ListContainers({.all = true});
    CK_EXPECT_OK(containers);
    for (const ContainerInfo& info : *containers) {
      CK_EXPECT_OK(engine().GetContainer(info.id)->Remove({.force = true}));
    }
    EXPECT_EQ(host_->DifferenceNow(), "");
    EXPECT_EQ(canary_->TakeAccesses(), 0);
    canary_.reset();
  }
  EngineTest::TearDown();
}

void RuntimeAttackTest::Import(store::TarBuilder tar, const std::string& name,
                               const std::vector<std::string>& changes) {
  const std::string bytes = tar.File("probe", probe_, 0755).Build();
  const std::string path = absl::StrCat(scratch(), "/image.tar");
  std::ofstream(path, std::ios::binary) << bytes;
  const UniqueFd archive(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ImageImportOptions options;
  options.reference = name;
  options.changes = changes;
  CK_ASSERT_OK(engine().images().Import(archive.get(), options));
}

ContainerConfig RuntimeAttackTest::Probe(std::vector<std::string> arguments,
                                         const std::string& image) {
  arguments.insert(arguments.begin(), "/probe");
  ContainerConfig config;
  config.image = image;
  config.cmd = std::move(arguments);
  return config;
}

RuntimeAttackTest::Attempt RuntimeAttackTest::Try(
    const ContainerConfig& config) {
  Attempt attempt;
  absl::StatusOr<Container> container = engine().Create(config);
  attempt.status = container.status();
  if (!container.ok()) return attempt;
  StartOptions options;
  options.attach = true;
  auto session = container->Start(options);
  attempt.status = session.status();
  if (session.ok()) attempt.result = Drain(**session);
  CK_EXPECT_OK(container->Remove({.force = true}));
  return attempt;
}

testing::RunResult RuntimeAttackTest::Exec(Container& container,
                                           ExecConfig exec) {
  absl::StatusOr<Session> session = container.Exec(exec);
  EXPECT_THAT(session, testing::IsOk());
  return session.ok() ? Drain(*session) : testing::RunResult();
}

Container RuntimeAttackTest::StartProbe(const ContainerConfig& config) {
  absl::StatusOr<Container> container = engine().Create(config);
  EXPECT_THAT(container, testing::IsOk());
  CK_EXPECT_OK(container->Start());
  return *container;
}

std::string Field(const std::string& status, const std::string& field) {
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::ConsumePrefix(&line, absl::StrCat(field, ":"))) {
      return std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return "(none)";
}

}  // namespace containerkit::attack
