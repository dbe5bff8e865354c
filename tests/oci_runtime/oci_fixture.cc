#include "tests/oci_runtime/oci_fixture.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "lib/testing/require.h"

namespace containerkit::oci_test {
namespace {

constexpr char kProgram[] = "examples/oci-runtime/ck-oci";
constexpr char kBusybox[] = "/bin/busybox";

UniqueFd Memory() { return UniqueFd(memfd_create("output", MFD_CLOEXEC)); }

std::string Content(int fd) {
  lseek(fd, 0, SEEK_SET);
  return sys::ReadFd(fd, 64 << 20).value_or("");
}

}  // namespace

Result RunProgram(const Strings& argv, const RunOptions& options) {
  const UniqueFd in = Memory(), out = Memory(), err = Memory();
  EXPECT_TRUE(sys::WriteAll(in.get(), options.input).ok());
  lseek(in.get(), 0, SEEK_SET);
  std::vector<char*> pointers;
  for (const std::string& s : argv) {
    pointers.push_back(const_cast<char*>(s.c_str()));
  }
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.get(), 2);
  // Through high numbers, so that none overwrites another.
  std::vector<UniqueFd> copies;
  for (const int fd : options.fds) {
    copies.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 100));
  }
  for (size_t i = 0; i < copies.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, copies[i].get(), 3 + int(i));
  }
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, pointers[0], &actions, nullptr,
                                 pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  Result result;
  EXPECT_EQ(error, 0) << argv[0];
  if (error != 0) return result;
  int status = 0;
  // Orphans come to us, who are a subreaper (Snapshot::Take), and must be
  // reaped meanwhile: the end of a pid namespace waits for that.
  for (;;) {
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == pid || (ended < 0 && errno != EINTR)) break;
  }
  result.code =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = Content(out.get());
  result.err = Content(err.get());
  return result;
}

std::string ReadText(const std::string& path) {
  return sys::ReadFileAt(AT_FDCWD, path, 64 << 20).value_or("");
}

void WriteText(const std::string& path, const std::string& text) {
  const UniqueFd fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd.ok()) << path;
  ASSERT_TRUE(sys::WriteAll(fd.get(), text).ok()) << path;
}

bool IsGone(int pid) {
  const std::string stat = ReadText(absl::StrCat("/proc/", pid, "/stat"));
  return stat.empty() || stat.find(") Z ") != std::string::npos;
}

