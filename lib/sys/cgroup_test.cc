#include "lib/sys/cgroup.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/sys/cgroup_files.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::sys {
namespace {

// A cgroup of the machine's own kind with sleeping processes in it.
class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto layout = ProbeCgroupLayout();
    ASSERT_TRUE(layout.ok()) << layout.status();
    unified_ = layout->mode == CgroupMode::kUnified;
    const std::string name = absl::StrCat("/ck-cgroup-test-", getpid());
    auto all = CgroupDirectories(*layout, name);
    ASSERT_TRUE(all.ok()) << all.status();
    for (const CgroupDirectory& directory : *all) {
      if (directory.v2 != unified_) continue;
      if (mkdir(directory.path.c_str(), 0755) != 0) {
        GTEST_SKIP() << "cannot make " << directory.path;
      }
      directories_.push_back(directory);
      CopyParent(directory, "cpuset.cpus");
      CopyParent(directory, "cpuset.mems");
    }
    auto cgroup = Cgroup::Open(directories_);
    ASSERT_TRUE(cgroup.ok()) << cgroup.status();
    cgroup_ = *std::move(cgroup);
  }

  void TearDown() override {
    if (cgroup_ != nullptr) {
      (void)cgroup_->KillAll();
      while (waitpid(-1, nullptr, 0) > 0) {
      }
      EXPECT_TRUE(cgroup_->Remove().ok());
    }
    for (const CgroupDirectory& directory : directories_) {
      EXPECT_NE(access(directory.path.c_str(), F_OK), 0) << directory.path;
    }
  }

  static void CopyParent(const CgroupDirectory& directory, const char* file) {
    const auto parent = CgroupDir::Open(directory.mount_point);
    const auto own = CgroupDir::Open(directory.path);
    const auto value = parent->Read(file);
    if (value.ok()) (void)own->Write(file, *value);
  }

  // A child in the cgroup; with `fork_bomb` it keeps forking.
  pid_t Spawn(bool fork_bomb = false) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (const CgroupDirectory& directory : directories_) {
        const auto dir = CgroupDir::Open(directory.path);
        if (!dir.ok() || !dir->Write("cgroup.procs", "0").ok()) _exit(1);
      }
      while (fork_bomb) {
        if (fork() == 0) pause();
        usleep(200);
      }
      // Something to be charged for.
      constexpr size_t kBytes = 1 << 20;
      memset(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
             1, kBytes);
      pause();
      _exit(0);
    }
    return pid;
  }

  const CgroupDirectory* Freezer() const {
    for (const CgroupDirectory& directory : directories_) {
      const auto& names = directory.controllers;
      if (std::find(names.begin(), names.end(), "freezer") != names.end()) {
        return &directory;
      }
    }
    return nullptr;
  }

  void WaitForProcesses(size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (absl::Now() < deadline) {
      if (cgroup_->Processes()->size() >= count) return;
      absl::SleepFor(absl::Milliseconds(1));
    }
    FAIL() << "processes did not come";
  }

  bool unified_ = false;
  std::vector<CgroupDirectory> directories_;
  std::unique_ptr<Cgroup> cgroup_;
};

TEST_F(CgroupTest, ListsProcesses) {
  const pid_t pid = Spawn();
  WaitForProcesses(1);
  EXPECT_EQ(*cgroup_->Processes(), std::vector<pid_t>{pid});
  const auto stats = cgroup_->Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->memory_limit_bytes, 0u);
}

TEST_F(CgroupTest, FreezesAndThaws) {
  Spawn();
  WaitForProcesses(1);
  EXPECT_FALSE(*cgroup_->Frozen());
  ASSERT_TRUE(cgroup_->Freeze().ok());
  EXPECT_TRUE(*cgroup_->Frozen());
  ASSERT_TRUE(cgroup_->Thaw().ok());
  EXPECT_FALSE(*cgroup_->Frozen());
}

TEST_F(CgroupTest, KillsFrozenAndForkingProcesses) {
  Spawn(/*fork_bomb=*/true);
  WaitForProcesses(20);
  ASSERT_TRUE(cgroup_->Freeze().ok());
  const absl::Status killed = cgroup_->KillAll();
  EXPECT_TRUE(killed.ok()) << killed;
  EXPECT_TRUE(cgroup_->Processes()->empty());
}

