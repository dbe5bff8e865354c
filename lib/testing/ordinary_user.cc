#include "lib/testing/ordinary_user.h"

#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace containerkit::testing {
namespace {

constexpr int kNotThatUser = 99;

bool AddLine(const std::string& name, const std::string& line) {
  const std::string original = "/etc/" + name;
  const std::string changed = "/mnt/" + name;
  std::ifstream in(original);
  std::ofstream out(changed);
  if (in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
  out << line << "\n";
  out.close();
  return out.good() &&
         mount(changed.c_str(), original.c_str(), "", MS_BIND, nullptr) == 0;
}

bool BecomeOrdinaryUser(bool has_range) {
  const std::string id = absl::StrCat(kOrdinaryUser);
  const std::string range = absl::StrCat("ordinary:", kFirstSubId, ":65536");
  return unshare(CLONE_NEWNS) == 0 &&
         mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", "/mnt", "tmpfs", 0, "mode=0755") == 0 &&
         AddLine("passwd", absl::StrCat("ordinary:x:", id, ":", id, "::/:")) &&
         AddLine("group", absl::StrCat("ordinary:x:", id, ":")) &&
         (!has_range ||
          (AddLine("subuid", range) && AddLine("subgid", range))) &&
         setgroups(0, nullptr) == 0 && setgid(kOrdinaryUser) == 0 &&
         setuid(kOrdinaryUser) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

}  // namespace

int AsOrdinaryUser(const std::function<int()>& body, bool has_range) {
  fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    if (!BecomeOrdinaryUser(has_range)) {
      perror("become an ordinary user");
      _exit(kNotThatUser);
    }
    const int result = body();
    fflush(nullptr);
    _exit(result);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
      WEXITSTATUS(status) == kNotThatUser) {
    return -1;
  }
  return WEXITSTATUS(status);
}

}  // namespace containerkit::testing
