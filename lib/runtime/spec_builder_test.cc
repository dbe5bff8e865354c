#include "lib/runtime/spec_builder.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/container_config.h"
#include "lib/runtime/defaults.h"
#include "lib/runtime/planner_testing.h"

namespace containerkit::runtime {
namespace {

using Kind = NamespaceChoice::Kind;
using Words = std::vector<std::string>;
using testing::HybridHost;
using testing::Inputs;
using testing::MustBuild;
using testing::RootlessHost;
using testing::TrueImage;
using testing::UnifiedHost;

absl::StatusOr<BuiltSpec> Build(
    const std::function<void(ContainerConfig&)>& change,
    const HostFacts& host = HybridHost()) {
  ContainerConfig config;
  change(config);
  return BuildSpec(config, TrueImage(), host, Inputs());
}

Reason Refusal(const std::function<void(ContainerConfig&)>& change,
               const HostFacts& host = HybridHost()) {
  const auto built = Build(change, host);
  EXPECT_FALSE(built.ok());
  return GetReason(built.status());
}

const oci::Mount* MountOn(const oci::RuntimeSpec& spec,
                          absl::string_view target) {
  for (const oci::Mount& mount : spec.mounts) {
    if (mount.destination == target) return &mount;
  }
  return nullptr;
}

bool Has(const Words& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const oci::Namespace* NamespaceOf(const oci::RuntimeSpec& spec,
                                  oci::NamespaceType type) {
  for (const oci::Namespace& ns : spec.linux_config.namespaces) {
    if (ns.type == type) return &ns;
  }
  return nullptr;
}

// --- command ---------------------------------------------------------------

struct CommandCase {
  std::optional<Words> config_entrypoint, config_cmd;
  std::optional<Words> image_entrypoint, image_cmd;
  Words want;  // empty: refused
};

TEST(SpecBuilderTest, EntrypointAndCommandMergeAsInDocker) {
  const auto none = std::nullopt;
  const CommandCase cases[] = {
      {none, none, none, none, {}},
      {none, none, none, {{"b"}}, {"b"}},
      {none, none, {{"a"}}, {{"b"}}, {"a", "b"}},
      {none, {{"c"}}, {{"a"}}, {{"b"}}, {"a", "c"}},
      {none, Words{}, {{"a"}}, {{"b"}}, {"a", "b"}},
      {{{"e"}}, none, {{"a"}}, {{"b"}}, {"e"}},
      {{{"e"}}, {{"c"}}, {{"a"}}, {{"b"}}, {"e", "c"}},
      {{{""}}, {{"c"}}, {{"a"}}, {{"b"}}, {"c"}},
      {Words{}, {{"c"}}, {{"a"}}, {{"b"}}, {"c"}},
      {{{""}}, none, {{"a"}}, {{"b"}}, {}},
      {none, {{"c", ""}}, none, none, {"c", ""}},
  };
  for (const CommandCase& c : cases) {
    ContainerConfig config;
    config.entrypoint = c.config_entrypoint;
    config.cmd = c.config_cmd;
    oci::ImageRunConfig image;
    image.entrypoint = c.image_entrypoint;
    image.cmd = c.image_cmd;
    const auto command = MergeCommand(config, image);
    if (c.want.empty()) {
      EXPECT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(GetReason(command.status()), Reason::kCommandMissing);
    } else {
      ASSERT_TRUE(command.ok()) << command.status();
      EXPECT_EQ(*command, c.want);
    }
  }
}

// --- environment -----------------------------------------------------------

Words Env(const std::function<void(ContainerConfig&)>& change,
          const Words& image_env = {}) {
  ContainerConfig config;
  change(config);
  oci::ImageRunConfig image = TrueImage();
  image.env = image_env;
  const auto built = BuildSpec(config, image, HybridHost(), Inputs());
  EXPECT_TRUE(built.ok()) << built.status();
  return built->spec.process->env;
}

TEST(SpecBuilderTest, EnvironmentHasDockersVariables) {
  const Words env = Env([](ContainerConfig&) {});
  EXPECT_EQ(env, (Words{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                        "/usr/bin:/sbin:/bin",
                        "HOSTNAME=c1c1c1c1c1c1", "HOME=/root"}));
  EXPECT_TRUE(Has(Env([](ContainerConfig& c) { c.tty = true; }), "TERM=xterm"));
}

TEST(SpecBuilderTest, LaterVariablesWin) {
  const Words env = Env(
      [](ContainerConfig& c) {
        c.env = {"A=config", "A=last", "GONE", "HOME=/h", "E="};
      },
      {"PATH=/image", "A=image", "GONE=1", "B=image"});
  EXPECT_EQ(env, (Words{"PATH=/image", "HOSTNAME=c1c1c1c1c1c1", "A=last",
                        "B=image", "HOME=/h", "E="}));
}

TEST(SpecBuilderTest, NamelessVariablesAreRefused) {
  for (const std::string& bad :
       {std::string(""), std::string("=x"), std::string("A=\0b", 4)}) {
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.env = {bad}; }),
              Reason::kInvalidArgument);
  }
}

