#include "lib/runtime/launcher_test_util.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/attach_stream.h"
#include "lib/runtime/monitor_wire.h"
#include "lib/testing/matchers.h"
#include "lib/testing/require.h"

namespace containerkit::runtime {
namespace {

constexpr uint64_t kAllNamespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
constexpr char kBusybox[] = "/bin/busybox";

using Strings = std::vector<std::string>;

int RemoveEntry(const char* path, const struct stat*, int, struct FTW*) {
  return remove(path);
}

void RemoveTree(const std::string& path) {
  constexpr int kDescriptors = 16;
  nftw(path.c_str(), RemoveEntry, kDescriptors, FTW_DEPTH | FTW_PHYS);
}

std::string Slurp(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[65536];
  ssize_t n;
  while (fd.ok() && (n = read(fd.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return text;
}

void CopyBusybox(const std::string& target) {
  const std::string bytes = Slurp(kBusybox);
  const UniqueFd fd(
      open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  ASSERT_EQ(write(fd.get(), bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
}

void MakeRootfs(const std::string& root) {
  for (const char* directory :
       {"", "/bin", "/dev", "/proc", "/sys", "/tmp", "/etc", "/old"}) {
    ASSERT_EQ(mkdir(absl::StrCat(root, directory).c_str(), 0755), 0);
  }
  ASSERT_EQ(chmod((root + "/tmp").c_str(), 01777), 0);
  CopyBusybox(root + "/bin/busybox");
  for (const char* applet :
       {"sh",       "true",   "false",    "cat",   "echo",  "sleep",
        "ls",       "id",     "env",      "kill",  "ps",    "mount",
        "stat",     "head",   "dd",       "touch", "mkdir", "ln",
        "stty",     "tty",    "hostname", "grep",  "seq",   "wc",
        "readlink", "printf", "tr",       "yes",   "umount"}) {
    ASSERT_EQ(symlink("busybox", absl::StrCat(root, "/bin/", applet).c_str()),
              0);
  }
}

void AddDevices(LaunchPlan& plan) {
  struct Node {
    const char* path;
    uint64_t major, minor;
  };
  for (const Node& node : {Node{"/dev/null", 1, 3}, Node{"/dev/zero", 1, 5},
                           Node{"/dev/tty", 5, 0}}) {
    plan.Add(Op::kDevice,
             {std::string(node.path), uint64_t{S_IFCHR}, node.major, node.minor,
              uint64_t{0666}, uint64_t{0}, uint64_t{0}, uint64_t{0}});
  }
}

void AddMount(LaunchPlan& plan, const char* type, Strings options,
              const char* target) {
  plan.Add(Op::kMount, {std::string(type), std::string(type),
                        std::move(options), std::string(target),
                        uint64_t{MOUNT_ATTR_NOSUID}, uint64_t{0}, uint64_t{0}});
}

}  // namespace

void LauncherTest::SetUp() {
  CK_REQUIRE("root");
  if (access(kBusybox, X_OK) != 0) GTEST_SKIP() << "no " << kBusybox;
  before_ = std::make_unique<testing::Snapshot>(testing::Snapshot::Take());
  base_ = "/tmp/ck_launcher_XXXXXX";
  ASSERT_NE(mkdtemp(base_.data()), nullptr);
  MakeRootfs(rootfs());
  for (const char* name : {"container", "upper", "work", "mnt"}) {
    ASSERT_EQ(mkdir((base_ + "/" + name).c_str(), 0755), 0);
  }
  directory_fd_.Reset(
      open(directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CK_ASSERT_OK_AND_ASSIGN(launcher_, Launcher::Create());
}

void LauncherTest::TearDown() {
  if (before_ == nullptr) return;
  // Only a test that failed halfway has a container left.
  (void)Client().Stop(SIGKILL, absl::ZeroDuration());
  launcher_.reset();
  directory_fd_.Reset();
  for (const std::string& cgroup : Cgroups()) {
    EXPECT_NE(access(cgroup.c_str(), F_OK), 0) << cgroup << " is left";
  }
  // Cgroups were looked at above: others on this machine make some, too.
  std::string left;
  const std::string extra = testing::Snapshot::WaitUntilBackTo(*before_);
  for (const auto line : absl::StrSplit(extra, '\n')) {
    if (!absl::StartsWith(line, "cgroup ")) left += std::string(line);
  }
  EXPECT_EQ(left, "");
  RemoveTree(base_);
}

std::vector<std::string> LauncherTest::Cgroups() const {
  std::vector<std::string> paths;
  for (const char* controller : {"memory", "pids", "freezer"}) {
    const std::string mount = absl::StrCat("/sys/fs/cgroup/", controller);
    if (access((mount + "/tasks").c_str(), F_OK) != 0) continue;
    paths.push_back(absl::StrCat(mount, "/ck-test-", getpid(), "/c"));
  }
  return paths;
}

LaunchPlan LauncherTest::MakePlan(const TestContainer& c) const {
  LaunchPlan plan;
  const std::vector<std::string> cgroups =
      c.cgroups ? Cgroups() : std::vector<std::string>{};
  for (const std::string& path : cgroups) {
    plan.Add(Op::kMakeCgroup, {path});
    if (!c.memory_limit.empty() && absl::StrContains(path, "/memory/")) {
      plan.Add(Op::kWriteHost,
               {path + "/memory.limit_in_bytes", c.memory_limit, uint64_t{0}});
    }
  }
  plan.Add(Op::kClone,
           {c.namespaces == 0 ? kAllNamespaces : c.namespaces, std::string()});
  for (const std::string& path : cgroups) {
    plan.Add(Op::kAttachCgroup, {path + "/cgroup.procs", uint64_t{0}});
  }
  if (c.after_clone) c.after_clone(plan);
  plan.Add(Op::kPropagation, {uint64_t{MS_SLAVE}, uint64_t{1}});
  if (c.overlay) {
    plan.Add(Op::kRootOverlay,
             {Strings{rootfs()}, base_ + "/upper", base_ + "/work", Strings{},
              base_ + "/mnt", uint64_t{0}});
  } else {
    plan.Add(Op::kRootBind, {rootfs(), uint64_t{0}, uint64_t{0}, uint64_t{0}});
  }
  AddMount(plan, "proc", {}, "/proc");
  AddMount(plan, "tmpfs", {"mode=755", "size=65536k"}, "/dev");
  AddDevices(plan);
  AddMount(plan, "devpts", {"newinstance", "ptmxmode=0666", "mode=0620"},
           "/dev/pts");
  if (c.before_pivot) c.before_pivot(plan);
  plan.Add(Op::kPivotRoot);
  if ((c.namespaces == 0 ? kAllNamespaces : c.namespaces) & CLONE_NEWUTS) {
    plan.Add(Op::kHostname, {std::string("box")});
  }
  if (c.inside) c.inside(plan);
  plan.Add(Op::kSession);
  if (c.terminal) {
    plan.Add(Op::kTerminal,
             {uint64_t{24}, uint64_t{80}, uint64_t{kTerminalConsole}});
  }
  plan.Add(Op::kChdir, {std::string("/"), uint64_t{0}});
  if (c.before_exec) c.before_exec(plan);
  if (c.init) plan.Add(Op::kInit);
  plan.Add(Op::kFindExecutable, {c.argv, c.env});
  if (c.await_start) {
    plan.Add(Op::kReady);
    plan.Add(Op::kAwaitStart, {directory() + "/exec.fifo", kNoFd});
  }
  plan.Add(Op::kExec, {c.argv, c.env});
  if (c.after_exec) c.after_exec(plan);
  return plan;
}

LaunchPlan LauncherTest::MakeExecPlan(std::vector<std::string> argv) const {
  LaunchPlan plan;
  plan.Add(Op::kJoinNamespace,
           {uint64_t{0}, std::string(), kNoFd, kAllNamespaces});
  plan.Add(Op::kClone, {uint64_t{0}, std::string()});
  for (const std::string& path : Cgroups()) {
    plan.Add(Op::kAttachCgroup,
             {path + "/cgroup.procs", uint64_t{kWriteOptional}});
  }
  const Strings env = {"PATH=/bin"};
  plan.Add(Op::kSession);
  plan.Add(Op::kChdir, {std::string("/"), uint64_t{0}});
  plan.Add(Op::kFindExecutable, {argv, env});
  plan.Add(Op::kExec, {argv, env});
  return plan;
}

LaunchSpec LauncherTest::MakeSpec(const LaunchPlan& plan) const {
  LaunchSpec spec;
  spec.plan = &plan;
  spec.flags = kLaunchLog | kLaunchPidPrivate;
  spec.directory_fd = directory_fd_.get();
  spec.deadline = absl::Now() + kPatience;
  for (const std::string& path : Cgroups()) {
    if (absl::StrContains(path, "/memory/")) {
      spec.oom_path = path + "/memory.oom_control";
    }
  }
  return spec;
}

Event LauncherTest::Await(EventStream& events, EventType type) {
  const absl::Time deadline = absl::Now() + kPatience;
  for (;;) {
    const auto event = events.Next(deadline);
    if (!event.ok()) {
      ADD_FAILURE() << "no event " << static_cast<int>(type) << ": "
                    << event.status();
      return Event{};
    }
    if (event->type == type) return *event;
  }
}

std::string LauncherTest::ReadAll(AttachStream& stream, int* exit_code) {
  std::string out;
  const absl::Time deadline = absl::Now() + kPatience;
  for (;;) {
    const auto packet = stream.Read(deadline);
    if (!packet.ok()) {
      ADD_FAILURE() << packet.status() << " after: " << out;
      return out;
    }
    if (packet->stream != Stream::kEvent) out += packet->data;
    if (packet->stream != Stream::kEvent) continue;
    if (packet->event.type == EventType::kFailed) {
      ADD_FAILURE() << "failed to start";
      return out;
    }
    if (packet->event.type == EventType::kExited) {
      if (exit_code != nullptr) *exit_code = packet->event.exit_code;
      return out;
    }
  }
}

int LauncherTest::Run(const TestContainer& container, std::string* out) {
  const LaunchPlan plan = MakePlan(container);
  LaunchSpec spec = MakeSpec(plan);
  if (container.terminal) spec.flags |= kLaunchTty;
  auto launched = launcher_->Start(spec);
  EXPECT_THAT(launched, testing::IsOk()) << plan.Describe();
  if (!launched.ok()) return -1;
  const Event event = Await(launched->events, EventType::kExited);
  if (out != nullptr) *out = Log();
  return event.exit_code;
}

std::string LauncherTest::Log(const std::string& stream) const {
  std::string text;
  for (const auto line :
       absl::StrSplit(ReadFile(directory() + "/log.json"), '\n')) {
    const std::string middle = absl::StrCat("\",\"stream\":\"", stream, "\"");
    constexpr absl::string_view kHead = "{\"log\":\"";
    const size_t end = line.find(middle);
    if (!absl::StartsWith(line, kHead) || end == absl::string_view::npos) {
      continue;
    }
    text += absl::StrReplaceAll(
        line.substr(kHead.size(), end - kHead.size()),
        {{"\\n", "\n"}, {"\\r", "\r"}, {"\\t", "\t"}, {"\\\"", "\""}});
  }
  return text;
}

void LauncherTest::AwaitLog(const std::string& text) const {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!absl::StrContains(Log(), text)) {
    ASSERT_LT(absl::Now(), deadline) << Log();
    absl::SleepFor(absl::Milliseconds(2));
  }
}

std::string LauncherTest::ReadFile(const std::string& path) const {
  return Slurp(path);
}

MonitorClient LauncherTest::Client() const {
  return MonitorClient(
      UniqueFd(fcntl(directory_fd_.get(), F_DUPFD_CLOEXEC, 3)));
}

}  // namespace containerkit::runtime
