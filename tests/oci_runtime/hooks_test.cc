// Hooks: when, where and with what they run.
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

class HooksTest : public OciTest {
 protected:
  // A hook that appends "KIND STATUS" to the log, and its state to KIND.
  Json Logger(const std::string& kind) const {
    const std::string script =
        absl::StrCat("cat > '", Scratch(kind), "'; echo ", kind, " >> '",
                     Scratch("log"), "'");
    return Json::array({{{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}}});
  }
  static Json Shell(const std::string& script) {
    return Json::array({{{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}}});
  }
  Json StateOf(const std::string& kind) const {
    return Json::parse(ReadText(Scratch(kind)), nullptr, false);
  }
};

TEST_F(HooksTest, AllKindsRunInOrderWithTheState) {
  Json config = Config("cat /tmp/inside; exit 0");
  config["annotations"] = {{"who", "me"}};
  for (const char* kind : {"prestart", "createRuntime", "createContainer",
                           "poststart", "poststop"}) {
    config["hooks"][kind] = Logger(kind);
  }
  // Inside the container's root: the host's files are out of reach.
  config["hooks"]["startContainer"] = Shell("cat > /tmp/inside");
  WriteConfig(config);
  MustOci({"create", "-b", bundle(), "a"});
  EXPECT_EQ(ReadText(Scratch("log")),
            "prestart\ncreateRuntime\ncreateContainer\n");
  const int pid = State("a")["pid"];
  MustOci({"start", "a"});
  EXPECT_TRUE(WaitStatus("a", "stopped"));
  MustOci({"delete", "a"});
  EXPECT_EQ(ReadText(Scratch("log")),
            "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n");
  for (const char* kind : {"prestart", "createRuntime", "poststart"}) {
    const Json state = StateOf(kind);
    EXPECT_EQ(state["pid"], pid) << kind;
    EXPECT_EQ(state["id"], "a");
    EXPECT_EQ(state["bundle"], bundle());
    EXPECT_EQ(state["annotations"]["who"], "me");
    EXPECT_EQ(state["ociVersion"], "1.2.0");
  }
  EXPECT_EQ(StateOf("createRuntime")["status"], "creating");
  EXPECT_EQ(StateOf("poststart")["status"], "running");
  EXPECT_EQ(StateOf("poststop")["status"], "stopped");
  const std::string inside = ReadText(absl::StrCat(rootfs(), "/tmp/inside"));
  EXPECT_EQ(Json::parse(inside, nullptr, false)["status"], "created");
}

TEST_F(HooksTest, CreateRuntimeHooksSeeTheHostAndTheContainersNamespaces) {
  Json config = Config("hostname");
  config["hooks"]["createRuntime"] =
      Shell(absl::StrCat("pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); "
                         "readlink /proc/$pid/ns/net > '",
                         Scratch("theirs"),
                         "'; "
                         "readlink /proc/self/ns/net > '",
                         Scratch("ours"), "'"));
  EXPECT_EQ(RunConfig(config).code, 0);
  EXPECT_NE(ReadText(Scratch("theirs")), "");
  EXPECT_NE(ReadText(Scratch("theirs")), ReadText(Scratch("ours")));
}

TEST_F(HooksTest, HooksSeeAllMountsBeforeTheRootChanges) {
  Json config = Config("true");
  config["mounts"].push_back(
      {{"destination", "/made/late"}, {"type", "tmpfs"}, {"source", "last"}});
  // Through the container's namespace, which is not the hook's.
  config["hooks"]["createRuntime"] = Shell(
      absl::StrCat("pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); "
                   "grep -c ' - tmpfs last ' /proc/$pid/mountinfo > '",
                   Scratch("outside"), "'; ! ls '", rootfs(), "/proc/self'"));
  // Inside it, where the host's files still are.
  config["hooks"]["createContainer"] = Shell(absl::StrCat(
      "cd '", rootfs(), "'; ls -d proc/self dev/null > '", Scratch("inside"),
      "'; "
      "grep -c ' - tmpfs last ' /proc/self/mountinfo >> '",
      Scratch("inside"), "'"));
  const Result result = RunConfig(config);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(ReadText(Scratch("outside")), "1\n");
  EXPECT_EQ(ReadText(Scratch("inside")), "dev/null\nproc/self\n1\n");
}

TEST_F(HooksTest, AFailureBeforeTheStartUndoesTheContainer) {
  for (const char* kind : {"prestart", "createRuntime", "createContainer"}) {
    Json config = Config("echo ran");
    config["hooks"][kind] = Shell("echo because >&2; exit 3");
    config["hooks"]["poststop"] = Logger("poststop");
    const Result result = RunConfig(config);
    EXPECT_EQ(result.code, 1) << kind;
    EXPECT_EQ(result.out, "") << kind;
    EXPECT_THAT(result.err, HasSubstr("because")) << kind;
    EXPECT_EQ(Oci({"state", "run-once"}).code, 1) << kind;
    EXPECT_EQ(ReadText(Scratch("log")), "poststop\n") << kind;
    unlink(Scratch("log").c_str());
  }
}

TEST_F(HooksTest, APoststartFailureEndsTheContainer) {
  Json config = Config("sleep 100");
  config["hooks"]["poststart"] = Shell("exit 3");
  WriteConfig(config);
  MustOci({"create", "-b", bundle(), "a"});
  const Result result = Oci({"start", "a"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("poststart hook failed with exit code 3"));
  EXPECT_EQ(Oci({"state", "a"}).code, 1);
}

TEST_F(HooksTest, APoststopFailureIsAWarning) {
  Json config = Config("exit 4");
  config["hooks"]["poststop"] = Shell("exit 3");
  const Result result = RunConfig(config);
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("poststop hook failed with exit code 3"));
}

TEST_F(HooksTest, TheTimeOutEndsAHook) {
  Json config = Config("echo ran");
  config["hooks"]["createRuntime"] = Json::array(
      {{{"path", "/bin/sleep"}, {"args", {"sleep", "100"}}, {"timeout", 1}}});
  const Result result = RunConfig(config);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
}

TEST_F(HooksTest, EnvironmentIsTheHooksOwnOrElseTheRuntimes) {
  Json config = Config("true");
  config["hooks"]["createRuntime"] =
      Shell(absl::StrCat("env > '", Scratch("default"), "'"));
  config["hooks"]["poststop"] =
      Shell(absl::StrCat("/usr/bin/env > '", Scratch("own"), "'"));
  config["hooks"]["poststop"][0]["env"] = {"ONLY=this"};
  setenv("CK_OCI_TEST_MARK", "inherited", 1);
  EXPECT_EQ(RunConfig(config).code, 0);
  unsetenv("CK_OCI_TEST_MARK");
  EXPECT_THAT(ReadText(Scratch("default")),
              HasSubstr("CK_OCI_TEST_MARK=inherited\n"));
  const std::string own = ReadText(Scratch("own"));
  EXPECT_THAT(own, HasSubstr("ONLY=this\n"));
  EXPECT_THAT(own, ::testing::Not(HasSubstr("CK_OCI_TEST_MARK")));
}

TEST_F(HooksTest, AHookMayAskForTheContainer) {
  Json config = Config("true");
  char* here = getcwd(nullptr, 0);
  config["hooks"]["createRuntime"] = Shell(
      absl::StrCat(here, "/examples/oci-runtime/ck-oci --root '", bundle(),
                   "/../state' state run-once > '", Scratch("seen"), "'"));
  free(here);
  EXPECT_EQ(RunConfig(config).code, 0);
  EXPECT_EQ(StateOf("seen")["status"], "creating");
}

}  // namespace
}  // namespace containerkit::oci_test