// --- user, capabilities, limits --------------------------------------------

TEST(SpecBuilderTest, OtherUsersStartWithoutCapabilities) {
  const auto root = MustBuild({}, HybridHost()).spec;
  EXPECT_EQ(root.process->capabilities->effective,
            CapabilityNames(kDefaultCapabilities));
  const auto worker =
      Build([](ContainerConfig& c) { c.user = "worker"; })->spec;
  EXPECT_EQ(worker.process->user.uid, 1000u);
  EXPECT_EQ(worker.process->user.additional_gids,
            (std::vector<uint32_t>{1000, 4}));
  const oci::CapabilitySets& sets = *worker.process->capabilities;
  EXPECT_EQ(sets.bounding, CapabilityNames(kDefaultCapabilities));
  EXPECT_TRUE(sets.effective.empty());
  EXPECT_TRUE(sets.permitted.empty());
  EXPECT_TRUE(sets.inheritable.empty());
  EXPECT_TRUE(sets.ambient.empty());
  EXPECT_TRUE(Has(worker.process->env, "HOME=/home/worker"));
}

TEST(SpecBuilderTest, ConfigsUserOverridesTheImages) {
  oci::ImageRunConfig image = TrueImage();
  image.user = "worker";
  ContainerConfig config;
  EXPECT_EQ(
      BuildSpec(config, image, HybridHost(), Inputs())->spec.process->user.uid,
      1000u);
  config.user = "0";
  EXPECT_EQ(
      BuildSpec(config, image, HybridHost(), Inputs())->spec.process->user.uid,
      0u);
  EXPECT_EQ(Refusal([](ContainerConfig& c) { c.user = "nosuch"; }),
            Reason::kUserNotFound);
  EXPECT_EQ(Refusal([](ContainerConfig& c) { c.group_add = {"nosuch"}; }),
            Reason::kGroupNotFound);
}

TEST(SpecBuilderTest, UserFilesAreReadOnlyWhenNeeded) {
  ContainerConfig config;
  oci::ImageRunConfig image;
  EXPECT_TRUE(NeedsUserFiles(config, image));
  config.user = "1000:1000";
  EXPECT_TRUE(NeedsUserFiles(config, image));
  config.env = {"HOME=/x"};
  EXPECT_FALSE(NeedsUserFiles(config, image));
  config.group_add = {"adm"};
  EXPECT_TRUE(NeedsUserFiles(config, image));
}

TEST(SpecBuilderTest, Ulimits) {
  const auto built = Build([](ContainerConfig& c) {
    c.ulimits = {{"nofile", 1, 2}, {"core", 0, -1}, {"nofile", 3, 4}};
  });
  ASSERT_TRUE(built.ok()) << built.status();
  const auto& limits = built->spec.process->rlimits;
  ASSERT_EQ(limits.size(), 2u);
  EXPECT_EQ(limits[0], (oci::Rlimit{"RLIMIT_CORE", ~uint64_t{0}, 0}));
  EXPECT_EQ(limits[1], (oci::Rlimit{"RLIMIT_NOFILE", 4, 3}));
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.ulimits = {{"fly", 1, 1}};
            }),
            Reason::kRlimitRefused);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.ulimits = {{"cpu", 2, 1}};
            }),
            Reason::kRlimitRefused);
}

