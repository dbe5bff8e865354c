#include "lib/base/json.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "nlohmann/json.hpp"

namespace containerkit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string Nested(int depth) {
  return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
}

TEST(ParseJsonTest, KeepsTheValue) {
  const auto json = ParseJson(R"({"b":[1,-2,3.5,"x",null,true],"a":{}})");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(DumpJson(*json), R"({"a":{},"b":[1,-2,3.5,"x",null,true]})");
}

TEST(ParseJsonTest, RefusesWhatIsNotStrictJson) {
  const std::string bad[] = {"",
                             "{",
                             "{}x",
                             "{} {}",
                             "[1,]",
                             "{\"a\":1,}",
                             "// c\n1",
                             "'a'",
                             "NaN",
                             "01",
                             "\"\x01\"",
                             "\"\xff\"",
                             "\"\xc0\xaf\"",
                             "\"\xed\xa0\x80\"",
                             "\"\\ud800\"",
                             "1e999",
                             "{\"a\":1,\"a\":1}",
                             "[{\"k\":{\"a\":1,\"b\":2,\"a\":3}}]",
                             std::string("1\0", 2)};
  for (const std::string& text : bad) {
    const auto json = ParseJson(text);
    ASSERT_FALSE(json.ok()) << text;
    EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(json.status()), Reason::kInvalidJson) << text;
  }
}

// security.md I05, I08.
TEST(ParseJsonTest, NamesTheDuplicateKey) {
  EXPECT_THAT(ParseJson(R"({"layers":1,"layers":2})").status().message(),
              HasSubstr("duplicate key \"layers\""));
}

TEST(ParseJsonTest, HoldsTheLimits) {
  EXPECT_TRUE(ParseJson(Nested(64)).ok());
  const std::string over[] = {Nested(65), Nested(100000),
                              std::string(100000, '['),
                              std::string((4 << 20) + 1, ' ')};
  for (const std::string& text : over) {
    EXPECT_EQ(GetReason(ParseJson(text).status()), Reason::kLimitExceeded);
  }
  std::string many = "[0";
  for (int i = 0; i < 200; ++i) many += ",0";
  many += "]";
  EXPECT_TRUE(ParseJson(many, {.max_values = 202}).ok());
  EXPECT_EQ(GetReason(ParseJson(many, {.max_values = 201}).status()),
            Reason::kLimitExceeded);
}

TEST(DumpJsonTest, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(DumpJson(nlohmann::json("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(JsonNodeTest, ReadsTypedMembers) {
  const auto doc = JsonDocument::Parse(
      R"({"s":"x","i":-3,"u":18446744073709551615,"b":true,"d":1.5,
          "list":["a",null],"map":{"k":"v","n":null},"none":null,
          "keys":{"80/tcp":{}}})",
      "test.parse");
  ASSERT_TRUE(doc.ok());
  const JsonNode root = doc->root();
  EXPECT_EQ(root.Get("s").String(), "x");
  EXPECT_EQ(root.Get("i").Int64(), -3);
  EXPECT_EQ(root.Get("u").Uint64(), 18446744073709551615u);
  EXPECT_TRUE(root.Get("b").Bool());
  EXPECT_EQ(root.Get("d").Double(), 1.5);
  EXPECT_THAT(root.Get("list").Strings(), ElementsAre("a", ""));
  EXPECT_THAT(root.Get("map").StringMap(),
              ElementsAre(Pair("k", "v"), Pair("n", "")));
  EXPECT_THAT(root.Get("keys").Keys(), ElementsAre("80/tcp"));
  EXPECT_FALSE(root.Get("none").present());
  EXPECT_EQ(root.Get("none").OptionalStrings(), std::nullopt);
  EXPECT_FALSE(root.Get("gone").Get("deeper").present());
  EXPECT_EQ(root.Get("gone").String("default"), "default");
  EXPECT_TRUE(doc->status().ok());
}

struct BadRead {
  const char* json;
  void (*read)(const JsonNode&);
  const char* message;
};

TEST(JsonNodeTest, ErrorsNameThePath) {
  const BadRead cases[] = {
      {R"({"config":{"Env":["a",7]}})",
       [](const JsonNode& n) { n.Get("config").Get("Env").Strings(); },
       "config.Env[1]: want a string, got number"},
      {R"({"a":[]})", [](const JsonNode& n) { n.Get("a").Get("b").String(); },
       "a: want an object, got array"},
      {"[]", [](const JsonNode& n) { n.Get("a"); },
       "document: want an object, got array"},
      {R"({"a":{}})",
       [](const JsonNode& n) { n.Get("a").Get("b").RequiredString(); },
       "a.b: missing or empty"},
      {R"({"a":-1})", [](const JsonNode& n) { n.Get("a").Uint64(); },
       "a: integer is negative"},
      {R"({"a":18446744073709551615})",
       [](const JsonNode& n) { n.Get("a").Int64(); },
       "a: integer out of range"},
      {R"({"a":1.0})", [](const JsonNode& n) { n.Get("a").Int64(); },
       "a: want an integer, got number"},
      {R"({"a":"x\u0000y"})", [](const JsonNode& n) { n.Get("a").String(); },
       "a: string contains NUL"},
      {R"({"a":"true"})", [](const JsonNode& n) { n.Get("a").Bool(); },
       "a: want true or false, got string"},
  };
  for (const BadRead& c : cases) {
    const auto doc = JsonDocument::Parse(c.json, "test.parse");
    ASSERT_TRUE(doc.ok()) << c.json;
    c.read(doc->root());
    EXPECT_EQ(doc->status().message(), c.message);
    EXPECT_EQ(GetReason(doc->status()), Reason::kInvalidJson);
    EXPECT_EQ(GetErrorDetail(doc->status())->operation, "test.parse");
  }
}

TEST(JsonTextTest, IsUtf8WithoutNul) {
  for (const char* text : {"", "plain", "\x7f", "\xc2\x80", "\xdf\xbf",
                           "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsJsonText(text)) << absl::CHexEscape(text);
  }
  for (const char* text : {"\x80", "a\xff", "\xc0\xaf", "\xc1\xbf", "\xe2\x82",
                           "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5", "\xc2\x41"}) {
    EXPECT_FALSE(IsJsonText(text)) << absl::CHexEscape(text);
  }
  EXPECT_FALSE(IsJsonText(absl::string_view("a\0b", 3)));
}

TEST(JsonTextTest, ErrorsNameThePlace) {
  const auto message = [](const nlohmann::json& value) {
    const absl::Status status = CheckJsonText(value, "test.check");
    EXPECT_TRUE(status.ok() || GetReason(status) == Reason::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message({{"Env", {"A=b", 1, nullptr}}}), "");
  EXPECT_THAT(message({{"Host", {{"Env", {"A=b", "\xff"}}}}}),
              HasSubstr("Host.Env[1] is not UTF-8"));
  EXPECT_THAT(message({{"Labels", {{"k\xff", "v"}}}}),
              HasSubstr("Labels.k\\xff is not UTF-8"));
}

TEST(JsonNodeTest, FirstErrorWins) {
  const auto doc = JsonDocument::Parse(R"({"a":1,"b":2})", "test.parse");
  ASSERT_TRUE(doc.ok());
  doc->root().Get("b").String();
  doc->root().Get("a").String();
  EXPECT_THAT(std::string(doc->status().message()), HasSubstr("b: want"));
}

}  // namespace
}  // namespace containerkit
