#include "lib/runtime/child/state_writer.h"

#include <linux/falloc.h>
#include <stddef.h>

#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {

uint32_t RecordChecksum(const StateRecord& record) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&record);
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < offsetof(StateRecord, checksum); ++i) {
    hash = (hash ^ bytes[i]) * 16777619u;
  }
  return hash;
}

long StateWriter::Open(int directory, const uint8_t boot_id[16]) {
  directory_ = directory;
  memcpy(boot_id_, boot_id, sizeof boot_id_);
  const long fd =
      OpenAt(directory, "state",
             O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_NOFOLLOW, 0600);
  if (fd < 0) return fd;
  fd_ = int(fd);
  // How the container ended is told on a full disk too. Not every file system
  // can reserve.
  const long reserved =
      Sys(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, kReserved);
  return reserved == -ENOSPC || reserved == -EDQUOT ? reserved : 0;
}

void StateWriter::Append(const Event& event) {
  if (fd_ < 0) return;
  StateRecord record;
  memset(&record, 0, sizeof record);
  record.event = event;
  memcpy(record.boot_id, boot_id_, sizeof boot_id_);
  record.monitor_pid = int32_t(Sys(SYS_getpid));
  record.checksum = RecordChecksum(record);
  if (last_ == nullptr) {
    last_ =
        static_cast<StateRecord*>(AllocatePages(sizeof(StateRecord) * kTypes));
  }
  const auto type = uint32_t(event.type);
  if (last_ != nullptr && type < kTypes) {
    last_[type] = record;
    order_[type] = ++sequence_;
  }
  const long result = WriteAll(fd_, &record, sizeof record);
  // A new file may have what this one could not take.
  const bool anew = result < 0 || ++records_ >= kMostRecords;
  if (anew && last_ != nullptr) Compact();
}

void StateWriter::Compact() {
  const long fd =
      OpenAt(directory_, "state.new",
             O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  long result = 0;
  uint32_t written = 0;
  for (uint32_t at = 0; result == 0;) {
    int next = -1;
    for (int i = 0; i < kTypes; ++i) {
      if (order_[i] > at && (next < 0 || order_[i] < order_[next])) next = i;
    }
    if (next < 0) break;
    at = order_[next];
    result = WriteAll(int(fd), &last_[next], sizeof last_[next]);
    ++written;
  }
  if (result == 0) {
    result =
        Sys(SYS_renameat2, directory_, "state.new", directory_, "state", 0);
  }
  if (result < 0) {
    Close(int(fd));
    return;
  }
  Close(fd_);
  fd_ = int(fd);
  records_ = written;
}

}  // namespace containerkit::runtime::child
