// exec, ps, update.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/oci-runtime/commands.h"
#include "examples/oci-runtime/resources.h"

namespace ck_oci {
namespace {

absl::StatusOr<std::string> ReadAll(int fd, absl::string_view name) {
  std::string text;
  char buffer[8192];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("read ", name));
    if (n == 0) return text;
    text.append(buffer, n);
  }
}

// "-" is stdin.
absl::StatusOr<std::string> ReadInput(const std::string& path) {
  if (path == "-") return ReadAll(STDIN_FILENO, "stdin");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  absl::StatusOr<std::string> text = ReadAll(fd, path);
  close(fd);
  return text;
}

// What ps(1) prints.
absl::StatusOr<std::string> RunPs(const std::vector<std::string>& options) {
  std::vector<char*> argv = {const_cast<char*>("ps")};
  for (const std::string& option : options) {
    argv.push_back(const_cast<char*>(option.c_str()));
  }
  argv.push_back(nullptr);
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, "ps", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  if (error != 0) {
    close(fds[0]);
    return absl::ErrnoToStatus(error, "run ps");
  }
  absl::StatusOr<std::string> text = ReadAll(fds[0], "ps");
  close(fds[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (text.ok() && status != 0) return absl::UnknownError("ps failed");
  return text;
}

// The header and the lines of the container's processes.
absl::StatusOr<std::string> FilterPs(absl::string_view text,
                                     const std::vector<int32_t>& pids) {
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty()) return std::string();
  const auto fields = [](absl::string_view line) {
    return std::vector<absl::string_view>(
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty()));
  };
  const std::vector<absl::string_view> header = fields(lines[0]);
  const auto column = std::find(header.begin(), header.end(), "PID");
  if (column == header.end()) {
    return absl::InvalidArgumentError("ps prints no PID column");
  }
  const size_t index = column - header.begin();
  std::string result = absl::StrCat(lines[0], "\n");
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<absl::string_view> values = fields(lines[i]);
    int32_t pid = 0;
    if (index < values.size() && absl::SimpleAtoi(values[index], &pid) &&
        std::find(pids.begin(), pids.end(), pid) != pids.end()) {
      absl::StrAppend(&result, lines[i], "\n");
    }
  }
  return result;
}

// "1000", "0,5": the numbers of one or more --additional-gids.
absl::StatusOr<std::vector<uint32_t>> ParseGids(
    const std::vector<std::string>& texts) {
  std::vector<uint32_t> gids;
  for (const std::string& text : texts) {
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      uint32_t gid = 0;
      if (!absl::SimpleAtoi(part, &gid)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--additional-gids is no number: \"", text, "\""));
      }
      gids.push_back(gid);
    }
  }
  return gids;
}

}  // namespace

absl::StatusOr<int> ExecCommand(const Command& command,
                                const Context& context) {
  containerkit::OciExecOptions options;
  std::vector<std::string> gids;
  Arguments arguments;
  arguments.String("process,p", &options.process_file,
                   "file with the process, instead of a command");
  arguments.List("env,e", &options.env, "a variable, NAME=value");
  arguments.String("cwd", &options.cwd, "working directory");
  arguments.String("user,u", &options.user, "UID[:GID]");
  arguments.List("cap,c", &options.capabilities, "a capability to add");
  arguments.List("additional-gids,g", &gids, "further groups");
  arguments.Bool("tty,t", &options.tty, "with a terminal");
  arguments.Bool("detach,d", &options.detach, "do not wait for its end");
  arguments.String("console-socket", &options.console_socket,
                   "unix socket that receives the terminal");
  arguments.String("pid-file", &options.pid_file,
                   "where to write the process's id");
  arguments.Count("preserve-fds", &options.preserve_fds,
                  "how many descriptors from 3 on the process keeps");
  arguments.Bool("no-new-privs", &options.no_new_privs,
                 "no privileges by set-user-id programs");
  arguments.String("apparmor", &options.apparmor, "AppArmor profile");
  arguments.String("process-label", &options.selinux_label, "SELinux label");
  arguments.String("cgroup", &options.cgroup, "a cgroup below the container's");
  arguments.Bool("ignore-paused", &options.ignore_paused,
                 "also in a paused container");
  const auto others = ParseCommandLine(command, context, arguments, 1, -1,
                                       FlagOrder::kBeforeSecond);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  options.args.assign((*others)->begin() + 1, (*others)->end());
  if (options.args.empty() && options.process_file.empty()) {
    return absl::InvalidArgumentError("exec: no command and no --process");
  }
  const absl::StatusOr<std::vector<uint32_t>> numbers = ParseGids(gids);
  if (!numbers.ok()) return numbers.status();
  options.additional_gids = *numbers;
  if (!options.detach) options.signal_fd = BlockForwardedSignals();
  return context.runtime->Exec((*others)->front(), options);
}

