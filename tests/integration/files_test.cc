// Bind mounts, tmpfs, copies in and out, and what a container leaves on disk.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;

class FilesTest : public EngineTest {
 protected:
  static void Put(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  static std::string Get(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::string TarOf(Container& container, const std::string& path) {
    const std::string file = absl::StrCat(scratch(), "/out.tar");
    const UniqueFd fd(
        open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    CK_EXPECT_OK(container.CopyOut(path, fd.get()));
    return file;
  }
};

TEST_F(FilesTest, BindsDirectoriesAndFiles) {
  const std::string dir = MakeDirectory("shared");
  Put(absl::StrCat(dir, "/f"), "content\n");
  ContainerConfig config = Shell(
      "cat /d/f /one; echo back > /d/g; (echo x > /one) 2>/dev/null || "
      "echo protected");
  config.binds.push_back({.source = dir, .target = "/d"});
  config.binds.push_back(
      {.source = absl::StrCat(dir, "/f"), .target = "/one", .readonly = true});
  const RunResult result = Run(config);
  EXPECT_EQ(result.out, "content\ncontent\nprotected\n");
  EXPECT_EQ(Get(absl::StrCat(dir, "/g")), "back\n");
}

TEST_F(FilesTest, MissingBindSourceIsNamed) {
  ContainerConfig config = Shell("true");
  config.binds.push_back({.source = "/no/such/source", .target = "/d"});
  absl::StatusOr<Container> container = engine().Create(config);
  const absl::Status status =
      container.ok() ? container->Start().status() : container.status();
  EXPECT_THAT(status,
              StatusIs(StatusCode::kNotFound, Reason::kMountSourceMissing));
  EXPECT_TRUE(absl::StrContains(status.message(), "/no/such/source"));
}

TEST_F(FilesTest, MissingBindSourceIsMadeIfAsked) {
  const std::string dir = MakeDirectory("sources");
  const std::string made = absl::StrCat(dir, "/a//b/");
  ContainerConfig config = Shell("echo text > /d/f");
  config.binds.push_back(
      {.source = made, .target = "/d", .create_source = true});
  const mode_t umask_before = umask(077);
  EXPECT_EQ(Run(config).exit_code, 0);
  umask(umask_before);
  EXPECT_EQ(Get(absl::StrCat(made, "f")), "text\n");
  struct stat info;
  ASSERT_EQ(stat(made.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);

  config.binds[0].source = absl::StrCat(made, "f/below");
  CK_ASSERT_OK_AND_ASSIGN(Container refused, engine().Create(config));
  const absl::Status status = refused.Start().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(
      absl::StrContains(status.message(), "make the source of the mount /d: "));
}

TEST_F(FilesTest, TmpfsHasItsSizeAndOptions) {
  ContainerConfig config = Shell(
      "grep ' /t ' /proc/mounts; dd if=/dev/zero of=/t/x bs=1M count=3 "
      "2>/dev/null || echo full");
  config.tmpfs.push_back({.target = "/t", .size_bytes = 1 << 20});
  const RunResult result = Run(config);
  EXPECT_TRUE(absl::StrContains(result.out, "tmpfs")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "size=1024k")) << result.out;
  EXPECT_TRUE(absl::EndsWith(result.out, "full\n")) << result.out;
}

TEST_F(FilesTest, MountTargetsThatAreLinksStayInside) {
  // R07, R10: the image's link points at the host; the mount may not follow.
  const std::string canary = MakeDirectory("canary");
  ContainerConfig make =
      Shell(absl::StrCat("rm -rf /d; ln -s ", canary, " /d"));
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(make));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Wait());
  // The same root again, now with the hostile link in it: copying goes in.
  const std::string tar = absl::StrCat(scratch(), "/in.tar");
  ASSERT_EQ(system(absl::StrCat("cd ", scratch(),
                                " && echo x > evil && tar -cf ", tar, " evil")
                       .c_str()),
            0);
  const UniqueFd fd(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  container.CopyIn("/d", fd.get()).IgnoreError();
  EXPECT_NE(access(absl::StrCat(canary, "/evil").c_str(), F_OK), 0);
}

TEST_F(FilesTest, CopiesOutOfStoppedAndRunning) {
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Shell("mkdir /made; echo text > /made/f; sleep 100")));
  CK_ASSERT_OK(container.Start());
  ASSERT_TRUE(Eventually([&] { return container.StatPath("/made/f").ok(); }));
  const auto list = [&](const std::string& tar) {
    const std::string out = absl::StrCat(scratch(), "/list");
    EXPECT_EQ(system(absl::StrCat("tar -tf ", tar, " | sort > ", out).c_str()),
              0);
    return Get(out);
  };
  EXPECT_EQ(list(TarOf(container, "/made")), "made/\nmade/f\n");
  CK_ASSERT_OK(container.Kill(SIGKILL));
  CK_ASSERT_OK(container.Wait());
  EXPECT_EQ(list(TarOf(container, "/made")), "made/\nmade/f\n");
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  EXPECT_THAT(container.CopyOut("/nothing", null.get()),
              StatusIs(StatusCode::kNotFound, Reason::kPathNotFound));
}