TEST(SpecBuilderTest, Resources) {
  const auto built = Build([](ContainerConfig& c) {
    c.resources.memory_bytes = 64 << 20;
    c.resources.nano_cpus = 1500000000;
    c.resources.pids_limit = 10;
    c.resources.cpu_shares = 512;
  });
  ASSERT_TRUE(built.ok()) << built.status();
  const oci::Resources& r = built->spec.linux_config.resources;
  EXPECT_EQ(r.memory.limit_bytes, 64 << 20);
  EXPECT_EQ(r.memory.swap_bytes, 128 << 20);
  EXPECT_EQ(r.cpu.quota_us, 150000);
  EXPECT_EQ(r.cpu.period_us, 100000u);
  EXPECT_EQ(r.pids_limit, 10);
  HostFacts no_swap = HybridHost();
  no_swap.swap_limit = false;
  const auto without = Build(
      [](ContainerConfig& c) {
        c.resources.memory_bytes = 64 << 20;
        c.resources.memory_swap_bytes = 64 << 20;
      },
      no_swap);
  EXPECT_FALSE(
      without->spec.linux_config.resources.memory.swap_bytes.has_value());
  EXPECT_EQ(without->warnings.size(), 1u);
}

TEST(SpecBuilderTest, ContradictoryResourcesAreRefused) {
  const std::vector<std::function<void(ResourceConfig&)>> bad = {
      [](ResourceConfig& r) { r.memory_bytes = 1 << 20; },
      [](ResourceConfig& r) { r.memory_swap_bytes = 1 << 30; },
      [](ResourceConfig& r) {
        r.memory_bytes = 1 << 30;
        r.memory_swap_bytes = 1 << 29;
      },
      [](ResourceConfig& r) {
        r.memory_bytes = 1 << 29;
        r.memory_reservation_bytes = 1 << 30;
      },
      [](ResourceConfig& r) {
        r.nano_cpus = 1000000000;
        r.cpu_quota_us = 5;
      },
      [](ResourceConfig& r) { r.nano_cpus = 1000; },
      [](ResourceConfig& r) { r.nano_cpus = INT64_MAX; },
      [](ResourceConfig& r) { r.memory_swappiness = 101; },
  };
  for (const auto& change : bad) {
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { change(c.resources); }),
              Reason::kInvalidArgument);
  }
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.resources.device_read_bps = {{"/dev/nosuch", 5}};
            }),
            Reason::kDeviceInvalid);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.resources.device_rules = {"nonsense"};
            }),
            Reason::kDeviceInvalid);
}

// --- namespaces and names --------------------------------------------------

TEST(SpecBuilderTest, NamespacesOfEachKind) {
  const auto plain = MustBuild({}, HybridHost()).spec;
  EXPECT_EQ(NamespaceOf(plain, oci::NamespaceType::kUser), nullptr);
  EXPECT_EQ(NamespaceOf(plain, oci::NamespaceType::kCgroup), nullptr);
  EXPECT_NE(NamespaceOf(plain, oci::NamespaceType::kNetwork), nullptr);
  EXPECT_NE(NamespaceOf(MustBuild({}, UnifiedHost()).spec,
                        oci::NamespaceType::kCgroup),
            nullptr);
  const auto host = Build([](ContainerConfig& c) {
    c.Allow(HostNetwork{}).Allow(HostPidNamespace{}).Allow(HostIpcNamespace{});
    c.Allow(HostUtsNamespace{});
  });
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->spec.linux_config.namespaces.size(), 1u);
  EXPECT_EQ(host->spec.hostname, "");
  EXPECT_EQ(MountOn(host->spec, "/dev/shm")->type, "bind");

  ContainerConfig joins;
  joins.pid = {Kind::kContainer, "other"};
  SpecInputs inputs = Inputs();
  EXPECT_EQ(
      GetReason(BuildSpec(joins, TrueImage(), HybridHost(), inputs).status()),
      Reason::kInvalidArgument);
  inputs.pid_namespace_path = "/proc/7/ns/pid";
  const auto joined = BuildSpec(joins, TrueImage(), HybridHost(), inputs);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(NamespaceOf(joined->spec, oci::NamespaceType::kPid)->path,
            "/proc/7/ns/pid");
}

