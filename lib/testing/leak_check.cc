#include "lib/testing/leak_check.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace containerkit::testing {
namespace {

void ForEachName(const std::string& dir,
                 const std::function<void(const std::string&)>& fn) {
  DIR* handle = opendir(dir.c_str());
  if (handle == nullptr) return;
  while (const dirent* entry = readdir(handle)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") fn(name);
  }
  closedir(handle);
}

void AddDescriptors(std::set<std::string>& things) {
  ForEachName("/proc/self/fd", [&](const std::string& name) {
    char target[512];
    const ssize_t n = readlink(absl::StrCat("/proc/self/fd/", name).c_str(),
                               target, sizeof target);
    // The directory being read is open only now.
    const std::string what(target, n > 0 ? n : 0);
    if (!absl::StrContains(what, "/proc/")) {
      things.insert(absl::StrCat("fd ", name, " ", what));
    }
  });
}

void AddMounts(std::set<std::string>& things) {
  std::ifstream in("/proc/self/mountinfo");
  std::string line;
  while (std::getline(in, line)) things.insert(absl::StrCat("mount ", line));
}

// The cgroups that hold this process's own one, below /sys/fs/cgroup, without
// the roots: whoever runs us may make siblings of it at any time.
std::set<std::string> CgroupsOfTheRunner() {
  std::set<std::string> out;
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::string parent = fields[2].substr(0, fields[2].rfind('/'));
    if (parent.empty()) continue;
    const std::string controllers(absl::StripPrefix(fields[1], "name="));
    out.insert(absl::StrCat("/sys/fs/cgroup/",
                            controllers.empty() ? "unified" : controllers,
                            parent));
    if (controllers.empty()) out.insert(absl::StrCat("/sys/fs/cgroup", parent));
  }
  return out;
}

void AddCgroups(const std::string& dir, int depth,
                const std::set<std::string>& foreign,
                std::set<std::string>& things) {
  ForEachName(dir, [&](const std::string& name) {
    const std::string path = absl::StrCat(dir, "/", name);
    struct stat st;
    if (lstat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return;
    things.insert(absl::StrCat("cgroup ", path));
    if (depth > 0 && !foreign.contains(path)) {
      AddCgroups(path, depth - 1, foreign, things);
    }
  });
}

// Processes below this one: as a subreaper it inherits every orphan.
void AddChildren(pid_t pid, std::set<std::string>& things) {
  ForEachName(absl::StrCat("/proc/", pid, "/task"), [&](const std::string& t) {
    std::ifstream in(absl::StrCat("/proc/", pid, "/task/", t, "/children"));
    pid_t child;
    while (in >> child) {
      std::string name;
      std::ifstream comm(absl::StrCat("/proc/", child, "/comm"));
      std::getline(comm, name);
      things.insert(absl::StrCat("process ", child, " ", name));
      AddChildren(child, things);
    }
  });
}

}  // namespace

Snapshot Snapshot::Take() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  Snapshot snapshot;
  AddDescriptors(snapshot.things_);
  AddMounts(snapshot.things_);
  AddCgroups("/sys/fs/cgroup", 4, CgroupsOfTheRunner(), snapshot.things_);
  ForEachName("/sys/class/net", [&](const std::string& name) {
    snapshot.things_.insert(absl::StrCat("link ", name));
  });
  AddChildren(getpid(), snapshot.things_);
  return snapshot;
}

std::string Snapshot::ExtraOver(const Snapshot& before) const {
  std::string extra;
  for (const std::string& thing : things_) {
    if (!before.things_.contains(thing)) absl::StrAppend(&extra, thing, "\n");
  }
  return extra;
}

std::string Snapshot::WaitUntilBackTo(const Snapshot& before) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (true) {
    const std::string extra = Take().ExtraOver(before);
    if (extra.empty() || absl::Now() > deadline) return extra;
    absl::SleepFor(absl::Milliseconds(10));
  }
}

}  // namespace containerkit::testing
