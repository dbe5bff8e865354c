#include "lib/runtime/user_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/launcher.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"
#include "lib/testing/ordinary_user.h"
#include "lib/testing/require.h"

namespace containerkit::runtime {
namespace {

using testing::kFirstSubId;
using testing::kOrdinaryUser;

class UserNamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    CK_REQUIRE("user-namespaces");
    CK_REQUIRE("newuidmap");
    ASSERT_NE(mkdtemp(base_.data()), nullptr);
    ASSERT_EQ(chown(base_.c_str(), kOrdinaryUser, kOrdinaryUser), 0);
  }
  void TearDown() override { CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, base_)); }

  // As an ordinary user; what a gtest check in `body` finds fails the test.
  void AsUser(const std::function<void()>& body, bool with_ranges = true) {
    const int result = testing::AsOrdinaryUser([&] {
      auto facts = ProbeHostFacts();
      auto launcher = Launcher::Create();
      if (!facts.ok() || !launcher.ok()) return 2;
      if (!with_ranges) facts->subuids.clear();
      facts_ = *std::move(facts);
      launcher_ = *std::move(launcher);
      space_ = std::make_unique<UserNamespace>(launcher_.get(), &facts_);
      body();
      space_.reset();
      launcher_.reset();
      return HasFailure() ? 1 : 0;
    });
    EXPECT_EQ(result, 0);
  }

  std::string At(const std::string& name) const { return base_ + "/" + name; }

  std::string base_ = "/tmp/ck_user_namespace_XXXXXX";
  HostFacts facts_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<UserNamespace> space_;
};

TEST_F(UserNamespaceTest, GivesFilesToSubIdsAndTakesThemAway) {
  AsUser([this] {
    CK_EXPECT_OK(space_->Run([this] {
      EXPECT_EQ(mkdir(At("d").c_str(), 0700), 0);
      EXPECT_EQ(mkdir(At("d/below").c_str(), 0700), 0);
      EXPECT_EQ(chown(At("d/below").c_str(), 65536, 7), 0);
      EXPECT_EQ(chown(At("d").c_str(), 5, 6), 0);
      return absl::OkStatus();
    }));
    struct stat info;
    ASSERT_EQ(stat(At("d").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kFirstSubId + 4);
    EXPECT_EQ(info.st_gid, kFirstSubId + 5);
    EXPECT_EQ(sys::RemoveTreeAt(AT_FDCWD, At("d")).code(),
              absl::StatusCode::kPermissionDenied);
    CK_EXPECT_OK(
        space_->Run([this] { return sys::RemoveTreeAt(AT_FDCWD, At("d")); }));
    EXPECT_NE(access(At("d").c_str(), F_OK), 0);
  });
}

TEST_F(UserNamespaceTest, SharesMemoryAndDescriptorsWithTheBody) {
  AsUser([this] {
    UniqueFd file;
    std::string text;
    uid_t inside = 1;
    CK_EXPECT_OK(space_->Run([&] {
      file.Reset(open(At("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      text.assign(100'000, 'x');
      inside = geteuid();
      return absl::OkStatus();
    }));
    EXPECT_EQ(inside, 0u);
    EXPECT_EQ(text, std::string(100'000, 'x'));
    EXPECT_EQ(write(file.get(), "x", 1), 1);
  });
}

TEST_F(UserNamespaceTest, LeavesTheCallerAsItWas) {
  AsUser([this] {
    sigset_t before, after;
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
    CK_EXPECT_OK(space_->Run([] {
      EXPECT_EQ(chdir("/proc"), 0);
      return absl::OkStatus();
    }));
    EXPECT_EQ(geteuid(), kOrdinaryUser);
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
    for (int i = 1; i < SIGRTMAX; ++i) {
      EXPECT_EQ(sigismember(&before, i), sigismember(&after, i)) << i;
    }
    char cwd[4096];
    ASSERT_NE(getcwd(cwd, sizeof cwd), nullptr);
    EXPECT_STRNE(cwd, "/proc");
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
    EXPECT_EQ(errno, ECHILD);
  });
}

TEST_F(UserNamespaceTest, PassesOnWhatTheBodyReturns) {
  AsUser([this] {
    const absl::Status refused = space_->Run(
        [] { return SyscallError(EDOM, "test.run", "body", "path"); });
    EXPECT_EQ(GetErrorDetail(refused)->os_errno, EDOM);
    EXPECT_THAT(
        space_->Run(
            []() -> absl::Status { throw std::runtime_error("thrown"); }),
        testing::StatusIs(absl::StatusCode::kInternal, Reason::kInternal));
    EXPECT_THAT(
        space_->Run([] {
          kill(getpid(), SIGKILL);
          return absl::OkStatus();
        }),
        testing::StatusIs(absl::StatusCode::kInternal, Reason::kInternal));
    CK_EXPECT_OK(space_->Run([] { return absl::OkStatus(); }));
  });
}

TEST_F(UserNamespaceTest, ServesSeveralThreads) {
  AsUser([this] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this, i] {
        for (int round = 0; round < 20; ++round) {
          const std::string path = At("f" + std::to_string(i));
          CK_EXPECT_OK(space_->Run([&] {
            const UniqueFd file(open(path.c_str(), O_CREAT | O_RDWR, 0600));
            EXPECT_EQ(fchown(file.get(), 1000, 1000), 0);
            EXPECT_EQ(unlink(path.c_str()), 0);
            return absl::OkStatus();
          }));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
}

TEST_F(UserNamespaceTest, WithoutRangesHasTheUserAlone) {
  AsUser(
      [this] {
        CK_EXPECT_OK(space_->Run([this] {
          EXPECT_EQ(mkdir(At("d").c_str(), 0000), 0);
          EXPECT_EQ(mkdir(At("d/below").c_str(), 0700), 0);
          EXPECT_EQ(chown(At("d").c_str(), 5, 6), -1);
          EXPECT_EQ(errno, EINVAL);
          return absl::OkStatus();
        }));
        struct stat info;
        ASSERT_EQ(stat(At("d").c_str(), &info), 0);
        EXPECT_EQ(info.st_uid, kOrdinaryUser);
      },
      /*with_ranges=*/false);
}

}  // namespace
}  // namespace containerkit::runtime