TEST(SpecBuilderTest, RootlessMeansAUserNamespace) {
  const auto spec = MustBuild({}, RootlessHost()).spec;
  EXPECT_NE(NamespaceOf(spec, oci::NamespaceType::kUser), nullptr);
  ASSERT_EQ(spec.linux_config.uid_mappings.size(), 2u);
  EXPECT_EQ(spec.linux_config.uid_mappings[0], (oci::IdMapping{0, 1000, 1}));
  EXPECT_EQ(Refusal(
                [](ContainerConfig& c) {
                  c.user_namespace.kind = UserNamespaceChoice::Kind::kHost;
                },
                RootlessHost()),
            Reason::kUnsupportedOption);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.user_namespace.kind = UserNamespaceChoice::Kind::kAuto;
            }),
            Reason::kIdMapInvalid);
  SpecInputs inputs = Inputs();
  inputs.auto_ids = {{{0, 5000, 1024}}, {{0, 6000, 1024}}};
  ContainerConfig automatic;
  automatic.user_namespace.kind = UserNamespaceChoice::Kind::kAuto;
  const auto mapped = BuildSpec(automatic, TrueImage(), HybridHost(), inputs);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ(mapped->spec.linux_config.uid_mappings[0],
            (oci::IdMapping{0, 5000, 1024}));
  EXPECT_EQ(mapped->spec.linux_config.gid_mappings[0],
            (oci::IdMapping{0, 6000, 1024}));
  // Root inside may write the files that the engine made.
  EXPECT_TRUE(Has(MountOn(mapped->spec, "/etc/hosts")->options, "idmap"));
  // Without a group 5 in the map, terminals belong to nobody in particular.
  HostFacts one = RootlessHost();
  one.subuids.clear();
  EXPECT_FALSE(
      Has(MountOn(MustBuild({}, one).spec, "/dev/pts")->options, "gid=5"));
  // Somebody else's network has somebody else's sysfs.
  const auto host_net =
      Build([](ContainerConfig& c) { c.Allow(HostNetwork{}); }, RootlessHost());
  EXPECT_EQ(MountOn(host_net->spec, "/sys")->type, "bind");
}

TEST(SpecBuilderTest, Hostnames) {
  EXPECT_EQ(MustBuild({}, HybridHost()).spec.hostname, "c1c1c1c1c1c1");
  EXPECT_EQ(
      Build([](ContainerConfig& c) { c.hostname = "web-1.x"; })->spec.hostname,
      "web-1.x");
  for (const char* bad : {"a b", "a\nb", "a/b", "ä", "a\x01"}) {
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.hostname = bad; }),
              Reason::kInvalidArgument)
        << bad;
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.domainname = bad; }),
              Reason::kInvalidArgument);
  }
  EXPECT_EQ(
      Refusal([](ContainerConfig& c) { c.hostname = std::string(64, 'a'); }),
      Reason::kInvalidArgument);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.hostname = "x";
              c.Allow(HostUtsNamespace{});
            }),
            Reason::kInvalidArgument);
}

