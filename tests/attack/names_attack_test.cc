// R16 to R18, T13: what names, numbers, files and paths become.
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/attack/runtime_fixture.h"

namespace containerkit::attack {
namespace {

constexpr int64_t kRefused = -1;

TEST_F(RuntimeAttackTest, R16UsersAreExactOrRefused) {
  // Every number has a namesake that is root.
  std::string passwd =
      "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
  for (const char* name :
       {"1", "1000", "-1", "+1", "2147483648", "4294967295", "4294967296",
        "4294967297", "00", "1e3", "65534", "99999999999999999999"}) {
    absl::StrAppend(&passwd, name, ":x:0:0::/:/bin/sh\n");
  }
  absl::StrAppend(&passwd, "over:x:4294967296:0::/:/bin/sh\n",
                  "minus:x:-1:0::/:/bin/sh\n", "text:x:zero:0::/:/bin/sh\n",
                  "short:x:0\n", ":x:0:0::/:/bin/sh\n");
  Import(store::TarBuilder()
             .File("etc/passwd", passwd)
             .File("etc/group", "root:x:0:\n1000:x:0:\napp:x:1000:\n"),
         "users");
  const struct {
    const char* user;
    int64_t uid;
    int64_t gid;
  } kUsers[] = {
      {"0", 0, 0},
      {"root", 0, 0},
      {"00", 0, 0},
      {"0:0", 0, 0},
      {"1", 1, 0},
      {"1:", 1, 0},
      {"1000", 1000, 1000},
      {"1000:", 1000, 1000},
      {"1000:1000", 1000, 1000},
      {"app", 1000, 1000},
      {"app:app", 1000, 1000},
      {"app:1000", 1000, 1000},
      {"app:7", 1000, 7},
      {"app:root", 1000, 0},
      {"65534", 65534, 0},
      {"65534:65534", 65534, 65534},
      {"2147483647", 2147483647, 0},
      {"2147483647:2147483647", 2147483647, 2147483647},
      {"007", 7, 0},
      {"1000:007", 1000, 7},
      {"-1", kRefused, 0},
      {"+1", kRefused, 0},
      {"-0", kRefused, 0},
      {"+0", kRefused, 0},
      {"2147483648", kRefused, 0},
      {"4294967294", kRefused, 0},
      {"4294967295", kRefused, 0},
      {"4294967296", kRefused, 0},
      {"4294967297", kRefused, 0},
      {"8589934592", kRefused, 0},
      {"9223372036854775808", kRefused, 0},
      {"18446744073709551616", kRefused, 0},
      {"99999999999999999999", kRefused, 0},
      {"0x0", kRefused, 0},
      {"0x3e8", kRefused, 0},
      {"0b0", kRefused, 0},
      {"0.0", kRefused, 0},
      {"1.0", kRefused, 0},
      {"0,0", kRefused, 0},
      {" 0", kRefused, 0},
      {"0 ", kRefused, 0},
      {"\t0", kRefused, 0},
      {"0\n", kRefused, 0},
      {"\xd9\xa0", kRefused, 0},      // ARABIC-INDIC DIGIT ZERO
      {"\xef\xbc\x90", kRefused, 0},  // FULLWIDTH DIGIT ZERO
      {"1:1:1", kRefused, 0},
      {"0:0:0", kRefused, 0},
      {"::", kRefused, 0},
      {"1000:-1", kRefused, 0},
      {"1000:4294967296", kRefused, 0},
      {"1000:2147483648", kRefused, 0},
      {"1000:0x0", kRefused, 0},
      {"1000:nosuch", kRefused, 0},
      {"over", kRefused, 0},
      {"minus", kRefused, 0},
      {"text", kRefused, 0},
      {"short", kRefused, 0},
      {"nosuch", kRefused, 0},
      {"ROOT", kRefused, 0},
      {"root ", kRefused, 0},
      {"ro\x01ot", kRefused, 0},
      {"../root", kRefused, 0},
  };
  static_assert(std::size(kUsers) >= 60);
  Container running = StartProbe(Probe({"sleep"}, "users"));
  for (const auto& [user, uid, gid] : kUsers) {
    ContainerConfig config = Probe({"status", "Uid", "Gid"}, "users");
    config.user = user;
    const Attempt attempt = Try(config);
    ExecConfig exec = {.command = *config.cmd, .user = user};
    exec.command = {"/probe", "status", "Uid", "Gid"};
    if (uid == kRefused) {
      EXPECT_NE(GetReason(attempt.status), Reason::kUnspecified) << user;
      const auto session = running.Exec(exec);
      EXPECT_NE(GetReason(session.status()), Reason::kUnspecified) << user;
      continue;
    }
    const auto four = [](int64_t id) {
      return absl::StrCat(id, "\t", id, "\t", id, "\t", id);
    };
    for (const std::string& out :
         {attempt.result.out, Exec(running, exec).out}) {
      EXPECT_EQ(Field(out, "Uid"), four(uid)) << user;
      EXPECT_EQ(Field(out, "Gid"), four(gid)) << user;
    }
  }
}

class GeneratedFilesTest : public RuntimeAttackTest {
 protected:
  int Lines(ContainerConfig config, const std::string& file) {
    config.image = "busybox";
    config.cmd = {{"sh", "-c", absl::StrCat("wc -l < ", file)}};
    int lines = -1;
    EXPECT_TRUE(absl::SimpleAtoi(Try(config).result.out, &lines));
    return lines;
  }
};

TEST_F(GeneratedFilesTest, R17NoStringBecomesASecondLine) {
  ContainerConfig plain;
  const int hosts = Lines(plain, "/etc/hosts");
  const int resolver = Lines(plain, "/etc/resolv.conf");
  const int passwd = Lines(plain, "/etc/passwd");
  std::vector<char> bytes = {0x7f};
  for (char byte = 1; byte < 0x20; ++byte) bytes.push_back(byte);
  for (const char byte : bytes) {
    const std::string evil = absl::StrCat("a", std::string(1, byte), "evil");
    const std::string address =
        absl::StrCat("10.0.0.1", std::string(1, byte), "evil");
    std::vector<ContainerConfig> configs(7, Probe({"true"}));
    configs[0].hostname = evil;
    configs[1].domainname = evil;
    configs[2].names.extra_hosts = {{evil, "10.0.0.1"}};
    configs[3].names.extra_hosts = {{"a", address}};
    configs[4].names.servers = {address};
    configs[5].names.search = {evil};
    configs[6].names.options = {evil};
    for (size_t i = 0; i < configs.size(); ++i) {
      EXPECT_THAT(Try(configs[i]).status,
                  testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                    Reason::kInvalidArgument))
          << i << " byte " << int(byte);
    }
  }
  // Strings that are the image's or the user's own reach no file.
  ContainerConfig own;
  own.env = {"HOME=/x\nevil:x:0:0::/:/bin/sh"};
  own.labels = {{"a\nb", "c\nd"}};
  EXPECT_EQ(Lines(own, "/etc/hosts"), hosts);
  EXPECT_EQ(Lines(own, "/etc/resolv.conf"), resolver);
  EXPECT_EQ(Lines(own, "/etc/passwd"), passwd);
  own.names.extra_hosts = {{"one", "10.0.0.1"}};
  EXPECT_EQ(Lines(own, "/etc/hosts"), hosts + 1);
}

// Peak resident memory since the last call, in KiB.
int64_t PeakMemory() {
  int64_t peak = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "VmHWM:")) peak = atoll(line.c_str() + 6);
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return peak;
}

