#include "lib/runtime/planner.h"

#include <linux/sched.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/exec_planner.h"
#include "lib/runtime/planner_testing.h"
#include "lib/runtime/spec_builder.h"

namespace containerkit::runtime {
namespace {

using testing::HybridHost;
using testing::MustBuild;
using testing::MustPlan;
using testing::RootlessHost;
using testing::UnifiedHost;

// The plan against lib/runtime/planner_testdata/NAME.txt; with
// CK_UPDATE_GOLDEN=<directory> the file is written instead.
void ExpectGolden(absl::string_view name, const LaunchPlan& plan) {
  const std::string file = absl::StrCat(name, ".txt");
  const std::string got = plan.Describe();
  if (const char* directory = std::getenv("CK_UPDATE_GOLDEN")) {
    std::ofstream(absl::StrCat(directory, "/", file)) << got;
    return;
  }
  std::ifstream in(absl::StrCat("lib/runtime/planner_testdata/", file));
  std::stringstream want;
  want << in.rdbuf();
  EXPECT_EQ(got, want.str()) << "plan of " << name << " changed";
}

int Find(const LaunchPlan& plan, Op op, int from = 0) {
  const auto& steps = plan.steps();
  for (size_t i = static_cast<size_t>(from); i < steps.size(); ++i) {
    if (steps[i].op == op) return static_cast<int>(i);
  }
  return -1;
}

int FindLast(const LaunchPlan& plan, Op op) {
  int last = -1;
  for (int i = Find(plan, op); i >= 0; i = Find(plan, op, i + 1)) last = i;
  return last;
}

uint64_t U(const LaunchPlan& plan, int step, size_t field) {
  return std::get<uint64_t>(plan.steps()[step].fields[field]);
}

TEST(PlannerTest, DefaultContainerOnHybridCgroups) {
  ContainerConfig config;
  config.resources.memory_bytes = 64 << 20;
  config.resources.pids_limit = 100;
  const auto planned = MustPlan(MustBuild(config, HybridHost()), HybridHost());
  ExpectGolden("default_v1", planned.plan);
  EXPECT_TRUE(planned.pid_private);
  EXPECT_FALSE(planned.terminal);
  EXPECT_EQ(planned.oom_path,
            "/sys/fs/cgroup/memory/containerkit/c1/memory.oom_control");
  EXPECT_EQ(planned.cgroup.size(), 7u);
  EXPECT_TRUE(planned.warnings.empty());
}

TEST(PlannerTest, HierarchiesThatOnlyLimitAreMadeForTheirLimits) {
  const std::string made =
      "MakeCgroup path=/sys/fs/cgroup/hugetlb/containerkit/c1";
  BuiltSpec built = MustBuild({}, HybridHost());
  const auto without = MustPlan(built, HybridHost());
  EXPECT_FALSE(absl::StrContains(without.plan.Describe(), "hugetlb"));
  built.spec.linux_config.resources.hugepage_limits.push_back({"2MB", 1 << 21});
  const auto with = MustPlan(built, HybridHost());
  EXPECT_TRUE(absl::StrContains(with.plan.Describe(), made));
}

TEST(PlannerTest, DefaultContainerOnUnifiedCgroups) {
  ContainerConfig config;
  config.resources.memory_bytes = 64 << 20;
  const auto planned =
      MustPlan(MustBuild(config, UnifiedHost()), UnifiedHost());
  ExpectGolden("default_v2", planned.plan);
  EXPECT_EQ(planned.oom_path, "/sys/fs/cgroup/containerkit/c1/memory.events");
}

TEST(PlannerTest, PrivilegedContainer) {
  ContainerConfig config;
  config.Allow(Privileged{});
  config.tty = true;
  ExpectGolden("privileged",
               MustPlan(MustBuild(config, HybridHost()), HybridHost()).plan);
}

TEST(PlannerTest, RootlessContainer) {
  ContainerConfig config;
  PlanOptions options = testing::Options();
  options.cgroup.optional = true;
  options.cgroup.default_path = "containerkit/c1";
  const auto built = MustBuild(config, RootlessHost());
  ExpectGolden("rootless", MustPlan(built, RootlessHost(), options).plan);
}

TEST(PlannerTest, RootlessContainerWhereCgroupsMayNotBeMade) {
  ContainerConfig config;
  PlanOptions options = testing::Options();
  options.cgroup.optional = true;
  options.cgroup.default_path = "containerkit/c1";
  HostFacts host = HybridHost();
  host.uid = host.gid = 1000;
  host.effective_caps = 0;
  for (auto& hierarchy : host.cgroups.hierarchies) {
    hierarchy.own_writable = hierarchy.Has("memory");
  }
  const auto planned = MustPlan(MustBuild(config, host), host, options);
  ASSERT_EQ(planned.cgroup.size(), 1u);
  EXPECT_EQ(planned.cgroup[0].controllers, std::vector<std::string>{"memory"});
  for (auto& hierarchy : host.cgroups.hierarchies) {
    hierarchy.own_writable = false;
  }
  EXPECT_TRUE(MustPlan(MustBuild(config, host), host, options).cgroup.empty());
}

TEST(PlannerTest, RootlessContainerWithOneId) {
  HostFacts host = RootlessHost();
  host.subuids.clear();
  ContainerConfig config;
  PlanOptions options = testing::Options();
  options.cgroup.disabled = true;
  const auto planned = MustPlan(MustBuild(config, host), host, options);
  const int map = Find(planned.plan, Op::kIdMap);
  ASSERT_GE(map, 0);
  EXPECT_EQ(U(planned.plan, map, 2), uint64_t{kIdMapSingle});
  EXPECT_EQ(U(planned.plan, Find(planned.plan, Op::kUser), 3),
            uint64_t{kUserNoSetgroups});
  EXPECT_TRUE(planned.cgroup.empty());
}

TEST(PlannerTest, UserNamespaceOfAPrivilegedEngine) {
  HostFacts host = HybridHost();
  ContainerConfig config;
  config.user_namespace = {.kind = UserNamespaceChoice::Kind::kMapped,
                           .uid_map = {{0, 100000, 65536}},
                           .gid_map = {{0, 100000, 65536}}};
  const BuiltSpec built = MustBuild(config, host);
  ExpectGolden("userns", MustPlan(built, host).plan);
  host.kernel = {5, 18};
  const absl::Status old =
      PlanLaunch(built.spec, host, testing::Options()).status();
  EXPECT_EQ(old.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(GetReason(old), Reason::kKernelUnsupported);
}

// What a container that does not run is looked at through.
TEST(PlannerTest, ViewsHaveTheRootAndTheBinds) {
  ContainerConfig config;
  config.readonly_root = true;
  config.user = "nobody-knows";
  config.binds.push_back({.source = "/data", .target = "/a/b"});
  config.binds.push_back({.source = "/ro", .target = "/a", .readonly = true});
  config.tmpfs.push_back({.target = "/tmp"});
  config.user_namespace = {.kind = UserNamespaceChoice::Kind::kMapped,
                           .uid_map = {{0, 100000, 65536}},
                           .gid_map = {{0, 100000, 65536}}};
  const auto view = [&](const HostFacts& host) {
    const auto spec = BuildViewSpec(config, host, testing::Inputs());
    EXPECT_TRUE(spec.ok()) << spec.status();
    const auto plan = PlanView(*spec, host, testing::Options());
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *plan;
  };
  ExpectGolden("view", view(UnifiedHost()));
  config.user_namespace = {};
  ExpectGolden("view_rootless", view(RootlessHost()));
}

TEST(PlannerTest, HostNetworkReadonlyRootInitAndNoNewPrivileges) {
  ContainerConfig config;
  config.Allow(HostNetwork{});
  config.readonly_root = true;
  config.security.no_new_privileges = true;
  config.user = "1000:1000";
  config.working_dir = "/work";
  config.binds.push_back(
      {.source = "/srv/data", .target = "/data", .readonly = true});
  config.tmpfs.push_back({.target = "/tmp", .size_bytes = 1 << 20});
  PlanOptions options = testing::Options();
  options.init = true;
  options.exec_fifo = "/run/c1/exec.fifo";
  ExpectGolden(
      "host_network",
      MustPlan(MustBuild(config, HybridHost()), HybridHost(), options).plan);
}

TEST(PlannerTest, Exec) {
  ContainerConfig config;
  const HostFacts host = HybridHost();
  const BuiltSpec built = MustBuild(config, host);
  const PlannedLaunch launch = MustPlan(built, host);
  const auto process =
      BuildExecProcess({.args = {"sh"}, .user = "1000", .tty = true},
                       *built.spec.process, std::nullopt, std::nullopt);
  ASSERT_TRUE(process.ok()) << process.status();
  ExecTarget target = ExecTargetOf(built.spec, host, launch);
  target.pidfd_index = 0;
  const auto exec = PlanExec(*process, host, target);
  ASSERT_TRUE(exec.ok()) << exec.status();
  ExpectGolden("exec", exec->plan);
  EXPECT_TRUE(exec->terminal);
}

// --- what the order must be, whatever the container is --------------------

void ExpectSafeOrder(const LaunchPlan& plan) {
  const int seccomp = Find(plan, Op::kSeccomp);
  const int user = Find(plan, Op::kUser);
  const int exec = Find(plan, Op::kExec);
  EXPECT_EQ(exec, static_cast<int>(plan.steps().size()) - 1);
  EXPECT_LT(Find(plan, Op::kBoundingSet), user);
  EXPECT_LT(user, Find(plan, Op::kCapabilities));
  EXPECT_LT(Find(plan, Op::kCloseFds), Find(plan, Op::kChdir));
  EXPECT_LT(Find(plan, Op::kCapabilities), Find(plan, Op::kFindExecutable));
  EXPECT_LT(FindLast(plan, Op::kPivotRoot), Find(plan, Op::kMaskPath));
  EXPECT_LT(FindLast(plan, Op::kSysctl), Find(plan, Op::kReadonlyPath));
  EXPECT_LT(FindLast(plan, Op::kReadonlyPath), Find(plan, Op::kMaskPath));
  for (const Op op : {Op::kSysctl, Op::kMaskPath, Op::kReadonlyPath,
                      Op::kApparmorProfile, Op::kRlimit, Op::kMount}) {
    EXPECT_LT(FindLast(plan, op), seccomp) << OpName(op);
  }
  for (const Op op : {Op::kWriteHost, Op::kWriteChildProc, Op::kIdMap}) {
    EXPECT_LT(FindLast(plan, op), Find(plan, Op::kSync)) << OpName(op);
  }
  // No hook and no program runs outside of the cgroup.
  const int attach = FindLast(plan, Op::kAttachCgroup);
  if (attach >= 0) {
    EXPECT_LT(FindLast(plan, Op::kMakeCgroup), Find(plan, Op::kAttachCgroup));
  }
  EXPECT_LT(attach, Find(plan, Op::kPivotRoot));
  const int nnp = Find(plan, Op::kNoNewPrivs);
  if (nnp >= 0) {
    EXPECT_GT(seccomp, Find(plan, Op::kFindExecutable));
  } else {
    EXPECT_LT(seccomp, Find(plan, Op::kBoundingSet));
  }
}

TEST(PlannerTest, OrderIsSafe) {
  for (const bool nnp : {false, true}) {
    for (const HostFacts& host :
         {HybridHost(), UnifiedHost(), RootlessHost()}) {
      ContainerConfig config;
      config.security.no_new_privileges = nnp;
      config.security.apparmor_profile = "containerkit";
      config.ulimits.push_back({"nofile", 10, 20});
      config.oom_score_adj = 100;
      ExpectSafeOrder(MustPlan(MustBuild(config, host), host).plan);
    }
  }
}

TEST(PlannerTest, CgroupNamespaceIsUnsharedInsideTheCgroup) {
  ContainerConfig config;
  config.cgroup.kind = NamespaceChoice::Kind::kPrivate;
  const auto planned = MustPlan(MustBuild(config, HybridHost()), HybridHost());
  const int unshare = Find(planned.plan, Op::kUnshare);
  ASSERT_GE(unshare, 0);
  EXPECT_EQ(U(planned.plan, unshare, 0), uint64_t{CLONE_NEWCGROUP});
  EXPECT_EQ(planned.plan.steps()[unshare - 1].op, Op::kAttachCgroup);
  EXPECT_EQ(
      U(planned.plan, Find(planned.plan, Op::kClone), 0) & CLONE_NEWCGROUP, 0u);
}

TEST(PlannerTest, HooksRunWhereTheSpecSays) {
  oci::RuntimeSpec spec = MustBuild({}, HybridHost()).spec;
  const oci::Hook hook = {"/bin/hook", {}, {"A=b"}, 5};
  spec.hooks.prestart = {hook};
  spec.hooks.create_runtime = {hook};
  spec.hooks.create_container = {hook};
  spec.hooks.start_container = {hook};
  PlanOptions options = testing::Options();
  options.creating_state_head = "{creating ";
  options.created_state_head = "{created ";
  options.exec_fifo = "/run/c1/exec.fifo";
  const auto planned = PlanLaunch(spec, HybridHost(), options);
  ASSERT_TRUE(planned.ok()) << planned.status();
  const LaunchPlan& plan = planned->plan;
  const int first = Find(plan, Op::kHook);
  const int second = Find(plan, Op::kHook, first + 1);
  const int create = Find(plan, Op::kChildHook);
  const int start = Find(plan, Op::kChildHook, create + 1);
  const int pivot = Find(plan, Op::kPivotRoot);
  EXPECT_GT(first, FindLast(plan, Op::kMount));
  EXPECT_EQ(second, first + 1);
  EXPECT_EQ(plan.steps()[second + 1].op, Op::kSync);
  EXPECT_EQ(create, second + 2);
  EXPECT_LT(create, pivot);
  // The monitor's hooks meet the child in its cgroup, with all its mounts.
  EXPECT_EQ(plan.steps()[first - 1].op, Op::kSync);
  EXPECT_LT(FindLast(plan, Op::kAttachCgroup), first - 1);
  EXPECT_LT(FindLast(plan, Op::kDevice), first - 1);
  EXPECT_EQ(plan.steps()[second + 1].op, Op::kSync);
  EXPECT_GT(start, Find(plan, Op::kAwaitStart));
  EXPECT_EQ(std::get<std::string>(plan.steps()[create].fields[5]),
            "{creating ");
  EXPECT_EQ(std::get<std::string>(plan.steps()[start].fields[5]), "{created ");
  // Without arguments a hook still has its name.
  EXPECT_EQ(std::get<std::vector<std::string>>(plan.steps()[first].fields[2]),
            std::vector<std::string>{"/bin/hook"});
}

// --- clamping --------------------------------------------------------------

TEST(PlannerTest, LimitsAboveOursAreLoweredUnlessToldOtherwise) {
  ContainerConfig config;
  config.ulimits.push_back({"nofile", 1048576, 1048576});
  HostFacts host = HybridHost();
  host.effective_caps &= ~(uint64_t{1} << 24);  // CAP_SYS_RESOURCE
  host.rlimits[7] = {1024, 20000};
  PlanOptions options = testing::Options();
  auto planned = MustPlan(MustBuild(config, host), host, options);
  int step = Find(planned.plan, Op::kRlimit);
  EXPECT_EQ(U(planned.plan, step, 1), 20000u);
  EXPECT_EQ(U(planned.plan, step, 2), 20000u);
  options.clamp = false;
  planned = MustPlan(MustBuild(config, host), host, options);
  step = Find(planned.plan, Op::kRlimit);
  EXPECT_EQ(U(planned.plan, step, 2), 1048576u);
}

TEST(PlannerTest, CapabilitiesThatWeLackAreLeftOut) {
  ContainerConfig config;
  config.Allow(AllCapabilities{});
  HostFacts host = HybridHost();
  host.bounding_caps &= ~(uint64_t{1} << 24);
  const auto planned = MustPlan(MustBuild(config, host), host);
  const int caps = Find(planned.plan, Op::kCapabilities);
  EXPECT_EQ(U(planned.plan, caps, 0), host.bounding_caps);
  EXPECT_EQ(U(planned.plan, caps, 1), host.bounding_caps);
  EXPECT_EQ(U(planned.plan, caps, 2), 0u);
  EXPECT_EQ(U(planned.plan, caps, 3), 0u);
  EXPECT_EQ(U(planned.plan, Find(planned.plan, Op::kBoundingSet), 0),
            host.bounding_caps);
}

TEST(PlannerTest, SpecWithoutCapabilitiesHasNone) {
  oci::RuntimeSpec spec = MustBuild({}, HybridHost()).spec;
  spec.process->capabilities.reset();
  const auto planned = PlanLaunch(spec, HybridHost(), testing::Options());
  ASSERT_TRUE(planned.ok()) << planned.status();
  const int caps = Find(planned->plan, Op::kCapabilities);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(U(planned->plan, caps, i), 0u);
}

// --- refusals --------------------------------------------------------------

Reason Refusal(const oci::RuntimeSpec& spec,
               const HostFacts& host = HybridHost()) {
  const auto planned = PlanLaunch(spec, host, testing::Options());
  EXPECT_FALSE(planned.ok());
  return GetReason(planned.status());
}

TEST(PlannerTest, OnlyAnEngineLeavesOutAnOomScoreThatMayNotBeSet) {
  ContainerConfig config;
  config.oom_score_adj = -500;
  const BuiltSpec built = MustBuild(config, UnifiedHost());
  const auto line = [&](const PlanOptions& options) {
    const std::string plan =
        MustPlan(built, UnifiedHost(), options).plan.Describe();
    const size_t at = plan.find("file=oom_score_adj");
    return plan.substr(at, plan.find('\n', at) - at);
  };
  PlanOptions options = testing::Options();
  EXPECT_EQ(line(options), "file=oom_score_adj value=-500 flags=1");
  options.oom_score_optional = false;
  EXPECT_EQ(line(options), "file=oom_score_adj value=-500 flags=0");
}

TEST(PlannerTest, AMountNamespaceIsNotJoined) {
  BuiltSpec built = MustBuild({}, UnifiedHost());
  for (oci::Namespace& ns : built.spec.linux_config.namespaces) {
    if (ns.type == oci::NamespaceType::kMount) ns.path = "/some/ns";
  }
  const absl::Status status =
      PlanLaunch(built.spec, UnifiedHost(), testing::Options()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(GetReason(status), Reason::kUnsupportedOption);
  EXPECT_TRUE(absl::StrContains(status.message(), "/some/ns"));
}

TEST(PlannerTest, BadSpecsAreRefused) {
  const oci::RuntimeSpec good = MustBuild({}, HybridHost()).spec;
  oci::RuntimeSpec spec = good;
  spec.process.reset();
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  spec.process->args.clear();
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  spec.process->capabilities->bounding.push_back("CAP_FLY");
  EXPECT_EQ(Refusal(spec), Reason::kCapabilityUnknown);
  spec = good;
  spec.process->rlimits = {{"RLIMIT_FLY", 1, 1}};
  EXPECT_EQ(Refusal(spec), Reason::kRlimitRefused);
  spec.process->rlimits = {{"RLIMIT_NOFILE", 1, 1}, {"RLIMIT_NOFILE", 2, 2}};
  EXPECT_EQ(Refusal(spec), Reason::kRlimitRefused);
  spec = good;
  spec.linux_config.sysctl["kernel.core_pattern"] = "|/evil";
  EXPECT_EQ(Refusal(spec), Reason::kSysctlRefused);
  spec = good;
  spec.linux_config.namespaces.clear();
  EXPECT_EQ(Refusal(spec), Reason::kUnsupportedOption);
  spec = good;
  spec.linux_config.uid_mappings = {{0, 0, 1}};
  EXPECT_EQ(Refusal(spec), Reason::kIdMapInvalid);
  spec = good;
  spec.mounts.push_back({"/x", "bind", "", {}});
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec.mounts.back() = {"/x", "bind", "/y", {"rbind", "idmap"}};
  EXPECT_EQ(Refusal(spec), Reason::kIdMapInvalid);
  spec.mounts.back() = {"/x", "tmpfs", "tmpfs", {"idmap"}};
  EXPECT_EQ(Refusal(spec), Reason::kUnsupportedOption);
  spec = good;
  spec.linux_config.devices.push_back({'c', "dev/x", 1, 2});
  EXPECT_EQ(Refusal(spec), Reason::kDeviceInvalid);
  spec = good;
  spec.linux_config.cgroups_path = "/a/../../b";
  EXPECT_EQ(Refusal(spec), Reason::kInvalidArgument);
  spec.linux_config.cgroups_path = "/";
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  spec.linux_config.rootfs_propagation = "upwards";
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  spec.linux_config.intel_rdt = oci::IntelRdt{};
  EXPECT_EQ(Refusal(spec), Reason::kUnsupportedOption);
  spec = good;
  spec.domainname = "a";
  spec.linux_config.sysctl["kernel.domainname"] = "b";
  EXPECT_EQ(Refusal(spec), Reason::kSysctlRefused);
  spec = good;
  spec.process->scheduler = oci::Scheduler{.policy = "SCHED_DEADLINE",
                                           .runtime_ns = 2000,
                                           .deadline_ns = 1000,
                                           .period_ns = 3000};
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  spec.process->oom_score_adj = 2000;
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
  spec = good;
  std::erase_if(spec.linux_config.namespaces, [](const oci::Namespace& ns) {
    return ns.type == oci::NamespaceType::kUts;
  });
  EXPECT_EQ(Refusal(spec), Reason::kSpecInvalid);
}

TEST(PlannerTest, MissingControllersAreWarnedOfOnlyWhenAskedFor) {
  HostFacts host = HybridHost();
  std::erase_if(host.cgroups.hierarchies, [](const sys::CgroupHierarchy& h) {
    return h.Has("pids") || h.Has("cpuset");
  });
  ContainerConfig config;
  EXPECT_TRUE(MustPlan(MustBuild(config, host), host).warnings.empty());
  config.resources.pids_limit = 10;
  config.resources.cpuset_cpus = "0";
  const auto planned = MustPlan(MustBuild(config, host), host);
  EXPECT_EQ(planned.warnings.size(), 2u);
}

TEST(PlannerTest, ReadonlyTreesTakeOneStep) {
  ContainerConfig config;
  config.binds.push_back(
      {.source = "/srv/data", .target = "/data", .readonly = true});
  const auto planned = MustPlan(MustBuild(config, HybridHost()), HybridHost());
  int bind = Find(planned.plan, Op::kBind);
  while (std::get<std::string>(planned.plan.steps()[bind].fields[1]) !=
         "/data") {
    bind = Find(planned.plan, Op::kBind, bind + 1);
    ASSERT_GE(bind, 0);
  }
  EXPECT_EQ(U(planned.plan, bind, 5),
            uint64_t{kMountRecursive | kMountRecursiveAttr});
  EXPECT_EQ(U(planned.plan, bind, 2), 1u);
}

TEST(PlannerTest, ProgramsAreIdenticalForIdenticalInputs) {
  ContainerConfig config;
  const auto a = MustPlan(MustBuild(config, HybridHost()), HybridHost());
  const auto b = MustPlan(MustBuild(config, HybridHost()), HybridHost());
  EXPECT_EQ(a.plan.Encode(), b.plan.Encode());
}

}  // namespace
}  // namespace containerkit::runtime
