// An engine of an ordinary user with sub-ids: owners in images and containers
// are what they are for root.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "containerkit/engine.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/leak_check.h"
#include "lib/testing/matchers.h"
#include "lib/testing/ordinary_user.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

std::string OutputOf(const std::string& script) {
  FILE* const pipe = popen(script.c_str(), "re");
  std::string text;
  char buffer[4096];
  size_t n;
  while (pipe != nullptr && (n = fread(buffer, 1, sizeof buffer, pipe)) > 0) {
    text.append(buffer, n);
  }
  EXPECT_EQ(pclose(pipe), 0) << script;
  return text;
}

class RootlessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    CK_REQUIRE("overlay");
    CK_REQUIRE("user-namespaces");
    CK_REQUIRE("busybox");
    CK_REQUIRE("newuidmap");
    ASSERT_NE(mkdtemp(scratch_.data()), nullptr);
    BusyboxArchive(scratch_);
    // /, /secret 0700 and /secret/file are app's, /set-id has a set-id bit and
    // the group `extra`, /far an owner beyond all ranges.
    OutputOf(absl::StrCat(
        "set -e; cd ", scratch_, "; mkdir more more/secret; cd more; ",
        "echo text > secret/file; chmod 0600 secret/file; ",
        "chmod 0700 secret; touch set-id far; chmod 2755 set-id; ",
        "t='tar --append -f ../busybox.tar'; ",
        "$t --owner=1000 --group=1000 --no-recursion .; ",
        "$t --owner=1000 --group=1000 ./secret; ",
        "$t --owner=0 --group=2000 ./set-id; ",
        "$t --owner=70000 --group=0 ./far; cd ..; rm -r more; chown -R ",
        kOrdinaryUser, ":", kOrdinaryUser, " ."));
  }
  void TearDown() override { OutputOf("rm -rf " + scratch_); }

  // Runs `body` as the user, with an open engine and the image "box".
  void AsUser(const std::function<void()>& body, bool has_range = true) {
    const auto in_child = [&] {
      const Snapshot before = Snapshot::Take();
      OpenEngine();
      if (engine_.has_value()) body();
      engine_.reset();
      EXPECT_EQ(Snapshot::WaitUntilBackTo(before), "");
      return HasFailure() ? 1 : 0;
    };
    EXPECT_EQ(AsOrdinaryUser(in_child, has_range), 0);
  }

  void OpenEngine() {
    Engine::Options options;
    options.root = scratch_ + "/state";
    options.log_sink = [this](LogLevel level, absl::string_view text) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (level == LogLevel::kWarning) warnings_.emplace_back(text);
    };
    absl::StatusOr<Engine> engine = Engine::Open(options);
    ASSERT_THAT(engine, IsOk());
    engine_ = *std::move(engine);
    const UniqueFd archive(
        open((scratch_ + "/busybox.tar").c_str(), O_RDONLY | O_CLOEXEC));
    ImageImportOptions import;
    import.reference = "box";
    CK_EXPECT_OK(engine_->images().Import(archive.get(), import));
  }

  Container Create(const std::string& script, const std::string& user = "",
                   ContainerConfig config = {}) {
    config.image = "box";
    config.cmd = std::vector<std::string>{"sh", "-c", script};
    config.user = user;
    absl::StatusOr<Container> container = engine_->Create(config);
    EXPECT_THAT(container, IsOk());
    return *std::move(container);
  }

  std::string Run(Container& container) {
    auto session = container.Start({.attach = true});
    EXPECT_THAT(session, IsOk());
    if (!session.ok() || !session->has_value()) return "";
    std::string out;
    CK_EXPECT_OK((*session)->Read([&](const Output& output) {
      out.append(output.data.data(), output.data.size());
    }));
    return out;
  }

  // Files of the state root that sub-ids own, and what is in these
  // directories of it, as root sees them.
  std::string Foreign() const {
    return OutputOf(
        absl::StrCat("find ", scratch_, "/state ! -uid ", kOrdinaryUser));
  }

  // What the import of "box" said.
  void ExpectDroppedOwners(int count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_TRUE(absl::StartsWith(warnings_[0], "layer ")) << warnings_[0];
    EXPECT_TRUE(absl::StrContains(
        warnings_[0], absl::StrCat(": ", count, " owners were not kept: ")))
        << warnings_[0];
  }

  std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::string scratch_ = "/tmp/ck_rootless_XXXXXX";
  std::optional<Engine> engine_;
};

