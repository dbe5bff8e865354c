#include "examples/cli/go_format.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

std::string F(const char* format, std::vector<Json> arguments) {
  return GoSprintf(format, arguments);
}

TEST(GoFormatTest, Quotes) {
  EXPECT_EQ(GoQuote("a\"b\\\n\t'"), R"("a\"b\\\n\t'")");
  EXPECT_EQ(GoQuote("é…"), "\"é…\"");
  EXPECT_EQ(GoQuote(std::string("\x01\xff", 2)), R"("\x01\xff")");
}

TEST(GoFormatTest, Unquotes) {
  std::string text;
  EXPECT_TRUE(GoUnquote(R"("a\n\x41\u00e9\101")", &text));
  EXPECT_EQ(text, "a\nAéA");
  EXPECT_FALSE(GoUnquote(R"("\z")", &text));
  EXPECT_FALSE(GoUnquote(R"("\x4")", &text));
}

TEST(GoFormatTest, CountsRunes) {
  EXPECT_EQ(RuneCount("aé…\xff"), 4u);
  EXPECT_EQ(FirstRunes("aé…", 2), "aé");
  EXPECT_EQ(FirstRune("é"), 0xe9u);
}

TEST(GoFormatTest, Floats) {
  EXPECT_EQ(GoFloat(1), "1");
  EXPECT_EQ(GoFloat(0.1), "0.1");
  EXPECT_EQ(GoFloat(1e21), "1e+21");
  EXPECT_EQ(GoFloat(0.00001), "1e-05");
}

TEST(GoFormatTest, Verbs) {
  EXPECT_EQ(F("%s|%5s|%-5s|%.2s", {"a", "b", "c", "defg"}), "a|    b|c    |de");
  EXPECT_EQ(F("%d %05d %+d %x %X %o %b %c", {1, -42, 3, 255, 255, 8, 5, 65}),
            "1 -0042 +3 ff FF 10 101 A");
  EXPECT_EQ(F("%f %.2f %e %g", {1.5, 2.345, 1.5, 0.1}),
            "1.500000 2.35 1.500000e+00 0.1");
  EXPECT_EQ(F("%t %v %q %x", {true, nullptr, "a b", "hi"}),
            "true <nil> \"a b\" 6869");
  EXPECT_EQ(F("%v %v", {Json::array({1, "a"}), Json{{"k", 1}}}),
            "[1 a] map[k:1]");
  EXPECT_EQ(F("%T %T %T", {"a", 1, 1.5}), "string int float64");
  EXPECT_EQ(F("%*d|%-*d|", {4, 1, 3, 2}), "   1|2  |");
  EXPECT_EQ(F("100%%", {}), "100%");
}

TEST(GoFormatTest, Mistakes) {
  EXPECT_EQ(F("%d", {"a"}), "%!d(string=a)");
  EXPECT_EQ(F("%s", {1}), "%!s(int=1)");
  EXPECT_EQ(F("%s %s", {"a"}), "a %!s(MISSING)");
  EXPECT_EQ(F("x", {1, "b"}), "x%!(EXTRA int=1, string=b)");
  EXPECT_EQ(F("%", {}), "%!(NOVERB)");
}

}  // namespace
}  // namespace containerkit::cli