TEST_F(FilesTest, CopiesIntoStoppedAndRunning) {
  ASSERT_EQ(system(absl::StrCat("cd ", scratch(),
                                " && echo given > file && tar -cf in.tar file")
                       .c_str()),
            0);
  const std::string tar = absl::StrCat(scratch(), "/in.tar");
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Shell("cat /tmp/file; while [ ! -e /file ]; do "
                            "sleep .01; done; cat /file")));
  const UniqueFd before(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  CK_ASSERT_OK(container.CopyIn("/tmp", before.get()));
  StartOptions options;
  options.attach = true;
  CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
  const UniqueFd running(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  CK_ASSERT_OK(container.CopyIn("/", running.get()));
  EXPECT_EQ(Drain(*session).out, "given\ngiven\n");
  const UniqueFd again(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(container.CopyIn("/no/such", again.get()),
              StatusIs(StatusCode::kNotFound, Reason::kPathNotFound));
}

// A container with a writable bind on /d/in, a read-only one on /ro.
class MountedFilesTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    outer_ = MakeDirectory("outer");
    readonly_ = MakeDirectory("readonly");
    Put(outer_ + "/f", "bound");
    Put(readonly_ + "/f", "protected");
    ASSERT_EQ(system(absl::StrCat("cd ", scratch(),
                                  " && echo given > file && tar -cf in.tar "
                                  "file && mkdir d && mkdir d/in && "
                                  "echo deep > d/in/deep && tar -cf d.tar d")
                         .c_str()),
              0);
  }
  ContainerConfig Config() {
    ContainerConfig config = Shell("echo up; exec sleep 1000");
    config.binds.push_back({.source = outer_, .target = "/d/in"});
    config.binds.push_back(
        {.source = readonly_, .target = "/ro", .readonly = true});
    return config;
  }
  absl::Status CopyIn(Container& container, const std::string& to,
                      const char* tar = "in.tar") {
    const UniqueFd fd(
        open(absl::StrCat(scratch(), "/", tar).c_str(), O_RDONLY | O_CLOEXEC));
    return container.CopyIn(to, fd.get());
  }
  std::string TextOf(Container& container, const std::string& path) {
    const std::string tar = TarOf(container, path);
    const std::string out = absl::StrCat(scratch(), "/text");
    EXPECT_EQ(system(absl::StrCat("tar -xOf ", tar, " > ", out).c_str()), 0);
    return Get(out);
  }
  // What holds whether it runs or not.
  void ExpectMounts(Container& container) {
    EXPECT_EQ(TextOf(container, "/d/in/f"), "bound");
    EXPECT_EQ(TextOf(container, "/ro/f"), "protected");
    CK_EXPECT_OK(CopyIn(container, "/d/in"));
    EXPECT_EQ(Get(outer_ + "/file"), "given\n");
    EXPECT_EQ(unlink((outer_ + "/file").c_str()), 0);
    EXPECT_THAT(
        CopyIn(container, "/ro"),
        StatusIs(StatusCode::kPermissionDenied, Reason::kUnsupportedOption));
    EXPECT_NE(access((readonly_ + "/file").c_str(), F_OK), 0);
  }

  std::string outer_;
  std::string readonly_;
};

TEST_F(MountedFilesTest, CopiesReachBindMountsOfStoppedAndRunning) {
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(Config()));
  ExpectMounts(container);  // never started
  // Into the root file system, and through a mount below it.
  CK_EXPECT_OK(CopyIn(container, "/", "d.tar"));
  EXPECT_EQ(Get(outer_ + "/in/deep"), "");
  EXPECT_EQ(Get(outer_ + "/deep"), "deep\n");
  CK_EXPECT_OK(CopyIn(container, "/tmp"));
  CK_ASSERT_OK(container.Start());
  ExpectMounts(container);
  EXPECT_EQ(TextOf(container, "/tmp/file"), "given\n");
  EXPECT_TRUE(absl::StrContains(TextOf(container, "/etc/hosts"), "localhost"));
  CK_ASSERT_OK(container.Kill(SIGKILL));
  CK_ASSERT_OK(container.Wait());
  ExpectMounts(container);
  EXPECT_TRUE(absl::StrContains(TextOf(container, "/etc/hosts"), "localhost"));
}

