#include "lib/container/process_table.h"

#include <sched.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/container/process_table_facts.h"

namespace containerkit::container {

namespace {

using internal::ProcessContext;
using internal::ProcessFacts;

constexpr char kOperation[] = "container.top";

std::string NameOr(const std::map<uint32_t, std::string>& names, uint32_t id) {
  const auto found = names.find(id);
  return found == names.end() ? absl::StrCat(id) : found->second;
}

absl::Time Started(const ProcessFacts& p, const ProcessContext& c) {
  return c.boot + absl::Seconds(static_cast<double>(p.start_ticks) /
                                static_cast<double>(c.ticks_per_second));
}

absl::Duration Age(const ProcessFacts& p, const ProcessContext& c) {
  return std::max(c.now - Started(p, c), absl::ZeroDuration());
}

absl::Duration Used(const ProcessFacts& p, const ProcessContext& c) {
  return absl::Seconds((p.user_ticks + p.system_ticks) / c.ticks_per_second);
}

// Of one CPU, over the whole life.
double CpuPercent(const ProcessFacts& p, const ProcessContext& c) {
  const double age = absl::ToDoubleSeconds(Age(p, c));
  const double used = static_cast<double>(p.user_ticks + p.system_ticks) /
                      static_cast<double>(c.ticks_per_second);
  return age < 0.01 ? 0 : 100 * used / age;
}

uint64_t ResidentKib(const ProcessFacts& p, const ProcessContext& c) {
  return std::max<int64_t>(p.rss_pages, 0) * c.page_bytes / 1024;
}

std::string MemoryPercent(const ProcessFacts& p, const ProcessContext& c) {
  if (c.memory_bytes == 0) return "0.0";
  return absl::StrFormat("%.1f", 102400.0 *
                                     static_cast<double>(ResidentKib(p, c)) /
                                     static_cast<double>(c.memory_bytes));
}

std::string Stat(const ProcessFacts& p, const ProcessContext&) {
  std::string text(1, p.state);
  if (p.nice < 0) text += '<';
  if (p.nice > 0) text += 'N';
  if (p.locked_memory) text += 'L';
  if (p.session == p.pid) text += 's';
  if (p.threads > 1) text += 'l';
  if (p.foreground_pgrp == p.pgrp) text += '+';
  return text;
}

std::string Comm(const ProcessFacts& p, const ProcessContext&) {
  const std::string name = internal::Printable(p.comm);
  return p.state == 'Z' ? name + " <defunct>" : name;
}

std::string Command(const ProcessFacts& p, const ProcessContext&) {
  if (!p.command_line.empty()) return internal::Printable(p.command_line);
  const std::string name = absl::StrCat("[", internal::Printable(p.comm), "]");
  return p.state == 'Z' ? name + " <defunct>" : name;
}

std::string Class(const ProcessFacts& p, const ProcessContext&) {
  switch (p.policy) {
    case SCHED_OTHER:
      return "TS";
    case SCHED_FIFO:
      return "FF";
    case SCHED_RR:
      return "RR";
    case SCHED_BATCH:
      return "B";
    case SCHED_IDLE:
      return "IDL";
    default:
      return "?";
  }
}

std::string BsdTime(const ProcessFacts& p, const ProcessContext& c) {
  const int64_t seconds = absl::ToInt64Seconds(Used(p, c));
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

using Value = std::string (*)(const ProcessFacts&, const ProcessContext&);

struct Column {
  absl::string_view name;
  absl::string_view title;
  Value value;
};

// Shorthand for the table.
#define CK_COLUMN(name, title, expression)                                  \
  {                                                                         \
    name, title,                                                            \
        [](const ProcessFacts& p, const ProcessContext& c) -> std::string { \
          static_cast<void>(p), static_cast<void>(c);                       \
          return expression;                                                \
        }                                                                   \
  }

// ps(1), STANDARD FORMAT SPECIFIERS; of several names for one column all that
// are in use.
constexpr Column kColumns[] = {
    {"args", "COMMAND", Command},
    {"cmd", "CMD", Command},
    {"command", "COMMAND", Command},
    {"comm", "COMMAND", Comm},
    {"ucmd", "CMD", Comm},
    {"ucomm", "COMMAND", Comm},
    {"stat", "STAT", Stat},
    {"cls", "CLS", Class},
    {"class", "CLS", Class},
    {"policy", "POL", Class},
    {"bsdtime", "TIME", BsdTime},
    {"%mem", "%MEM", MemoryPercent},
    {"pmem", "%MEM", MemoryPercent},
    CK_COLUMN("pid", "PID", absl::StrCat(p.pid)),
    CK_COLUMN("tgid", "TGID", absl::StrCat(p.pid)),
    CK_COLUMN("ppid", "PPID", absl::StrCat(p.ppid)),
    CK_COLUMN("pgid", "PGID", absl::StrCat(p.pgrp)),
    CK_COLUMN("pgrp", "PGRP", absl::StrCat(p.pgrp)),
    CK_COLUMN("sid", "SID", absl::StrCat(p.session)),
    CK_COLUMN("sess", "SESS", absl::StrCat(p.session)),
    CK_COLUMN("session", "SESS", absl::StrCat(p.session)),
    CK_COLUMN("tpgid", "TPGID", absl::StrCat(p.foreground_pgrp)),
    CK_COLUMN("uid", "UID", absl::StrCat(p.euid)),
    CK_COLUMN("euid", "EUID", absl::StrCat(p.euid)),
    CK_COLUMN("ruid", "RUID", absl::StrCat(p.ruid)),
    CK_COLUMN("gid", "GID", absl::StrCat(p.egid)),
    CK_COLUMN("egid", "EGID", absl::StrCat(p.egid)),
    CK_COLUMN("rgid", "RGID", absl::StrCat(p.rgid)),
    CK_COLUMN("user", "USER", NameOr(c.users, p.euid)),
    CK_COLUMN("uname", "USER", NameOr(c.users, p.euid)),
    CK_COLUMN("euser", "EUSER", NameOr(c.users, p.euid)),
    CK_COLUMN("ruser", "RUSER", NameOr(c.users, p.ruid)),
    CK_COLUMN("group", "GROUP", NameOr(c.groups, p.egid)),
    CK_COLUMN("egroup", "EGROUP", NameOr(c.groups, p.egid)),
    CK_COLUMN("rgroup", "RGROUP", NameOr(c.groups, p.rgid)),
    CK_COLUMN("%cpu", "%CPU", absl::StrFormat("%.1f", CpuPercent(p, c))),
    CK_COLUMN("pcpu", "%CPU", absl::StrFormat("%.1f", CpuPercent(p, c))),
    CK_COLUMN(
        "c", "C",
        absl::StrCat(std::min<int>(99, static_cast<int>(CpuPercent(p, c))))),
    CK_COLUMN("rss", "RSS", absl::StrCat(ResidentKib(p, c))),
    CK_COLUMN("rssize", "RSS", absl::StrCat(ResidentKib(p, c))),
    CK_COLUMN("rsz", "RSZ", absl::StrCat(ResidentKib(p, c))),
    CK_COLUMN("vsz", "VSZ", absl::StrCat(p.vsize_bytes / 1024)),
    CK_COLUMN("vsize", "VSZ", absl::StrCat(p.vsize_bytes / 1024)),
    CK_COLUMN("sz", "SZ", absl::StrCat(p.vsize_bytes / c.page_bytes)),
    CK_COLUMN("tty", "TT", internal::TtyName(p.tty)),
    CK_COLUMN("tt", "TT", internal::TtyName(p.tty)),
    CK_COLUMN("tname", "TTY", internal::TtyName(p.tty)),
    CK_COLUMN("s", "S", std::string(1, p.state)),
    CK_COLUMN("state", "S", std::string(1, p.state)),
    CK_COLUMN("f", "F", absl::StrFormat("%o", p.flags >> 6 & 7)),
    CK_COLUMN("flags", "F", absl::StrFormat("%o", p.flags >> 6 & 7)),
    CK_COLUMN("nice", "NI", absl::StrCat(p.nice)),
    CK_COLUMN("ni", "NI", absl::StrCat(p.nice)),
    CK_COLUMN("pri", "PRI", absl::StrCat(39 - p.priority)),
    CK_COLUMN("nlwp", "NLWP", absl::StrCat(p.threads)),
    CK_COLUMN("thcount", "THCNT", absl::StrCat(p.threads)),
    CK_COLUMN("psr", "PSR", absl::StrCat(p.processor)),
    CK_COLUMN("time", "TIME", internal::CpuTime(Used(p, c))),
    CK_COLUMN("cputime", "TIME", internal::CpuTime(Used(p, c))),
    CK_COLUMN("etime", "ELAPSED", internal::Elapsed(Age(p, c))),
    CK_COLUMN("etimes", "ELAPSED",
              absl::StrCat(absl::ToInt64Seconds(Age(p, c)))),
    CK_COLUMN("stime", "STIME",
              internal::StartTime(Started(p, c), c.now, c.zone)),
    CK_COLUMN("start_time", "START",
              internal::StartTime(Started(p, c), c.now, c.zone)),
    CK_COLUMN("start", "STARTED",
              absl::FormatTime("%H:%M:%S", Started(p, c), c.zone)),
    CK_COLUMN("lstart", "STARTED",
              absl::FormatTime("%a %b %e %H:%M:%S %Y", Started(p, c), c.zone)),
};

#undef CK_COLUMN

// Formats that ps has a letter for.
struct Titled {
  absl::string_view name;
  absl::string_view title;
};
constexpr Titled kFull[] = {
    {"euser", "UID"},   {"pid", "PID"},   {"ppid", "PPID"}, {"c", "C"},
    {"stime", "STIME"}, {"tname", "TTY"}, {"time", "TIME"}, {"cmd", "CMD"}};
constexpr Titled kUserOriented[] = {
    {"user", "USER"},    {"pid", "PID"},     {"pcpu", "%CPU"},
    {"pmem", "%MEM"},    {"vsz", "VSZ"},     {"rss", "RSS"},
    {"tname", "TTY"},    {"stat", "STAT"},   {"start_time", "START"},
    {"bsdtime", "TIME"}, {"args", "COMMAND"}};

struct Chosen {
  std::string title;
  Value value = nullptr;
};

const Column* FindColumn(absl::string_view name) {
  for (const Column& column : kColumns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

template <size_t N>
void AddFormat(const Titled (&format)[N], std::vector<Chosen>& chosen) {
  for (const Titled& one : format) {
    chosen.push_back({std::string(one.title), FindColumn(one.name)->value});
  }
}

absl::Status Unknown(absl::string_view what, absl::string_view text) {
  return InvalidArgument(Reason::kInvalidArgument, kOperation,
                         absl::StrCat("unknown ", what, " \"", text, "\""));
}

// "pid,user=WHO"; the title reaches to the end of the argument.
absl::Status AddNames(absl::string_view list, std::vector<Chosen>& chosen) {
  while (!list.empty()) {
    const size_t end = list.find_first_of(", =");
    const absl::string_view name = list.substr(0, end);
    const bool titled = end != absl::string_view::npos && list[end] == '=';
    if (!name.empty() || titled) {
      const Column* const column = FindColumn(name);
      if (column == nullptr) return Unknown("column", name);
      chosen.push_back(
          {std::string(titled ? list.substr(end + 1) : column->title),
           column->value});
    }
    if (titled || end == absl::string_view::npos) break;
    list.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

// The arguments of ps, as far as they choose columns; which processes are
// shown is not ps's business here.
class Arguments {
 public:
  explicit Arguments(const std::vector<std::string>& words) : words_(words) {}

  absl::StatusOr<std::vector<Chosen>> Parse() {
    for (; at_ < words_.size(); ++at_) {
      const absl::string_view word = words_[at_];
      if (word.size() > 1 && word[0] == '-') {
        CK_RETURN_IF_ERROR(Letters(word.substr(1)));
      } else if (FindColumn(word) == nullptr && IsBsd(word)) {
        CK_RETURN_IF_ERROR(Letters(word));
      } else {
        CK_RETURN_IF_ERROR(AddNames(word, chosen_));
      }
    }
    if (chosen_.empty()) {
      user_ ? AddFormat(kUserOriented, chosen_) : AddFormat(kFull, chosen_);
    }
    return std::move(chosen_);
  }

 private:
  static bool IsBsd(absl::string_view word) {
    return !word.empty() &&
           word.find_first_not_of("axuwfo") == absl::string_view::npos;
  }

  absl::Status Letters(absl::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      switch (letters[i]) {
        case 'e':
        case 'A':
        case 'a':
        case 'd':
        case 'x':
        case 'w':
        case 'f':
          break;
        case 'u':
          user_ = true;
          break;
        case 'o': {
          absl::string_view list = letters.substr(i + 1);
          if (list.empty()) {
            if (++at_ == words_.size()) return Unknown("option", letters);
            list = words_[at_];
          }
          return AddNames(list, chosen_);
        }
        default:
          return Unknown("option", letters);
      }
    }
    return absl::OkStatus();
  }

  const std::vector<std::string>& words_;
  size_t at_ = 0;
  bool user_ = false;
  std::vector<Chosen> chosen_;
};

}  // namespace

absl::StatusOr<ProcessTable> ListProcesses(
    std::vector<int32_t> pids, const std::vector<std::string>& columns) {
  CK_ASSIGN_OR_RETURN(const std::vector<Chosen> chosen,
                      Arguments(columns).Parse());
  const ProcessContext context = internal::ReadProcessContext();
  ProcessTable table;
  for (const Chosen& column : chosen) table.titles.push_back(column.title);
  std::sort(pids.begin(), pids.end());
  for (const int32_t pid : pids) {
    const std::optional<ProcessFacts> facts = internal::ReadProcess(pid);
    if (!facts.has_value()) continue;
    std::vector<std::string> row;
    row.reserve(chosen.size());
    for (const Chosen& column : chosen) {
      row.push_back(column.value(*facts, context));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace containerkit::container