TEST_F(RootlessTest, OwnersAreThoseOfTheImage) {
  AsUser([this] {
    ExpectDroppedOwners(1);  // of /far
    Container container = Create(
        "stat -c '%n %u:%g %a' / /secret /secret/file /set-id /far /bin");
    EXPECT_EQ(
        Run(container),
        "/ 1000:1000 755\n/secret 1000:1000 700\n/secret/file 1000:1000 600\n"
        "/set-id 0:2000 2755\n/far 0:0 644\n/bin 0:0 755\n");
    CK_EXPECT_OK(container.Remove({.force = false, .volumes = true}));
    Container app =
        Create("cat /secret/file; echo new > /secret/new; id -un", "app");
    EXPECT_EQ(Run(app), "text\napp\n");
    CK_EXPECT_OK(app.Remove({.force = false, .volumes = true}));
  });
  // Outside they are the user's sub-ids.
  EXPECT_TRUE(absl::StrContains(Foreign(), "/fs/secret/file\n"));
  EXPECT_EQ(OutputOf(absl::StrCat("stat -c %u:%g ", scratch_,
                                  "/state/layers/sha256/*/fs/secret/file")),
            absl::StrCat(kFirstSubId + 999, ":", kFirstSubId + 999, "\n"));
}

TEST_F(RootlessTest, RemovalLeavesNothing) {
  AsUser([this] {
    Container container = Create(
        "mkdir -p /own/deep; echo x > /own/deep/f; chown -R 33:44 /own; "
        "chmod 0 /own/deep; rm -r /secret");
    EXPECT_EQ(Run(container), "");
    CK_EXPECT_OK(container.Remove({.force = false, .volumes = true}));
    CK_EXPECT_OK(engine_->Prune(/*all_images=*/true, /*dry_run=*/false));
    const auto findings = engine_->CheckStore(/*repair=*/false);
    CK_ASSERT_OK(findings);
    for (const StoreFinding& finding : *findings) {
      ADD_FAILURE() << finding.kind << " " << finding.object;
    }
  });
  EXPECT_EQ(Foreign(), "");
  EXPECT_EQ(OutputOf(absl::StrCat("ls -A ", scratch_, "/state/trash ", scratch_,
                                  "/state/containers ", scratch_,
                                  "/state/layers/sha256 | grep -v : ; true")),
            "\n\n");
}

