// R20 and R22: what a hook and a terminal of the host give away; C02 and C03.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/attack/runtime_fixture.h"
#include "tests/attack/swap_driver.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::attack {
namespace {

class HookAttackTest : public oci_test::OciTest {};

TEST_F(HookAttackTest, R20HooksHaveNothingOfTheImage) {
  oci_test::Json config = Config("exit 0");
  config["process"]["cwd"] = "/tmp";
  config["process"]["env"] = {
      "PATH=/bin", "LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/evil",
      "IFS=x",     "BASH_ENV=/evil",      "ATTACK=1"};
  const std::vector<std::string> kinds = {
      "prestart", "createRuntime", "createContainer", "poststart", "poststop"};
  for (const std::string& kind : kinds) {
    const std::string script =
        absl::StrCat("cat > /dev/null; /usr/bin/env > '", Scratch(kind),
                     "'; /bin/pwd > '", Scratch(kind), ".pwd'");
    config["hooks"][kind] = {
        {{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}}};
  }
  ASSERT_EQ(setenv("HOST_MARK", "1", 1), 0);
  const oci_test::Result result = RunConfig(config);
  unsetenv("HOST_MARK");
  EXPECT_EQ(result.code, 0) << result.err;
  for (const std::string& kind : kinds) {
    const std::string env = oci_test::ReadText(Scratch(kind));
    EXPECT_TRUE(absl::StrContains(env, "HOST_MARK=1\n")) << kind << ": " << env;
    for (const char* name : {"LD_", "IFS=", "BASH_ENV=", "ATTACK="}) {
      EXPECT_FALSE(
          absl::StrContains(absl::StrCat("\n", env), absl::StrCat("\n", name)))
          << kind << ": " << env;
    }
    EXPECT_EQ(oci_test::ReadText(Scratch(kind) + ".pwd"), "/\n") << kind;
  }
}

// Copies into and out of a running container with three volumes, in each of
// which a directory and a link to the host are exchanged all the time.
TEST_F(RuntimeAttackTest, C02C03VolumesLeadNowhere) {
  ContainerConfig config = Probe({"sleep"});
  std::vector<std::unique_ptr<RandomSwapper>> swappers;
  for (const char* name : {"v1", "v2", "v3"}) {
    const std::string volume = MakeDirectory(name);
    ASSERT_EQ(mkdir((volume + "/d").c_str(), 0755), 0);
    std::ofstream(volume + "/d/file") << "inside";
    ASSERT_EQ(symlink(canary().c_str(), (volume + "/evil").c_str()), 0);
    config.binds.push_back(
        {.source = volume, .target = absl::StrCat("/", name)});
    swappers.push_back(
        std::make_unique<RandomSwapper>(volume + "/d", volume + "/evil"));
  }
  Container container = StartProbe(config);
  const std::string archive = store::TarBuilder()
                                  .File("file", "evil", 0666)
                                  .File("dir/inner", "evil", 0777)
                                  .Build();
  const std::string path = scratch() + "/copy.tar";
  int in = 0, out = 0;
  for (int i = 0; i < 150; ++i) {
    const std::string place = absl::StrCat("/v", i % 3 + 1, "/d");
    std::ofstream(path, std::ios::binary) << archive;
    const UniqueFd from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (container.CopyIn(place, from.get()).ok()) ++in;
    const UniqueFd to(
        open((path + ".out").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    if (container.CopyOut(place + "/file", to.get()).ok()) ++out;
    ASSERT_FALSE(
        absl::StrContains(oci_test::ReadText(path + ".out"), kCanaryBytes));
  }
  EXPECT_GT(in, 5);
  EXPECT_GT(out, 5);
}

class TerminalAttackTest : public RuntimeAttackTest {
 protected:
  // Runs `ck` where 0, 1, 2 and the controlling terminal are a terminal of the
  // host; what appeared on it.
  std::string OnTerminal(std::vector<std::string> words) {
    words.insert(words.begin(), {"examples/cli/ck", "--root", root()});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int master = -1;
    const pid_t pid = forkpty(&master, nullptr, nullptr, nullptr);
    if (pid == 0) {
      execv(argv[0], argv.data());
      _exit(127);
    }
    const UniqueFd terminal(master);
    std::string text;
    char buffer[4096];
    for (;;) {
      const ssize_t n = read(master, buffer, sizeof(buffer));
      if (n <= 0) break;
      text.append(buffer, n);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return absl::StrCat(text, status == 0 ? "" : " (failed)");
  }
};

TEST_F(TerminalAttackTest, R22TheHostsTerminalStaysOutside) {
  EXPECT_EQ(OnTerminal({"run", "--rm", "probe", "/probe", "box", "f", "h"}),
            "ok\r\n");
  EXPECT_EQ(
      OnTerminal({"run", "--rm", "-i", "probe", "/probe", "box", "f", "h"}),
      "ok\r\n");
  EXPECT_EQ(
      OnTerminal({"run", "--rm", "-it", "probe", "/probe", "box", "f", "t"}),
      "ok\r\n");
  ContainerConfig config = Probe({"sleep"});
  config.name = "running";
  Container container = StartProbe(config);
  EXPECT_EQ(OnTerminal({"exec", "running", "/probe", "box", "f", "h"}),
            "ok\r\n");
  EXPECT_EQ(OnTerminal({"exec", "-it", "running", "/probe", "box", "f", "t"}),
            "ok\r\n");
}

}  // namespace
}  // namespace containerkit::attack
