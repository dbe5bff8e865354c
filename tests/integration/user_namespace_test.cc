// User namespaces of root's containers: who owns what, inside and on the
// host.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/require.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

constexpr uint32_t kUids = 300000;
constexpr uint32_t kGids = 500000;
constexpr uint32_t kIds = 65536;

struct Owner {
  uint32_t uid;
  uint32_t gid;

  friend bool operator==(const Owner&, const Owner&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Owner& owner) {
    return out << owner.uid << ":" << owner.gid;
  }
};

Owner OwnerOf(const std::string& path) {
  struct stat st;
  EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
  return {st.st_uid, st.st_gid};
}

std::string Get(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class UserNamespaceTest : public EngineTest {
 protected:
  static ContainerConfig Mapped(const std::string& script) {
    ContainerConfig config = Shell(script);
    config.user_namespace = {.kind = UserNamespaceChoice::Kind::kMapped,
                             .uid_map = {{0, kUids, kIds}},
                             .gid_map = {{0, kGids, kIds}}};
    return config;
  }
  static ContainerConfig Auto(const std::string& script) {
    ContainerConfig config = Shell(script);
    config.user_namespace.kind = UserNamespaceChoice::Kind::kAuto;
    return config;
  }

  RunResult RunAgain(Container& container) {
    auto session = container.Start({.attach = true});
    EXPECT_THAT(session, IsOk());
    if (!session.ok() || !session->has_value()) return {};
    return Drain(**session);
  }

  std::string Upper(const Container& container) const {
    return absl::StrCat(root(), "/containers/", container.id(), "/upper");
  }

  std::string TarOf(Container& container, const std::string& path) {
    const std::string file = absl::StrCat(scratch(), "/out.tar");
    {
      const UniqueFd fd(
          open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      CK_EXPECT_OK(container.CopyOut(path, fd.get()));
    }
    const std::string list = absl::StrCat(scratch(), "/list");
    EXPECT_EQ(system(absl::StrCat("tar -tvf ", file,
                                  " --numeric-owner | "
                                  "awk '{print $2, $6}' | sort > ",
                                  list)
                         .c_str()),
              0);
    return Get(list);
  }
};

TEST_F(UserNamespaceTest, RootInsideOwnsTheImageAndWritesIt) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Mapped(
          "id -u; stat -c '%n %u:%g' / /bin /bin/busybox /etc/passwd /tmp "
          "/etc/hosts; "
          "echo x > /etc/passwd && mkdir /made && echo f > /made/f && "
          "chown 1000:2000 /made/f && rm /bin/sync && echo '#' >> /etc/hosts "
          "&& echo reopened > /dev/stdout")));
  const RunResult result = RunAgain(container);
  EXPECT_EQ(result.out,
            "0\n/ 0:0\n/bin 0:0\n/bin/busybox 0:0\n/etc/passwd 0:0\n"
            "/tmp 0:0\n/etc/hosts 0:0\nreopened\n")
      << result.err;
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // On the host they are the ids of the map.
  EXPECT_EQ(OwnerOf(Upper(container)), (Owner{kUids, kGids}));
  EXPECT_EQ(OwnerOf(Upper(container) + "/made"), (Owner{kUids, kGids}));
  EXPECT_EQ(OwnerOf(Upper(container) + "/made/f"),
            (Owner{kUids + 1000, kGids + 2000}));
  EXPECT_EQ(OwnerOf(Upper(container) + "/etc/passwd"), (Owner{kUids, kGids}));
}

TEST_F(UserNamespaceTest, RestartsKeepOwners) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Mapped("if [ -e /f ]; then stat -c '%u:%g' /f /bin; "
                             "chown 7:8 /f; else echo new > /f; "
                             "chown 1:2 /f; fi")));
  EXPECT_EQ(RunAgain(container).out, "");
  EXPECT_EQ(RunAgain(container).out, "1:2\n0:0\n");
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(Container again,
                          engine().GetContainer(container.id()));
  EXPECT_EQ(RunAgain(again).out, "7:8\n0:0\n");
}

