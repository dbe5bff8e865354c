// What the tests of ck-oci share: a bundle made of busybox, the program, and
// proof that nothing is left behind.
#ifndef CONTAINERKIT_TESTS_OCI_RUNTIME_OCI_FIXTURE_H_
#define CONTAINERKIT_TESTS_OCI_RUNTIME_OCI_FIXTURE_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/testing/leak_check.h"
#include "nlohmann/json.hpp"

namespace containerkit::oci_test {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

struct Result {
  int code = -1;  // exit status, 128 + N for signal N
  std::string out;
  std::string err;
};

struct RunOptions {
  std::string input;
  // Descriptors that become 3, 4, ...
  std::vector<int> fds;
  std::string directory;  // where to run; empty: here
};

// Runs a program to its end. Its output goes to files, so containers that
// outlive it may keep them open.
Result RunProgram(const Strings& argv, const RunOptions& options = {});

class OciTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Runs ck-oci with this test's state root.
  Result Oci(const Strings& arguments, const RunOptions& options = {});
  // What Oci() runs.
  Strings Arguments(const Strings& arguments) const;
  // As Oci(); anything but exit status 0 fails the test.
  std::string MustOci(const Strings& arguments, const RunOptions& options = {});

  // A config whose process is `sh -c script`.
  static Json Config(const std::string& script);
  // Writes it as the bundle's config.json.
  void WriteConfig(const Json& config);
  // WriteConfig() and `run`.
  Result RunConfig(const Json& config, const Strings& flags = {});
  // Starts a container that does nothing until a signal ends it.
  void RunSleeper(const std::string& id);

  Json State(const std::string& id);
  std::string Status(const std::string& id);
  // Waits until the container has this status.
  ::testing::AssertionResult WaitStatus(const std::string& id,
                                        const std::string& status);
  // The content of a file of the cgroup that the container has for this
  // controller, whichever version the machine's cgroups are of; empty: none.
  std::string CgroupFile(const std::string& id, const std::string& controller,
                         const std::string& v1_file,
                         const std::string& v2_file);
  // A path in the test's scratch directory, which is not in the bundle.
  std::string Scratch(const std::string& name) const;
  std::string bundle() const;
  // ck-oci's absolute path.
  const std::string& program() const { return program_; }
  void set_check_leaks(bool check) { check_leaks_ = check; }
  std::string rootfs() const;

 private:
  std::string base_;
  std::string program_;
  bool check_leaks_ = true;
  std::optional<testing::Snapshot> before_;
};

std::string ReadText(const std::string& path);
void WriteText(const std::string& path, const std::string& text);
// Whether a process has ended, reaped or not.
bool IsGone(int pid);
// Waits until `done` answers true; false after thirty seconds.
bool WaitFor(const std::function<bool()>& done);

}  // namespace containerkit::oci_test

#endif  // CONTAINERKIT_TESTS_OCI_RUNTIME_OCI_FIXTURE_H_
