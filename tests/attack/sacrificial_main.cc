// gtest's main in a mount namespace of its own: what an attack mounts, or a
// test for itself, is not there for anybody else and gone at the end.
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "gtest/gtest.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (geteuid() == 0 &&
      (unshare(CLONE_NEWNS) != 0 ||
       mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)) {
    perror("a mount namespace for the tests");
    return 1;
  }
  return RUN_ALL_TESTS();
}
