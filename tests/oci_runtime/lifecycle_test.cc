// create, start, state, kill, delete, run, list, ps.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/require.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

class LifecycleTest : public OciTest {};

TEST_F(LifecycleTest, RunGivesOutputAndExitStatus) {
  const Result result = RunConfig(Config("echo out; echo err >&2; exit 42"));
  EXPECT_EQ(result.code, 42);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

TEST_F(LifecycleTest, ASignalEndsRunWith128AndItsNumber) {
  Json config = Config("kill -9 $$");
  // The first process of a pid namespace is immune to itself.
  config["linux"]["namespaces"] = {{{"type", "mount"}}};
  EXPECT_EQ(RunConfig(config).code, 137);
}

TEST_F(LifecycleTest, StdinIsTheContainers) {
  WriteConfig(Config("cat"));
  const Result result =
      Oci({"run", "-b", bundle(), "a"}, {.input = "through\n"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "through\n");
}

TEST_F(LifecycleTest, CreatedRunningStoppedGone) {
  WriteConfig(Config("echo started > /tmp/mark; exec sleep 100"));
  MustOci({"create", "-b", bundle(), "--pid-file", Scratch("pid"), "a"});
  Json state = State("a");
  EXPECT_EQ(state["status"], "created");
  EXPECT_EQ(state["ociVersion"], "1.2.0");
  EXPECT_EQ(state["id"], "a");
  EXPECT_EQ(state["bundle"], bundle());
  EXPECT_EQ(state["rootfs"], rootfs());
  EXPECT_EQ(state["owner"], "root");
  const pid_t pid = state["pid"];
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_EQ(ReadText(Scratch("pid")), absl::StrCat(pid));
  EXPECT_NE(access(absl::StrCat(rootfs(), "/tmp/mark").c_str(), F_OK), 0);

  MustOci({"start", "a"});
  EXPECT_EQ(Status("a"), "running");
  EXPECT_TRUE(WaitFor([&] {
    return ReadText(absl::StrCat(rootfs(), "/tmp/mark")) == "started\n";
  }));
  const Result again = Oci({"start", "a"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("cannot start an already running"));

  const Result running = Oci({"delete", "a"});
  EXPECT_EQ(running.code, 1);
  EXPECT_THAT(running.err, HasSubstr("not stopped: running"));

  MustOci({"kill", "a", "KILL"});
  EXPECT_TRUE(WaitStatus("a", "stopped"));
  EXPECT_EQ(State("a")["pid"], 0);
  const Result killed = Oci({"kill", "a", "KILL"});
  EXPECT_EQ(killed.code, 1);
  EXPECT_THAT(killed.err, HasSubstr("container not running"));
  EXPECT_THAT(Oci({"start", "a"}).err, HasSubstr("has stopped"));

  MustOci({"delete", "a"});
  const Result gone = Oci({"state", "a"});
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.err, HasSubstr("does not exist"));
}

TEST_F(LifecycleTest, ACreatedContainerCanBeDeleted) {
  WriteConfig(Config("true"));
  MustOci({"create", "-b", bundle(), "a"});
  const pid_t pid = State("a")["pid"];
  MustOci({"delete", "a"});
  EXPECT_TRUE(WaitFor([&] { return IsGone(pid); }));
}

TEST_F(LifecycleTest, DeleteForceKillsAndIsSilentAboutTheMissing) {
  RunSleeper("a");
  MustOci({"delete", "-f", "a"});
  MustOci({"delete", "--force", "a"});
  EXPECT_EQ(Oci({"delete", "a"}).code, 1);
}

TEST_F(LifecycleTest, KillTakesNamesAndNumbersAndDefaultsToTerm) {
  for (const Strings& signal :
       {Strings{}, Strings{"TERM"}, Strings{"SIGTERM"}, Strings{"15"}}) {
    RunSleeper("a");
    EXPECT_EQ(Oci({"kill", "a", "NOSUCH"}).code, 1);
    Strings arguments = {"kill", "a"};
    arguments.insert(arguments.end(), signal.begin(), signal.end());
    // The shell may not have set its trap yet.
    EXPECT_TRUE(WaitFor([&] {
      Oci(arguments);
      return Status("a") == "stopped";
    }));
    MustOci({"delete", "a"});
  }
}

TEST_F(LifecycleTest, KillEndsAPausedContainer) {
  for (const Strings& kill :
       {Strings{"kill", "a", "KILL"}, Strings{"kill", "--all", "a", "KILL"}}) {
    RunSleeper("a");
    MustOci({"pause", "a"});
    EXPECT_EQ(Status("a"), "paused");
    MustOci({"kill", "a", "TERM"});
    EXPECT_EQ(Status("a"), "paused");
    MustOci(kill);
    ASSERT_TRUE(WaitStatus("a", "stopped"));
    MustOci({"delete", "a"});
  }
}

TEST_F(LifecycleTest, DeleteForceEndsWhatSomebodyFroze) {
  CK_REQUIRE("cgroup-v1");
  RunSleeper("a");
  const pid_t pid = State("a")["pid"];
  const std::string freezer =
      absl::StrCat("/sys/fs/cgroup/freezer/ck-oci-test-", getpid());
  ASSERT_EQ(mkdir(freezer.c_str(), 0755), 0);
  WriteText(absl::StrCat(freezer, "/cgroup.procs"), absl::StrCat(pid));
  WriteText(absl::StrCat(freezer, "/freezer.state"), "FROZEN");
  MustOci({"delete", "-f", "a"});
  EXPECT_TRUE(IsGone(pid));
  WriteText(absl::StrCat(freezer, "/freezer.state"), "THAWED");
  EXPECT_TRUE(WaitFor([&] { return rmdir(freezer.c_str()) == 0; }));
}

TEST_F(LifecycleTest, KillAllReachesEveryProcess) {
  Json config = Config("sleep 100 & sleep 100 & wait");
  // Without a pid namespace the first process takes no other with it.
  config["linux"]["namespaces"] = {{{"type", "mount"}}};
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  Json pids;
  EXPECT_TRUE(WaitFor([&] {
    pids = Json::parse(MustOci({"ps", "-f", "json", "a"}));
    return pids.size() == 3;
  }));
  MustOci({"kill", "--all", "a", "KILL"});
  EXPECT_TRUE(WaitStatus("a", "stopped"));
  for (const Json& pid : pids) {
    EXPECT_TRUE(WaitFor([&] { return IsGone(pid); }));
  }
}

TEST_F(LifecycleTest, DeleteKillsWhatTheFirstProcessLeft) {
  Json config = Config("sleep 100 & exit 0");
  config["linux"]["namespaces"] = {{{"type", "mount"}}};
  WriteConfig(config);
  MustOci({"run", "-d", "-b", bundle(), "a"});
  EXPECT_TRUE(WaitStatus("a", "stopped"));
  MustOci({"delete", "a"});
}

TEST_F(LifecycleTest, AnIdIsTakenOnce) {
  RunSleeper("a");
  const Result result = Oci({"run", "-d", "-b", bundle(), "a"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("exists"));
  EXPECT_EQ(Status("a"), "running");
}

TEST_F(LifecycleTest, IdMappedMountsShowOtherOwners) {
  const std::string outer = Scratch("outer");
  ASSERT_EQ(mkdir(outer.c_str(), 0755), 0);
  ASSERT_EQ(mount("ck-test", outer.c_str(), "tmpfs", 0, nullptr), 0);
  WriteText(absl::StrCat(outer, "/file"), "x");
  ASSERT_EQ(chown(absl::StrCat(outer, "/file").c_str(), 7, 9), 0);
  ASSERT_EQ(mkdir(absl::StrCat(outer, "/inner").c_str(), 0755), 0);
  ASSERT_EQ(mount("ck-test", absl::StrCat(outer, "/inner").c_str(), "tmpfs", 0,
                  nullptr),
            0);
  Json config = Config(
      "stat -c %u:%g /m/file /m/inner; touch /m/new; stat -c %u:%g /m/new");
  Json mount = {{"destination", "/m"},
                {"type", "bind"},
                {"source", outer},
                {"options", {"rbind", "idmap"}},
                {"uidMappings",
                 {{{"containerID", 0}, {"hostID", 1000}, {"size", 8}},
                  {{"containerID", 8}, {"hostID", 0}, {"size", 1}}}},
                {"gidMappings",
                 {{{"containerID", 0}, {"hostID", 2000}, {"size", 10}},
                  {{"containerID", 10}, {"hostID", 0}, {"size", 1}}}}};
  config["mounts"].push_back(mount);
  // Root of the container is owner 8, group 10 of the file system.
  EXPECT_EQ(RunConfig(config).out, "1007:2009\n0:0\n0:0\n");
  struct stat made;
  EXPECT_EQ(stat(absl::StrCat(outer, "/new").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 8u);
  EXPECT_EQ(made.st_gid, 10u);

  config["mounts"].back()["options"] = {"rbind", "ridmap"};
  EXPECT_EQ(RunConfig(config).out, "1007:2009\n1000:2000\n0:0\n");
  config["mounts"].back().erase("gidMappings");
  const Result refused = RunConfig(config);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("gidMappings"));
  umount2(outer.c_str(), MNT_DETACH);
}

TEST_F(LifecycleTest, RunKeepLeavesAStoppedContainer) {
  EXPECT_EQ(RunConfig(Config("exit 3"), {"--keep"}).code, 3);
  EXPECT_EQ(Status("run-once"), "stopped");
  MustOci({"delete", "run-once"});
}

TEST_F(LifecycleTest, ListShowsTablesIdsAndJson) {
  EXPECT_EQ(Json::parse(MustOci({"list", "-f", "json"})), Json::array());
  RunSleeper("b");
  RunSleeper("a");
  EXPECT_EQ(MustOci({"list", "-q"}), "a\nb\n");
  const Json list = Json::parse(MustOci({"list", "--format=json"}));
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0]["id"], "a");
  EXPECT_EQ(list[1]["status"], "running");
  const std::string table = MustOci({"list"});
  EXPECT_EQ(table.find("ID          PID         STATUS      BUNDLE"), 0)
      << table;
  EXPECT_THAT(table, HasSubstr(bundle()));
}

TEST_F(LifecycleTest, PsListsTheContainersProcessesOnly) {
  RunSleeper("a");
  const pid_t pid = State("a")["pid"];
  const Json pids = Json::parse(MustOci({"ps", "--format", "json", "a"}));
  EXPECT_NE(std::find(pids.begin(), pids.end(), pid), pids.end());
  const std::string table = MustOci({"ps", "a", "-o", "pid,comm"});
  EXPECT_THAT(table, HasSubstr("PID"));
  EXPECT_THAT(table, HasSubstr(absl::StrCat(pid)));
  EXPECT_LE(std::count(table.begin(), table.end(), '\n'), 3);
}

TEST_F(LifecycleTest, PreservedDescriptorsKeepTheirNumbers) {
  const UniqueFd fd(open("/etc/hostname", O_RDONLY | O_CLOEXEC));
  WriteConfig(Config("echo /proc/self/fd/*; cat <&4"));
  RunOptions options;
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  options.fds = {null.get(), fd.get()};
  const Result result =
      Oci({"run", "--preserve-fds", "2", "-b", bundle(), "a"}, options);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(ReadText("/etc/hostname")));
}

