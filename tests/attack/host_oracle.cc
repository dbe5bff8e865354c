#include "tests/attack/host_oracle.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace containerkit::attack {
namespace {

constexpr const char* kWatched[] = {
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/panic",        "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/domainname",   "/proc/sys/kernel/hostname",
    "/proc/sys/fs/suid_dumpable",    "/proc/sys/net/ipv4/ip_forward"};

using Things = std::map<std::string, std::string>;

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void ForEachName(const std::string& directory,
                 const std::function<void(const std::string&)>& visit) {
  DIR* handle = opendir(directory.c_str());
  if (handle == nullptr) return;
  while (const dirent* entry = readdir(handle)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") visit(name);
  }
  closedir(handle);
}

std::string Xattrs(const std::string& path) {
  char names[4096];
  const ssize_t size = llistxattr(path.c_str(), names, sizeof(names));
  std::string all;
  for (ssize_t at = 0; at < size;) {
    const std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    char value[4096];
    const ssize_t n =
        lgetxattr(path.c_str(), name.c_str(), value, sizeof(value));
    absl::StrAppend(&all, " ", name, "=", std::string(value, n > 0 ? n : 0));
  }
  return all;
}

std::string Describe(const std::string& path, const struct stat& st) {
  std::string text = absl::StrCat(
      st.st_ino, " ", absl::Hex(st.st_mode), " ", st.st_uid, ":", st.st_gid,
      " n", st.st_nlink, " s", st.st_size, " m", st.st_mtim.tv_sec, ".",
      st.st_mtim.tv_nsec, " c", st.st_ctim.tv_sec, ".", st.st_ctim.tv_nsec,
      " r", st.st_rdev, Xattrs(path));
  // Only own files are opened: an opened pipe or device might wait or act.
  if (S_ISREG(st.st_mode)) absl::StrAppend(&text, " ", ReadFile(path));
  if (S_ISLNK(st.st_mode)) {
    char target[4096];
    const ssize_t n = readlink(path.c_str(), target, sizeof(target));
    absl::StrAppend(&text, " -> ", std::string(target, n > 0 ? n : 0));
  }
  return text;
}

void AddTree(const std::string& path, Things& things) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return;
  things[absl::StrCat("canary ", path)] = Describe(path, st);
  if (!S_ISDIR(st.st_mode)) return;
  ForEachName(path, [&](const std::string& name) {
    AddTree(absl::StrCat(path, "/", name), things);
  });
}

void AddCgroups(const std::string& path, int depth, Things& things) {
  ForEachName(path, [&](const std::string& name) {
    const std::string below = absl::StrCat(path, "/", name);
    struct stat st;
    if (lstat(below.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return;
    things[absl::StrCat("cgroup ", below)] = "";
    if (depth > 0) AddCgroups(below, depth - 1, things);
  });
}

// One with processes is somebody else's: our containers have ended.
bool IsUsedCgroup(absl::string_view name) {
  return absl::ConsumePrefix(&name, "cgroup ") &&
         !ReadFile(absl::StrCat(name, "/cgroup.procs")).empty();
}

}  // namespace

HostState HostState::Take(const std::vector<std::string>& canaries) {
  HostState state;
  state.canaries_ = canaries;
  for (const std::string& canary : canaries) AddTree(canary, state.things_);
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    state.things_[absl::StrCat("mount ", line)] = "";
  }
  AddCgroups("/sys/fs/cgroup", 3, state.things_);
  ForEachName("/sys/class/net", [&](const std::string& name) {
    state.things_[absl::StrCat("link ", name)] = "";
  });
  for (const char* path : kWatched) {
    state.things_[absl::StrCat("value ", path)] = ReadFile(path);
  }
  return state;
}

std::string HostState::DifferenceTo(const HostState& other) const {
  std::string text;
  for (const auto& [name, value] : things_) {
    const auto it = other.things_.find(name);
    if (it == other.things_.end()) {
      if (IsUsedCgroup(name)) continue;
      absl::StrAppend(&text, "new: ", name, " ", value, "\n");
    } else if (it->second != value) {
      absl::StrAppend(&text, "changed: ", name, "\n  was ", it->second,
                      "\n  is  ", value, "\n");
    }
  }
  for (const auto& [name, value] : other.things_) {
    if (!things_.contains(name) && !absl::StartsWith(name, "cgroup ")) {
      absl::StrAppend(&text, "gone: ", name, " ", value, "\n");
    }
  }
  return text;
}

std::string HostState::DifferenceNow() const {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  for (;;) {
    const std::string difference = Take(canaries_).DifferenceTo(*this);
    if (difference.empty() || absl::Now() > deadline) return difference;
    absl::SleepFor(absl::Milliseconds(10));
  }
}

Canary::Canary(const std::string& path) : path_(path) {
  EXPECT_EQ(mount("canary", path.c_str(), "tmpfs", 0, "mode=0755"), 0);
  for (const char* directory :
       {"/dir", "/dir/sub", "/pts", "/shm", "/sys", "/sys/kernel"}) {
    EXPECT_EQ(mkdir(absl::StrCat(path, directory).c_str(), 0755), 0);
  }
  for (const char* file :
       {"/file", "/dir/inner", "/dir/sub/f", "/ptmx", "/pts/0", "/pts/ptmx",
        "/console", "/null", "/kcore", "/sys/kernel/domainname",
        "/sysrq-trigger", "/passwd"}) {
    std::ofstream(absl::StrCat(path, file)) << kCanaryBytes;
    EXPECT_EQ(chmod(absl::StrCat(path, file).c_str(), 0640), 0);
  }
  EXPECT_EQ(symlink("file", absl::StrCat(path, "/link").c_str()), 0);
  EXPECT_EQ(setxattr(absl::StrCat(path, "/file").c_str(), "trusted.canary", "1",
                     1, 0),
            0);
  notifications_ = UniqueFd(fanotify_init(
      FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE,
      O_RDONLY | O_CLOEXEC | O_LARGEFILE));
  EXPECT_TRUE(notifications_.ok());
  EXPECT_EQ(fanotify_mark(notifications_.get(), FAN_MARK_ADD | FAN_MARK_MOUNT,
                          FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_OPEN_EXEC |
                              FAN_ONDIR | FAN_EVENT_ON_CHILD,
                          AT_FDCWD, path.c_str()),
            0);
}

Canary::~Canary() {
  notifications_ = UniqueFd();
  umount2(path_.c_str(), MNT_DETACH);
}

int Canary::TakeAccesses() {
  int accesses = 0;
  alignas(fanotify_event_metadata) char buffer[4096];
  for (;;) {
    ssize_t size = read(notifications_.get(), buffer, sizeof(buffer));
    if (size <= 0) return accesses;
    const auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer);
    for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
      if (event->fd >= 0) close(event->fd);
      // Our own readings do not count.
      if (event->pid != getpid()) ++accesses;
    }
  }
}

}  // namespace containerkit::attack
