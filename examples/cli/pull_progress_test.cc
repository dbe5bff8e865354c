#include "examples/cli/pull_progress.h"

#include <string>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

using Phase = PullProgress::Phase;

PullProgress Report(const std::string& id, Phase phase, uint64_t current = 0,
                    uint64_t total = 0) {
  PullProgress report;
  report.layer_id = id;
  report.phase = phase;
  report.current_bytes = current;
  report.total_bytes = total;
  return report;
}

absl::Time At(int milliseconds) {
  return absl::FromUnixMillis(1000000 + milliseconds);
}

TEST(PullProgressTest, PlainTextHasOneLineAPhase) {
  PullProgressText text(0);
  EXPECT_EQ(text.Update(Report("aa", Phase::kWaiting), At(0)),
            "aa: Pulling fs layer\n");
  EXPECT_EQ(text.Update(Report("aa", Phase::kWaiting), At(500)), "");
  EXPECT_FALSE(text.fetched());
  EXPECT_EQ(text.Update(Report("aa", Phase::kDownloading, 1, 2), At(600)),
            "aa: Downloading\n");
  EXPECT_EQ(text.Update(Report("aa", Phase::kDownloading, 2, 2), At(900)), "");
  EXPECT_TRUE(text.fetched());
  EXPECT_EQ(text.Update(Report("bb", Phase::kExists), At(900)),
            "bb: Already exists\n");
  EXPECT_EQ(text.Update(Report("aa", Phase::kDone), At(950)),
            "aa: Pull complete\n");
  EXPECT_EQ(text.Update(Report("", Phase::kResolving), At(950)), "");
}

TEST(PullProgressTest, TerminalLinesAreRedrawnInPlace) {
  PullProgressText text(120);
  EXPECT_EQ(text.Update(Report("aa", Phase::kWaiting), At(0)),
            "aa: Pulling fs layer\n");
  EXPECT_EQ(text.Update(Report("bb", Phase::kWaiting), At(0)),
            "bb: Pulling fs layer\n");
  EXPECT_EQ(text.Update(Report("bb", Phase::kDone), At(1)),
            "\x1b[1A\x1b[2K\rbb: Pull complete\x1b[1B\r");
  EXPECT_EQ(text.Update(Report("aa", Phase::kDone), At(1)),
            "\x1b[2A\x1b[2K\raa: Pull complete\x1b[2B\r");
}

TEST(PullProgressTest, RedrawsAreRare) {
  PullProgressText text(120);
  text.Update(Report("aa", Phase::kDownloading, 0, 1000), At(0));
  EXPECT_EQ(text.Update(Report("aa", Phase::kDownloading, 5, 1000), At(50)),
            "");
  EXPECT_NE(text.Update(Report("aa", Phase::kDownloading, 500, 1000), At(150)),
            "");
}

TEST(PullProgressTest, Bars) {
  EXPECT_EQ(ProgressBar(500, 1000, 120), "[" + std::string(25, '=') + ">" +
                                             std::string(24, ' ') +
                                             "]      500B/1kB");
  EXPECT_EQ(ProgressBar(1000, 1000, 120),
            "[" + std::string(50, '=') + "]       1kB/1kB");
  EXPECT_EQ(ProgressBar(5000, 1000, 120),
            "[" + std::string(50, '=') + "]       5kB/1kB");
  EXPECT_EQ(ProgressBar(500, 1000, 50), "    500B/1kB");
  EXPECT_EQ(ProgressBar(500, 0, 120), "500B");
}

TEST(PullProgressTest, HostileTextDoesNotSteerTheTerminal) {
  PullProgressText text(30);
  PullProgress report = Report("aa", Phase::kRetrying);
  report.message = "\x1b[2J" + std::string(100, 'x');
  const std::string out = text.Update(report, At(0));
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
  EXPECT_EQ(out.size(), 30u);
}

}  // namespace
}  // namespace containerkit::cli
