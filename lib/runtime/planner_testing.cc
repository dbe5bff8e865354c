#include "lib/runtime/planner_testing.h"

#include <string>

#include "gtest/gtest.h"
#include "lib/runtime/capabilities.h"
#include "lib/sys/cgroup_layout.h"

namespace containerkit::runtime::testing {
namespace {

constexpr char kHybridMounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "42 31 0:39 / /sys/fs/cgroup/hugetlb rw - cgroup cgroup rw,hugetlb\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
    "rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

constexpr char kUnifiedMounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

HostFacts RootHost() {
  HostFacts facts;
  facts.kernel = {6, 1};
  facts.effective_caps = kAllCapabilities;
  facts.bounding_caps = kAllCapabilities;
  facts.apparmor = true;
  facts.seccomp = true;
  facts.swap_limit = true;
  facts.sysctl_ping_group_range = true;
  facts.sysctl_unprivileged_port_start = true;
  return facts;
}

}  // namespace

HostFacts HybridHost() {
  HostFacts facts = RootHost();
  facts.cgroups = sys::ParseCgroupLayout(
      kHybridMounts, "4:memory:/\n1:cpu,cpuacct:/\n0::/\n", "");
  return facts;
}

HostFacts UnifiedHost() {
  HostFacts facts = RootHost();
  facts.cgroups = sys::ParseCgroupLayout(kUnifiedMounts, "0::/init.scope\n",
                                         "cpuset cpu io memory pids\n");
  return facts;
}

HostFacts RootlessHost() {
  HostFacts facts = UnifiedHost();
  facts.uid = 1000;
  facts.gid = 1000;
  facts.effective_caps = 0;
  facts.subuids = {{100000, 65536}};
  facts.subgids = {{100000, 65536}};
  facts.id_map_helpers = true;
  facts.cgroups.hierarchies[0].own_path = "/user.slice/session";
  return facts;
}

oci::ImageRunConfig TrueImage() {
  oci::ImageRunConfig image;
  image.cmd = {{"/bin/true"}};
  return image;
}

SpecInputs Inputs() {
  SpecInputs inputs;
  inputs.id = "c1c1c1c1c1c1" + std::string(52, '0');
  inputs.root_path = "/run/c1/rootfs";
  inputs.passwd =
      "root:x:0:0:root:/root:/bin/sh\n"
      "worker:x:1000:1000::/home/worker:/bin/sh\n";
  inputs.group = "root:x:0:\nworker:x:1000:\nadm:x:4:root,worker\n";
  inputs.hostname_path = "/run/c1/hostname";
  inputs.hosts_path = "/run/c1/hosts";
  inputs.resolv_conf_path = "/run/c1/resolv.conf";
  return inputs;
}

PlanOptions Options() {
  PlanOptions options;
  options.root.lowers = {"/store/l2", "/store/l1"};
  options.root.upper = "/store/c1/upper";
  options.root.work = "/store/c1/work";
  options.root.mount_point = "/run/c1/rootfs";
  options.cgroup.default_path = "/containerkit/c1";
  return options;
}

BuiltSpec MustBuild(const ContainerConfig& config, const HostFacts& host) {
  auto built = BuildSpec(config, TrueImage(), host, Inputs());
  EXPECT_TRUE(built.ok()) << built.status();
  return built.ok() ? *std::move(built) : BuiltSpec{};
}

PlannedLaunch MustPlan(const BuiltSpec& built, const HostFacts& host,
                       const PlanOptions& options) {
  auto planned = PlanLaunch(built.spec, host, options);
  EXPECT_TRUE(planned.ok()) << planned.status();
  return planned.ok() ? *std::move(planned) : PlannedLaunch{};
}

}  // namespace containerkit::runtime::testing
