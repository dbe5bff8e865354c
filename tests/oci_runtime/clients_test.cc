// Real clients that drive ck-oci in runc's place, where they are installed.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/require.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::HasSubstr;

// A daemon of the test's own; ended with it.
class Daemon {
 public:
  Daemon(const Strings& argv, const std::string& log) {
    std::vector<char*> pointers;
    for (const std::string& s : argv) {
      pointers.push_back(const_cast<char*>(s.c_str()));
    }
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                     O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    EXPECT_EQ(posix_spawnp(&pid_, pointers[0], &actions, nullptr,
                           pointers.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

 private:
  pid_t pid_ = 0;
};

class ClientsTest : public OciTest {
 protected:
  // Clients and daemons keep directories, networks and cgroups of their own,
  // so only what is ck-oci's is looked at afterwards.
  ClientsTest() {
    set_check_leaks(false);
    // Bazel leaves out where Debian puts daemons.
    setenv("PATH",
           "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
           "/sbin:/bin",
           1);
  }

  // A tar of the bundle's root.
  std::string RootTar() {
    const std::string tar = Scratch("root.tar");
    EXPECT_EQ(RunProgram({"tar", "-C", rootfs(), "-cf", tar, "."}).code, 0);
    return tar;
  }
};

TEST_F(ClientsTest, PodmanRunsExecsAndStops) {
  CK_REQUIRE("podman");
  const Strings podman = {"podman",
                          "--root",
                          Scratch("podman/root"),
                          "--runroot",
                          Scratch("podman/run"),
                          "--tmpdir",
                          Scratch("podman/tmp"),
                          "--storage-driver",
                          "vfs",
                          "--cgroup-manager",
                          "cgroupfs",
                          "--events-backend",
                          "none",
                          "--runtime",
                          program()};
  const auto run = [&](Strings arguments) {
    arguments.insert(arguments.begin(), podman.begin(), podman.end());
    return RunProgram(arguments);
  };
  const Result imported = run({"import", "-q", RootTar(), "localhost/box"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const Strings flags = {"run", "--rm", "--network", "none", "localhost/box"};
  const auto box = [&](const Strings& command) {
    Strings arguments = flags;
    arguments.insert(arguments.end(), command.begin(), command.end());
    return run(arguments);
  };
  const Result hello = box({"echo", "hello"});
  EXPECT_EQ(hello.out, "hello\n") << hello.err;
  EXPECT_EQ(box({"sh", "-c", "exit 42"}).code, 42);
  EXPECT_EQ(box({"/no/such"}).code, 127);
  const Result started = run({"run", "-d", "--name", "sleeper", "--network",
                              "none", "localhost/box", "sleep", "100"});
  EXPECT_EQ(started.code, 0) << started.err;
  EXPECT_EQ(run({"exec", "sleeper", "sh", "-c", "exit 5"}).code, 5);
  EXPECT_EQ(run({"pause", "sleeper"}).code, 0);
  EXPECT_EQ(run({"unpause", "sleeper"}).code, 0);
  EXPECT_EQ(run({"rm", "-f", "-t", "0", "sleeper"}).code, 0);
}

TEST_F(ClientsTest, ContainerdRunsTasks) {
  CK_REQUIRE("containerd");
  WriteText(Scratch("config.toml"),
            absl::StrCat("version = 2\nroot = \"", Scratch("containerd/root"),
                         "\"\nstate = \"", Scratch("containerd/state"),
                         "\"\ndisabled_plugins = "
                         "[\"io.containerd.grpc.v1.cri\"]\n"
                         "[grpc]\naddress = \"",
                         Scratch("c.sock"), "\"\n"));
  const Daemon daemon({"containerd", "--config", Scratch("config.toml")},
                      Scratch("containerd.log"));
  const auto ctr = [&](Strings arguments) {
    const Strings prefix = {"ctr", "-a", Scratch("c.sock")};
    arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
    return RunProgram(arguments);
  };
  ASSERT_TRUE(WaitFor([&] { return ctr({"version"}).code == 0; }))
      << ReadText(Scratch("containerd.log"));
  const Result hello = ctr({"run", "--rm", "--runc-binary", program(),
                            "--rootfs", rootfs(), "one", "/bin/echo", "hello"});
  EXPECT_EQ(hello.out, "hello\n") << hello.err;
  EXPECT_EQ(ctr({"run", "--rm", "--runc-binary", program(), "--rootfs",
                 rootfs(), "two", "/bin/sh", "-c", "exit 3"})
                .code,
            3);
  EXPECT_EQ(ctr({"run", "-d", "--runc-binary", program(), "--rootfs", rootfs(),
                 "three", "/bin/sleep", "100"})
                .code,
            0);
  EXPECT_THAT(ctr({"task", "ls"}).out, HasSubstr("RUNNING"));
  EXPECT_EQ(
      ctr({"task", "exec", "--exec-id", "e", "three", "/bin/echo", "inside"})
          .out,
      "inside\n");
  EXPECT_EQ(ctr({"task", "pause", "three"}).code, 0);
  EXPECT_THAT(ctr({"task", "ls"}).out, HasSubstr("PAUSED"));
  EXPECT_EQ(ctr({"task", "resume", "three"}).code, 0);
  EXPECT_EQ(ctr({"task", "kill", "-s", "KILL", "three"}).code, 0);
  EXPECT_TRUE(WaitFor([&] {
    return ctr({"task", "rm", "three"}).code != 1 ||
           ctr({"task", "ls", "-q"}).out.empty();
  }));
  EXPECT_EQ(ctr({"container", "rm", "three"}).code, 0);
}

TEST_F(ClientsTest, DockerdRunsContainers) {
  CK_REQUIRE("dockerd");
  CK_REQUIRE("docker");
  WriteText(
      Scratch("daemon.json"),
      absl::StrCat("{\"runtimes\":{\"ck\":{\"path\":\"", program(), "\"}}}"));
  const std::string host = absl::StrCat("unix://", Scratch("d.sock"));
  const Daemon daemon(
      {"dockerd", "--config-file", Scratch("daemon.json"), "--data-root",
       Scratch("docker/data"), "--exec-root", Scratch("docker/run"), "-p",
       Scratch("docker.pid"), "-H", host, "--bridge=none", "--iptables=false",
       "--ip6tables=false", "--storage-driver=vfs"},
      Scratch("dockerd.log"));
  const auto docker = [&](Strings arguments) {
    const Strings prefix = {"docker", "-H", host};
    arguments.insert(arguments.begin(), prefix.begin(), prefix.end());
    return RunProgram(arguments);
  };
  ASSERT_TRUE(WaitFor([&] { return docker({"version"}).code == 0; }) ||
              WaitFor([&] { return docker({"version"}).code == 0; }))
      << ReadText(Scratch("dockerd.log"));
  const Result imported = docker({"import", RootTar(), "box"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const auto box = [&](const Strings& command) {
    Strings arguments = {"run",       "--rm", "--runtime", "ck",
                         "--network", "none", "box"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return docker(arguments);
  };
  const Result hello = box({"/bin/echo", "hello"});
  EXPECT_EQ(hello.out, "hello\n") << hello.err;
  EXPECT_EQ(box({"/bin/sh", "-c", "exit 42"}).code, 42);
  EXPECT_EQ(box({"/no/such"}).code, 127);
  const Result started =
      docker({"run", "-d", "--name", "sleeper", "--runtime", "ck", "--network",
              "none", "box", "/bin/sleep", "100"});
  EXPECT_EQ(started.code, 0) << started.err;
  EXPECT_EQ(docker({"exec", "sleeper", "/bin/sh", "-c", "exit 5"}).code, 5);
  EXPECT_EQ(
      docker({"update", "-m", "48m", "--memory-swap", "96m", "sleeper"}).code,
      0);
  EXPECT_THAT(docker({"top", "sleeper"}).out, HasSubstr("sleep"));
  EXPECT_EQ(docker({"rm", "-f", "sleeper"}).code, 0);
}

}  // namespace
}  // namespace containerkit::oci_test