absl::StatusOr<int> PsCommand(const Command& command, const Context& context) {
  std::string format = "table";
  Arguments arguments;
  arguments.String("format,f", &format, "table or json");
  const auto others = ParseCommandLine(command, context, arguments, 1, -1,
                                       FlagOrder::kBeforeFirst);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  if (format != "table" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid format \"", format, "\""));
  }
  const absl::StatusOr<std::vector<int32_t>> pids =
      context.runtime->Processes((*others)->front());
  if (!pids.ok()) return pids.status();
  absl::StatusOr<std::string> text;
  if (format == "json") {
    text = absl::StrCat("[", absl::StrJoin(*pids, ","), "]\n");
  } else {
    std::vector<std::string> options((*others)->begin() + 1, (*others)->end());
    if (options.empty()) options = {"-ef"};
    text = RunPs(options);
    if (text.ok()) text = FilterPs(*text, *pids);
  }
  if (!text.ok()) return text.status();
  const absl::Status status = Print(*text);
  if (!status.ok()) return status;
  return 0;
}

absl::StatusOr<int> UpdateCommand(const Command& command,
                                  const Context& context) {
  ResourceFlags flags;
  std::string file;
  Arguments arguments;
  arguments.String("resources,r", &file,
                   "file with linux.resources; -: stdin; excludes the others");
  arguments.String("memory", &flags.memory, "limit, in bytes (64m, 1g)");
  arguments.String("memory-reservation", &flags.memory_reservation,
                   "soft limit, in bytes");
  arguments.String("memory-swap", &flags.memory_swap,
                   "memory and swap together; -1: unlimited");
  arguments.String("kernel-memory", &flags.kernel_memory);
  arguments.String("kernel-memory-tcp", &flags.kernel_memory_tcp);
  arguments.String("cpu-share,cpu-shares", &flags.cpu_shares, "weight");
  arguments.String("cpu-quota", &flags.cpu_quota, "microseconds a period");
  arguments.String("cpu-period", &flags.cpu_period, "microseconds");
  arguments.String("cpu-burst", &flags.cpu_burst, "microseconds");
  arguments.String("cpu-rt-period", &flags.cpu_rt_period, "microseconds");
  arguments.String("cpu-rt-runtime", &flags.cpu_rt_runtime, "microseconds");
  arguments.String("cpu-idle", &flags.cpu_idle, "0 or 1");
  arguments.String("cpuset-cpus", &flags.cpuset_cpus, "processors: 0-2,5");
  arguments.String("cpuset-mems", &flags.cpuset_mems, "memory nodes");
  arguments.String("pids-limit", &flags.pids_limit, "-1: unlimited");
  arguments.String("blkio-weight", &flags.blkio_weight, "10 to 1000");
  const auto others = ParseCommandLine(command, context, arguments, 1, 1);
  if (!others.ok()) return others.status();
  if (!others->has_value()) return 0;
  const absl::StatusOr<std::string> json =
      file.empty() ? ResourcesJson(flags) : ReadInput(file);
  if (!json.ok()) return json.status();
  const absl::Status status =
      context.runtime->Update((*others)->front(), *json);
  if (!status.ok()) return status;
  return 0;
}

}  // namespace ck_oci
