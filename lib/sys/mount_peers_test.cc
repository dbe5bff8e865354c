#include "lib/sys/mount_peers.h"

#include <fcntl.h>

#include <optional>

#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/matchers.h"

namespace containerkit::sys {
namespace {

constexpr char kMountinfo[] =
    "21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
    "22 21 0:5 / /both\\040ways rw,nosuid shared:3 master:2 - tmpfs none rw\n"
    "2 21 0:6 / /told rw master:1 propagate_from:2 - tmpfs none rw\n"
    "24 21 0:7 / /alone rw - tmpfs shared:1 rw\n"
    "25 21\n";

TEST(MountPeersTest, OptionalFieldsTell) {
  const auto find = [](const char* id) {
    return FindMountPeers(kMountinfo, id);
  };
  EXPECT_EQ(find("21"), (MountPeers{"/", true, false}));
  EXPECT_EQ(find("22"), (MountPeers{"/both\\040ways", true, true}));
  EXPECT_EQ(find("2"), (MountPeers{"/told", false, true}));
  EXPECT_EQ(find("24"), (MountPeers{"/alone", false, false}));
  EXPECT_EQ(find("25"), std::nullopt);
  EXPECT_EQ(find("1"), std::nullopt);
}

TEST(MountPeersTest, AFileIsOnTheMountThatHasIt) {
  const UniqueFd proc(open("/proc/version", O_PATH | O_CLOEXEC));
  CK_ASSERT_OK_AND_ASSIGN(const MountPeers peers, MountPeersOf(proc.get()));
  EXPECT_EQ(peers.mount_point, "/proc");
}

}  // namespace
}  // namespace containerkit::sys
