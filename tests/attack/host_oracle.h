// Oracle H of docs/security.md: the host is as it was.
#ifndef CONTAINERKIT_TESTS_ATTACK_HOST_ORACLE_H_
#define CONTAINERKIT_TESTS_ATTACK_HOST_ORACLE_H_

#include <map>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"

namespace containerkit::attack {

// A reading of the host: every entry of the canary trees (inode, type and
// mode, owner, links, size, times, extended attributes, content), the mounts,
// the cgroup directories that nobody uses, the network links, and the values
// in /proc/sys that attacks aim at.
class HostState {
 public:
  static HostState Take(const std::vector<std::string>& canaries);

  // "" or one line for everything that differs from this reading. Waits a
  // second for it to go away: a cgroup's end is asynchronous, and others on
  // the machine make and remove theirs.
  std::string DifferenceNow() const;

 private:
  std::string DifferenceTo(const HostState& other) const;

  std::vector<std::string> canaries_;
  std::map<std::string, std::string> things_;
};

// A file system of its own whose every opened, read, written or executed file
// is noticed (fanotify). Looking a path up (O_PATH, stat) is not an opening.
class Canary {
 public:
  // Mounts a tmpfs on `path`, an existing directory, and fills it with what
  // an attack could wish to find: files, directories, a link, a device
  // directory with `null`, `ptmx`, `pts/0` and `console`.
  explicit Canary(const std::string& path);
  ~Canary();
  Canary(const Canary&) = delete;
  Canary& operator=(const Canary&) = delete;

  const std::string& path() const { return path_; }
  // Opens, reads and writes since the last call.
  int TakeAccesses();

 private:
  std::string path_;
  UniqueFd notifications_;
};

// What the canary's files contain; no byte of it may appear elsewhere.
inline constexpr char kCanaryBytes[] = "HOST-BYTES-4f1d";

}  // namespace containerkit::attack

#endif  // CONTAINERKIT_TESTS_ATTACK_HOST_ORACLE_H_
