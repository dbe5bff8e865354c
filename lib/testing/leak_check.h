// Nothing left behind: what a test may not change on the machine.
#ifndef CONTAINERKIT_LIB_TESTING_LEAK_CHECK_H_
#define CONTAINERKIT_LIB_TESTING_LEAK_CHECK_H_

#include <set>
#include <string>

namespace containerkit::testing {

// A reading of what containers are made of: descriptors of this process,
// mounts, cgroup directories, network links and processes below this one.
//
//   const Snapshot before = Snapshot::Take();
//   ...
//   EXPECT_EQ(Snapshot::WaitUntilBackTo(before), "");
//
// Take() makes the calling process a child subreaper, so that orphans of
// what it started stay visible, and reaps what has already ended.
class Snapshot {
 public:
  static Snapshot Take();

  // Waits up to two seconds (teardown of namespaces is asynchronous in the
  // kernel) and answers "" or one line a thing that is there and was not.
  static std::string WaitUntilBackTo(const Snapshot& before);

 private:
  std::string ExtraOver(const Snapshot& before) const;

  std::set<std::string> things_;
};

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_LIB_TESTING_LEAK_CHECK_H_