TEST_F(CgroupTest, KillsWhatSomebodyFroseElsewhere) {
  const CgroupDirectory* home = Freezer();
  if (home == nullptr) GTEST_SKIP() << "only v1 has freezers of their own";
  const pid_t pid = Spawn();
  const auto last = CgroupDir::Open(directories_.back().path);
  while (last->Processes().empty()) absl::SleepFor(absl::Milliseconds(1));
  const std::string path = absl::StrCat(home->path, "-foreign");
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  const auto foreign = CgroupDir::Open(path);
  ASSERT_TRUE(foreign->Write("cgroup.procs", absl::StrCat(pid)).ok());
  ASSERT_TRUE(foreign->Write("freezer.state", "FROZEN").ok());
  const absl::Status killed = cgroup_->KillAll();
  // Let go in any case, so that nothing is left.
  EXPECT_TRUE(foreign->Write("freezer.state", "THAWED").ok());
  EXPECT_TRUE(killed.ok()) << killed;
  EXPECT_TRUE(cgroup_->KillAll().ok());
  EXPECT_TRUE(foreign->Remove(absl::Now() + absl::Seconds(10)).ok());
}

TEST_F(CgroupTest, SetsLimitsUpAndDown) {
  if (unified_) GTEST_SKIP() << "controllers of v2 are not ours to enable";
  CgroupResources resources;
  const auto set = [&](int64_t memory, int64_t swap) {
    resources.memory.limit_bytes = memory;
    resources.memory.swap_bytes = swap;
    const absl::Status status = cgroup_->Update(resources);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(cgroup_->Stats()->memory_limit_bytes,
              memory < 0 ? 0 : static_cast<uint64_t>(memory));
  };
  set(64 << 20, 128 << 20);
  set(256 << 20, 512 << 20);  // memory above the old sum
  set(32 << 20, 32 << 20);    // sum below the old memory
  set(-1, -1);
  resources = {};
  resources.pids_limit = 7;
  EXPECT_TRUE(cgroup_->Update(resources).ok());
  EXPECT_EQ(cgroup_->Stats()->pids_limit, 7u);
}

TEST_F(CgroupTest, RefusedLimitsSayWhy) {
  CgroupResources resources;
  resources.memory.limit_bytes = 1 << 20;
  resources.memory.swap_bytes = 1 << 10;
  EXPECT_EQ(GetReason(cgroup_->Update(resources)), Reason::kInvalidArgument);
  resources = {};
  resources.hugepage_limits = {{"2MB", 1 << 21}};
  const absl::Status status = cgroup_->Update(resources);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(status), Reason::kCgroupFailed);
}

TEST_F(CgroupTest, LimitsBelowTheUsageAreCheckedOnRequest) {
  if (unified_) GTEST_SKIP() << "controllers of v2 are not ours to enable";
  Spawn();
  WaitForProcesses(1);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (cgroup_->Stats()->memory_raw_usage_bytes <= 4096) {
    ASSERT_LT(absl::Now(), deadline) << "nothing is charged";
    absl::SleepFor(absl::Milliseconds(1));
  }
  CgroupResources resources;
  resources.memory.limit_bytes = 4096;
  resources.memory.check_before_update = true;
  EXPECT_EQ(GetReason(cgroup_->Update(resources)), Reason::kInvalidArgument);
}

TEST_F(CgroupTest, RemovesWhatTheContainerMadeBelow) {
  for (const CgroupDirectory& directory : directories_) {
    const std::string child = absl::StrCat(directory.path, "/a.slice");
    ASSERT_EQ(mkdir(child.c_str(), 0755), 0);
    ASSERT_EQ(mkdir(absl::StrCat(child, "/b").c_str(), 0755), 0);
  }
  EXPECT_TRUE(cgroup_->Remove().ok());
  EXPECT_TRUE(cgroup_->Remove().ok());
  EXPECT_EQ(cgroup_->Stats().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CgroupTest, RemoveOfABusyCgroupEnds) {
  Spawn();
  WaitForProcesses(1);
  const absl::Status status = cgroup_->Remove();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetReason(status), Reason::kCgroupFailed);
}

TEST_F(CgroupTest, SaysWhereOomIsCounted) {
  const std::string path = cgroup_->OomPath();
  if (!unified_) {
    EXPECT_EQ(access(path.c_str(), R_OK), 0) << path;
  }
}

TEST(CgroupOpenTest, MissingCgroups) {
  const auto cgroup = Cgroup::Open({{{"memory"},
                                     "/sys/fs/cgroup/memory/no-x",
                                     "/sys/fs/cgroup/memory",
                                     false}});
  EXPECT_EQ(cgroup.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetReason(cgroup.status()), Reason::kCgroupFailed);
  EXPECT_EQ(Cgroup::Open({}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace containerkit::sys