TEST_F(RootlessTest, CopiesFilesOfAStoppedContainer) {
  AsUser([this] {
    Container container = Create(
        "[ -e /secret/in ] && stat -c '%u:%g' /secret/in; "
        "echo made > /secret/made; chown 1000:1000 /secret/made");
    EXPECT_EQ(Run(container), "");
    const std::string tar = scratch_ + "/copy.tar";
    {
      const UniqueFd out(
          open(tar.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      CK_ASSERT_OK(container.CopyOut("/secret", out.get()));
    }
    EXPECT_EQ(OutputOf("tar -tvf " + tar +
                       " --numeric-owner | awk '{print $2, $6}' | sort"),
              "1000/1000 secret/\n1000/1000 secret/file\n"
              "1000/1000 secret/made\n");
    OutputOf("cd " + scratch_ + "; echo in > in; tar -cf in.tar in");
    {
      const UniqueFd in(
          open((scratch_ + "/in.tar").c_str(), O_RDONLY | O_CLOEXEC));
      CK_ASSERT_OK(container.CopyIn("/secret", in.get()));
    }
    const auto stat = container.StatPath("/secret/in");
    CK_ASSERT_OK(stat);
    EXPECT_EQ(stat->size_bytes, 3u);
    EXPECT_NE(Run(container), "");
    CK_EXPECT_OK(container.Remove({.force = false, .volumes = true}));
  });
}

TEST_F(RootlessTest, CopiesFilesOfARunningContainer) {
  AsUser([this] {
    Container container = Create("echo ready; exec sleep 1000", "app");
    auto session = container.Start({.attach = true});
    CK_ASSERT_OK(session);
    const std::string tar = scratch_ + "/copy.tar";
    const UniqueFd out(
        open(tar.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    CK_EXPECT_OK(container.CopyOut("/secret/file", out.get()));
    EXPECT_EQ(OutputOf("tar -xOf " + tar), "text\n");
    session->reset();
    CK_EXPECT_OK(container.Remove({.force = true, .volumes = true}));
  });
}

// R11 (CVE-2023-25809): a cgroup that the user may change on the host cannot
// be changed from inside, whichever /sys the container has.
TEST_F(RootlessTest, R11CgroupsAreReadOnly) {
  CK_REQUIRE("cgroup-v1");
  using Kind = NamespaceChoice::Kind;
  const std::string name = absl::StrCat("ck-r11-", getpid());
  const std::string delegated = "/sys/fs/cgroup/pids/" + name;
  ASSERT_EQ(mkdir(delegated.c_str(), 0755), 0) << strerror(errno);
  const auto remove = absl::MakeCleanup([&] { rmdir(delegated.c_str()); });
  OutputOf(absl::StrCat("chown -R ", kOrdinaryUser, " ", delegated));
  AsUser([&] {
    for (const Kind network : {Kind::kHost, Kind::kNone}) {
      for (const Kind cgroup : {Kind::kHost, Kind::kPrivate}) {
        ContainerConfig config;
        config.network.kind = network;
        config.cgroup.kind = cgroup;
        Container container = Create(
            absl::StrCat("d=$(find /sys/fs/cgroup -name ", name,
                         "); echo seen $d; for f in $d; do mkdir $d/in; "
                         "echo $$ > $d/cgroup.procs; done 2>&1 | "
                         "grep -v 'Read-only file system$'; "
                         "grep ' /sys' /proc/self/mountinfo | grep -v ' ro,'"),
            "", config);
        EXPECT_EQ(Run(container), network == Kind::kHost
                                      ? "seen " + delegated + "\n"
                                      : "seen\n")
            << static_cast<int>(network) << static_cast<int>(cgroup);
        CK_EXPECT_OK(container.Remove({.force = false, .volumes = true}));
      }
    }
  });
}

// Without a range there is one id: the user's own, which is root's inside.
TEST_F(RootlessTest, WithoutARangeTheSingleIdOwnsAll) {
  const auto body = [this] {
    ExpectDroppedOwners(5);  // of /far, /set-id, and all of app's
    Container container = Create(
        "id -u; cat /proc/self/uid_map | tr -s ' '; "
        "stat -c '%n %u:%g %a' /secret/file /set-id /far; "
        "cat /secret/file; echo new > /secret/new; "
        "chown 1000 /secret/new 2>/dev/null || echo refused");
    EXPECT_EQ(Run(container),
              absl::StrCat("0\n 0 ", kOrdinaryUser,
                           " 1\n/secret/file 0:0 600\n/set-id 0:0 2755\n"
                           "/far 0:0 644\ntext\nrefused\n"));
    CK_EXPECT_OK(container.Remove({.force = false, .volumes = true}));
    const auto has_no = [](const absl::Status& status, const char* kind,
                           const char* id) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                   Reason::kIdMapInvalid));
      const auto detail = GetErrorDetail(status);
      EXPECT_EQ(detail->object_kind, kind);
      EXPECT_EQ(detail->object_id, id);
      EXPECT_TRUE(absl::StrContains(detail->hint, "/etc/subuid")) << status;
      EXPECT_TRUE(absl::StrContains(status.message(), "has only 0")) << status;
    };
    ContainerConfig config;
    config.image = "box";
    config.cmd = {{"true"}};
    config.user = "app";
    has_no(engine_->Create(config).status(), "user", "1000");
    config.user = "0:33";
    has_no(engine_->Create(config).status(), "group", "33");
    Container running = Create("sleep 1000");
    CK_ASSERT_OK(running.Start());
    ExecConfig exec;
    exec.command = {"true"};
    exec.user = "7";
    has_no(running.Exec(exec).status(), "user", "7");
    CK_EXPECT_OK(running.Remove({.force = true, .volumes = true}));
    CK_EXPECT_OK(engine_->Prune(/*all_images=*/true, /*dry_run=*/false));
  };
  AsUser(body, /*has_range=*/false);
  EXPECT_EQ(Foreign(), "");
}

}  // namespace
}  // namespace containerkit::testing
