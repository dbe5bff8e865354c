// An engine with an image that is the probe and little else, and the host's
// state taken before every test and compared after it.
#ifndef CONTAINERKIT_TESTS_ATTACK_RUNTIME_FIXTURE_H_
#define CONTAINERKIT_TESTS_ATTACK_RUNTIME_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/store/tar_test_util.h"
#include "tests/attack/host_oracle.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::attack {

class RuntimeAttackTest : public testing::EngineTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  const std::string& canary() const { return canary_->path(); }
  int TakeAccesses() { return canary_->TakeAccesses(); }

  // Imports `tar` with /probe added; changes are Dockerfile instructions.
  void Import(store::TarBuilder tar, const std::string& name,
              const std::vector<std::string>& changes = {});
  static ContainerConfig Probe(std::vector<std::string> arguments,
                               const std::string& image = "probe");

  // The status of creating and starting, and what was printed if it ran.
  struct Attempt {
    absl::Status status;
    testing::RunResult result;
  };
  Attempt Try(const ContainerConfig& config);
  // The probe's answer in a running container.
  testing::RunResult Exec(Container& container, ExecConfig exec);
  Container StartProbe(const ContainerConfig& config);

 private:
  std::string probe_;
  std::unique_ptr<Canary> canary_;
  std::optional<HostState> host_;
};

// The value of a line "Field: value" of /proc/PID/status.
std::string Field(const std::string& status, const std::string& field);

}  // namespace containerkit::attack

#endif  // CONTAINERKIT_TESTS_ATTACK_RUNTIME_FIXTURE_H_
