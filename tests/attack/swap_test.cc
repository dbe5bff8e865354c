// R04 to R09 with every race won by the attacker: `ck-oci run` on a root file
// system in which two names are exchanged before each system call that
// resolves a path in it (swap_driver.h).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/file_util.h"
#include "tests/attack/host_oracle.h"
#include "tests/attack/swap_driver.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::attack {
namespace {

using oci_test::Json;
using oci_test::Strings;

constexpr char kProbe[] = "tests/attack/probe";

// One attack: a config, and two names in the root that are exchanged.
struct Attack {
  const char* name;
  std::function<void(Json&)> configure;
  std::function<void(const std::string& root)> plant;
  const char* one;
  bool terminal = false;
};

class SwapTest : public oci_test::OciTest {
 protected:
  void SetUp() override {
    OciTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::string canary = Scratch("canary");
    ASSERT_EQ(mkdir(canary.c_str(), 0755), 0);
    canary_ = std::make_unique<Canary>(canary);
    ASSERT_EQ(mkdir(Scratch("source").c_str(), 0755), 0);
    oci_test::WriteText(Scratch("source/f"), "given");
    oci_test::WriteText(Scratch("probe"), oci_test::ReadText(kProbe));
    ASSERT_EQ(chmod(Scratch("probe").c_str(), 0755), 0);
  }
  void TearDown() override {
    canary_.reset();
    OciTest::TearDown();
  }