TEST_F(MountedFilesTest, ReadonlyContainersTakeFilesWhereAMountDoes) {
  ContainerConfig config = Config();
  config.readonly_root = true;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  const auto expect = [&] {
    ExpectMounts(container);
    for (const char* path : {"/", "/tmp", "/d"}) {
      const absl::Status status = CopyIn(container, path);
      EXPECT_THAT(status, StatusIs(StatusCode::kPermissionDenied,
                                   Reason::kUnsupportedOption))
          << path;
    }
    EXPECT_FALSE(container.StatPath("/tmp/file").ok());
  };
  expect();
  CK_ASSERT_OK(container.Start());
  expect();
  CK_ASSERT_OK(container.Kill(SIGKILL));
  CK_ASSERT_OK(container.Wait());
  expect();
}

TEST_F(MountedFilesTest, ASourceThatIsGoneIsNamed) {
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(Config()));
  ASSERT_EQ(rename(readonly_.c_str(), (readonly_ + ".away").c_str()), 0);
  const absl::Status status = container.StatPath("/bin").status();
  EXPECT_THAT(status,
              StatusIs(StatusCode::kNotFound, Reason::kMountSourceMissing));
  EXPECT_TRUE(absl::StrContains(status.message(), readonly_)) << status;
}

TEST_F(MountedFilesTest, HostileTargetsOfStoppedContainersStayInside) {
  // R07, C01: the container made a link to the host of what will be mounted
  // upon and of what is copied to.
  const std::string canary = MakeDirectory("canary");
  ContainerConfig config = Config();
  config.cmd = {
      {"sh", "-c",
       absl::StrCat("ln -s ", canary, " /link; ln -s /../../..", canary,
                    " /up; umount /d/in; rm -rf /d; ln -s ", canary, " /d")}};
  config.Allow(Privileged{});
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK(container.Wait());
  EXPECT_EQ(TextOf(container, "/d/in/f"), "bound");
  CK_EXPECT_OK(CopyIn(container, "/d/in"));
  EXPECT_EQ(Get(outer_ + "/file"), "given\n");
  for (const char* path : {"/link", "/up", "/d"}) {
    CopyIn(container, path).IgnoreError();
  }
  EXPECT_EQ(rmdir(canary.c_str()), 0) << "not empty";
}

