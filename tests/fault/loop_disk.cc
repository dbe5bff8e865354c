#include "tests/fault/loop_disk.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/unique_fd.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

// EXT4_IOC_SHUTDOWN of linux/ext4.h, which Debian 12 does not have.
constexpr unsigned long kShutdown = _IOR('X', 125, uint32_t);
constexpr uint32_t kNoLogFlush = 2;

bool Shell(const std::string& command) { return system(command.c_str()) == 0; }

}  // namespace

LoopDisk::LoopDisk(int mebibytes) {
  const char* tmp = getenv("TEST_TMPDIR");
  base_ = absl::StrCat(tmp == nullptr ? "/tmp" : tmp, "/disk-XXXXXX");
  if (mkdtemp(base_.data()) == nullptr) return;
  const std::string image = base_ + "/image";
  const std::string directory = base_ + "/disk";
  const std::string name = base_ + "/device";
  if (mkdir(directory.c_str(), 0755) != 0 ||
      !Shell(absl::StrCat(
          "truncate -s ", mebibytes, "M ", image,
          " && PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -m 0 ", image)) ||
      !Shell(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin losetup -f --show ",
                          image, " > ", name))) {
    return;
  }
  std::ifstream(name) >> device_;
  directory_ = directory;
  if (!Mount()) directory_.clear();
}

LoopDisk::~LoopDisk() {
  if (ok()) Unmount();
  if (!device_.empty()) {
    Shell(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin losetup -d ", device_));
  }
  Shell(absl::StrCat("rm -rf ", base_));
}

bool LoopDisk::Mount() {
  return mount(device_.c_str(), directory_.c_str(), "ext4", 0, nullptr) == 0;
}

bool LoopDisk::Unmount() {
  if (umount(directory_.c_str()) != 0) return false;
  // The file system lives on while another mount namespace still goes.
  const UniqueFd device(open(device_.c_str(), O_RDONLY | O_CLOEXEC));
  return Eventually([&] {
    return UniqueFd(open(device_.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC)).ok();
  });
}

void LoopDisk::FillUpTo(int64_t left_kib) {
  Empty();
  struct statvfs info;
  if (statvfs(directory_.c_str(), &info) != 0) return;
  const int64_t free_bytes =
      static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_bsize);
  const int64_t size = free_bytes - left_kib * 1024;
  const UniqueFd fd(open((directory_ + "/ballast").c_str(),
                         O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  // Extents of a large file need blocks too: a little less, then.
  for (int64_t less = 0; size > less; less += 4096) {
    if (fallocate(fd.get(), 0, 0, size - less) == 0) return;
  }
}

void LoopDisk::Empty() { unlink((directory_ + "/ballast").c_str()); }

bool LoopDisk::Cut() {
  const UniqueFd fd(
      open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  uint32_t how = kNoLogFlush;
  return fd.ok() && ioctl(fd.get(), kShutdown, &how) == 0;
}

bool LoopDisk::Restore() { return Unmount() && Mount(); }

}  // namespace containerkit::testing