TEST_F(UserNamespaceTest, LayersStayAsTheyAre) {
  const std::string find = absl::StrCat(
      "find ", root(), "/layers -printf '%P %U:%G %m %s %y\\n' | sort");
  const auto layers = [&] {
    const std::string out = absl::StrCat(scratch(), "/layers");
    EXPECT_EQ(system(absl::StrCat(find, " > ", out).c_str()), 0);
    return Get(out);
  };
  const std::string before = layers();
  ASSERT_TRUE(absl::StrContains(before, "busybox 0:0"));
  const RunResult result = Run(Mapped(
      "for f in /bin/* /etc/*; do echo >> $f; chown 5:5 $f; done 2>/dev/null; "
      "chmod 777 /bin; rm -rf /tmp; echo done"));
  EXPECT_EQ(result.out, "done\n");
  EXPECT_EQ(layers(), before);
  // Another container, without a namespace, sees nothing of it.
  EXPECT_EQ(Run(Shell("stat -c '%u:%g %a' /bin /tmp")).out,
            "0:0 755\n0:0 1777\n");
}

TEST_F(UserNamespaceTest, BindMountsKeepTheHostsIdsUnlessAsked) {
  const std::string dir = MakeDirectory("shared");
  ASSERT_EQ(chmod(dir.c_str(), 0777), 0);
  std::ofstream(dir + "/host") << "h";
  ContainerConfig config = Mapped(
      "stat -c '%u:%g' /d/host /m/host; echo > /d/made; echo > /m/mapped; "
      "(echo > /d/host) 2>/dev/null || echo protected");
  config.binds.push_back({.source = dir, .target = "/d"});
  config.binds.push_back({.source = dir, .target = "/m", .options = {"idmap"}});
  const RunResult result = Run(config);
  EXPECT_EQ(result.out, "65534:65534\n0:0\nprotected\n") << result.err;
  EXPECT_EQ(OwnerOf(dir + "/made"), (Owner{kUids, kGids}));
  EXPECT_EQ(OwnerOf(dir + "/mapped"), (Owner{0, 0}));
}

TEST_F(UserNamespaceTest, CopiesHaveTheContainersOwners) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Mapped("mkdir /made; echo f > /made/f; chown 3:4 /made/f;"
                             " echo ready; while [ ! -e /in/last ]; do sleep "
                             ".01; done; stat -c '%n %u:%g' /in/go /in/root")));
  ASSERT_EQ(
      system(absl::StrCat(
                 "cd ", scratch(),
                 " && touch go root last && tar -cf in.tar --owner=0 "
                 "--group=0 root && tar --append -f in.tar --owner=7 "
                 "--group=8 go && tar --append -f in.tar --owner=0 "
                 "--group=0 last && mkdir in && tar -cf dir.tar --owner=0 "
                 "--group=0 in")
                 .c_str()),
      0);
  const auto copy_in = [&](const std::string& name, const std::string& to) {
    const UniqueFd fd(
        open(absl::StrCat(scratch(), "/", name).c_str(), O_RDONLY | O_CLOEXEC));
    CK_EXPECT_OK(container.CopyIn(to, fd.get()));
  };
  copy_in("dir.tar", "/");  // stopped, never started
  EXPECT_EQ(OwnerOf(Upper(container) + "/in"), (Owner{kUids, kGids}));
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start({.attach = true}));
  ASSERT_TRUE(Eventually([&] { return container.StatPath("/made/f").ok(); }));
  ASSERT_TRUE(Eventually(
      [&] { return absl::StrContains(TarOf(container, "/made/f"), "3/4"); }));
  EXPECT_EQ(TarOf(container, "/made"), "0/0 made/\n3/4 made/f\n");
  EXPECT_EQ(TarOf(container, "/etc/passwd"), "0/0 passwd\n");
  copy_in("in.tar", "/in");  // running
  EXPECT_TRUE(
      absl::EndsWith(Drain(*session).out, "/in/go 7:8\n/in/root 0:0\n"));
  EXPECT_EQ(TarOf(container, "/made"), "0/0 made/\n3/4 made/f\n");
  EXPECT_EQ(TarOf(container, "/in"),
            "0/0 in/\n0/0 in/last\n0/0 in/root\n7/8 in/go\n");
  EXPECT_EQ(TarOf(container, "/etc/passwd"), "0/0 passwd\n");
}

