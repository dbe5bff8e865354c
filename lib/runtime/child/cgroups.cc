#include "lib/runtime/child/cgroups.h"

#include <linux/limits.h>

#include <initializer_list>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

inline constexpr int kDeepest = 16;

struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};
inline constexpr uint8_t kTypeDirectory = 4;

// Calls fn(fd of a subdirectory, name) for each subdirectory.
template <typename Fn>
void ForEachChild(int directory, Fn fn) {
  const long fd = OpenAt(directory, ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  alignas(DirectoryEntry) char buffer[2048];
  for (;;) {
    const long n = Sys(SYS_getdents64, fd, buffer, sizeof buffer);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<DirectoryEntry*>(buffer + at);
      at += entry->size;
      if (entry->type != kTypeDirectory || entry->name[0] == '.') continue;
      const long child =
          OpenAt(int(fd), entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (child < 0) continue;
      fn(int(child), entry->name);
      Close(int(child));
    }
  }
  Close(int(fd));
}

// What a file of `group` says, with its newline; 0 bytes or 1: nothing.
struct Value {
  char text[256];
  long size;

  Value(int group, const char* file) {
    size = OpenAt(group, file, O_RDONLY);
    if (size < 0) return;
    const int fd = int(size);
    size = ReadAll(fd, text, sizeof text);
    Close(fd);
  }
  bool empty() const { return size <= 1; }
};

// A new cpuset of v1 has no cpu and no memory node, so nobody could enter. The
// parent may be just as new, made by a monitor that has not come to this yet
// or was killed before.
void FillCpuset(int group, int depth) {
  const long parent = OpenAt(group, "..", O_PATH | O_DIRECTORY);
  if (parent < 0) return;
  if (depth < kDeepest && Value(int(parent), "cpuset.mems").empty()) {
    FillCpuset(int(parent), depth + 1);
  }
  // The parent balances load over all that the group has. A group with a say
  // in it has the kernel compute the scheduling domains of the whole machine
  // anew when it gets its cpus and when it goes.
  const Value balanced(int(parent), "cpuset.sched_load_balance");
  if (!balanced.empty() && balanced.text[0] == '1') {
    WriteFileAt(group, "cpuset.sched_load_balance", "0", 1);
  }
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    const Value value(int(parent), file);
    if (!value.empty())
      WriteFileAt(group, file, value.text, size_t(value.size));
  }
  Close(int(parent));
}

// Does nothing if somebody has made the group before, and filled it.
void FillCpuset(const char* path) {
  const long group = Open(path, O_PATH | O_DIRECTORY);
  if (group < 0) return;
  if (Value(int(group), "cpuset.mems").empty()) FillCpuset(int(group), 0);
  Close(int(group));
}

// "FROZEN" and "FREEZING" of v1, "1" of v2.
bool FileStartsWith(int group, const char* file, char first) {
  const long fd = OpenAt(group, file, O_RDONLY);
  if (fd < 0) return false;
  char byte = 0;
  const long n = Read(int(fd), &byte, 1);
  Close(int(fd));
  return n == 1 && byte == first;
}

// Signals every process; how many there were.
int KillProcesses(int group) {
  const long fd = OpenAt(group, "cgroup.procs", O_RDONLY);
  if (fd < 0) return 0;
  int killed = 0;
  char buffer[4096];
  size_t have = 0;
  for (;;) {
    const long n = Read(int(fd), buffer + have, sizeof buffer - 1 - have);
    if (n <= 0) break;
    have += size_t(n);
    buffer[have] = '\0';
    char* line = buffer;
    for (char* at = buffer; *at != '\0'; ++at) {
      if (*at != '\n') continue;
      uint64_t pid;
      if (ParseInt(line, &pid) && pid > 1) {
        Sys(SYS_kill, pid, SIGKILL);
        ++killed;
      }
      line = at + 1;
    }
    have -= size_t(line - buffer);
    memmove(buffer, line, have);
  }
  Close(int(fd));
  return killed;
}

int KillTree(int group, int depth) {
  if (WriteFileAt(group, "cgroup.kill", "1", 1) == 0) {
    return KillProcesses(group);
  }
  int killed = KillProcesses(group);
  if (depth >= kDeepest) return killed;
  ForEachChild(group, [&](int child, const char*) {
    killed += KillTree(child, depth + 1);
  });
  return killed;
}

void RemoveChildren(int group, int depth) {
  if (depth >= kDeepest) return;
  ForEachChild(group, [&](int child, const char* name) {
    RemoveChildren(child, depth + 1);
    Sys(SYS_unlinkat, group, name, AT_REMOVEDIR);
  });
}

void VisitTree(int group, void (*visit)(int, void*), void* data, int depth) {
  visit(group, data);
  // Without a directory below it has two links: its name and ".".
  struct stat stat;
  if (depth >= kDeepest ||
      (Sys(SYS_newfstatat, group, "", &stat, AT_EMPTY_PATH) == 0 &&
       stat.st_nlink == 2)) {
    return;
  }
  ForEachChild(group, [&](int child, const char*) {
    VisitTree(child, visit, data, depth + 1);
  });
}