// Every named pipe in the tree.
std::vector<std::string> FindPipes(const std::string& root) {
  static std::vector<std::string>* found;
  std::vector<std::string> pipes;
  found = &pipes;
  nftw(
      root.c_str(),
      [](const char* path, const struct stat* st, int, FTW*) {
        if (S_ISFIFO(st->st_mode)) found->emplace_back(path);
        return 0;
      },
      /*nopenfd=*/32, FTW_PHYS);
  return pipes;
}

// Sees whether somebody opens one of the pipes for reading, and frees who
// waits in there for a writer.
class PipeWatch {
 public:
  explicit PipeWatch(std::vector<std::string> pipes)
      : pipes_(std::move(pipes)), thread_([this](std::stop_token stop) {
          while (!stop.stop_requested()) {
            for (const std::string& pipe : pipes_) {
              const UniqueFd writer(
                  open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
              if (writer.ok()) ++readers_;
            }
            absl::SleepFor(absl::Milliseconds(5));
          }
        }) {}
  int readers() const { return readers_; }

 private:
  std::vector<std::string> pipes_;
  std::atomic<int> readers_{0};
  std::jthread thread_;
};

TEST_F(RuntimeAttackTest, R18UserFilesAreRegularBoundedAndInside) {
  const std::string sparse =
      absl::StrCat("1\n0\n5\n", std::string(506, '\0'), "root:");
  const std::string line(100 << 20, 'a');
  const struct {
    const char* what;
    store::TarMember member;
    bool readable;
  } kFiles[] = {
      {"sparse",
       {.path = "etc/passwd",
        .content = sparse,
        .pax = {{"GNU.sparse.major", "1"},
                {"GNU.sparse.minor", "0"},
                {"GNU.sparse.name", "etc/passwd"},
                {"GNU.sparse.realsize", "10737418240"}}},
       false},
      {"line", {.path = "etc/passwd", .content = line}, false},
      {"fifo", {.path = "etc/passwd", .type = '6'}, false},
      {"zero",
       {.path = "etc/passwd", .type = '3', .major = 1, .minor = 5},
       false},
      {"host",
       {.path = "etc/passwd", .type = '2', .link = canary() + "/passwd"},
       false},
      {"up",
       {.path = "etc/passwd",
        .type = '2',
        .link = "../../../../../../../.." + canary() + "/passwd"},
       false},
      {"proc",
       {.path = "etc/passwd", .type = '2', .link = "/proc/self/environ"},
       false},
      {"etc", {.path = "etc", .type = '2', .link = canary()}, false},
      {"loop", {.path = "etc/passwd", .type = '2', .link = "passwd"}, false},
      {"directory", {.path = "etc/passwd", .type = '5'}, false},
      {"inside", {.path = "etc/passwd", .type = '2', .link = "/real"}, true},
  };
  for (const auto& [what, member, readable] : kFiles) {
    SCOPED_TRACE(what);
    Import(store::TarBuilder().File("real", "app:x:7:7::/:\n").Add(member),
           what);
    if (HasFailure()) return;
    const std::vector<std::string> pipes = FindPipes(root());
    EXPECT_EQ(pipes.empty(), absl::string_view(what) != "fifo");
    const PipeWatch watch(pipes);
    PeakMemory();
    const int64_t before = PeakMemory();
    ContainerConfig config = Probe({"status", "Uid"}, what);
    config.user = "app";
    const Attempt named = Try(config);
    EXPECT_LE(PeakMemory() - before, 20 << 10);
    EXPECT_EQ(named.status.ok(), readable) << named.status;
    if (!readable) {
      EXPECT_TRUE(GetReason(named.status) == Reason::kUserNotFound ||
                  GetReason(named.status) == Reason::kLimitExceeded)
          << named.status;
    }
    config.user = "1000";
    const Attempt numbered = Try(config);
    EXPECT_TRUE(numbered.status.ok() ||
                GetReason(numbered.status) == Reason::kLimitExceeded)
        << numbered.status;
    EXPECT_EQ(watch.readers(), 0) << "the image's pipe was opened";
    CK_EXPECT_OK(engine().images().Remove(what));
  }
}

// Every byte that a name may have, among them the separators of mount options.
TEST_F(RuntimeAttackTest, T13PathsOfTheStoreAreNoOptions) {
  std::string all;
  for (char byte = 1; byte < 0x7f; ++byte) {
    if (byte != '/') all.push_back(byte);
  }
  for (const std::string& name :
       {all, std::string("a,upperdir=b"), std::string("a:b"),
        std::string("a\\b,c"), std::string("lowerdir=x,")}) {
    const std::string directory = MakeDirectory(name);
    Engine::Options options;
    options.root = directory + "/state";
    CK_ASSERT_OK_AND_ASSIGN(Engine engine, Engine::Open(options));
    const UniqueFd archive(
        open((scratch() + "/image.tar").c_str(), O_RDONLY | O_CLOEXEC));
    ImageImportOptions import;
    import.reference = "probe";
    CK_ASSERT_OK(engine.images().Import(archive.get(), import));
    CK_ASSERT_OK_AND_ASSIGN(Container container,
                            engine.Create(Probe({"box", "f"})));
    StartOptions start;
    start.attach = true;
    CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(start));
    EXPECT_EQ(Drain(*session).out, "ok\n") << name;
    // The other place where the root is mounted.
    const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    CK_EXPECT_OK(container.CopyOut("/probe", null.get()));
    CK_EXPECT_OK(container.Remove({.force = true}));
  }
}

}  // namespace
}  // namespace containerkit::attack