// On an id-mapped mount the host's ids are those inside.
TEST_F(UserNamespaceTest, CopiesGoThroughIdMappedBindMounts) {
  const std::string dir = MakeDirectory("mapped");
  std::ofstream(dir + "/host") << "h";
  ASSERT_EQ(chown((dir + "/host").c_str(), 5, 6), 0);
  std::ofstream(dir + "/replaced") << "old";
  ASSERT_EQ(system(absl::StrCat(
                       "cd ", scratch(),
                       " && mkdir -p in/deep in/dir && echo new > in/replaced "
                       "&& echo f > in/deep/f && ln -s f in/link && "
                       "mkfifo in/pipe && tar -cf in.tar --owner=7 --group=8 "
                       "-C in replaced deep/f dir link pipe")
                       .c_str()),
            0);
  ContainerConfig config = Mapped("echo ready; while :; do sleep .1; done");
  config.binds.push_back({.source = dir, .target = "/m", .options = {"idmap"}});
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  for (const bool running : {false, true}) {
    SCOPED_TRACE(running ? "running" : "stopped");
    if (running) {
      CK_ASSERT_OK(container.Start());
    }
    EXPECT_EQ(TarOf(container, "/m/host"), "5/6 host\n");
    const UniqueFd fd(
        open((scratch() + "/in.tar").c_str(), O_RDONLY | O_CLOEXEC));
    CK_EXPECT_OK(container.CopyIn("/m", fd.get()));
    const Owner owner = {7, 8};
    for (const char* name : {"replaced", "deep/f", "dir", "link", "pipe"}) {
      EXPECT_EQ(OwnerOf(absl::StrCat(dir, "/", name)), owner) << name;
    }
    EXPECT_EQ(OwnerOf(dir + "/deep"), (Owner{0, 0}));
    EXPECT_EQ(Get(dir + "/replaced"), "new\n");
    EXPECT_EQ(TarOf(container, "/m/deep"), "0/0 deep/\n7/8 deep/f\n");
    ASSERT_EQ(
        system(
            absl::StrCat("cd ", dir, " && rm -r deep dir link pipe").c_str()),
        0);
  }
}

TEST_F(UserNamespaceTest, ImagesOfNoLayerWork) {
  const std::string tar = absl::StrCat(scratch(), "/empty.tar");
  ASSERT_EQ(system(absl::StrCat("tar -cf ", tar, " -T /dev/null").c_str()), 0);
  const UniqueFd archive(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  ImageImportOptions options;
  options.reference = "nothing";
  CK_ASSERT_OK(engine().images().Import(archive.get(), options));
  const std::string dir = MakeDirectory("tools");
  ASSERT_EQ(system(absl::StrCat("cp $(command -v busybox || echo "
                                "/bin/busybox) ",
                                dir, "/busybox")
                       .c_str()),
            0);
  ContainerConfig config = Mapped("");
  config.image = "nothing";
  config.cmd = {{"/tools/busybox", "sh", "-c", "echo > /f && echo written"}};
  config.binds.push_back({.source = dir, .target = "/tools"});
  EXPECT_EQ(Run(config).out, "written\n");
}

TEST_F(UserNamespaceTest, AFileSystemWithoutIdMapsIsNamed) {
  // An overlay takes no id map.
  const std::string lower = MakeDirectory("lower");
  const std::string upper = MakeDirectory("upper");
  const std::string work = MakeDirectory("work");
  const std::string merged = MakeDirectory("merged");
  ASSERT_EQ(mount("overlay", merged.c_str(), "overlay", 0,
                  absl::StrCat("lowerdir=", lower, ",upperdir=", upper,
                               ",workdir=", work)
                      .c_str()),
            0);
  {
    Engine::Options options;
    options.root = merged + "/state";
    CK_ASSERT_OK_AND_ASSIGN(Engine other, Engine::Open(options));
    const UniqueFd archive(
        open((scratch() + "/busybox.tar").c_str(), O_RDONLY | O_CLOEXEC));
    ImageImportOptions import;
    import.reference = "busybox";
    CK_ASSERT_OK(other.images().Import(archive.get(), import));
    CK_ASSERT_OK_AND_ASSIGN(Container container, other.Create(Mapped("true")));
    const absl::Status status = container.Start().status();
    EXPECT_THAT(status, StatusIs(StatusCode::kUnimplemented,
                                 Reason::kKernelUnsupported));
    EXPECT_TRUE(absl::StrContains(status.message(), "id-mapped")) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), merged)) << status;
    CK_EXPECT_OK(container.Remove());
  }
  EXPECT_EQ(umount2(merged.c_str(), MNT_DETACH), 0);
}