TEST_F(LifecycleTest, ListenFdsArePassedOn) {
  const UniqueFd fd(open("/etc/hostname", O_RDONLY | O_CLOEXEC));
  WriteConfig(Config("echo $LISTEN_FDS $LISTEN_PID; cat <&3"));
  setenv("LISTEN_FDS", "1", 1);
  const Result result = Oci({"run", "-b", bundle(), "a"}, {.fds = {fd.get()}});
  unsetenv("LISTEN_FDS");
  EXPECT_EQ(result.out, absl::StrCat("1 1\n", ReadText("/etc/hostname")));
}

TEST_F(LifecycleTest, OtherDescriptorsAreNotInherited) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  WriteConfig(Config("ls /proc/self/fd"));
  RunOptions options;
  options.fds = {null.get(), null.get()};
  const Result result = Oci({"run", "-b", bundle(), "a"}, options);
  // 3 is ls's own.
  EXPECT_EQ(result.out, "0\n1\n2\n3\n");
}

TEST_F(LifecycleTest, TheBundleIsTheWorkingDirectoryByDefault) {
  WriteConfig(Config("echo here"));
  EXPECT_EQ(MustOci({"run", "a"}, {.directory = bundle()}), "here\n");
}

TEST_F(LifecycleTest, RunForwardsSignals) {
  WriteConfig(
      Config("trap 'echo got; exit 9' TERM; echo ready; "
             "while :; do sleep 0.02; done"));
  // The shell sends TERM to ck-oci once the container is ready.
  const Result result = RunProgram(
      {"/bin/sh", "-c",
       absl::StrCat(
           "'", getcwd(nullptr, 0),
           "/examples/oci-runtime/ck-oci' "
           "--root '",
           Scratch("state"), "' run -b '", bundle(), "' a > '", Scratch("out"),
           "' & p=$!; "
           "while ! grep -q ready '",
           Scratch("out"), "'; do sleep 0.02; done; kill -TERM $p; wait $p")});
  EXPECT_EQ(result.code, 9) << result.err;
  EXPECT_EQ(ReadText(Scratch("out")), "ready\ngot\n");
}

