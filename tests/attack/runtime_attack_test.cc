// R01 to R03, R10 and R13 to R15: what a container, or its image, reaches of
// the host when it is started and when processes are added to it.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/attack/runtime_fixture.h"

namespace containerkit::attack {
namespace {

using testing::RunResult;

// The file systems and files that a container may reach, as arguments of the
// probe.
const std::vector<std::string>& OwnPlaces() {
  static const auto& places = *new std::vector<std::string>{
      "/",           "/proc",      "/dev", "/dev/pts",      "/dev/shm",
      "/dev/mqueue", "/etc/hosts", "/sys", "/etc/hostname", "/etc/resolv.conf"};
  return places;
}

std::vector<std::string> Grab(const std::string& verb = "grab") {
  std::vector<std::string> arguments = {verb, "600"};
  arguments.insert(arguments.end(), OwnPlaces().begin(), OwnPlaces().end());
  return arguments;
}

// What a started grabbing container said once it is stopped; it has ended by
// itself when it saw something wrong.
RunResult Finish(Container& container, Session& session) {
  (void)container.Kill(SIGTERM);
  RunResult result;
  const auto exit = session.Read([&](const Output& output) {
    result.out.append(output.data.data(), output.data.size());
  });
  CK_EXPECT_OK(exit);
  result.exit_code = exit.ok() ? exit->code : -1;
  return result;
}

void ExpectNothingWrong(const RunResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_TRUE(absl::EndsWith(result.out, "ok\n")) << result.out;
  // It did see other processes.
  EXPECT_FALSE(absl::StrContains(result.out, " opened 0 ")) << result.out;
}

TEST_F(RuntimeAttackTest, R01HelperAndHostCannotBeOverwritten) {
  const std::string self = "/proc/self/exe";
  const auto bytes = [&] {
    std::ifstream in(self, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = bytes();
  // An entrypoint that has itself interpreted by whoever executes it.
  Import(store::TarBuilder().File("me", "#!/proc/self/exe\n", 0755), "me");
  ContainerConfig watcher = Probe(Grab(), "me");
  watcher.security.cap_add = {"SYS_PTRACE"};
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(watcher));
  StartOptions options;
  options.attach = true;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
  ContainerConfig itself = Probe({}, "me");
  itself.cmd = {{"/me"}};
  for (int i = 0; i < 250 && !HasFailure(); ++i) {
    Exec(container, {.command = {"/me"}});
    Try(itself);
  }
  ExpectNothingWrong(Finish(container, *session));
  EXPECT_TRUE(bytes() == before);
}

TEST_F(RuntimeAttackTest, R02DescriptorsOfTheHostAreNotInherited) {
  // Deliberately without O_CLOEXEC.
  std::vector<UniqueFd> leaked;
  for (int i = 0; i < 500; ++i) leaked.emplace_back(open("/", O_RDONLY));
  ASSERT_TRUE(leaked.back().ok());
  // Also those that the helper inherits from its start on.
  Reopen();
  EXPECT_EQ(Try(Probe({"box", "f"})).result.out, "ok\n");
  Container container = StartProbe(Probe({"sleep"}));
  EXPECT_EQ(Exec(container, {.command = {"/probe", "box", "f"}}).out, "ok\n");
  for (int n = 3; n < 1024; ++n) {
    const std::string directory = absl::StrCat("/proc/self/fd/", n);
    const auto session = container.Exec(
        {.command = {"/probe", "true"}, .working_dir = directory});
    EXPECT_EQ(GetReason(session.status()), Reason::kWorkingDirFailed)
        << directory;
    if (n % 32 != 3) continue;
    ContainerConfig config = Probe({"true"});
    config.working_dir = directory;
    EXPECT_EQ(GetReason(Try(config).status), Reason::kWorkingDirFailed)
        << directory;
  }
}

class ExecAttackTest : public RuntimeAttackTest {
 protected:
  // 2,000 execs into a container that watches them.
  void WatchExecs(const ContainerConfig& watcher) {
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(watcher));
    StartOptions options;
    options.attach = true;
    CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
    for (int i = 0; i < 2000 && !HasFailure(); ++i) {
      Exec(container, {.command = {"/probe", "true"}});
    }
    ExpectNothingWrong(Finish(container, *session));
  }
};

TEST_F(ExecAttackTest, R03ExecShowsNothingOfTheHost) {
  ContainerConfig watcher = Probe(Grab());
  watcher.security.cap_add = {"SYS_PTRACE"};
  WatchExecs(watcher);
}

// Who may not trace does not even see the helper that enters.
TEST_F(ExecAttackTest, R03ExecShowsNoHelper) {
  WatchExecs(Probe(Grab("peek")));
}

TEST_F(RuntimeAttackTest, R10HostileMountTargetsStayInside) {
  const std::string out = canary();
  const std::string up = absl::StrCat("../../../../../../../../..", out);
  store::TarBuilder tar;
  tar.Symlink("abs", out)
      .Symlink("up", up)
      .Symlink("root", "/")
      .Symlink("loop", "loop")
      .Symlink("chain1", "chain2")
      .Symlink("chain2", "chain3")
      .Symlink("chain3", out)
      .Symlink("toproc", "/proc")
      .Symlink("tosys", "proc/sys")
      .Symlink("toself", "/proc/self")
      .Symlink("tofd", "/proc/self/fd/3")
      .Symlink("toroot", "/proc/1/root")
      .Symlink("tocwd", "/proc/self/cwd")
      .Symlink("dangling", "/no/such/place")
      .Symlink("file", absl::StrCat(out, "/file"))
      .File("plain", "x")
      .Dir("dir")
      .Symlink("dir/up", "../..")
      .Add({.path = "fifo", .type = '6'});
  Import(tar, "hostile");
  const std::vector<std::string> targets = {"/abs",
                                            "/abs/dir",
                                            "/abs/new",
                                            "/up",
                                            "/up/dir",
                                            "/up/new/deep",
                                            "/root/abs",
                                            "/root/root/abs/x",
                                            "/loop",
                                            "/loop/x",
                                            "/chain1",
                                            "/chain1/dir/sub",
                                            "/toproc",
                                            "/toproc/sys",
                                            "/tosys",
                                            "/tosys/kernel",
                                            "/toself",
                                            "/toself/attr",
                                            "/tofd",
                                            "/tofd/x",
                                            "/toroot",
                                            "/toroot/x",
                                            "/tocwd",
                                            "/tocwd/x",
                                            "/dangling",
                                            "/dangling/x",
                                            "/file",
                                            "/plain/x",
                                            "/dir/up",
                                            "/dir/up/abs",
                                            "/fifo",
                                            "/fifo/x",
                                            "/proc",
                                            "/proc/sys",
                                            "/proc/self/fd",
                                            "/proc/1/root",
                                            "/proc/self/cwd/x",
                                            "/sys/fs/cgroup",
                                            "/../../..",
                                            "/",
                                            "/dev/null",
                                            "/dev/pts",
                                            "/dev/../abs/in",
                                            "/./up/../abs"};
  ASSERT_GE(targets.size(), 40u);
  const std::string source = MakeDirectory("source");
  std::ofstream(absl::StrCat(source, "/f")) << "given";
  int ran = 0, refused = 0;
  for (const std::string& target : targets) {
    for (const std::string& from : {source, absl::StrCat(source, "/f")}) {
      ContainerConfig config =
          Probe({"box", "m:/proc/kcore", "r:/proc/sys", "f"}, "hostile");
      config.binds.push_back({.source = from, .target = target});
      const Attempt attempt = Try(config);
      // Whoever controls /proc controls where the kernel is written to.
      if (absl::StartsWith(target, "/proc") ||
          absl::StartsWith(target, "/to")) {
        EXPECT_FALSE(attempt.status.ok()) << target << " " << from;
      }
      if (attempt.status.ok()) {
        ++ran;
        // With "/sys/fs/cgroup" or "/" hidden the probe may not even be there.
        EXPECT_EQ(attempt.result.out, "ok\n") << target << " " << from;
      } else {
        ++refused;
        EXPECT_NE(GetReason(attempt.status), Reason::kUnspecified)
            << target << ": " << attempt.status;
      }
    }
  }
  EXPECT_GT(ran, 20);
  EXPECT_GT(refused, 10);
}

// VOLUME of an image: with copying up from a path that leads out.
TEST_F(RuntimeAttackTest, R10HostileVolumesStayInside) {
  const std::vector<std::string> volumes = {
      "/",          "/proc", "/proc/sys", "/sys",           "/dev",
      "/../..",     "/abs",  "/up",       "/abs/dir",       "/etc",
      "/abs/../up", "/loop", "/probe",    "/proc/self/cwd", "/dev/null"};
  int number = 0;
  for (const std::string& volume : volumes) {
    const std::string name = absl::StrCat("volume", ++number);
    Import(store::TarBuilder()
               .Symlink("abs", canary())
               .Symlink("up", absl::StrCat("../../../../../..", canary()))
               .Symlink("loop", "loop"),
           name, {absl::StrCat("VOLUME ", volume)});
    if (HasFailure()) return;
    const Attempt attempt =
        Try(Probe({"box", "m:/proc/kcore", "r:/proc/sys", "f"}, name));
    if (attempt.status.ok()) {
      EXPECT_EQ(attempt.result.out, "ok\n") << volume;
    } else {
      EXPECT_NE(GetReason(attempt.status), Reason::kUnspecified)
          << volume << ": " << attempt.status;
    }
  }
}

TEST_F(RuntimeAttackTest, R12NoMountAndNoNamespaceCanBeMade) {
  EXPECT_EQ(Try(Probe({"box", "u"})).result.out, "ok\n");
  ContainerConfig user = Probe({"box", "u"});
  user.user = "1000";
  EXPECT_EQ(Try(user).result.out, "ok\n");
  Container container = StartProbe(Probe({"sleep"}));
  EXPECT_EQ(Exec(container, {.command = {"/probe", "box", "u"}}).out, "ok\n");
}

TEST_F(RuntimeAttackTest, R13R14CapabilitySetsAreExact) {
  constexpr char kDefault[] = "00000000a80425fb";
  constexpr char kNone[] = "0000000000000000";
  const std::vector<std::string> fields = {"CapInh", "CapPrm", "CapEff",
                                           "CapBnd", "CapAmb"};
  std::vector<std::string> arguments = {"status"};
  arguments.insert(arguments.end(), fields.begin(), fields.end());
  std::vector<std::string> command = {"/probe"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto check = [&](const std::string& status, const std::string& held,
                         const std::string& bounding, const char* what) {
    EXPECT_EQ(Field(status, "CapInh"), kNone) << what;
    EXPECT_EQ(Field(status, "CapAmb"), kNone) << what;
    EXPECT_EQ(Field(status, "CapPrm"), held) << what;
    EXPECT_EQ(Field(status, "CapEff"), held) << what;
    EXPECT_EQ(Field(status, "CapBnd"), bounding) << what;
  };
  check(Try(Probe(arguments)).result.out, kDefault, kDefault, "run");
  ContainerConfig user = Probe(arguments);
  user.user = "1000";
  check(Try(user).result.out, kNone, kDefault, "run --user 1000");
  user.user = "app";
  user.security.cap_add = {"NET_ADMIN"};
  user.security.cap_drop = {"ALL"};
  check(Try(user).result.out, kNone, "0000000000001000", "run, one added");
  Container container = StartProbe(Probe({"sleep"}));
  check(Exec(container, {.command = command}).out, kDefault, kDefault, "exec");
  check(Exec(container, {.command = command, .user = "1000"}).out, kNone,
        kDefault, "exec --user 1000");
  const std::string all =
      Exec(container, {.command = command, .privileged = true}).out;
  EXPECT_EQ(Field(all, "CapInh"), kNone);
  EXPECT_EQ(Field(all, "CapAmb"), kNone);
  EXPECT_EQ(Field(all, "CapEff"), Field(all, "CapBnd"));
  const std::string none =
      Exec(container, {.command = command, .user = "1000", .privileged = true})
          .out;
  EXPECT_EQ(Field(none, "CapInh"), kNone);
  EXPECT_EQ(Field(none, "CapAmb"), kNone);
  EXPECT_EQ(Field(none, "CapEff"), kNone);
}

TEST_F(RuntimeAttackTest, R15PrimaryGroupIsAmongTheGroups) {
  Import(store::TarBuilder()
             .File("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")
             .File("etc/group", "app:x:1000:\nextra:x:2000:app\n")
             .Add({.path = "secret",
                   .content = "x",
                   .mode = 0705,
                   .uid = 0,
                   .gid = 1000}),
         "groups");
  for (const char* who : {"1000:1000", "app", "1000", "app:app"}) {
    ContainerConfig config = Probe({"status", "Groups"}, "groups");
    config.user = who;
    const std::string groups = Field(Try(config).result.out, "Groups");
    const std::vector<std::string> list =
        absl::StrSplit(groups, ' ', absl::SkipEmpty());
    EXPECT_TRUE(std::find(list.begin(), list.end(), "1000") != list.end())
        << who << ": " << groups;
    // The group has fewer rights than others: leaving it would be a gain.
    config.cmd = {{"/probe", "box", "v:/secret=x"}};
    EXPECT_EQ(Try(config).result.out, "wrong: /secret cannot be read\n") << who;
  }
}

}  // namespace
}  // namespace containerkit::attack