// With sub-ids of root, which only this process sees.
class AutoUserNamespaceTest : public UserNamespaceTest {
 protected:
  void SetUp() override {
    CK_REQUIRE("root");
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("", "/", "", MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("tmpfs", "/mnt", "tmpfs", 0, nullptr), 0);
    for (const char* name : {"subuid", "subgid"}) {
      const std::string file = absl::StrCat("/mnt/", name);
      std::ofstream(file).close();
      ASSERT_EQ(mount(file.c_str(), absl::StrCat("/etc/", name).c_str(), "",
                      MS_BIND, nullptr),
                0);
    }
    UserNamespaceTest::SetUp();
  }
  void GiveSubIds(uint32_t count) {
    std::ofstream("/etc/subuid") << "root:" << kUids << ":" << count << "\n";
    std::ofstream("/etc/subgid") << "root:" << kGids << ":" << count << "\n";
    Reopen();
  }
};

std::set<uint32_t> FirstIds(const std::string& maps) {
  std::set<uint32_t> first;
  for (const absl::string_view line :
       absl::StrSplit(maps, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint32_t id = 0;
    EXPECT_TRUE(fields.size() == 3 && absl::SimpleAtoi(fields[1], &id)) << line;
    first.insert(id);
  }
  return first;
}

TEST_F(AutoUserNamespaceTest, RangesAreEachContainersOwn) {
  GiveSubIds(4 * 2001);  // the image has a group 2000
  const char kScript[] =
      "cat /proc/self/uid_map /proc/self/gid_map; echo > /f; "
      "stat -c %u:%g /f /bin";
  CK_ASSERT_OK_AND_ASSIGN(Container first, engine().Create(Auto(kScript)));
  CK_ASSERT_OK_AND_ASSIGN(Container second, engine().Create(Auto(kScript)));
  // One that was given a range has it for itself, too.
  ContainerConfig given = Shell(kScript);
  given.user_namespace = {.kind = UserNamespaceChoice::Kind::kMapped,
                          .uid_map = {{0, kUids + 2 * 2001 + 500, 10}},
                          .gid_map = {{0, kGids + 2 * 2001 + 500, 10}}};
  CK_ASSERT_OK_AND_ASSIGN(Container third, engine().Create(given));
  CK_ASSERT_OK_AND_ASSIGN(Container fourth, engine().Create(Auto(kScript)));
  const auto expect = [&](Container& container, uint32_t offset,
                          uint32_t count) {
    const RunResult result = RunAgain(container);
    std::string out = result.out;
    EXPECT_TRUE(absl::EndsWith(out, "\n0:0\n0:0\n")) << out << result.err;
    out.resize(out.size() - std::string("0:0\n0:0\n").size());
    EXPECT_EQ(FirstIds(out),
              (std::set<uint32_t>{kUids + offset, kGids + offset}));
    EXPECT_TRUE(absl::StrContains(out, absl::StrCat(" ", count, "\n"))) << out;
    EXPECT_EQ(OwnerOf(Upper(container) + "/f"),
              (Owner{kUids + offset, kGids + offset}));
  };
  expect(first, 0, 2001);
  expect(second, 2001, 2001);
  expect(third, 2 * 2001 + 500, 10);
  expect(fourth, 2 * 2001 + 510, 2001);
  EXPECT_THAT(engine().Create(Auto("true")),
              StatusIs(StatusCode::kResourceExhausted, Reason::kIdMapInvalid));
  // A removed one's are free again; a restart keeps what it had.
  CK_ASSERT_OK(first.Remove());
  CK_ASSERT_OK_AND_ASSIGN(Container fifth, engine().Create(Auto(kScript)));
  expect(fifth, 0, 2001);
  expect(second, 2001, 2001);
}

TEST_F(AutoUserNamespaceTest, RangesNeedSubIds) {
  GiveSubIds(1023);
  const absl::Status status = engine().Create(Auto("true")).status();
  EXPECT_THAT(status,
              StatusIs(StatusCode::kResourceExhausted, Reason::kIdMapInvalid));
  EXPECT_TRUE(absl::StrContains(status.message(), "/etc/subuid")) << status;
  CK_ASSERT_OK_AND_ASSIGN(const auto containers,
                          engine().ListContainers({.all = true}));
  EXPECT_TRUE(containers.empty());
}

}  // namespace
}  // namespace containerkit::testing
