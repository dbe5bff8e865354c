// What /proc says about one process, and how ps(1) spells it. Internal to
// process_table.
#ifndef CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_FACTS_H_
#define CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace containerkit::container::internal {

struct ProcessFacts {
  int32_t pid = 0;
  // proc(5), stat
  std::string comm;
  char state = '?';
  int64_t ppid = 0, pgrp = 0, session = 0, tty = 0, foreground_pgrp = 0;
  uint64_t flags = 0;
  uint64_t user_ticks = 0, system_ticks = 0;
  int64_t priority = 0, nice = 0, threads = 0;
  uint64_t start_ticks = 0;  // since boot
  uint64_t vsize_bytes = 0;
  int64_t rss_pages = 0;
  int64_t processor = 0;
  uint64_t policy = 0;
  // proc(5), status: real and effective
  uint32_t ruid = 0, euid = 0, rgid = 0, egid = 0;
  bool locked_memory = false;
  std::string command_line;  // arguments with blanks between; may be empty
};

// Reads the fields of /proc/PID/stat. Pure.
//
// Trust: the name in it is the container's and may have blanks, brackets and
// newlines. False if it is not such a line.
bool ParseStat(absl::string_view text, ProcessFacts* facts);
// The same for /proc/PID/status. Pure.
void ParseStatus(absl::string_view text, ProcessFacts* facts);

// nullopt if the process has ended.
std::optional<ProcessFacts> ReadProcess(int32_t pid);

// What the columns need beside the process.
struct ProcessContext {
  absl::Time now;
  absl::Time boot;
  absl::TimeZone zone;
  uint64_t ticks_per_second = 100;
  uint64_t page_bytes = 4096;
  uint64_t memory_bytes = 0;
  std::map<uint32_t, std::string> users;   // of the host
  std::map<uint32_t, std::string> groups;  // of the host
};

ProcessContext ReadProcessContext();

// "pts/3", "tty1", "?" (stat's tty_nr).
std::string TtyName(int64_t device);
// "00:01:02", "3-00:01:02".
std::string CpuTime(absl::Duration time);
// ps's etime: "01:02", "10:00:00", "3-00:01:02".
std::string Elapsed(absl::Duration time);
// ps's stime: "14:05" today, "Nov23" this year, else "2023".
std::string StartTime(absl::Time time, absl::Time now,
                      const absl::TimeZone& zone);
// Control bytes as '?'.
std::string Printable(absl::string_view text);

}  // namespace containerkit::container::internal

#endif  // CONTAINERKIT_LIB_CONTAINER_PROCESS_TABLE_FACTS_H_