TEST(SpecBuilderTest, NothingInjectsLinesIntoGeneratedFiles) {
  for (const char* bad : {"a\nb", "", "1.1.1.1\nsearch x", "a b"}) {
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.names.servers = {bad}; }),
              Reason::kInvalidArgument);
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.names.search = {bad}; }),
              Reason::kInvalidArgument);
    EXPECT_EQ(Refusal([&](ContainerConfig& c) { c.names.options = {bad}; }),
              Reason::kInvalidArgument);
    EXPECT_EQ(Refusal([&](ContainerConfig& c) {
                c.names.extra_hosts = {{bad, "1.1.1.1"}};
              }),
              Reason::kInvalidArgument);
    EXPECT_EQ(Refusal([&](ContainerConfig& c) {
                c.names.extra_hosts = {{"x", bad}};
              }),
              Reason::kInvalidArgument);
  }
}

TEST(SpecBuilderTest, Sysctls) {
  const auto spec = MustBuild({}, HybridHost()).spec;
  EXPECT_EQ(spec.linux_config.sysctl.size(), 2u);
  const auto host = Build([](ContainerConfig& c) { c.Allow(HostNetwork{}); });
  EXPECT_TRUE(host->spec.linux_config.sysctl.empty());
  const auto own = Build([](ContainerConfig& c) {
    c.sysctls["net.ipv4.ip_unprivileged_port_start"] = "1024";
    c.sysctls["kernel.shmmax"] = "5";
  });
  EXPECT_EQ(
      own->spec.linux_config.sysctl.at("net.ipv4.ip_unprivileged_port_start"),
      "1024");
  EXPECT_EQ(
      Refusal([](ContainerConfig& c) { c.sysctls["kernel.panic"] = "1"; }),
      Reason::kSysctlRefused);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.Allow(HostNetwork{});
              c.sysctls["net.core.somaxconn"] = "1";
            }),
            Reason::kSysctlRefused);
}

// --- mounts ----------------------------------------------------------------

TEST(SpecBuilderTest, MountsAreSortedByDepthAndReplaceDefaults) {
  const auto built = Build([](ContainerConfig& c) {
    c.binds.push_back({.source = "/s1", .target = "/a/b/c"});
    c.binds.push_back({.source = "/s2", .target = "/a"});
    c.binds.push_back({.source = "/s3", .target = "/etc/hosts"});
    c.tmpfs.push_back({.target = "/dev/shm//"});
  });
  ASSERT_TRUE(built.ok()) << built.status();
  const auto& mounts = built->spec.mounts;
  const auto index = [&](absl::string_view target) {
    return MountOn(built->spec, target) - mounts.data();
  };
  EXPECT_LT(index("/a"), index("/a/b/c"));
  EXPECT_EQ(MountOn(built->spec, "/etc/hosts")->source, "/s3");
  EXPECT_EQ(std::count_if(mounts.begin(), mounts.end(),
                          [](const oci::Mount& mount) {
                            return mount.destination == "/dev/shm";
                          }),
            1);
  EXPECT_EQ(MountOn(built->spec, "/dev/shm")->source, "tmpfs");
}

TEST(SpecBuilderTest, ReadonlyBindsAreRecursiveWhereTheKernelCan) {
  using Recursive = BindMountConfig::Recursive;
  const auto options = [](Recursive recursive, KernelVersion kernel) {
    HostFacts host = HybridHost();
    host.kernel = kernel;
    const auto built = Build(
        [&](ContainerConfig& c) {
          c.binds.push_back({.source = "/s",
                             .target = "/t",
                             .readonly = true,
                             .recursive = recursive});
        },
        host);
    return built.ok() ? MountOn(built->spec, "/t")->options : Words{};
  };
  EXPECT_EQ(options(Recursive::kEnabled, {6, 1}),
            (Words{"rbind", "ro", "rro", "rprivate"}));
  EXPECT_EQ(options(Recursive::kEnabled, {5, 4}),
            (Words{"rbind", "ro", "rprivate"}));
  EXPECT_EQ(options(Recursive::kDisabled, {6, 1}),
            (Words{"bind", "ro", "rprivate"}));
  EXPECT_EQ(options(Recursive::kWritable, {6, 1}),
            (Words{"rbind", "ro", "rprivate"}));
  EXPECT_EQ(options(Recursive::kReadonly, {5, 4}), Words{});
}

