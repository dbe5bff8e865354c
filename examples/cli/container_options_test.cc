#include "examples/cli/container_options.h"

#include <stdio.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

struct Parsed {
  ContainerOptions options;
  std::string error;
  const ContainerConfig& config() const { return options.config; }
};

Parsed Read(std::vector<const char*> words) {
  Parsed parsed;
  const auto flags =
      ParseFlags(RunFlags(), words, /*interspersed=*/false, &parsed.options);
  absl::Status status = flags.status();
  if (status.ok()) {
    status = FinishContainerOptions(flags->arguments, parsed.options);
  }
  parsed.error = std::string(status.message());
  return parsed;
}

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  FILE* const file = fopen(path.c_str(), "we");
  fwrite(text.data(), 1, text.size(), file);
  fclose(file);
  return path;
}

using Words = std::vector<std::string>;

TEST(ContainerOptionsTest, ImageAndCommand) {
  const Parsed p = Read({"-it", "--rm", "alpine", "sh", "-c", "ls"});
  EXPECT_EQ(p.error, "");
  EXPECT_EQ(p.config().image, "alpine");
  EXPECT_EQ(*p.config().cmd, Words({"sh", "-c", "ls"}));
  EXPECT_TRUE(p.config().tty);
  EXPECT_TRUE(p.config().open_stdin);
  EXPECT_TRUE(p.config().stdin_once);
  EXPECT_TRUE(p.config().auto_remove);
  EXPECT_FALSE(p.config().entrypoint.has_value());
  EXPECT_FALSE(Read({"alpine"}).config().cmd.has_value());
  EXPECT_EQ(Read({""}).error, "invalid reference format");
}

TEST(ContainerOptionsTest, EntrypointMayBeCleared) {
  EXPECT_EQ(*Read({"--entrypoint", "sh", "a"}).config().entrypoint,
            Words({"sh"}));
  EXPECT_EQ(*Read({"--entrypoint=", "a"}).config().entrypoint, Words({""}));
}

TEST(ContainerOptionsTest, FilesComeBeforeFlags) {
  const std::string env = WriteFile("env", "A=file\nB=file\n");
  const std::string labels = WriteFile("labels", "x=file\ny=file\n");
  const Parsed p = Read({"-e", "A=flag", "--env-file", env.c_str(), "-l",
                         "x=flag", "--label-file", labels.c_str(), "a"});
  EXPECT_EQ(p.error, "");
  EXPECT_EQ(p.config().env, Words({"A=file", "B=file", "A=flag"}));
  EXPECT_EQ(p.config().labels.at("x"), "flag");
  EXPECT_EQ(p.config().labels.at("y"), "file");
  EXPECT_EQ(Read({"--env-file", "/nope", "a"}).error,
            "open /nope: no such file or directory");
}

TEST(ContainerOptionsTest, Attachment) {
  const Parsed detached = Read({"-di", "a"});
  EXPECT_FALSE(detached.options.attaches("stdin"));
  EXPECT_FALSE(detached.options.attaches("stdout"));
  EXPECT_TRUE(detached.config().open_stdin);
  EXPECT_FALSE(detached.config().stdin_once);
  const Parsed normal = Read({"a"});
  EXPECT_FALSE(normal.options.attaches("stdin"));
  EXPECT_TRUE(normal.options.attaches("stderr"));
  const Parsed chosen = Read({"-a", "STDOUT", "a"});
  EXPECT_TRUE(chosen.options.attaches("stdout"));
  EXPECT_FALSE(chosen.options.attaches("stderr"));
}

TEST(ContainerOptionsTest, Limits) {
  const Parsed p =
      Read({"-m", "64m", "--memory-swap", "-1", "--cpus", "0.5", "--pids-limit",
            "100", "--shm-size=1g", "--cpuset-cpus", "0-1", "-c", "512",
            "--device-read-bps", "/dev/sda:1mb", "a"});
  EXPECT_EQ(p.error, "");
  const ResourceConfig& r = p.config().resources;
  EXPECT_EQ(r.memory_bytes, 64 << 20);
  EXPECT_EQ(r.memory_swap_bytes, -1);
  EXPECT_EQ(r.nano_cpus, 500000000);
  EXPECT_EQ(r.pids_limit, 100);
  EXPECT_EQ(r.cpuset_cpus, "0-1");
  EXPECT_EQ(r.cpu_shares, 512u);
  EXPECT_EQ(r.device_read_bps.size(), 1u);
  EXPECT_EQ(p.config().shm_size_bytes, 1u << 30);
}

