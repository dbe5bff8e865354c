// What the tests that disturb one operation share: the operations, what must
// hold after each, and how often a run stops.
#ifndef CONTAINERKIT_TESTS_FAULT_FAULT_FIXTURE_H_
#define CONTAINERKIT_TESTS_FAULT_FAULT_FIXTURE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"
#include "lib/image/testing/image_maker.h"
#include "lib/testing/leak_check.h"
#include "lib/testing/ptrace_driver.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {

// What the worker said of its operation.
struct Outcome {
  bool answered = false;  // false: it was killed before
  bool ok = false;
  int code = 0;
  std::string reason;
  int os_errno = 0;
  std::string operation;
  std::string line;
};

// Every `n`-th point is enough in CI; CK_FAULT_FULL=1 takes them all.
uint64_t StepOf(uint64_t n);

class FaultTest : public EngineTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  // What the worker needs of the world before `operation`, made by an engine
  // of this process, which is closed again.
  void Prepare(const std::string& operation);
  // Runs the worker; calls of phase 1 are asked about.
  TraceResult RunWorker(const std::string& operation,
                        std::function<Verdict(const SystemCall&)> on_call);
  Outcome ReadOutcome() const;

  // For the worker alone: the machine has another boot id.
  void PretendAnotherBoot();

  // All or nothing; the store is in order; the operation works now; what it
  // made is removed again and nothing is left on the machine.
  void CheckAfter(const std::string& operation, const Outcome& outcome);

  // The worker's helpers were among those that could be killed.
  bool helper_killed_ = false;

 private:
  std::string ArgumentOf(const std::string& operation) const;
  bool IsImageOperation(const std::string& operation) const;
  std::string ImageNameOf(const std::string& operation) const;
  // Runs the worker up to its first call with this number.
  void KillAllAt(const std::string& operation, long number);
  void LeaveMess();
  void CheckImage(const std::string& operation, const Outcome& outcome);
  void CheckContainer(const std::string& operation, const Outcome& outcome);
  void CheckPruned(const Outcome& outcome);
  void CheckStoreIsClean();
  void ExpectRuns(Container container);
  absl::Status Repeat(const std::string& operation);
  void ExpectLayersWhole();

  std::unique_ptr<image::testing::TestRegistry> registry_;
  image::testing::TestImage image_;
  std::string archive_;  // busybox, for import
  std::string docker_archive_;
  std::string boot_id_file_;  // empty: the true one
  UniqueFd result_fd_;
  std::string result_;  // its name
  // With the engine closed.
  std::optional<Snapshot> quiet_;
};

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_TESTS_FAULT_FAULT_FIXTURE_H_
