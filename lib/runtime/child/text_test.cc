#include "lib/runtime/child/text.h"

#include <string>

#include "gtest/gtest.h"

namespace containerkit::runtime::child {
namespace {

std::string Escaped(const std::string& text) {
  std::string out(text.size() * 6 + 1, '\0');
  out.resize(EscapeJson(text.data(), text.size(), out.data()));
  return out;
}

TEST(TextTest, CutsWhatDoesNotFit) {
  char buffer[8];
  Text text(buffer, sizeof buffer);
  text.Add("abc").AddInt(-42).Add("xyz");
  EXPECT_STREQ(buffer, "abc-42x");
  EXPECT_TRUE(text.cut());
}

TEST(TextTest, WritesAllIntegers) {
  char buffer[32];
  EXPECT_STREQ(Text(buffer, sizeof buffer).AddInt(INT64_MIN).c_str(),
               "-9223372036854775808");
  EXPECT_STREQ(Text(buffer, sizeof buffer).AddPadded(7, 3).c_str(), "007");
}

TEST(TextTest, ParsesOnlyWholeNumbers) {
  uint64_t value = 0;
  EXPECT_TRUE(ParseInt(" 18446744073709551615", &value));
  EXPECT_EQ(value, ~uint64_t{0});
  EXPECT_FALSE(ParseInt("18446744073709551616", &value));
  EXPECT_FALSE(ParseInt("-1", &value));
  EXPECT_FALSE(ParseInt("", &value));
}

TEST(TextTest, FormatsTimes) {
  char buffer[40];
  Text epoch(buffer, sizeof buffer);
  AddTime(epoch, 0);
  EXPECT_STREQ(buffer, "1970-01-01T00:00:00.000000000Z");
  Text leap(buffer, sizeof buffer);
  AddTime(leap, 1709164799 * int64_t{1000000000} + 5);
  EXPECT_STREQ(buffer, "2024-02-28T23:59:59.000000005Z");
  Text day(buffer, sizeof buffer);
  AddTime(day, 1709164800 * int64_t{1000000000});
  EXPECT_STREQ(buffer, "2024-02-29T00:00:00.000000000Z");
}

TEST(TextTest, EscapesWhatJsonNeeds) {
  EXPECT_EQ(Escaped("a\"b\\c\n\r\t\x01\x7f"),
            "a\\\"b\\\\c\\n\\r\\t\\u0001\x7f");
}

TEST(TextTest, KeepsValidUtf8AndReplacesTheRest) {
  EXPECT_EQ(Escaped("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(Escaped("\xff"), "\\ufffd");
  EXPECT_EQ(Escaped("\xc0\xaf"), "\\ufffd\\ufffd");             // overlong
  EXPECT_EQ(Escaped("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");  // surrogate
  EXPECT_EQ(Escaped("\xe2\x82"), "\\ufffd\\ufffd");             // cut
  EXPECT_EQ(Escaped("\xf4\x90\x80\x80"),
            "\\ufffd\\ufffd\\ufffd\\ufffd");  // above U+10FFFF
}

}  // namespace
}  // namespace containerkit::runtime::child
