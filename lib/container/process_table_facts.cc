#include "lib/container/process_table_facts.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "lib/sys/file_util.h"

namespace containerkit::container::internal {

namespace {

// Arguments may be as long as the container likes; ps(1) cuts at 128 KiB.
constexpr size_t kMaxBytes = 128 << 10;
constexpr size_t kMaxDatabaseBytes = 16 << 20;

template <typename T>
T Number(absl::string_view text) {
  T value = 0;
  return absl::SimpleAtoi(text, &value) ? value : 0;
}

std::string ReadProc(const std::string& path, size_t max_bytes) {
  return sys::ReadFileAt(AT_FDCWD, path, max_bytes).value_or("");
}

// The arguments, cut rather than refused when they are long.
std::string ReadCommandLine(int32_t pid) {
  const auto fd =
      sys::OpenAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/cmdline"), O_RDONLY);
  if (!fd.ok()) return "";
  std::string text(kMaxBytes, '\0');
  size_t size = 0;
  ssize_t n;
  while (size < text.size() &&
         (n = read(fd->get(), text.data() + size, text.size() - size)) > 0) {
    size += n;
  }
  text.resize(size);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

// Names by id of a passwd(5) or group(5) file.
std::map<uint32_t, std::string> ReadNames(const std::string& path) {
  std::map<uint32_t, std::string> names;
  const std::string text = ReadProc(path, kMaxDatabaseBytes);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    uint32_t id = 0;
    if (fields.size() > 2 && absl::SimpleAtoi(fields[2], &id)) {
      names.emplace(id, fields[0]);
    }
  }
  return names;
}

// The number behind `key` in a "key value" file, 0 if there is none.
uint64_t Lookup(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, key)) continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (!words.empty()) return Number<uint64_t>(words[0]);
  }
  return 0;
}

}  // namespace

bool ParseStat(absl::string_view text, ProcessFacts* facts) {
  // pid (name) state ppid ...; the name itself may have brackets.
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == absl::string_view::npos || close == absl::string_view::npos ||
      close < open) {
    return false;
  }
  facts->comm = std::string(text.substr(open + 1, close - open - 1));
  // Field n of proc(5) is words[n - 3].
  const std::vector<absl::string_view> words = absl::StrSplit(
      text.substr(close + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  if (words.size() < 39) return false;
  facts->state = words[0][0];
  facts->ppid = Number<int64_t>(words[1]);
  facts->pgrp = Number<int64_t>(words[2]);
  facts->session = Number<int64_t>(words[3]);
  facts->tty = Number<int64_t>(words[4]);
  facts->foreground_pgrp = Number<int64_t>(words[5]);
  facts->flags = Number<uint64_t>(words[6]);
  facts->user_ticks = Number<uint64_t>(words[11]);
  facts->system_ticks = Number<uint64_t>(words[12]);
  facts->priority = Number<int64_t>(words[15]);
  facts->nice = Number<int64_t>(words[16]);
  facts->threads = Number<int64_t>(words[17]);
  facts->start_ticks = Number<uint64_t>(words[19]);
  facts->vsize_bytes = Number<uint64_t>(words[20]);
  facts->rss_pages = Number<int64_t>(words[21]);
  facts->processor = Number<int64_t>(words[36]);
  facts->policy = Number<uint64_t>(words[38]);
  return true;
}

void ParseStatus(absl::string_view text, ProcessFacts* facts) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const bool uid = absl::ConsumePrefix(&line, "Uid:");
    const bool gid = !uid && absl::ConsumePrefix(&line, "Gid:");
    if (!uid && !gid) continue;
    const std::vector<absl::string_view> ids =
        absl::StrSplit(line, '\t', absl::SkipEmpty());
    if (ids.size() < 2) continue;
    (uid ? facts->ruid : facts->rgid) = Number<uint32_t>(ids[0]);
    (uid ? facts->euid : facts->egid) = Number<uint32_t>(ids[1]);
  }
  facts->locked_memory = Lookup(text, "VmLck:") != 0;
}

std::optional<ProcessFacts> ReadProcess(int32_t pid) {
  ProcessFacts facts;
  facts.pid = pid;
  const std::string directory = absl::StrCat("/proc/", pid);
  if (!ParseStat(ReadProc(directory + "/stat", kMaxBytes), &facts)) {
    return std::nullopt;
  }
  ParseStatus(ReadProc(directory + "/status", kMaxBytes), &facts);
  facts.command_line = ReadCommandLine(pid);
  return facts;
}

ProcessContext ReadProcessContext() {
  ProcessContext context;
  context.now = absl::Now();
  context.boot =
      absl::FromUnixSeconds(Lookup(ReadProc("/proc/stat", 1 << 20), "btime"));
  // Not absl::LocalTimeZone(), which reads the environment.
  if (!absl::LoadTimeZone("/etc/localtime", &context.zone)) {
    context.zone = absl::UTCTimeZone();
  }
  context.ticks_per_second = std::max(sysconf(_SC_CLK_TCK), 1L);
  context.page_bytes = std::max(sysconf(_SC_PAGESIZE), 1L);
  context.memory_bytes =
      1024 * Lookup(ReadProc("/proc/meminfo", kMaxBytes), "MemTotal:");
  context.users = ReadNames("/etc/passwd");
  context.groups = ReadNames("/etc/group");
  return context;
}

std::string TtyName(int64_t device) {
  const unsigned major = gnu_dev_major(static_cast<dev_t>(device));
  const unsigned minor = gnu_dev_minor(static_cast<dev_t>(device));
  // Documentation/admin-guide/devices.txt
  if (major >= 136 && major <= 143) {
    return absl::StrCat("pts/", minor + (major - 136) * 256);
  }
  if (major == 4) {
    return minor < 64 ? absl::StrCat("tty", minor)
                      : absl::StrCat("ttyS", minor - 64);
  }
  if (major == 5 && minor == 1) return "console";
  return "?";
}

std::string CpuTime(absl::Duration time) {
  const int64_t seconds = absl::ToInt64Seconds(time);
  const std::string clock = absl::StrFormat(
      "%02d:%02d:%02d", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
  if (seconds < 86400) return clock;
  return absl::StrCat(seconds / 86400, "-", clock);
}

std::string Elapsed(absl::Duration time) {
  const std::string clock = CpuTime(std::max(time, absl::ZeroDuration()));
  return time < absl::Hours(1) ? clock.substr(3) : clock;
}

std::string StartTime(absl::Time time, absl::Time now,
                      const absl::TimeZone& zone) {
  const absl::CivilDay day = absl::ToCivilDay(time, zone);
  const absl::CivilDay today = absl::ToCivilDay(now, zone);
  if (day == today) return absl::FormatTime("%H:%M", time, zone);
  if (day.year() == today.year()) return absl::FormatTime("%b%d", time, zone);
  return absl::StrCat(day.year());
}

std::string Printable(absl::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) c = '?';
  }
  return out;
}

}  // namespace containerkit::container::internal
