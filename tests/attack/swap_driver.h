// Method X of docs/security.md: an attacker who wins every race. A program and
// all it starts run under ptrace; before the n-th system call that names a
// path inside the container, two of the container's names are exchanged.
#ifndef CONTAINERKIT_TESTS_ATTACK_SWAP_DRIVER_H_
#define CONTAINERKIT_TESTS_ATTACK_SWAP_DRIVER_H_

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace containerkit::attack {

// The container's tree, as the host sees it: calls are counted whose path is
// resolved from a directory in it.
struct Inside {
  // A directory below which everything belongs to the container, or "".
  std::string prefix;
  // Whether also file systems count that the host has not mounted (the
  // container's own tmpfs, procfs, devpts, overlay).
  bool other_file_systems = true;
};

struct Swap {
  // Exchanged with renameat2(RENAME_EXCHANGE).
  std::string one, two;
  // Before which call, from 1 on; 0: never, the calls are only counted.
  int at = 0;
  // Exchanged again right after that call.
  bool back = false;
};

struct Traced {
  int calls = 0;           // that were counted
  int exchanges = 0;       // that succeeded
  int programs = 0;        // that were executed, by the engine's processes
  int exit_code = -1;      // of the program; 128 + N for signal N
  bool timed_out = false;  // and killed
  std::string out;
  std::string err;
  std::string at_call;  // the call before which names were exchanged
};

// Runs a program under the tracer until it and everything it started has
// ended; programs of the container are let go when they are executed. The
// engine's own are the program itself and what runs from a memfd.
Traced RunTraced(const std::vector<std::string>& argv, const Inside& inside,
                 const Swap& swap, const std::string& input = "");

// The same without a tracer and an attacker; only of `argv` itself is the end
// awaited.
Traced RunPlain(const std::vector<std::string>& argv,
                const std::string& input = "");

// renameat2(RENAME_EXCHANGE).
bool Exchange(const std::string& one, const std::string& two);

// Exchanges two names as fast as it can, in a process of its own, until it is
// destroyed.
class RandomSwapper {
 public:
  RandomSwapper(const std::string& one, const std::string& two);
  ~RandomSwapper();
  RandomSwapper(const RandomSwapper&) = delete;
  RandomSwapper& operator=(const RandomSwapper&) = delete;

 private:
  pid_t pid_;
};

// Whether races at random go on after `runs` of them: until `end`, but for
// three at least; with CK_ATTACK_FULL=1 for 5,000 (security.md, S1.2).
bool GoesOn(int runs, absl::Time end);

}  // namespace containerkit::attack

#endif  // CONTAINERKIT_TESTS_ATTACK_SWAP_DRIVER_H_
