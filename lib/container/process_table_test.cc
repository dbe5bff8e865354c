#include "lib/container/process_table.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/container/process_table_facts.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

TEST(ProcessFactsTest, ReadsStatWithAHostileName) {
  internal::ProcessFacts facts;
  ASSERT_TRUE(internal::ParseStat(
      "42 (a) R (b\n) S 7 42 40 34816 42 4194560 1 2 3 4 250 50 7 8 20 -5 3 0 "
      "12345 10485760 512 18446744073709551615 1 2 3 4 5 6 7 8 9 10 11 12 17 "
      "1 0 1 0 0 0\n",
      &facts));
  EXPECT_EQ(facts.comm, "a) R (b\n");
  EXPECT_EQ(facts.state, 'S');
  EXPECT_EQ(facts.ppid, 7);
  EXPECT_EQ(facts.session, 40);
  EXPECT_EQ(facts.user_ticks, 250);
  EXPECT_EQ(facts.system_ticks, 50);
  EXPECT_EQ(facts.nice, -5);
  EXPECT_EQ(facts.threads, 3);
  EXPECT_EQ(facts.start_ticks, 12345);
  EXPECT_EQ(facts.vsize_bytes, 10485760);
  EXPECT_EQ(facts.rss_pages, 512);
  EXPECT_EQ(facts.processor, 1);
  EXPECT_EQ(facts.policy, 1);
  EXPECT_FALSE(internal::ParseStat("", &facts));
  EXPECT_FALSE(internal::ParseStat("42 (x) S 1 2", &facts));
  EXPECT_FALSE(internal::ParseStat(")(", &facts));
}

TEST(ProcessFactsTest, ReadsIdsFromStatus) {
  internal::ProcessFacts facts;
  internal::ParseStatus(
      "Name:\tUid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nVmLck:\t   8 kB\n",
      &facts);
  EXPECT_EQ(facts.ruid, 1);
  EXPECT_EQ(facts.euid, 2);
  EXPECT_EQ(facts.rgid, 5);
  EXPECT_EQ(facts.egid, 6);
  EXPECT_TRUE(facts.locked_memory);
}

TEST(ProcessFactsTest, SpellsAsPs) {
  EXPECT_EQ(internal::TtyName(0), "?");
  EXPECT_EQ(internal::TtyName(34816), "pts/0");
  EXPECT_EQ(internal::TtyName(137 << 8 | 3), "pts/259");
  EXPECT_EQ(internal::TtyName(4 << 8 | 1), "tty1");
  EXPECT_EQ(internal::TtyName(4 << 8 | 65), "ttyS1");
  EXPECT_EQ(internal::CpuTime(absl::Seconds(3725)), "01:02:05");
  EXPECT_EQ(internal::CpuTime(absl::Hours(50)), "2-02:00:00");
  EXPECT_EQ(internal::Elapsed(absl::Seconds(65)), "01:05");
  EXPECT_EQ(internal::Elapsed(absl::Hours(3)), "03:00:00");
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time now =
      absl::FromCivil(absl::CivilSecond(2024, 5, 20, 12, 0, 0), utc);
  EXPECT_EQ(internal::StartTime(now - absl::Hours(11), now, utc), "01:00");
  EXPECT_EQ(internal::StartTime(now - absl::Hours(13), now, utc), "May19");
  EXPECT_EQ(internal::StartTime(now - absl::Hours(9000), now, utc), "2023");
  EXPECT_EQ(internal::Printable("a\x1b[1m\n\xc3\xa9"), "a?[1m?\xc3\xa9");
}

TEST(ProcessTableTest, HasDockersColumns) {
  CK_ASSERT_OK_AND_ASSIGN(const ProcessTable table,
                          ListProcesses({getpid()}, {}));
  EXPECT_THAT(table.titles, ElementsAre("UID", "PID", "PPID", "C", "STIME",
                                        "TTY", "TIME", "CMD"));
  ASSERT_EQ(table.rows.size(), 1);
  const std::vector<std::string>& row = table.rows[0];
  ASSERT_EQ(row.size(), 8);
  EXPECT_EQ(row[1], absl::StrCat(getpid()));
  EXPECT_EQ(row[2], absl::StrCat(getppid()));
  EXPECT_THAT(row[3], MatchesRegex("[0-9]+"));
  EXPECT_THAT(row[4], MatchesRegex("[0-9][0-9]:[0-9][0-9]|[A-Z][a-z]+[0-9]+"));
  EXPECT_THAT(row[6], MatchesRegex("00:00:[0-9][0-9]"));
  EXPECT_THAT(row[7], ::testing::HasSubstr("process_table_test"));
}

TEST(ProcessTableTest, TakesNamesAndPsArguments) {
  const auto titles = [](const std::vector<std::string>& columns) {
    const auto table = ListProcesses({}, columns);
    CK_EXPECT_OK(table);
    return table.value_or(ProcessTable()).titles;
  };
  EXPECT_THAT(titles({"pid", "comm", "args"}),
              ElementsAre("PID", "COMMAND", "COMMAND"));
  EXPECT_THAT(titles({"-o", "pid,user=WHO IS IT"}),
              ElementsAre("PID", "WHO IS IT"));
  EXPECT_THAT(titles({"-eo", "pid,etime"}), ElementsAre("PID", "ELAPSED"));
  EXPECT_THAT(titles({"-opid,cmd="}), ElementsAre("PID", ""));
  EXPECT_THAT(titles({"-ef"}).size(), 8);
  EXPECT_THAT(titles({"aux"}),
              ElementsAre("USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY",
                          "STAT", "START", "TIME", "COMMAND"));
}

TEST(ProcessTableTest, EveryColumnHasAValue) {
  CK_ASSERT_OK_AND_ASSIGN(
      const ProcessTable table,
      ListProcesses({getpid()},
                    {"pid,ppid,pgid,sid,uid,user,gid,group,comm,args,cmd,"
                     "command,pcpu,pmem,c,rss,vsz,sz,etime,etimes,time,tty,"
                     "stat,s,f,nice,pri,nlwp,psr,stime,start,lstart,cls,"
                     "bsdtime"}));
  ASSERT_EQ(table.rows.size(), 1);
  for (size_t i = 0; i < table.titles.size(); ++i) {
    EXPECT_FALSE(table.rows[0][i].empty()) << table.titles[i];
  }
}

TEST(ProcessTableTest, ShowsZombiesAndLeavesOutTheDead) {
  char path[] = "/bin/true";
  char* argv[] = {path, nullptr};
  pid_t pid = 0;
  ASSERT_EQ(posix_spawn(&pid, path, nullptr, nullptr, argv, nullptr), 0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
  CK_ASSERT_OK_AND_ASSIGN(ProcessTable table,
                          ListProcesses({pid}, {"stat", "comm", "args"}));
  EXPECT_THAT(table.rows,
              ElementsAre(ElementsAre(::testing::StartsWith("Z"),
                                      "true <defunct>", "[true] <defunct>")));
  ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED), 0);
  CK_ASSERT_OK_AND_ASSIGN(table, ListProcesses({pid}, {}));
  EXPECT_THAT(table.rows, IsEmpty());
}

TEST(ProcessTableTest, UnknownColumnsAreErrors) {
  for (const std::vector<std::string>& bad :
       std::vector<std::vector<std::string>>{
           {"colour"}, {"pid", "x y"}, {"-o"}, {"-Z"}, {"-o", "pid,,bad"}}) {
    EXPECT_THAT(
        ListProcesses({}, bad),
        StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
  }
}

}  // namespace
}  // namespace containerkit::container
