#include "lib/runtime/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::runtime {
namespace {

TEST(MountOptionsTest, SortsByUse) {
  const MountOptions o =
      ParseMountOptions({"nosuid", "noexec", "ro", "mode=755", "size=64k",
                         "rslave", "tmpcopyup", "noatime", "defaults"});
  EXPECT_EQ(o.attr_set, uint64_t{MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
                                 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME});
  EXPECT_EQ(o.attr_clear, uint64_t{MOUNT_ATTR__ATIME});
  EXPECT_EQ(o.data, (std::vector<std::string>{"mode=755", "size=64k"}));
  EXPECT_EQ(o.propagation, std::vector<uint64_t>{MS_SLAVE | MS_REC});
  EXPECT_TRUE(o.copy_up);
  EXPECT_FALSE(o.bind);
}

TEST(MountOptionsTest, LaterOnesWin) {
  EXPECT_EQ(ParseMountOptions({"ro", "rw"}).attr_set, 0u);
  EXPECT_EQ(ParseMountOptions({"ro", "rw"}).attr_clear,
            uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(ParseMountOptions({"rw", "ro"}).attr_set,
            uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(ParseMountOptions({"rw", "ro"}).attr_clear, 0u);
  EXPECT_EQ(ParseMountOptions({"noatime", "strictatime"}).attr_set,
            uint64_t{MOUNT_ATTR_STRICTATIME});
  EXPECT_EQ(ParseMountOptions({"noatime", "relatime"}).attr_set, 0u);
}

TEST(MountOptionsTest, TreeForms) {
  const MountOptions o = ParseMountOptions({"rbind", "rro", "rnosuid", "rdev"});
  EXPECT_TRUE(o.bind);
  EXPECT_TRUE(o.recursive);
  EXPECT_EQ(o.attr_set, 0u);
  EXPECT_EQ(o.tree_set, uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID});
  EXPECT_EQ(o.tree_clear, uint64_t{MOUNT_ATTR_NODEV});
  // These begin with an r of their own.
  EXPECT_EQ(ParseMountOptions({"relatime"}).tree_clear, 0u);
  EXPECT_TRUE(ParseMountOptions({"remount"}).remount);
  EXPECT_EQ(ParseMountOptions({"rootcontext=x"}).data.size(), 1u);
}

TEST(MountOptionsTest, EveryOptionOfTheSpecHasAMeaning) {
  for (const char* name :
       {"async",         "atime",        "bind",        "defaults",
        "dev",           "diratime",     "dirsync",     "exec",
        "iversion",      "lazytime",     "loud",        "mand",
        "noatime",       "nodev",        "nodiratime",  "noexec",
        "noiversion",    "nolazytime",   "nomand",      "norelatime",
        "nostrictatime", "nosuid",       "nosymfollow", "private",
        "ratime",        "rbind",        "rdev",        "rdiratime",
        "relatime",      "remount",      "rexec",       "rnoatime",
        "rnodiratime",   "rnoexec",      "rnorelatime", "rnostrictatime",
        "rnosuid",       "rnosymfollow", "ro",          "rprivate",
        "rrelatime",     "rro",          "rrw",         "rshared",
        "rslave",        "rstrictatime", "rsuid",       "rsymfollow",
        "runbindable",   "rw",           "shared",      "silent",
        "slave",         "strictatime",  "suid",        "symfollow",
        "sync",          "tmpcopyup",    "unbindable",  "idmap",
        "ridmap"}) {
    const std::vector<std::string> known = KnownMountOptions();
    EXPECT_NE(std::find(known.begin(), known.end(), name), known.end()) << name;
  }
}

TEST(MountOptionsTest, Propagation) {
  EXPECT_EQ(PropagationFlag("rshared"), uint64_t{MS_SHARED | MS_REC});
  EXPECT_EQ(PropagationFlag("unbindable"), uint64_t{MS_UNBINDABLE});
  EXPECT_EQ(PropagationFlag("ro"), 0u);
  EXPECT_EQ(PropagationFlag(""), 0u);
}

}  // namespace
}  // namespace containerkit::runtime