bool WaitFor(const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!done()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

void OciTest::SetUp() {
  CK_REQUIRE("root");
  CK_REQUIRE("busybox");
  before_ = testing::Snapshot::Take();
  program_ = absl::StrCat(getcwd(nullptr, 0), "/", kProgram);
  ASSERT_EQ(access(program_.c_str(), X_OK), 0) << program_;
  base_ = "/tmp/ck-oci-test-XXXXXX";
  ASSERT_NE(mkdtemp(base_.data()), nullptr);
  chmod(base_.c_str(), 0755);
  for (const char* directory :
       {"/bundle", "/bundle/rootfs", "/bundle/rootfs/bin",
        "/bundle/rootfs/proc", "/bundle/rootfs/dev", "/bundle/rootfs/sys",
        "/bundle/rootfs/tmp", "/bundle/rootfs/etc", "/scratch"}) {
    ASSERT_EQ(mkdir(absl::StrCat(base_, directory).c_str(), 0755), 0);
  }
  const std::string busybox = absl::StrCat(rootfs(), "/bin/busybox");
  WriteText(busybox, ReadText(kBusybox));
  ASSERT_EQ(chmod(busybox.c_str(), 0755), 0);
  for (const char* applet :
       {"sh", "cat", "sleep", "true", "false", "echo", "id", "ls", "mount",
        "hostname", "env", "pwd", "tty", "stty", "touch", "test", "kill"}) {
    ASSERT_EQ(
        symlink("busybox", absl::StrCat(rootfs(), "/bin/", applet).c_str()), 0);
  }
}

void OciTest::TearDown() {
  if (base_.empty()) return;
  for (const Json& container :
       Json::parse(Oci({"list", "-f", "json"}).out, nullptr, false)) {
    Oci({"delete", "-f", container["id"]});
  }
  EXPECT_TRUE(sys::RemoveTreeAt(AT_FDCWD, base_).ok());
  if (check_leaks_) {
    EXPECT_EQ(testing::Snapshot::WaitUntilBackTo(*before_), "");
  }
}

Strings OciTest::Arguments(const Strings& arguments) const {
  Strings argv = {program_, "--root", absl::StrCat(base_, "/state")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

Result OciTest::Oci(const Strings& arguments, const RunOptions& options) {
  return RunProgram(Arguments(arguments), options);
}

std::string OciTest::MustOci(const Strings& arguments,
                             const RunOptions& options) {
  const Result result = Oci(arguments, options);
  EXPECT_EQ(result.code, 0) << arguments[0] << ": " << result.err;
  return result.out;
}

Json OciTest::Config(const std::string& script) {
  const Json capabilities = {"CAP_CHOWN", "CAP_KILL", "CAP_SETUID",
                             "CAP_SETGID"};
  return {
      {"ociVersion", "1.2.0"},
      {"process",
       {{"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"sh", "-c", script}},
        {"env", {"PATH=/bin"}},
        {"cwd", "/"},
        {"capabilities",
         {{"bounding", capabilities},
          {"effective", capabilities},
          {"permitted", capabilities}}}}},
      {"root", {{"path", "rootfs"}}},
      {"mounts",
       {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
        {{"destination", "/dev"},
         {"type", "tmpfs"},
         {"source", "tmpfs"},
         {"options", {"nosuid", "mode=755"}}},
        {{"destination", "/dev/pts"},
         {"type", "devpts"},
         {"source", "devpts"},
         {"options", {"newinstance", "ptmxmode=0666", "mode=0620"}}}}},
      {"linux",
       {{"namespaces",
         {{{"type", "pid"}},
          {{"type", "mount"}},
          {{"type", "ipc"}},
          {{"type", "uts"}},
          {{"type", "network"}}}}}},
  };
}

void OciTest::WriteConfig(const Json& config) {
  WriteText(absl::StrCat(bundle(), "/config.json"), config.dump());
}

Result OciTest::RunConfig(const Json& config, const Strings& flags) {
  WriteConfig(config);
  Strings arguments = {"run", "-b", bundle()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back("run-once");
  return Oci(arguments);
}

void OciTest::RunSleeper(const std::string& id) {
  WriteConfig(Config("trap 'exit 7' TERM; while :; do sleep 0.02; done"));
  MustOci({"run", "-d", "-b", bundle(), id});
}

Json OciTest::State(const std::string& id) {
  const Result result = Oci({"state", id});
  return result.code == 0 ? Json::parse(result.out) : Json();
}

std::string OciTest::Status(const std::string& id) {
  const Json state = State(id);
  return state.is_object() ? state["status"].get<std::string>() : "";
}

::testing::AssertionResult OciTest::WaitStatus(const std::string& id,
                                               const std::string& status) {
  if (WaitFor([&] { return Status(id) == status; })) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << id << " is \"" << Status(id) << "\", not \"" << status << "\"";
}

std::string OciTest::CgroupFile(const std::string& id,
                                const std::string& controller,
                                const std::string& v1_file,
                                const std::string& v2_file) {
  const std::string cgroups =
      ReadText(absl::StrCat("/proc/", State(id)["pid"].get<int>(), "/cgroup"));
  std::string unified;
  for (const absl::string_view line : absl::StrSplit(cgroups, '\n')) {
    // Number, controllers, path.
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const Strings controllers = absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) unified = fields[2];
    if (std::find(controllers.begin(), controllers.end(), controller) ==
        controllers.end()) {
      continue;
    }
    return ReadText(
        absl::StrCat("/sys/fs/cgroup/", fields[1], fields[2], "/", v1_file));
  }
  return ReadText(absl::StrCat("/sys/fs/cgroup", unified, "/", v2_file));
}

std::string OciTest::Scratch(const std::string& name) const {
  return absl::StrCat(base_, "/scratch/", name);
}

std::string OciTest::bundle() const { return absl::StrCat(base_, "/bundle"); }

std::string OciTest::rootfs() const {
  return absl::StrCat(base_, "/bundle/rootfs");
}

}  // namespace containerkit::oci_test