long RemoveGroup(const char* path, bool parent) {
  constexpr int kTries = 60;
  int64_t pause = 50 * 1000;
  for (int i = 0;; ++i) {
    const long result = Sys(SYS_unlinkat, kAtFdCwd, path, AT_REMOVEDIR);
    if (result == 0 || result == -ENOENT || parent || i == kTries) {
      return result;
    }
    const long fd = Open(path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
      RemoveChildren(int(fd), 0);
      Close(int(fd));
    }
    SleepNs(pause);
    if (pause < 32 * 1000 * 1000) pause *= 2;
  }
}

}  // namespace

Cgroups::Group* Cgroups::Find(const char* path) {
  for (int i = 0; i < count_; ++i) {
    if (Equal(groups_[i].path, path)) return &groups_[i];
  }
  return nullptr;
}

bool Cgroups::IsParent(const Group& group) const {
  const size_t size = strlen(group.path);
  for (int i = 0; i < count_; ++i) {
    const char* path = groups_[i].path;
    if (StartsWith(path, group.path) && path[size] == '/') return true;
  }
  return false;
}

Cgroups::Group* Cgroups::Remember(const char* path) {
  if (Group* known = Find(path)) return known;
  if (groups_ == nullptr) {
    groups_ = static_cast<Group*>(AllocatePages(sizeof(Group) * kMost));
  }
  if (groups_ == nullptr || count_ == kMost) return nullptr;
  if (strlen(path) >= sizeof groups_->path) return nullptr;
  Group* group = &groups_[count_++];
  Text(group->path, sizeof group->path).Add(path);
  return group;
}

long Cgroups::MakeOne(const char* path) {
  // Somebody may remove a parent that was empty when he looked.
  constexpr int kRaces = 16;
  bool there = false;
  for (int i = 0; i < kRaces; ++i) {
    const long result = Sys(SYS_mkdirat, kAtFdCwd, path, 0755);
    there = result == 0 || result == -EEXIST;
    if (result == 0 && Remember(path) == nullptr) {
      Sys(SYS_unlinkat, kAtFdCwd, path, AT_REMOVEDIR);
      return -E2BIG;
    }
    if (there) break;
    if (result != -ENOENT) return result;
    char above[500];
    const char* slash = FindLast(path, '/');
    if (slash == nullptr || slash == path ||
        size_t(slash - path) >= sizeof above) {
      return -ENOENT;
    }
    Text(above, sizeof above).AddBytes(path, size_t(slash - path));
    const long made = MakeOne(above);
    if (made < 0) return made;
  }
  if (!there) return -ENOENT;
  if (child::Find(path, "cpuset") != nullptr) FillCpuset(path);
  return 0;
}

long Cgroups::Make(const char* path) {
  const long result = MakeOne(path);
  return result < 0 ? Fail(result, "mkdir", path) : 0;
}

bool Cgroups::Frozen() const {
  // In v1 one hierarchy alone can freeze.
  bool v1 = false;
  for (int i = 0; i < count_; ++i) {
    v1 = v1 || child::Find(groups_[i].path, "/freezer/") != nullptr;
  }
  for (int i = 0; i < count_; ++i) {
    if (v1 && child::Find(groups_[i].path, "/freezer/") == nullptr) continue;
    const long fd = Open(groups_[i].path, O_PATH | O_DIRECTORY);
    if (fd < 0) continue;
    const bool frozen = FileStartsWith(int(fd), "freezer.state", 'F') ||
                        FileStartsWith(int(fd), "cgroup.freeze", '1');
    Close(int(fd));
    if (frozen) return true;
  }
  return false;
}

void Cgroups::Thaw() {
  for (int i = 0; i < count_; ++i) {
    if (child::Find(groups_[i].path, "freezer") == nullptr) continue;
    const long fd = Open(groups_[i].path, O_PATH | O_DIRECTORY);
    if (fd < 0) continue;
    WriteFileAt(int(fd), "freezer.state", "THAWED", 6);
    Close(int(fd));
  }
}

void Cgroups::KillAll() {
  constexpr int kRounds = 200;
  Thaw();
  for (int round = 0; round < kRounds; ++round) {
    int killed = 0;
    for (int i = 0; i < count_; ++i) {
      if (IsParent(groups_[i])) continue;
      const long fd = Open(groups_[i].path, O_RDONLY | O_DIRECTORY);
      if (fd < 0) continue;
      killed += KillTree(int(fd), 0);
      Close(int(fd));
    }
    if (killed == 0) return;
    SleepNs(round < 20 ? 200 * 1000 : 5 * 1000 * 1000);
  }
}

void Cgroups::RemoveAll() {
  for (int i = 0; i < count_; ++i) {
    if (!IsParent(groups_[i])) RemoveGroup(groups_[i].path, false);
  }
  // The deepest of a chain of parents was remembered last.
  for (int i = count_ - 1; i >= 0; --i) {
    if (IsParent(groups_[i])) RemoveGroup(groups_[i].path, true);
  }
  count_ = 0;
}

void ForEachGroup(int group, void (*visit)(int group, void* data), void* data) {
  VisitTree(group, visit, data, 0);
}

long OpenAttachFile(const char* procs) {
  char path[PATH_MAX];
  const char* slash = FindLast(procs, '/');
  if (slash != nullptr && Equal(slash, "/cgroup.procs")) {
    Text text(path, sizeof path);
    text.AddBytes(procs, size_t(slash - procs)).Add("/tasks");
    const long fd = Open(path, O_WRONLY);
    if (fd != -ENOENT) return fd;
  }
  return Open(procs, O_WRONLY);
}

}  // namespace containerkit::runtime::child
