// The cgroups of one container: made, killed, removed.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_CGROUPS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_CGROUPS_H_

#include <stdint.h>

namespace containerkit::runtime::child {

// What a plan made. Lives as long as the monitor.
class Cgroups {
 public:
  // mkdir -p; remembers what it made. Failures are noted (fail.h).
  long Make(const char* path);

  // Kills every process in the cgroups that Make() made, the frozen ones too;
  // waits until they are empty (bounded). Others may hold more than this
  // container.
  void KillAll();

  // Is the container paused?
  bool Frozen() const;

  // Wakes frozen processes up, so that they can die.
  void Thaw();

  // Removes what Make() made, with everything that the container made below.
  // Retries for a bounded time: the kernel keeps dead processes for a while.
  void RemoveAll();

 private:
  static constexpr int kMost = 64;
  struct Group {
    char path[500];
  };
  // Something else that was made is below it: other containers may be, too.
  bool IsParent(const Group& group) const;
  Group* Find(const char* path);
  Group* Remember(const char* path);
  long MakeOne(const char* path);

  Group* groups_ = nullptr;  // pages of their own, touched as needed
  int count_ = 0;
};

// Calls `visit` with descriptors of the group, which is borrowed, and of those
// below it.
void ForEachGroup(int group, void (*visit)(int group, void* data), void* data);

// The file through which a process moves itself into the cgroup of a
// cgroup.procs file. In v1 that is `tasks`: moving one thread by itself needs
// no grace period there.
long OpenAttachFile(const char* procs);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_CGROUPS_H_
