// exec: what the process is, and how it is waited for.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

class ExecTest : public OciTest {
 protected:
  void SetUp() override {
    OciTest::SetUp();
    if (!IsSkipped() && !HasFailure()) RunSleeper("a");
  }
};

TEST_F(ExecTest, GivesOutputAndExitStatus) {
  const Result result =
      Oci({"exec", "a", "sh", "-c", "cat; echo err >&2; exit 5"},
          {.input = "in\n"});
  EXPECT_EQ(result.code, 5);
  EXPECT_EQ(result.out, "in\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST_F(ExecTest, SharesTheContainersNamespacesAndRoot) {
  const std::string inside = MustOci(
      {"exec", "a", "sh", "-c", "cd /proc/1/ns && ls -l pid mnt ipc uts net"});
  const std::string own = MustOci({"exec", "a", "sh", "-c",
                                   "cd /proc/self/ns && "
                                   "ls -l pid mnt ipc uts net"});
  const auto names = [](const std::string& text) {
    std::string result;
    for (size_t at = text.find('['); at != std::string::npos;
         at = text.find('[', at + 1)) {
      result += text.substr(at, text.find(']', at) - at + 1);
    }
    return result;
  };
  EXPECT_EQ(names(inside), names(own));
  EXPECT_NE(names(own), "");
}

TEST_F(ExecTest, OptionsChangeTheProcess) {
  EXPECT_EQ(MustOci({"exec", "-e", "X=1", "--env", "Y=2 3", "a", "sh", "-c",
                     "echo $X $Y $PATH"}),
            "1 2 3 /bin\n");
  EXPECT_EQ(MustOci({"exec", "--cwd", "/tmp", "a", "pwd"}), "/tmp\n");
  EXPECT_EQ(MustOci({"exec", "-u", "1000:1001", "-g", "1002", "a", "id"}),
            "uid=1000 gid=1001 groups=1002\n");
  EXPECT_THAT(
      MustOci({"exec", "--no-new-privs", "a", "cat", "/proc/self/status"}),
      HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(MustOci({"exec", "a", "cat", "/proc/self/status"}),
              HasSubstr("CapBnd:\t00000000000000e1"));
  EXPECT_THAT(MustOci({"exec", "--cap", "CAP_NET_RAW", "a", "cat",
                       "/proc/self/status"}),
              HasSubstr("CapEff:\t00000000000020e1"));
}

TEST_F(ExecTest, AProcessFileReplacesEverything) {
  const Json process = {{"user", {{"uid", 5}, {"gid", 6}}},
                        {"args", {"sh", "-c", "echo $V; id -u; pwd"}},
                        {"env", {"PATH=/bin", "V=w"}},
                        {"cwd", "/tmp"}};
  WriteText(Scratch("process.json"), process.dump());
  EXPECT_EQ(MustOci({"exec", "--process", Scratch("process.json"), "a"}),
            "w\n5\n/tmp\n");
}

TEST_F(ExecTest, DetachLeavesTheProcessAndItsPid) {
  MustOci({"exec", "-d", "--pid-file", Scratch("pid"), "a", "sleep", "100"});
  const std::string pid = ReadText(Scratch("pid"));
  EXPECT_EQ(ReadText(absl::StrCat("/proc/", pid, "/comm")), "sleep\n");
  const Json pids = Json::parse(MustOci({"ps", "-f", "json", "a"}));
  EXPECT_THAT(pids.dump(), HasSubstr(pid));
}

TEST_F(ExecTest, JoinsTheContainersCgroup) {
  const std::string first =
      ReadText(absl::StrCat("/proc/", State("a")["pid"].get<int>(), "/cgroup"));
  MustOci({"exec", "-d", "--pid-file", Scratch("pid"), "a", "sleep", "100"});
  EXPECT_EQ(
      ReadText(absl::StrCat("/proc/", ReadText(Scratch("pid")), "/cgroup")),
      first);
}

TEST_F(ExecTest, SaysWhatShimsLookFor) {
  const Result missing = Oci({"exec", "a", "no-such"});
  EXPECT_NE(missing.code, 0);
  EXPECT_THAT(missing.err, HasSubstr("executable file not found in $PATH"));
  const Result path = Oci({"exec", "a", "/no/such"});
  EXPECT_NE(path.code, 0);
  EXPECT_THAT(path.err, HasSubstr("no such file or directory"));
  WriteText(absl::StrCat(rootfs(), "/etc/text"), "x");
  const Result not_executable = Oci({"exec", "a", "/etc/text"});
  EXPECT_NE(not_executable.code, 0);
  EXPECT_THAT(not_executable.err, HasSubstr("permission denied"));
  const Result directory = Oci({"exec", "--cwd", "/no/dir", "a", "true"});
  EXPECT_NE(directory.code, 0);
  EXPECT_THAT(directory.err, HasSubstr("No such file or directory"));
}

TEST_F(ExecTest, RefusesStoppedAndMissingContainers) {
  MustOci({"kill", "a", "KILL"});
  ASSERT_TRUE(WaitStatus("a", "stopped"));
  const Result stopped = Oci({"exec", "a", "true"});
  EXPECT_EQ(stopped.code, 1);
  EXPECT_THAT(stopped.err, HasSubstr("that is stopped"));
  EXPECT_THAT(Oci({"exec", "b", "true"}).err, HasSubstr("does not exist"));
  EXPECT_THAT(Oci({"exec", "a"}).err, HasSubstr("no command"));
}

TEST_F(ExecTest, AnExecDoesNotOutliveItsContainer) {
  MustOci({"exec", "-d", "--pid-file", Scratch("pid"), "a", "sleep", "100"});
  const int pid = std::stoi(ReadText(Scratch("pid")));
  MustOci({"delete", "-f", "a"});
  EXPECT_TRUE(WaitFor([&] { return IsGone(pid); }));
}

}  // namespace
}  // namespace containerkit::oci_test