TEST_F(LifecycleTest, RootIsNotNeeded) {
  CK_REQUIRE("user-namespaces");
  // Where another user can reach it.
  const std::string program = Scratch("ck-oci");
  WriteText(program, ReadText(OciTest::program()));
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  const std::string root = Scratch("rootless");
  ASSERT_EQ(mkdir(root.c_str(), 0700), 0);
  ASSERT_EQ(chown(root.c_str(), 65534, 65534), 0);
  const auto run = [&](Strings arguments) {
    const Strings prefix = {"setpriv",       "--reuid", "65534",
                            "--regid",       "65534",   "--clear-groups",
                            program.c_str(), "--root",  root};
    arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
    return RunProgram(arguments);
  };
  Json config = Config("id; exec sleep 100");
  config["linux"]["namespaces"].push_back({{"type", "user"}});
  const Json map = {{{"containerID", 0}, {"hostID", 65534}, {"size", 1}}};
  config["linux"]["uidMappings"] = map;
  config["linux"]["gidMappings"] = map;
  WriteConfig(config);
  const Result started = run({"run", "-d", "-b", bundle(), "a"});
  EXPECT_EQ(started.code, 0) << started.err;
  EXPECT_EQ(Json::parse(run({"state", "a"}).out)["owner"], "nobody");
  EXPECT_EQ(run({"exec", "a", "id", "-u"}).out, "0\n");
  EXPECT_EQ(run({"kill", "a", "KILL"}).code, 0);
  EXPECT_TRUE(WaitFor([&] { return run({"delete", "a"}).code == 0; }));
  EXPECT_EQ(run({"list", "-q"}).out, "");
}

}  // namespace
}  // namespace containerkit::oci_test
