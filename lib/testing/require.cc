#include "lib/testing/require.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace containerkit::testing {
namespace {

bool InPath(const std::string& program) {
  const char* path = getenv("PATH");
  const std::string dirs =
      absl::StrCat(path == nullptr ? "" : path, ":/usr/sbin:/sbin");
  for (const absl::string_view dir : absl::StrSplit(dirs, ':')) {
    if (access(absl::StrCat(dir, "/", program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool CanUnshare(int flags) {
  const pid_t pid = fork();
  if (pid == 0) _exit(unshare(flags) == 0 ? 0 : 1);
  int status = 0;
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

bool FileHas(const std::string& path, const std::string& text) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

bool HasCgroupV1() {
  std::ifstream in("/proc/cgroups");
  std::string line;
  while (std::getline(in, line)) {
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    if (fields.size() == 4 && fields[0][0] != '#' && fields[1] != "0" &&
        fields[3] == "1") {
      return true;
    }
  }
  return false;
}

bool Has(const std::string& capability) {
  if (capability == "root") return geteuid() == 0;
  if (capability == "mount-namespaces") return CanUnshare(CLONE_NEWNS);
  if (capability == "user-namespaces") return CanUnshare(CLONE_NEWUSER);
  if (capability == "loop-devices") {
    return access("/dev/loop-control", R_OK | W_OK) == 0 && InPath("mkfs.ext4");
  }
  if (capability == "overlay") return FileHas("/proc/filesystems", "overlay");
  if (capability == "cgroup-v1") return HasCgroupV1();
  if (capability == "cgroup-v2") {
    return FileHas("/sys/fs/cgroup/cgroup.controllers", "memory");
  }
  return InPath(capability);
}

}  // namespace

std::string Lacks(const std::string& capability) {
  return Has(capability) ? "" : absl::StrCat("no ", capability, " here");
}

bool MustHave(const std::string& capability) {
  const char* list = getenv("CK_MUST_HAVE");
  if (list == nullptr) return false;
  for (const absl::string_view name : absl::StrSplit(list, ',')) {
    if (name == capability) return true;
  }
  return false;
}

}  // namespace containerkit::testing
