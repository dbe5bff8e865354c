#include "examples/oci-runtime/log.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace ck_oci {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() : path_(absl::StrCat(::testing::TempDir(), "/logXXXXXX")) {
    fd_ = mkstemp(path_.data());
  }
  ~LogTest() override {
    close(fd_);
    unlink(path_.c_str());
  }
  std::string Content() const {
    char buffer[4096];
    const ssize_t n = pread(fd_, buffer, sizeof(buffer), 0);
    return std::string(buffer, n > 0 ? n : 0);
  }
  std::string path_;
  int fd_;
};

TEST_F(LogTest, JsonLinesAreLogrus) {
  Log log;
  ASSERT_TRUE(Log::Open(path_, "json", false, &log).ok());
  log.Error("open \"x\"\nno");
  log.Debug("not shown");
  const std::string text = Content();
  EXPECT_EQ(text.find("{\"level\":\"error\",\"msg\":\"open \\\"x\\\"\\nno\","
                      "\"time\":\"2"),
            0)
      << text;
  EXPECT_EQ(text.substr(text.size() - 3), "\"}\n");
  EXPECT_EQ(text.find("not shown"), std::string::npos);
}

TEST_F(LogTest, TextLinesHaveALevel) {
  Log log;
  ASSERT_TRUE(Log::Open(absl::StrCat("file:", path_), "text", true, &log).ok());
  log.Warning("careful");
  log.Debug("shown");
  const std::string text = Content();
  EXPECT_NE(text.find(" level=warning msg=\"careful\"\n"), std::string::npos);
  EXPECT_NE(text.find(" level=debug msg=\"shown\"\n"), std::string::npos);
}

TEST_F(LogTest, RefusesBadFormatsAndPaths) {
  Log log;
  EXPECT_EQ(Log::Open(path_, "xml", false, &log).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Log::Open("/no/such/log", "text", false, &log).code(),
            absl::StatusCode::kNotFound);
}

TEST(QuoteJsonTest, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(QuoteJson("a\"b\\c\n\t\x01\xc3\xa4"),
            "\"a\\\"b\\\\c\\n\\t\\u0001\xc3\xa4\"");
}

}  // namespace
}  // namespace ck_oci
