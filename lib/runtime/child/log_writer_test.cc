#include "lib/runtime/child/log_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "lib/base/unique_fd.h"

namespace containerkit::runtime::child {
namespace {

class LogWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "/ck_log_XXXXXX";
    ASSERT_NE(mkdtemp(path_.data()), nullptr);
    directory_.Reset(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    for (const char* name :
         {"log.json", "log.json.1", "log.json.2", "log.json.3"}) {
      unlinkat(directory_.get(), name, 0);
    }
    EXPECT_EQ(rmdir(path_.c_str()), 0);
  }
  std::string Content(const char* name = "log.json") {
    const UniqueFd fd(openat(directory_.get(), name, O_RDONLY | O_CLOEXEC));
    if (!fd.ok()) return "(none)";
    std::string text(1 << 20, '\0');
    const ssize_t n = read(fd.get(), text.data(), text.size());
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }
  void Write(LogWriter& log, const std::string& text, bool is_stderr = false) {
    log.Write(is_stderr, text.data(), text.size(), 0);
  }

  std::string path_;
  UniqueFd directory_;
};

constexpr char kTail[] =
    "\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00.000000000Z\"}\n";

TEST_F(LogWriterTest, WritesDockersFormat) {
  LogWriter log;
  ASSERT_EQ(log.Open(directory_.get(), 0, 1), 0);
  Write(log, "one\ntwo \"");
  EXPECT_EQ(Content(), std::string("{\"log\":\"one\\n") + kTail);
  Write(log, "err\n", true);
  Write(log, "quoted\"\nlast");
  log.Finish(0);
  EXPECT_EQ(Content(),
            std::string("{\"log\":\"one\\n") + kTail +
                "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"time\":\"1970-01-"
                "01T00:00:00.000000000Z\"}\n" +
                "{\"log\":\"two \\\"quoted\\\"\\n" + kTail + "{\"log\":\"last" +
                kTail);
}

TEST_F(LogWriterTest, SplitsLongLines) {
  LogWriter log;
  ASSERT_EQ(log.Open(directory_.get(), 0, 1), 0);
  const std::string part(LogWriter::kLongestLine, 'x');
  Write(log, part + "yy\n");
  EXPECT_EQ(Content(),
            "{\"log\":\"" + part + kTail + "{\"log\":\"yy\\n" + kTail);
}

TEST_F(LogWriterTest, RotatesAndKeepsSoManyFiles) {
  LogWriter log;
  const std::string record = std::string("{\"log\":\"0\\n") + kTail;
  ASSERT_EQ(log.Open(directory_.get(), record.size() * 2, 3), 0);
  for (int i = 0; i < 9; ++i) Write(log, std::to_string(i) + "\n");
  const auto line = [](int i) {
    return "{\"log\":\"" + std::to_string(i) + "\\n" + kTail;
  };
  EXPECT_EQ(Content(), line(8));
  EXPECT_EQ(Content("log.json.1"), line(6) + line(7));
  EXPECT_EQ(Content("log.json.2"), line(4) + line(5));
  EXPECT_EQ(Content("log.json.3"), "(none)");
}

TEST_F(LogWriterTest, OneFileStartsAnew) {
  LogWriter log;
  ASSERT_EQ(log.Open(directory_.get(), 100, 1), 0);
  for (int i = 0; i < 5; ++i) Write(log, std::to_string(i) + "\n");
  EXPECT_EQ(Content(), std::string("{\"log\":\"4\\n") + kTail);
  EXPECT_EQ(Content("log.json.1"), "(none)");
}

TEST_F(LogWriterTest, ContinuesAnExistingFile) {
  {
    LogWriter log;
    ASSERT_EQ(log.Open(directory_.get(), 0, 1), 0);
    Write(log, "a\n");
  }
  LogWriter log;
  ASSERT_EQ(log.Open(directory_.get(), 0, 1), 0);
  Write(log, "b\n");
  EXPECT_EQ(Content(),
            std::string("{\"log\":\"a\\n") + kTail + "{\"log\":\"b\\n" + kTail);
}

}  // namespace
}  // namespace containerkit::runtime::child