TEST_F(FilesTest, CopiedFilesBelongToTheUserIfAsked) {
  ASSERT_EQ(system(absl::StrCat("cd ", scratch(),
                                " && echo x > file && tar -cf in.tar "
                                "--owner=7:7 --group=8:8 file")
                       .c_str()),
            0);
  const std::string tar = absl::StrCat(scratch(), "/in.tar");
  for (const char* user : {"", "1234:567"}) {
    ContainerConfig config = Shell("stat -c %u:%g /tmp/file /file");
    config.user = user;
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
    const UniqueFd plain(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
    CK_ASSERT_OK(container.CopyIn("/tmp", plain.get()));
    const UniqueFd owned(open(tar.c_str(), O_RDONLY | O_CLOEXEC));
    CK_ASSERT_OK(container.CopyIn("/", owned.get(), {.copy_uid_gid = true}));
    StartOptions options;
    options.attach = true;
    CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
    EXPECT_EQ(Drain(*session).out,
              *user == '\0' ? "7:8\n7:8\n" : "7:8\n1234:567\n");
  }
}

TEST_F(FilesTest, SharedBindsReachTheHostAndOthersDoNot) {
  const std::string dir = MakeDirectory("propagation");
  ASSERT_EQ(mount("ck-test", dir.c_str(), "tmpfs", 0, nullptr), 0);
  ASSERT_EQ(mount(nullptr, dir.c_str(), nullptr, MS_SHARED, nullptr), 0);
  const std::unique_ptr<const std::string, void (*)(const std::string*)>
      unmount(&dir, [](const std::string* path) {
        umount2(path->c_str(), MNT_DETACH);
      });
  const std::string made = MakeDirectory("propagation/made");
  const std::string marker = absl::StrCat(made, "/marker");
  const struct {
    MountPropagation propagation;
    bool reaches_host;
  } cases[] = {{MountPropagation::kRshared, true},
               {MountPropagation::kShared, true},
               {MountPropagation::kRslave, false},
               {MountPropagation::kRprivate, false}};
  for (const auto& c : cases) {
    ContainerConfig config = Shell(
        "mount -t tmpfs inner /d/made && touch /d/made/marker && "
        "echo mounted; read line; umount /d/made");
    config.open_stdin = true;
    config.security.privileged = true;
    config.binds.push_back(
        {.source = dir, .target = "/d", .propagation = c.propagation});
    CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
    StartOptions options;
    options.attach = options.attach_stdin = true;
    CK_ASSERT_OK_AND_ASSIGN(auto session, container.Start(options));
    const CancelToken seen;
    std::string out;
    EXPECT_THAT(session->Read(
                    [&](const Output& output) {
                      absl::StrAppend(&out, output.data);
                      if (absl::StrContains(out, "mounted")) seen.Cancel();
                    },
                    seen),
                StatusIs(StatusCode::kCancelled, Reason::kCancelled))
        << out;
    EXPECT_EQ(access(marker.c_str(), F_OK) == 0, c.reaches_host)
        << static_cast<int>(c.propagation);
    CK_EXPECT_OK(session->Write("\n"));
    EXPECT_EQ(Drain(*session).exit_code, 0);
    EXPECT_NE(access(marker.c_str(), F_OK), 0);
  }
}

TEST_F(FilesTest, PropagationNeedsAMountThatCanTell) {
  const std::string dir = MakeDirectory("told");
  ASSERT_EQ(mount("ck-test", dir.c_str(), "tmpfs", 0, nullptr), 0);
  const absl::Cleanup unmount = [&] { umount2(dir.c_str(), MNT_DETACH); };
  const auto start = [&](MountPropagation propagation) {
    ContainerConfig config = Command({"true"});
    config.binds.push_back(
        {.source = dir, .target = "/d", .propagation = propagation});
    const absl::StatusOr<Container> container = engine().Create(config);
    CK_EXPECT_OK(container);
    return Container(*container).Start().status();
  };
  const auto refused =
      StatusIs(StatusCode::kFailedPrecondition, Reason::kMountFailed);
  ASSERT_EQ(mount(nullptr, dir.c_str(), nullptr, MS_PRIVATE, nullptr), 0);
  for (const MountPropagation propagation :
       {MountPropagation::kRshared, MountPropagation::kShared,
        MountPropagation::kRslave, MountPropagation::kSlave}) {
    EXPECT_THAT(start(propagation), refused) << static_cast<int>(propagation);
  }
  CK_EXPECT_OK(start(MountPropagation::kRprivate));

  const std::string master = MakeDirectory("master");
  ASSERT_EQ(mount(nullptr, dir.c_str(), nullptr, MS_SHARED, nullptr), 0);
  ASSERT_EQ(mount(dir.c_str(), master.c_str(), nullptr, MS_BIND, nullptr), 0);
  const absl::Cleanup unbind = [&] { umount2(master.c_str(), MNT_DETACH); };
  CK_EXPECT_OK(start(MountPropagation::kRslave));
  ASSERT_EQ(mount(nullptr, dir.c_str(), nullptr, MS_SLAVE, nullptr), 0);
  CK_EXPECT_OK(start(MountPropagation::kRslave));
  EXPECT_THAT(start(MountPropagation::kRshared), refused);
}

TEST_F(FilesTest, SwappedPathsNeverLeadToTheHost) {
  // C01: the container swaps a directory and a link while we copy out.
  const std::string canary = MakeDirectory("secret");
  Put(absl::StrCat(canary, "/f"), "HOSTBYTES");
  CK_ASSERT_OK_AND_ASSIGN(
      Container container,
      engine().Create(Shell(absl::StrCat(
          "mkdir -p /a; echo inside > /a/f; ln -s ", canary,
          " /link; while :; do mv /a /b; mv /link /a; mv /a /link; "
          "mv /b /a; done 2>/dev/null"))));
  CK_ASSERT_OK(container.Start());
  for (int round = 0; round < 300; ++round) {
    const std::string file = absl::StrCat(scratch(), "/race.tar");
    const UniqueFd fd(
        open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    container.CopyOut("/a/f", fd.get()).IgnoreError();
    ASSERT_FALSE(absl::StrContains(Get(file), "HOSTBYTES"));
  }
}

TEST_F(FilesTest, StateRootIsPrivate) {
  struct stat st;
  ASSERT_EQ(stat(root().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
}

TEST_F(FilesTest, CheckFindsNothingAfterUse) {
  Run(Shell("echo data > /f"));
  CK_ASSERT_OK_AND_ASSIGN(const auto findings, engine().CheckStore(false));
  for (const StoreFinding& finding : findings) {
    EXPECT_FALSE(finding.damage)
        << finding.kind << " " << finding.object << ": " << finding.problem;
  }
}

TEST_F(FilesTest, ManyCyclesLeaveNothing) {
  const Snapshot before = Snapshot::Take();
  for (int cycle = 0; cycle < 50; ++cycle) {
    CK_ASSERT_OK_AND_ASSIGN(Container container,
                            engine().Create(Command({"true"})));
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK(container.Wait());
    CK_ASSERT_OK(container.Remove());
  }
  Reopen();
  EXPECT_EQ(Snapshot::WaitUntilBackTo(before), "");
}

}  // namespace
}  // namespace containerkit::testing
