// Operations on a disk that is full, and on one that loses its power
// (security.md F07, F05).
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/fault/fault_fixture.h"
#include "tests/fault/loop_disk.h"

namespace containerkit::testing {
namespace {

constexpr int kMebibytes = 48;

// Everything of the test is on the small disk.
class DiskTest : public FaultTest {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    CK_REQUIRE("loop-devices");
    const char* tmp = getenv("TEST_TMPDIR");
    tmp_ = tmp == nullptr ? "/tmp" : tmp;
    disk_ = std::make_unique<LoopDisk>(kMebibytes);
    ASSERT_TRUE(disk_->ok());
    setenv("TEST_TMPDIR", disk_->directory().c_str(), 1);
    FaultTest::SetUp();
  }
  void TearDown() override {
    if (disk_ == nullptr || !disk_->ok()) return;
    disk_->Empty();
    FaultTest::TearDown();
    disk_.reset();
    setenv("TEST_TMPDIR", tmp_.c_str(), 1);
  }

  // A container that must go even when nothing else can be written.
  void MakeVictim() {
    ContainerConfig config = Command({"true"});
    config.name = "victim";
    CK_ASSERT_OK_AND_ASSIGN(Container victim, engine().Create(config));
    CK_ASSERT_OK(victim.Start());
    CK_ASSERT_OK(victim.Wait());
  }
  void RemoveVictim() {
    CK_ASSERT_OK_AND_ASSIGN(Container victim, engine().GetContainer("victim"));
    CK_ASSERT_OK(victim.Remove());
  }

  // With `left` KiB free the operation works or says that the disk is full;
  // what was there can be removed; with space again all is well.
  void RunWithLittleSpace(const std::string& operation, int left) {
    SCOPED_TRACE(absl::StrCat(operation, " with ", left, " KiB left"));
    MakeVictim();
    Prepare(operation);
    disk_->FillUpTo(left);
    const TraceResult result =
        RunWorker(operation, [](const SystemCall&) { return Verdict::Run(); });
    EXPECT_FALSE(result.timed_out);
    EXPECT_TRUE(result.crashes.empty()) << result.crashes[0];
    const Outcome outcome = ReadOutcome();
    ASSERT_TRUE(outcome.answered);
    if (!outcome.ok) {
      ++refused_;
      EXPECT_EQ(outcome.reason, "DiskFull") << outcome.line;
      EXPECT_NE(outcome.operation, "-") << outcome.line;
    } else {
      ++done_;
    }
    disk_->FillUpTo(0);
    Reopen();
    RemoveVictim();
    Close();
    disk_->Empty();
    CheckAfter(operation, outcome);
  }

  void Fill(const std::string& operation) {
    for (const int left : {0, 8, 24, 48, 80, 120, 200, 400, 1500}) {
      RunWithLittleSpace(operation, left);
      if (HasFatalFailure()) return;
    }
    printf("%s: %d done, %d refused\n", operation.c_str(), done_, refused_);
    EXPECT_GT(done_, 0);
  }

  // The power goes before the point-th call of the operation, or after the
  // last one; then the machine starts again.
  bool CutAt(const std::string& operation, uint64_t point) {
    SCOPED_TRACE(absl::StrCat(operation, " cut off at call ", point));
    Prepare(operation);
    sync();
    uint64_t seen = 0;
    const TraceResult result = RunWorker(operation, [&](const SystemCall&) {
      if (++seen != point) return Verdict::Run();
      EXPECT_TRUE(disk_->Cut());
      return Verdict::KillAll();
    });
    EXPECT_FALSE(result.timed_out);
    const bool within = seen >= point;
    if (!within) {
      EXPECT_TRUE(disk_->Cut());
    }
    const Outcome outcome = ReadOutcome();
    EXPECT_EQ(outcome.ok, !within) << outcome.line;
    EXPECT_TRUE(disk_->Restore());
    CheckAfter(operation, outcome);
    return within;
  }

  void CutEverywhere(const std::string& operation, uint64_t every) {
    const uint64_t step = StepOf(every);
    uint64_t point = 1;
    while (CutAt(operation, point) && !HasFailure()) point += step;
    printf("%s: cut off at %d points\n", operation.c_str(),
           static_cast<int>((point - 1) / step + 1));
    EXPECT_GT(point, step);
  }

  int done_ = 0;
  int refused_ = 0;

 private:
  std::string tmp_;
  std::unique_ptr<LoopDisk> disk_;
};

class FullDiskTest : public DiskTest {};

TEST_F(FullDiskTest, Import) { Fill("import"); }
TEST_F(FullDiskTest, Load) { Fill("load"); }
TEST_F(FullDiskTest, Pull) { Fill("pull"); }
TEST_F(FullDiskTest, Create) { Fill("create"); }
TEST_F(FullDiskTest, Start) { Fill("start"); }

class PowerCutTest : public DiskTest {
 protected:
  void SetUp() override {
    DiskTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) PretendAnotherBoot();
  }
};

TEST_F(PowerCutTest, Import) { CutEverywhere("import", 90); }
TEST_F(PowerCutTest, Load) { CutEverywhere("load", 90); }
TEST_F(PowerCutTest, Pull) { CutEverywhere("pull", 200); }

}  // namespace
}  // namespace containerkit::testing
