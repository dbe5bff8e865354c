// The state file: what outlives the monitor (monitor_wire.h, StateRecord).
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_STATE_WRITER_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_STATE_WRITER_H_

#include <stdint.h>

#include "lib/runtime/monitor_wire.h"

namespace containerkit::runtime::child {

// FNV-1a of a record without its checksum.
uint32_t RecordChecksum(const StateRecord& record);

class StateWriter {
 public:
  // Opens `state` in the directory, empties it, reserves disk space for some
  // records. -errno.
  long Open(int directory, const uint8_t boot_id[16]);

  // Appends a record. After many of them the file is replaced by one with the
  // last record of each type.
  void Append(const Event& event);

 private:
  static constexpr int kTypes = 8;
  static constexpr uint32_t kMostRecords = 128;
  static constexpr long kReserved = 4096;  // bytes

  void Compact();

  int directory_ = -1;
  int fd_ = -1;
  uint32_t records_ = 0;
  uint32_t sequence_ = 0;
  uint8_t boot_id_[16] = {};
  // The last record of each type, and when it came.
  StateRecord* last_ = nullptr;
  uint32_t order_[kTypes] = {};
};

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_STATE_WRITER_H_
