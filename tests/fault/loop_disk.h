// A small ext4 file system on a loop device, which a test may fill up or cut
// off.
#ifndef CONTAINERKIT_TESTS_FAULT_LOOP_DISK_H_
#define CONTAINERKIT_TESTS_FAULT_LOOP_DISK_H_

#include <cstdint>
#include <string>

namespace containerkit::testing {

class LoopDisk {
 public:
  // Makes and mounts it; ok() tells whether that went well.
  explicit LoopDisk(int mebibytes);
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  bool ok() const { return !directory_.empty(); }
  // Where it is mounted.
  const std::string& directory() const { return directory_; }

  // A file that takes what is free, but for `left` KiB; replaces the one
  // before.
  void FillUpTo(int64_t left_kib);
  void Empty();

  // From now on nothing reaches the disk, what is in memory is lost: a power
  // cut. Everything on it fails until Restore().
  bool Cut();
  // Takes it off and mounts it again: the journal is replayed.
  bool Restore();

 private:
  bool Mount();
  bool Unmount();

  std::string base_;  // directory of the image and the mount point
  std::string device_;
  std::string directory_;
};

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_TESTS_FAULT_LOOP_DISK_H_
