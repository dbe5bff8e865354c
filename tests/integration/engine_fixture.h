// An engine on a state root of its own, with a busybox image, and the proof
// that nothing is left of it.
#ifndef CONTAINERKIT_TESTS_INTEGRATION_ENGINE_FIXTURE_H_
#define CONTAINERKIT_TESTS_INTEGRATION_ENGINE_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "containerkit/engine.h"
#include "gtest/gtest.h"
#include "lib/testing/leak_check.h"
#include "lib/testing/matchers.h"

namespace containerkit::testing {

// What a finished container left to tell.
struct RunResult {
  int exit_code = -1;
  bool oom_killed = false;
  std::string out;
  std::string err;
};

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // `sh -c script` in the busybox image.
  static ContainerConfig Shell(const std::string& script);
  static ContainerConfig Command(std::vector<std::string> command);

  // Create, start attached, read to the end; the container stays.
  RunResult Run(const ContainerConfig& config);
  // Reads a session to its end.
  static RunResult Drain(Session& session);

  Engine& engine() { return *engine_; }
  const std::string& root() const { return root_; }
  const std::string& scratch() const { return scratch_; }
  // A fresh directory below scratch().
  std::string MakeDirectory(const std::string& name);
  void Reopen();
  void Close() { engine_.reset(); }

 private:
  std::string scratch_;
  std::string root_;
  std::optional<Snapshot> before_;
  std::optional<Engine> engine_;
};

// Waits up to 30 s for `condition`.
bool Eventually(const std::function<bool()>& condition);

// A tar of a root file system with busybox and its applets; path of the file.
std::string BusyboxArchive(const std::string& directory);

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_TESTS_INTEGRATION_ENGINE_FIXTURE_H_