  static Json Base() {
    Json config = Config("");
    config["process"]["args"] = {"/probe",
                                 "box",
                                 "m:/proc/kcore",
                                 "m:/proc/keys",
                                 "m:/proc/scsi",
                                 "m:/proc/timer_list",
                                 "m:/sys/firmware",
                                 "r:/proc/sys",
                                 "r:/proc/sysrq-trigger",
                                 "f"};
    config["mounts"] = {
        {{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
        {{"destination", "/sys"},
         {"type", "sysfs"},
         {"source", "sysfs"},
         {"options", {"nosuid", "noexec", "nodev", "ro"}}}};
    config["linux"]["maskedPaths"] = {"/proc/kcore", "/proc/keys", "/proc/scsi",
                                      "/proc/timer_list", "/sys/firmware"};
    config["linux"]["readonlyPaths"] = {"/proc/sys", "/proc/sysrq-trigger"};
    return config;
  }

  // The root as it was: one try must not help the next.
  void ResetRoot(const Attack& attack) {
    ASSERT_TRUE(sys::RemoveTreeAt(AT_FDCWD, rootfs()).ok());
    for (const char* directory : {"", "/proc", "/sys", "/dev", "/dev/pts",
                                  "/vol", "/vol/a", "/vol/a/b"}) {
      ASSERT_EQ(mkdir(absl::StrCat(rootfs(), directory).c_str(), 0755), 0);
    }
    ASSERT_EQ(link(Scratch("probe").c_str(), (rootfs() + "/probe").c_str()), 0);
    attack.plant(rootfs());
  }

  void Prepare(const Attack& attack) {
    Json config = Base();
    attack.configure(config);
    if (attack.terminal) {
      config["process"]["terminal"] = true;
      config["process"]["args"].push_back("t");
    }
    WriteConfig(config);
  }

  Strings Command(const Attack& attack) {
    Strings argv = {program(), "--root", Scratch("../state"),
                    "run",     "-b",     bundle()};
    if (attack.terminal) {
      argv.insert(argv.end(), {"-d", "--console-socket", Scratch("console")});
    }
    argv.push_back("victim");
    return argv;
  }

  // The one and only thing that must hold: the container ran in its box, or
  // it did not run and said why; and the host is untouched.
  void Judge(const Attack& attack, const Traced& run, const HostState& before,
             const std::string& what) {
    EXPECT_FALSE(run.timed_out) << what;
    if (run.exit_code == 0 && !attack.terminal) {
      EXPECT_EQ(run.out, "ok\n") << what;
    } else if (run.exit_code != 0) {
      EXPECT_FALSE(absl::StrContains(run.out, "wrong")) << what << run.out;
      EXPECT_NE(run.err, "") << what;
    }
    EXPECT_EQ(before.DifferenceNow(), "") << what;
    EXPECT_EQ(canary_->TakeAccesses(), 0) << what;
  }

  void Clean(const Attack& attack, const std::string& what);
  void EveryCall(const Attack& attack);
  void AtRandom(const Attack& attack, absl::Duration duration);

  std::unique_ptr<Canary> canary_;
};

// The terminal variant runs detached: what it printed comes from the terminal.
class Console {
 public:
  explicit Console(const std::string& path)
      : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    unlink(path.c_str());
    sockaddr_un address = {.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof(address)),
              0);
    EXPECT_EQ(listen(listener_.get(), 4), 0);
  }
  // All that was printed; "" when no terminal came.
  std::string Read() {
    const UniqueFd peer(
        accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char data[512];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec vector = {data, sizeof(data)};
    msghdr message = {.msg_iov = &vector,
                      .msg_iovlen = 1,
                      .msg_control = control,
                      .msg_controllen = sizeof(control)};
    if (recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) {
      return "";
    }
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return "";
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    const UniqueFd terminal(fd);
    std::string text;
    char buffer[4096];
    ssize_t n;
    while ((n = read(terminal.get(), buffer, sizeof(buffer))) > 0) {
      text.append(buffer, n);
    }
    return text;
  }

 private:
  UniqueFd listener_;
};

void SwapTest::Clean(const Attack& attack, const std::string& what) {
  if (attack.terminal) {
    oci_test::RunProgram(
        {program(), "--root", Scratch("../state"), "delete", "-f", "victim"});
  }
}

void SwapTest::EveryCall(const Attack& attack) {
  Prepare(attack);
  const Inside inside = {.prefix = rootfs()};
  int calls = 1;
  int ran = 0, exchanges = 0;
  for (const bool back : {false, true}) {
    // at 0 counts the calls and shows that it runs at all.
    for (int at = back ? 1 : 0; at <= calls; ++at) {
      ResetRoot(attack);
      std::unique_ptr<Console> console;
      if (attack.terminal) {
        console = std::make_unique<Console>(Scratch("console"));
      }
      const HostState before = HostState::Take({canary_->path()});
      canary_->TakeAccesses();
      Traced run =
          RunTraced(Command(attack), inside,
                    {rootfs() + attack.one, rootfs() + "/evil", at, back});
      if (attack.terminal && run.exit_code == 0) {
        run.out = console->Read();
        EXPECT_EQ(run.out, "ok\r\n") << attack.name << " call " << at;
      }
      Clean(attack, "");
      const std::string what = absl::StrCat(
          attack.name, ": call ", at, " (", run.at_call, ")",
          back ? " and back" : "", ": exit ", run.exit_code, " ", run.err);
      Judge(attack, run, before, what);
      if (at == 0) {
        ASSERT_EQ(run.exit_code, 0) << what << run.out;
        calls = run.calls;
      }
      if (run.exit_code == 0) ++ran;
      exchanges += run.exchanges;
      if (HasFailure()) return;
    }
  }
  // Without races there would be nothing to see.
  EXPECT_GT(calls, 20);
  EXPECT_GT(exchanges, calls);
  printf("%s: %d calls, %d exchanges, %d of %d runs succeeded\n", attack.name,
         calls, exchanges, ran, 2 * calls + 1);
}

void SwapTest::AtRandom(const Attack& attack, absl::Duration duration) {
  Prepare(attack);
  const absl::Time end = absl::Now() + duration;
  int runs = 0;
  while (GoesOn(runs, end) && !HasFailure()) {
    ResetRoot(attack);
    const HostState before = HostState::Take({canary_->path()});
    canary_->TakeAccesses();
    Traced run;
    {
      const RandomSwapper swapper(rootfs() + attack.one, rootfs() + "/evil");
      const oci_test::Result result = oci_test::RunProgram(Command(attack));
      run.exit_code = result.code;
      run.out = result.out;
      run.err = result.err;
    }
    Judge(attack, run, before, absl::StrCat(attack.name, " at random"));
    ++runs;
  }
  printf("%s: %d random runs\n", attack.name, runs);
}

// What the attacker's name is: a link to the canary, from the host's root or
// through "..", which leads there only for who leaves the container.
std::function<void(const std::string&)> LinkTo(const std::string& target) {
  return [target](const std::string& root) {
    ASSERT_EQ(symlink(target.c_str(), (root + "/evil").c_str()), 0);
  };
}

TEST_F(SwapTest, R04FalseNullHidesNothing) {
  const auto none = [](Json&) {};
  const Attack link = {"R04 link", none,
                       LinkTo("/proc/sys/kernel/core_pattern"), "/dev/null"};
  // The device itself is made by the run: planted, so that it can be swapped.
  const auto with_null = [](const Attack& base, auto plant) {
    Attack attack = base;
    attack.plant = [plant](const std::string& root) {
      ASSERT_EQ(
          mknod((root + "/dev/null").c_str(), S_IFCHR | 0666, makedev(1, 3)),
          0);
      plant(root);
    };
    return attack;
  };
  EveryCall(with_null(link, link.plant));
  if (HasFailure()) return;
  Attack zero = link;
  zero.name = "R04 zero";
  EveryCall(with_null(zero, [](const std::string& root) {
    ASSERT_EQ(mknod((root + "/evil").c_str(), S_IFCHR | 0666, makedev(1, 5)),
              0);
  }));
}

TEST_F(SwapTest, R05TerminalsAreTheContainersOwn) {
  const auto devpts = [](Json& config) {
    config["mounts"].push_back(
        {{"destination", "/dev/pts"},
         {"type", "devpts"},
         {"source", "devpts"},
         {"options", {"newinstance", "ptmxmode=0666", "mode=0620"}}});
  };
  EveryCall({"R05 pts", devpts, LinkTo(Scratch("canary") + "/pts"), "/dev/pts",
             true});
  if (HasFailure()) return;
  // The terminal's name leads to a file of /proc, which must not become the
  // console.
  EveryCall({"R05 peer",
             [&](Json& config) {
               devpts(config);
               config["process"]["args"].push_back("c");
             },
             [](const std::string& root) {
               ASSERT_EQ(mkdir((root + "/evil").c_str(), 0755), 0);
               for (const char* number : {"/evil/0", "/evil/1"}) {
                 ASSERT_EQ(symlink("/proc/sys/kernel/core_pattern",
                                   (root + number).c_str()),
                           0);
               }
             },
             "/dev/pts", true});
  if (HasFailure()) return;
  EveryCall({"R05 console", devpts,
             [&](const std::string& root) {
               oci_test::WriteText(root + "/dev/console", "");
               LinkTo("/proc/sys/kernel/core_pattern")(root);
             },
             "/dev/console", true});
}

TEST_F(SwapTest, R06ProcIsProcfs) {
  const auto sysctl = [](Json& config) {
    config["linux"]["sysctl"] = {{"kernel.domainname", "attacked"}};
  };
  EveryCall({"R06 proc", sysctl, LinkTo(Scratch("canary")), "/proc"});
  if (HasFailure()) return;
  EveryCall({"R06 sys", sysctl, LinkTo("../../../../.." + Scratch("canary")),
             "/sys"});
}

TEST_F(SwapTest, R07DevIsNotTheHosts) {
  const auto none = [](Json&) {};
  EveryCall({"R07 absolute", none, LinkTo(Scratch("canary")), "/dev"});
  if (HasFailure()) return;
  EveryCall({"R07 relative", none,
             LinkTo("../../../../../../.." + Scratch("canary")), "/dev"});
}

std::function<void(Json&)> Bind(const std::string& from,
                                const std::string& to) {
  return [=](Json& config) {
    config["mounts"].push_back({{"destination", to},
                                {"type", "bind"},
                                {"source", from},
                                {"options", {"bind"}}});
  };
}

TEST_F(SwapTest, R08MountTargetsStayInside) {
  const std::string canary = Scratch("canary");
  EveryCall({"R08 parent", Bind(Scratch("source"), "/vol/a/b"), LinkTo(canary),
             "/vol/a"});
  if (HasFailure()) return;
  EveryCall({"R08 target", Bind(Scratch("source"), "/vol/a/b"),
             LinkTo("../../../../../../.." + canary), "/vol/a/b"});
}

TEST_F(SwapTest, R09NothingIsMadeOutside) {
  const std::string canary = Scratch("canary");
  EveryCall({"R09 directories", Bind(Scratch("source"), "/vol/a/dir/x/y"),
             LinkTo(canary), "/vol/a"});
  if (HasFailure()) return;
  EveryCall({"R09 file", Bind(Scratch("source/f"), "/vol/a/dir/x/file"),
             LinkTo("../../../../../../.." + canary), "/vol/a"});
}

TEST_F(SwapTest, R04ToR09AtRandom) {
  const auto none = [](Json&) {};
  const auto bind = Bind(Scratch("source"), "/vol/a/dir/x/y");
  for (const char* one : {"/dev", "/proc", "/vol/a", "/vol"}) {
    AtRandom({one,
              absl::StartsWith(one, "/vol") ? std::function<void(Json&)>(bind)
                                            : none,
              LinkTo(Scratch("canary")), one},
             absl::Milliseconds(2500));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace containerkit::attack