TEST(SpecBuilderTest, HostileMountTargetsAreRefused) {
  for (const std::string& target :
       {std::string(""), std::string("a"), std::string("/"), std::string("//"),
        std::string("/./"), std::string("/a/../b"), std::string("/.."),
        std::string("/a\n")}) {
    EXPECT_EQ(Refusal([&](ContainerConfig& c) {
                c.binds.push_back({.source = "/s", .target = target});
              }),
              Reason::kInvalidArgument)
        << target;
    EXPECT_EQ(Refusal([&](ContainerConfig& c) {
                c.tmpfs.push_back({.target = target});
              }),
              Reason::kInvalidArgument)
        << target;
  }
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.binds.push_back({.source = "s", .target = "/t"});
            }),
            Reason::kInvalidArgument);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.binds.push_back({.source = "/s", .target = "/t"});
              c.tmpfs.push_back({.target = "/t/"});
            }),
            Reason::kInvalidArgument);
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.tmpfs.push_back({.target = "/t", .options = {"a,b"}});
            }),
            Reason::kInvalidArgument);
}

// --- grants ----------------------------------------------------------------

TEST(SpecBuilderTest, Privileged) {
  ContainerConfig config;
  config.Allow(Privileged{});
  SpecInputs inputs = Inputs();
  inputs.devices = {{"/dev/kvm", {'c', "/dev/kvm", 10, 232}, "rwm"}};
  const auto built = BuildSpec(config, TrueImage(), HybridHost(), inputs);
  ASSERT_TRUE(built.ok()) << built.status();
  const oci::LinuxConfig& l = built->spec.linux_config;
  EXPECT_TRUE(l.masked_paths.empty());
  EXPECT_TRUE(l.readonly_paths.empty());
  EXPECT_FALSE(l.seccomp.has_value());
  EXPECT_EQ(l.devices.size(), 1u);
  ASSERT_EQ(l.resources.devices.size(), 1u);
  EXPECT_TRUE(l.resources.devices[0].allow);
  EXPECT_EQ(l.resources.devices[0].type, 'a');
  EXPECT_FALSE(Has(MountOn(built->spec, "/sys")->options, "ro"));
  EXPECT_EQ(built->spec.process->capabilities->effective.size(),
            static_cast<size_t>(kCapabilityCount));
}

TEST(SpecBuilderTest, SecurityOptions) {
  const auto plain = MustBuild({}, HybridHost()).spec;
  EXPECT_TRUE(plain.linux_config.seccomp->builtin_profile);
  EXPECT_EQ(plain.linux_config.masked_paths, DefaultMaskedPaths());
  EXPECT_TRUE(Has(MountOn(plain, "/sys")->options, "ro"));

  const auto loose = Build([](ContainerConfig& c) {
    c.Allow(UnconfinedSeccomp{}).Allow(UnmaskedSystemPaths{});
    c.security.no_new_privileges = true;
    c.security.apparmor_profile = "docker-default";
    c.security.cap_drop = {"ALL"};
    c.security.cap_add = {"NET_ADMIN"};
  });
  ASSERT_TRUE(loose.ok()) << loose.status();
  EXPECT_FALSE(loose->spec.linux_config.seccomp.has_value());
  EXPECT_TRUE(loose->spec.linux_config.masked_paths.empty());
  EXPECT_TRUE(loose->spec.process->no_new_privileges);
  EXPECT_EQ(loose->spec.process->apparmor_profile, "docker-default");
  EXPECT_EQ(loose->spec.process->capabilities->bounding,
            Words{"CAP_NET_ADMIN"});

  const auto custom = Build([](ContainerConfig& c) {
    c.security.seccomp.kind = SeccompChoice::Kind::kCustom;
    c.security.seccomp.profile = R"({"defaultAction":"SCMP_ACT_ALLOW"})";
  });
  EXPECT_EQ(custom->spec.linux_config.seccomp->default_action,
            "SCMP_ACT_ALLOW");
  EXPECT_EQ(Refusal([](ContainerConfig& c) {
              c.security.seccomp.kind = SeccompChoice::Kind::kCustom;
              c.security.seccomp.profile = "{";
            }),
            Reason::kInvalidJson);
  EXPECT_EQ(Refusal([](ContainerConfig& c) { c.security.cap_add = {"FLY"}; }),
            Reason::kCapabilityUnknown);
}

