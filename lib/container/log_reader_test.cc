#include "lib/container/log_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"
#include "lib/container/log_reader_line.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Line(absl::string_view escaped, int second,
                 absl::string_view stream = "stdout") {
  return absl::StrCat(R"({"log":")", escaped, R"(","stream":")", stream,
                      R"(","time":"2024-01-01T00:00:)",
                      absl::Dec(second, absl::kZeroPad2), R"(.5Z"})", "\n");
}

absl::Time At(int second) { return absl::FromUnixSeconds(1704067200 + second); }

TEST(LogLineTest, UndoesEscapes) {
  LogLine line;
  ASSERT_TRUE(ParseLogLine(
      R"({"log":"a\tb\"\\\/\u00e9\ud83d\ude00\u0000\r\n","stream":"stderr",)"
      R"("attrs":{"a":["x",{"b":1}],"c":null},)"
      R"("time":"2024-02-29T12:34:56.000000789Z"})",
      &line));
  EXPECT_EQ(line.text, std::string("a\tb\"\\/\u00e9\U0001F600\0\r\n", 15));
  EXPECT_EQ(line.stream, Output::Stream::kStderr);
  EXPECT_EQ(line.time_ns, 1709210096000000789);
}

TEST(LogLineTest, KeepsBytesThatAreNotUtf8) {
  LogLine line;
  std::string text = Line("\xff\xfe", 1);
  text.pop_back();
  ASSERT_TRUE(ParseLogLine(text, &line));
  EXPECT_EQ(line.text, "\xff\xfe");
}

TEST(LogLineTest, TimesOfAnyOffsetAndLength) {
  const struct {
    const char* text;
    int64_t ns;
  } kCases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.9Z", -100000000},
      {"2000-03-01T00:00:00Z", 951868800000000000},
      {"2024-01-01T01:00:00+01:00", 1704067200000000000},
      {"2024-01-01T00:00:00.123456789Z", 1704067200123456789},
  };
  for (const auto& one : kCases) {
    LogLine line;
    ASSERT_TRUE(
        ParseLogLine(absl::StrCat(R"({"log":"","stream":"stdout","time":")",
                                  one.text, R"("})"),
                     &line))
        << one.text;
    EXPECT_EQ(line.time_ns, one.ns) << one.text;
  }
}

TEST(LogLineTest, FindsTheRecordBehindATornOne) {
  LogLine line;
  std::string text = absl::StrCat(R"({"log":"half of)", Line("whole", 1));
  text.pop_back();
  ASSERT_TRUE(ParseLogLine(text, &line));
  EXPECT_EQ(line.text, "whole");
}

TEST(LogLineTest, RefusesDamage) {
  const std::string whole = Line("a\\u0041", 1);
  LogLine line;
  // Without the newline and the last n bytes.
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    EXPECT_FALSE(ParseLogLine(whole.substr(0, size), &line)) << size;
  }
  for (const char* bad : {
           "[]",
           "{}",
           R"({"log":"x"})",
           "null",
           R"({"log":"\x","stream":"stdout","time":"2024-01-01T00:00:00Z"})",
           R"({"log":"\ud83dx","stream":"a","time":"2024-01-01T00:00:00Z"})",
           R"({"log":"x","stream":"stdin","time":"2024-01-01T00:00:00Z"})",
           R"({"log":"x","stream":"stdout","time":"yesterday"})",
           R"({"log":"x","stream":"stdout","time":"2024-13-01T00:00:00Z"})",
       }) {
    EXPECT_FALSE(ParseLogLine(bad, &line)) << bad;
  }
  EXPECT_FALSE(ParseLogLine(
      absl::StrCat(R"({"attrs":)", std::string(100000, '[')), &line));
}

class LogReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/logXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
    dir_ = UniqueFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { CK_EXPECT_OK(sys::RemoveTreeAt(AT_FDCWD, path_)); }

  void Append(absl::string_view text, const std::string& name = "log.json") {
    UniqueFd fd(openat(dir_.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    CK_ASSERT_OK(sys::WriteAll(fd.get(), text));
  }
  void Rename(const std::string& from, const std::string& to) {
    ASSERT_EQ(renameat(dir_.get(), from.c_str(), dir_.get(), to.c_str()), 0);
  }

  std::vector<std::string> Read(const LogOptions& options) {
    std::vector<std::string> lines;
    CK_EXPECT_OK(ReadLogs(dir_.get(), options, nullptr, [&](const Output& o) {
      lines.emplace_back(o.data);
      return true;
    }));
    return lines;
  }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(LogReaderTest, NoLogIsAnEmptyLog) {
  EXPECT_THAT(Read({}), IsEmpty());
  EXPECT_THAT(Read({.tail = 3}), IsEmpty());
}

TEST_F(LogReaderTest, ReadsRotatedFilesOldestFirst) {
  Append(Line("1", 1), "log.json.2");
  Append(Line("2", 2), "log.json.1");
  Append(Line("3", 3));
  Append("{\"log\":\"torn");
  EXPECT_THAT(Read({}), ElementsAre("1", "2", "3"));
}

TEST_F(LogReaderTest, SelectsStreamsAndTimes) {
  for (int i = 0; i < 10; ++i) {
    Append(Line(absl::StrCat(i, "\\n"), i, i % 2 == 0 ? "stdout" : "stderr"));
  }
  EXPECT_THAT(Read({.stderr_stream = false, .since = At(3)}),
              ElementsAre("4\n", "6\n", "8\n"));
  EXPECT_THAT(Read({.stdout_stream = false, .until = At(4)}),
              ElementsAre("1\n", "3\n"));
  EXPECT_THAT(Read({.tail = 2, .until = At(4)}), ElementsAre("2\n", "3\n"));
  EXPECT_THAT(Read({.tail = 5, .since = At(8)}), ElementsAre("8\n", "9\n"));
  EXPECT_THAT(Read({.stdout_stream = false, .tail = 2}),
              ElementsAre("7\n", "9\n"));
}

TEST_F(LogReaderTest, TailCrossesFilesAndCountsWholeLines) {
  Append(Line("1\\n", 1) + Line("2", 1), "log.json.1");
  Append(Line("2\\n", 2) + Line("3", 2) + Line("3\\n", 3) + Line("4", 4));
  EXPECT_THAT(Read({.tail = 0}), IsEmpty());
  EXPECT_THAT(Read({.tail = 1}), ElementsAre("4"));
  EXPECT_THAT(Read({.tail = 2}), ElementsAre("3", "3\n", "4"));
  EXPECT_THAT(Read({.tail = 3}), ElementsAre("2", "2\n", "3", "3\n", "4"));
  EXPECT_THAT(Read({.tail = 4}).size(), 6);
  EXPECT_THAT(Read({.tail = 100}).size(), 6);
}

TEST_F(LogReaderTest, TailAgreesWithACompleteReadWhateverTheBlocks) {
  std::string text;
  std::vector<std::string> all;
  for (int i = 0; i < 2000; ++i) {
    const std::string data(i * 7919 % 1500, 'a' + i % 26);
    text += Line(data + "\\n", i % 60);
    all.push_back(data + "\n");
    if (i % 500 == 499) text += "damaged\n";
  }
  Append(text + "{\"log\":\"torn");
  ASSERT_EQ(Read({}), all);
  for (const int tail : {1, 2, 150, 1999, 2000, 2001}) {
    const size_t want = std::min<size_t>(tail, all.size());
    EXPECT_EQ(Read({.tail = tail}),
              std::vector<std::string>(all.end() - want, all.end()))
        << tail;
  }
}

TEST_F(LogReaderTest, LeavesOutEndlessLines) {
  Append(Line("1\\n", 1));
  Append(std::string(3 << 20, 'x') + "\n");
  Append(Line("2\\n", 2));
  EXPECT_THAT(Read({}), ElementsAre("1\n", "2\n"));
  EXPECT_THAT(Read({.tail = 2}), ElementsAre("1\n", "2\n"));
}

TEST_F(LogReaderTest, TheSinkEndsIt) {
  Append(Line("1", 1) + Line("2", 2));
  int calls = 0;
  CK_EXPECT_OK(ReadLogs(dir_.get(), {}, nullptr, [&](const Output& output) {
    EXPECT_EQ(output.time, At(1) + absl::Milliseconds(500));
    ++calls;
    return false;
  }));
  EXPECT_EQ(calls, 1);
}

TEST_F(LogReaderTest, FollowDeliversAllUntilTheContainerHasEnded) {
  Append(Line("0", 0));
  std::atomic<bool> running{true};
  std::vector<std::string> lines;
  absl::Notification first;
  std::thread reader([&] {
    CK_EXPECT_OK(ReadLogs(
        dir_.get(), {.follow = true}, [&] { return running.load(); },
        [&](const Output& output) {
          lines.emplace_back(output.data);
          if (lines.size() == 1) first.Notify();
          return true;
        }));
  });
  first.WaitForNotification();
  // In pieces, over two rotations; the last line and the end come together.
  const std::string torn = Line("1", 1);
  Append(torn.substr(0, 20));
  Append(torn.substr(20));
  Rename("log.json", "log.json.1");
  Append(Line("2", 2));
  Rename("log.json.1", "log.json.2");
  Rename("log.json", "log.json.1");
  Append(Line("3", 3));
  Append(Line("4", 4));
  running = false;
  Append("x", "state");
  reader.join();
  EXPECT_THAT(lines, ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(LogReaderTest, FollowGoesOnWhenItsFileWasRotatedAway) {
  Append(Line("0", 0));
  std::vector<std::string> lines;
  CK_EXPECT_OK(ReadLogs(
      dir_.get(), {.follow = true}, [] { return true; },
      [&](const Output& output) {
        lines.emplace_back(output.data);
        if (lines.size() == 1) {
          // A log of one file: the old one is gone.
          EXPECT_EQ(unlinkat(dir_.get(), "log.json", 0), 0);
          Append(Line("1", 1));
        }
        return lines.size() < 2;
      }));
  EXPECT_THAT(lines, ElementsAre("0", "1"));
}

TEST_F(LogReaderTest, FollowWithTailZeroGivesOnlyWhatIsNew) {
  Append(Line("old", 0) + "{\"log\":\"ne");
  std::vector<std::string> lines;
  bool appended = false;
  CK_EXPECT_OK(ReadLogs(
      dir_.get(), {.follow = true, .tail = 0},
      [&] {
        if (!appended)
          Append(
              "w\",\"stream\":\"stdout\",\"time\":"
              "\"2024-01-01T00:00:00Z\"}\n");
        return !std::exchange(appended, true);
      },
      [&](const Output& output) {
        lines.emplace_back(output.data);
        return true;
      }));
  EXPECT_THAT(lines, ElementsAre("new"));
}

TEST_F(LogReaderTest, UntilEndsFollowing) {
  CK_EXPECT_OK(ReadLogs(
      dir_.get(),
      {.follow = true, .until = absl::Now() + absl::Milliseconds(50)},
      [] { return true; }, [](const Output&) { return true; }));
}

TEST_F(LogReaderTest, CancelEndsFollowing) {
  LogOptions options = {.follow = true};
  EXPECT_THAT(ReadLogs(
                  dir_.get(), options,
                  [&] {
                    options.cancel.Cancel();
                    return true;
                  },
                  [](const Output&) { return true; }),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
}

}  // namespace
}  // namespace containerkit::container
