// Containers that share System V and POSIX shared memory.
#include <signal.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

using absl::StatusCode;
using Kind = NamespaceChoice::Kind;

class IpcTest : public EngineTest {
 protected:
  Container StartDonor(NamespaceChoice ipc, const std::string& script = "") {
    ContainerConfig config = Shell(
        absl::StrCat(script, " echo given > /dev/shm/file; exec sleep 1000"));
    config.ipc = std::move(ipc);
    absl::StatusOr<Container> container = engine().Create(config);
    EXPECT_THAT(container, IsOk());
    EXPECT_THAT(container->Start(), IsOk());
    EXPECT_TRUE(
        Eventually([&] { return container->StatPath("/dev/shm/file").ok(); }));
    return *std::move(container);
  }
  ContainerConfig Joining(const Container& donor, const std::string& script) {
    ContainerConfig config = Shell(script);
    config.ipc = {.kind = Kind::kContainer, .container = donor.id()};
    return config;
  }
  // The identity of the ipc namespace and of the file system behind /dev/shm.
  static constexpr char kIdentify[] =
      "readlink /proc/self/ns/ipc; stat -c %d /dev/shm; ";
};

TEST_F(IpcTest, ShareableOnesShareTheNamespaceAndItsMemory) {
  Container donor = StartDonor({.kind = Kind::kShareable});
  ContainerConfig config = Joining(
      donor, absl::StrCat(kIdentify,
                          "cat /dev/shm/file; echo back > /dev/shm/answer; "
                          "grep -c ' /dev/shm ' /proc/mounts; "
                          "grep ' /dev/shm ' /proc/mounts"));
  const RunResult result = Run(config);
  EXPECT_TRUE(absl::StrContains(result.out, "\ngiven\n1\n")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "nosuid,nodev,noexec"))
      << result.out;
  ExecConfig exec;
  exec.command = {"sh", "-c", absl::StrCat(kIdentify, "cat /dev/shm/answer")};
  CK_ASSERT_OK_AND_ASSIGN(auto session, donor.Exec(exec));
  const std::string there = Drain(session).out;
  ASSERT_TRUE(absl::EndsWith(there, "back\n")) << there;
  EXPECT_TRUE(absl::StartsWith(
      result.out, there.substr(0, there.size() - std::string("back\n").size())))
      << result.out << there;
}

TEST_F(IpcTest, WhoUsesAnothersSharesIt) {
  const Container donor = StartDonor({.kind = Kind::kShareable});
  CK_ASSERT_OK_AND_ASSIGN(Container second,
                          engine().Create(Joining(donor, "exec sleep 1000")));
  CK_ASSERT_OK(second.Start());
  EXPECT_EQ(Run(Joining(second, "cat /dev/shm/file")).out, "given\n");
}

TEST_F(IpcTest, OneThatUsesTheHostsGivesThat) {
  ContainerConfig config = Shell("exec sleep 1000");
  config.Allow(HostIpcNamespace{});
  CK_ASSERT_OK_AND_ASSIGN(Container donor, engine().Create(config));
  CK_ASSERT_OK(donor.Start());
  ContainerConfig host = Shell(kIdentify);
  host.Allow(HostIpcNamespace{});
  EXPECT_EQ(Run(Joining(donor, kIdentify)).out, Run(host).out);
}

TEST_F(IpcTest, PrivateOnesAreRefused) {
  for (const Kind kind : {Kind::kDefault, Kind::kPrivate, Kind::kNone}) {
    ContainerConfig config = Shell("exec sleep 1000");
    config.ipc = {.kind = kind};
    CK_ASSERT_OK_AND_ASSIGN(Container donor, engine().Create(config));
    CK_ASSERT_OK(donor.Start());
    const absl::Status status =
        engine().Create(Joining(donor, "true")).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kFailedPrecondition,
                                 Reason::kNamespaceFailed));
    EXPECT_TRUE(absl::StrContains(status.message(), "non-shareable")) << status;
  }
}

TEST_F(IpcTest, ADonorMustRun) {
  Container donor = StartDonor({.kind = Kind::kShareable});
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Joining(donor, "true")));
  CK_ASSERT_OK(donor.Kill(SIGKILL));
  CK_ASSERT_OK(donor.Wait());
  EXPECT_THAT(container.Start(),
              StatusIs(StatusCode::kFailedPrecondition, Reason::kNotRunning));
}

TEST_F(IpcTest, OutlivesItsDonorsRemoval) {
  Container donor = StartDonor({.kind = Kind::kShareable});
  CK_ASSERT_OK_AND_ASSIGN(Container joiner,
                          engine().Create(Joining(donor, "exec sleep 1000")));
  CK_ASSERT_OK(joiner.Start());
  const std::string id = joiner.id();
  CK_ASSERT_OK(donor.Remove({.force = true}));
  // Without what this engine remembers.
  Reopen();
  CK_ASSERT_OK_AND_ASSIGN(joiner, engine().GetContainer(id));
  ExecConfig exec;
  exec.command = {"cat", "/dev/shm/file"};
  CK_ASSERT_OK_AND_ASSIGN(Session session, joiner.Exec(exec));
  EXPECT_EQ(Drain(session).out, "given\n");
  CK_EXPECT_OK(joiner.Pause());
  CK_EXPECT_OK(joiner.Unpause());
  CK_EXPECT_OK(joiner.Remove({.force = true}));
}

TEST_F(IpcTest, RestartsOfTheMonitorKeepTheMemory) {
  Container donor = StartDonor({.kind = Kind::kShareable});
  ContainerConfig config = Joining(
      donor, "echo run >> /dev/shm/runs; [ $(wc -l < /dev/shm/runs) = 3 ]");
  config.restart.policy = RestartConfig::Policy::kOnFailure;
  config.restart.max_retries = 5;
  CK_ASSERT_OK_AND_ASSIGN(Container container, engine().Create(config));
  CK_ASSERT_OK(container.Start());
  CK_ASSERT_OK_AND_ASSIGN(const ExitStatus exit, container.Wait());
  EXPECT_EQ(exit.code, 0);
  CK_ASSERT_OK_AND_ASSIGN(const PathStat stat, donor.StatPath("/dev/shm/runs"));
  EXPECT_EQ(stat.size_bytes, 3 * std::string("run\n").size());
}

TEST_F(IpcTest, WhatADonorPutsThereInsteadIsNotShared) {
  // The donor's root is no tmpfs; its link leads to the host only for who
  // follows it there.
  ContainerConfig config = Shell(
      "umount /dev/shm && rmdir /dev/shm && ln -s /etc /dev/shm && "
      "touch /ready; exec sleep 1000");
  config.Allow(Privileged{});
  config.ipc = {.kind = Kind::kShareable};
  CK_ASSERT_OK_AND_ASSIGN(Container donor, engine().Create(config));
  CK_ASSERT_OK(donor.Start());
  ASSERT_TRUE(Eventually([&] { return donor.StatPath("/ready").ok(); }));
  CK_ASSERT_OK_AND_ASSIGN(Container container,
                          engine().Create(Joining(donor, "ls /dev/shm")));
  const absl::Status status = container.Start().status();
  EXPECT_THAT(status,
              StatusIs(StatusCode::kInvalidArgument, Reason::kMountFailed));
  EXPECT_TRUE(absl::StrContains(status.message(), "/dev/shm")) << status;
}

}  // namespace
}  // namespace containerkit::testing