TEST(SpecBuilderTest, DevicesAreBoundInUserNamespaces) {
  SpecInputs inputs = Inputs();
  inputs.devices = {{"/dev/fuse", {'c', "/dev/fuse2", 10, 229}, "rw"}};
  const auto root = BuildSpec({}, TrueImage(), HybridHost(), inputs);
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->spec.linux_config.devices.size(), 1u);
  ASSERT_EQ(root->spec.linux_config.resources.devices.size(), 1u);
  EXPECT_EQ(root->spec.linux_config.resources.devices[0].access, "rw");
  const auto user = BuildSpec({}, TrueImage(), RootlessHost(), inputs);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_TRUE(user->spec.linux_config.devices.empty());
  EXPECT_EQ(MountOn(user->spec, "/dev/fuse2")->source, "/dev/fuse");
}

TEST(SpecBuilderTest, StopSignals) {
  oci::ImageRunConfig image = TrueImage();
  EXPECT_EQ(BuildSpec({}, image, HybridHost(), Inputs())->stop_signal, 15);
  image.stop_signal = "SIGINT";
  ContainerConfig config;
  EXPECT_EQ(BuildSpec(config, image, HybridHost(), Inputs())->stop_signal, 2);
  config.stop_signal = "9";
  EXPECT_EQ(BuildSpec(config, image, HybridHost(), Inputs())->stop_signal, 9);
  config.stop_signal = "SIGFLY";
  EXPECT_EQ(
      GetReason(BuildSpec(config, image, HybridHost(), Inputs()).status()),
      Reason::kInvalidArgument);
}

TEST(SpecBuilderTest, WorkingDirectoriesAreAbsolute) {
  EXPECT_EQ(MustBuild({}, HybridHost()).spec.process->cwd, "/");
  EXPECT_EQ(Build([](ContainerConfig& c) {
              c.working_dir = "/w";
            })->spec.process->cwd,
            "/w");
  EXPECT_EQ(Refusal([](ContainerConfig& c) { c.working_dir = "w"; }),
            Reason::kInvalidArgument);
}

// --- exec ------------------------------------------------------------------

TEST(SpecBuilderTest, ExecTakesAfterTheContainer) {
  const oci::Process container =
      *Build([](ContainerConfig& c) { c.env = {"A=1"}; })->spec.process;
  const SpecInputs inputs = Inputs();
  const auto plain = BuildExecProcess({.args = {"ls"}, .env = {"B=2"}},
                                      container, inputs.passwd, inputs.group);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->args, Words{"ls"});
  EXPECT_TRUE(Has(plain->env, "A=1"));
  EXPECT_TRUE(Has(plain->env, "B=2"));
  EXPECT_EQ(plain->capabilities, container.capabilities);
  const auto worker = BuildExecProcess(
      {.args = {"ls"}, .user = "worker", .working_dir = "/w", .tty = true},
      container, inputs.passwd, inputs.group);
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ(worker->user.uid, 1000u);
  EXPECT_EQ(worker->cwd, "/w");
  EXPECT_TRUE(worker->terminal);
  EXPECT_TRUE(Has(worker->env, "HOME=/home/worker"));
  EXPECT_TRUE(Has(worker->env, "TERM=xterm"));
  EXPECT_TRUE(worker->capabilities->effective.empty());
  const auto privileged =
      BuildExecProcess({.args = {"ls"}, .privileged = true}, container,
                       inputs.passwd, inputs.group);
  EXPECT_EQ(privileged->capabilities->effective.size(),
            static_cast<size_t>(kCapabilityCount));
  EXPECT_EQ(
      GetReason(
          BuildExecProcess({}, container, std::nullopt, std::nullopt).status()),
      Reason::kCommandMissing);
}

}  // namespace
}  // namespace containerkit::runtime