TEST(ContainerOptionsTest, ManyFlags) {
  const Parsed p = Read({"--name",
                         "n",
                         "-h",
                         "host",
                         "--domainname",
                         "d",
                         "-u",
                         "1:2",
                         "-w",
                         "/w",
                         "--init",
                         "--read-only",
                         "--stop-signal",
                         "INT",
                         "--stop-timeout",
                         "3",
                         "--oom-score-adj",
                         "-5",
                         "--group-add",
                         "g",
                         "--cap-add",
                         "SYS_PTRACE",
                         "--cap-drop=ALL",
                         "--sysctl",
                         "a.b=1",
                         "--ulimit",
                         "nofile=5",
                         "--dns",
                         "1.1.1.1",
                         "--network",
                         "host",
                         "--pid=host",
                         "-v",
                         "/a:/b",
                         "--mount",
                         "type=tmpfs,dst=/t",
                         "--tmpfs",
                         "/u",
                         "--device",
                         "/dev/null",
                         "--platform",
                         "linux/amd64",
                         "--log-driver",
                         "none",
                         "--expose",
                         "80",
                         "--privileged",
                         "a"});
  EXPECT_EQ(p.error, "");
  const ContainerConfig& c = p.config();
  EXPECT_EQ(c.name, "n");
  EXPECT_EQ(c.hostname, "host");
  EXPECT_EQ(c.user, "1:2");
  EXPECT_TRUE(c.init && c.readonly_root && c.security.privileged);
  EXPECT_EQ(c.stop_timeout, absl::Seconds(3));
  EXPECT_EQ(c.oom_score_adj, -5);
  EXPECT_EQ(c.network.kind, NamespaceChoice::Kind::kHost);
  EXPECT_EQ(c.pid.kind, NamespaceChoice::Kind::kHost);
  EXPECT_EQ(c.binds.size(), 1u);
  EXPECT_EQ(c.tmpfs.size(), 2u);
  EXPECT_EQ(c.sysctls.at("a.b"), "1");
  EXPECT_EQ(c.platform, "linux/amd64");
  EXPECT_EQ(c.log.driver, LogConfig::Driver::kNone);
  EXPECT_EQ(c.exposed_ports, Words({"80/tcp"}));
}

TEST(ContainerOptionsTest, Health) {
  const Parsed p = Read({"--health-cmd", "test -e /x", "--health-interval",
                         "1s", "--health-retries", "2", "a"});
  EXPECT_EQ(p.error, "");
  EXPECT_EQ(p.config().health.test, Words({"CMD-SHELL", "test -e /x"}));
  EXPECT_EQ(p.config().health.interval, absl::Seconds(1));
  EXPECT_EQ(Read({"--no-healthcheck", "--health-retries=1", "a"}).error,
            "--no-healthcheck conflicts with --health-* options");
  EXPECT_EQ(Read({"--health-timeout=-1s", "a"}).error,
            "--health-timeout cannot be negative");
}

TEST(ContainerOptionsTest, Conflicts) {
  EXPECT_EQ(Read({"--rm", "--restart=always", "a"}).error,
            "conflicting options: cannot specify both --restart and --rm");
  EXPECT_EQ(Read({"--rm", "--restart=no", "a"}).error, "");
  EXPECT_EQ(Read({"-d", "-a", "stdin", "a"}).error,
            "conflicting options: cannot specify both --attach and --detach");
  EXPECT_EQ(Read({"--pull=x", "a"}).error,
            "invalid pull option: 'x': must be one of \"always\", "
            "\"missing\" or \"never\"");
  EXPECT_EQ(Read({"-p", "80:80", "a"}).error,
            "invalid argument \"80:80\" for \"-p, --publish\" flag: not "
            "available in this version of ck");
}

TEST(ContainerOptionsTest, TablesAreSortedAndWithoutDoubles) {
  for (const auto flags : {CreateFlags(), RunFlags()}) {
    for (size_t i = 1; i < flags.size(); ++i) {
      EXPECT_LT(flags[i - 1].name, flags[i].name);
      for (size_t j = 0; j < i; ++j) {
        EXPECT_TRUE(flags[i].shorthand == '\0' ||
                    flags[i].shorthand != flags[j].shorthand)
            << flags[i].name;
      }
    }
  }
  EXPECT_EQ(RunFlags().size(), CreateFlags().size() + 3);
}

}  // namespace
}  // namespace containerkit::cli
